"""A graph made ready to run: its steps in order, each with its kernel.

What an engine is, is which kernels it uses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chainrule.graph.node import Node, topological
from chainrule.primitives import CONSTANT, VARIABLE, Pointwise, Primitive

__all__ = ["Program"]

Kernel = Callable[..., Any]


class Program:
    """The steps that `outputs` need beyond the nodes that will be given.

    `kernel` chooses a primitive's kernel; `constant` makes a constant's value.
    """

    def __init__(
        self,
        outputs: Iterable[Node],
        kernel: Callable[[Primitive], Kernel],
        constant: Callable[[float], Any] = float,
        given: Iterable[Node] = (),
    ) -> None:
        self.outputs = tuple(outputs)
        known = set(given)
        self.steps: list[tuple[Node, Kernel, tuple[Node, ...], dict[str, Any]]] = []
        self._constants: dict[Node, Any] = {}
        for node in topological(self.outputs, known.__contains__):
            if node.primitive is CONSTANT:
                self._constants[node] = constant(node.attributes["value"])
            elif node.primitive is not VARIABLE and node not in known:
                attributes = dict(node.attributes)
                self.steps.append((node, kernel(node.primitive), node.inputs, attributes))

    def run(self, given: Mapping[Node, Any]) -> dict[Node, Any]:
        """The values of all nodes, given those of the leaves, in the order of the run."""
        values: dict[Node, Any] = {**given, **self._constants}
        for node, kernel, inputs, attributes in self.steps:
            if attributes:
                values[node] = kernel(*[values[item] for item in inputs], **attributes)
            elif len(inputs) == 2:  # most steps have one or two operands: spare them the list
                values[node] = kernel(values[inputs[0]], values[inputs[1]])
            elif len(inputs) == 1:
                values[node] = kernel(values[inputs[0]])
            else:
                values[node] = kernel(*[values[item] for item in inputs])
        return values

    def results(self, given: Mapping[Node, Any]) -> dict[Node, Any]:
        """The values of the outputs alone; each other one is let go when it was last needed.

        Steps that follow work in the memory that it leaves.
        """
        values: dict[Node, Any] = {**given, **self._constants}
        for (node, kernel, inputs, attributes), done in zip(self.steps, self._last, strict=True):
            values[node] = kernel(*[values[item] for item in inputs], **attributes)
            for item in done:
                del values[item]
        return {node: values[node] for node in self.outputs}

    @functools.cached_property
    def _last(self) -> list[list[Node]]:
        """For each step, what no later one needs."""
        needed = set(self.outputs)
        last = []
        for _, _, inputs, _ in reversed(self.steps):
            done = [item for item in dict.fromkeys(inputs) if item not in needed]
            needed.update(done)
            last.append(done)
        return last[::-1]

    def run_disturbed(
        self, given: Mapping[Node, Any], disturb: Callable[[Any], Any]
    ) -> dict[Node, Any]:
        """The same, the result of each pointwise step replaced by what `disturb` makes of it.

        Other steps move numbers, or add them up before a pointwise one.
        """
        values: dict[Node, Any] = {**given, **self._constants}
        for node, kernel, inputs, attributes in self.steps:
            value = kernel(*[values[item] for item in inputs], **attributes)
            rounds = isinstance(node.primitive, Pointwise)
            values[node] = disturb(value) if rounds else value
        return values
