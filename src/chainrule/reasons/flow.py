"""What a step hands back to an operand, and hands on from it, as maps between whole arrays.

Both are linear.  The same map can be run with the sizes of its factors, where nothing
cancels, or with ones for all of them, where only the places count.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from chainrule.differentiate.reverse import contributions, reverse
from chainrule.engines import numpy as arrays
from chainrule.engines.backward import slopes as linear_slopes
from chainrule.graph.build import Builder
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.prune import depending
from chainrule.primitives import Pointwise
from chainrule.primitives.record import evaluate

__all__ = ["Flow", "flows", "forward", "slopes"]


class Flow:
    """A graph, `output`, that is linear in the variable `seed`, beyond the nodes `given`."""

    def __init__(self, output: Node, seed: Node, given: Set[Node]) -> None:
        self.output, self.seed, self.given = output, seed, given
        order = topological([output], given.__contains__)
        self._moved = depending(order, {seed}, given.__contains__)
        self.steps = [node for node in order if node in self._moved and node is not seed]
        inputs = dict.fromkeys(item for node in self.steps for item in node.inputs)
        self.beside = [item for item in inputs if item not in self._moved]

    def numbers(self, values: Mapping[Node, Any], dtype: str) -> dict[Node, Any]:
        """The factors beside the seed."""
        missing = [item for item in self.beside if item not in values]
        order = topological(missing, values.__contains__)
        known = {
            item: values[item] for node in order for item in (node, *node.inputs) if item in values
        }
        found = arrays.program(missing, known, dtype).run(known)
        return {item: values[item] if item in values else found[item] for item in self.beside}

    def run(self, value: Any, numbers: Mapping[Node, Any]) -> Any:
        """The map at `value`."""
        found = {**numbers, self.seed: value}
        for node in self.steps:
            kernel = arrays.kernel_of(node.primitive)
            found[node] = kernel(*(found[item] for item in node.inputs), **node.attributes)
        return found[self.output]

    def sizes(self, value: Any, numbers: Mapping[Node, Any], places: bool = False) -> Any:
        """The same of absolute values; with `places` each factor counts as 1."""
        import numpy

        found = {}
        for node, number in numbers.items():
            if number.dtype == bool:
                found[node] = number
            else:
                found[node] = numpy.ones_like(number) if places else numpy.abs(number)
        found[self.seed] = value
        for node in self.steps:
            if isinstance(node.primitive, Pointwise):
                # The built-in abs leaves a Python number one, which takes the type of the array.
                found[node] = sum(
                    (1.0 if places else abs(slope)) * found[item]
                    for item, slope in linear_slopes(node, found, self._moved)
                )
            else:
                operands = (found[item] for item in node.inputs)
                found[node] = arrays.kernel_of(node.primitive)(*operands, **node.attributes)
        return found[self.output]


def flows(node: Node) -> dict[Node, Flow]:
    """What a step hands back to each operand, as maps of its adjoint; composites as one step."""
    op = Builder()
    seed = op.variable("adjoint", node.shape)
    parts: dict[Node, Node] = {}
    for operand, share in contributions(op, node, seed, folded=True):
        parts[operand] = op.add(parts[operand], share) if operand in parts else share
    given = {node, *node.inputs, *(() if node.fold is None else node.fold.operands)}
    return {operand: Flow(share, seed, given) for operand, share in parts.items()}


def forward(back: Flow) -> Flow:
    """The transpose of what is handed back: what is handed on from the operand."""
    op = Builder()
    change = op.variable("change", back.output.shape)
    found = reverse(op, back.output, {back.seed}, change, back.given.__contains__)
    return Flow(found[back.seed], change, back.given)


def slopes(node: Node, values: Mapping[Node, Any]) -> list[tuple[Node, str, Any]]:
    """The slopes of a pointwise step, as (operand, formula, numbers); a choice has none."""
    import numpy

    record = node.primitive
    assert isinstance(record, Pointwise)
    named = {name: values[item] for name, item in zip(record.operands, node.inputs, strict=True)}
    found = []
    for item, slope in zip(node.inputs, record.slopes, strict=True):
        if slope is not None:
            with numpy.errstate(all="ignore"):
                number = evaluate(slope, {**named, "y": values[node]}, "array_kernel")
            found.append((item, slope, numpy.broadcast_to(number, node.shape)))
    return found
