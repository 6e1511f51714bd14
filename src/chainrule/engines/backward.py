"""One run of an array graph forward, and back to what is asked; any entry of it can be read.

Adjoints of whole quantities are worked out by the shares of their uses.  What one entry of
an adjoint is made of is read off the graph of a share, without running it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.differentiate.pullbacks import Pullback, Pullbacks
from chainrule.differentiate.reading import Reading, Way, read
from chainrule.engines import numpy as arrays
from chainrule.graph.model import Model
from chainrule.graph.node import Node, inside, topological
from chainrule.primitives import Pointwise
from chainrule.primitives.record import evaluate

__all__ = ["Backward", "Uses", "entries"]


@dataclass(frozen=True, slots=True)
class Uses:
    """What one entry of a quantity's adjoint is made of, in the uses of that quantity.

    For each entry of the quantity `use` in which it stands, those that the `reading` found:
    the local derivative by it, the adjoint there, and their product.
    """

    use: Node
    reading: Reading
    slopes: Any
    adjoints: Any
    products: Any


class Backward:
    """The numbers of a model, forward, and the adjoints of its quantities when they are asked for.

    `values` are the arrays of all nodes that were run, in the type of the model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        folded = {step for node in model.nodes for step in inside(node) if step.name is None}
        self.pullbacks = Pullbacks(model.loss, model.labels.keys() - folded)
        leaves = arrays.leaf_arrays(model, model.dtype)
        self.values = arrays.program([model.loss], dtype=model.dtype).run(leaves)
        self._adjoints: dict[Node, Any] = {}
        self._paths: dict[Node, Any] = {}

    @property
    def loss(self) -> float:
        """The loss."""
        return float(self.values[self.model.loss])

    # ------------------------------------------------------------------ whole arrays

    def adjoint(self, node: Node) -> Any:
        """The derivative of the loss by a whole quantity, in its shape."""
        return self._back(node, self._adjoints, self._shares)

    def paths(self, node: Node) -> Any:
        """For each entry of a quantity, the sum over all paths to the loss of their sizes.

        The size of a path is the absolute value of the product of its local derivatives.
        """
        return self._back(node, self._paths, self._sizes)

    def _back(self, node: Node, known: dict[Node, Any], shares: Any) -> Any:
        import numpy

        if node not in known:
            dtype = self.model.dtype
            known.setdefault(self.model.loss, numpy.ones((), dtype))
            missing = [item for item in self.pullbacks.towards(node) if item not in known]
            for item in (*missing, node):
                if item not in known:
                    total = numpy.zeros(item.shape, dtype)
                    for number, use in enumerate(self.pullbacks.users(item)):
                        if use in known:
                            share = shares(use, item, known[use])
                            total = total + share if number else share
                    known[item] = total
        return known[node]

    def _shares(self, use: Node, operand: Node, adjoint: Any) -> Any:
        """The share of one operand in what a quantity hands back."""
        pullback = self._prepared(use)
        share = pullback.shares[operand]
        given = self._given(pullback, operand)
        return arrays.run([share], {**given, pullback.seed: adjoint})[share]

    def _sizes(self, use: Node, operand: Node, paths: Any) -> Any:
        """The same of absolute values: nothing cancels."""
        import numpy

        pullback = self._prepared(use)
        found = {
            node: numpy.abs(value) if value.dtype != bool else value
            for node, value in self._given(pullback, operand).items()
        }
        found[pullback.seed] = paths
        steps = pullback.steps[operand]
        moved = {*steps, pullback.seed}
        for node in steps:
            record = node.primitive
            if isinstance(record, Pointwise):
                total: Any = 0.0
                for item, slope in _slopes(node, self.values, moved):
                    total = total + numpy.abs(slope) * found[item]
                found[node] = total
            else:
                found[node] = arrays.kernel_of(record)(
                    *(found[item] for item in node.inputs), **node.attributes
                )
        return found[pullback.shares[operand]]

    def _given(self, pullback: Pullback, operand: Node) -> dict[Node, Any]:
        """The numbers that the steps of a share take beside the adjoint."""
        steps = pullback.steps[operand]
        beside = dict.fromkeys(item for node in steps for item in node.inputs)
        return {item: self.values[item] for item in beside if item in self.values}

    def _prepared(self, use: Node) -> Pullback:
        """The pullback of a quantity, with the numbers that it takes beside the adjoint."""
        pullback = self.pullbacks.of(use)
        moved = {node for steps in pullback.steps.values() for node in steps} | {pullback.seed}
        beside = [
            item
            for node in moved
            for item in node.inputs
            if item not in moved and item not in self.values
        ]
        if beside:
            order = topological(beside, self.values.__contains__)
            known = {
                item: self.values[item]
                for node in order
                for item in (node, *node.inputs)
                if item in self.values
            }
            self.values.update(arrays.program(beside, known, self.model.dtype).run(known))
        return pullback

    # ------------------------------------------------------------------ single entries

    def uses(self, node: Node, flat: int) -> list[Uses]:
        """What the entry `flat` of a quantity's adjoint is made of."""
        import numpy

        found = []
        for use in self.pullbacks.users(node):
            adjoint = self.adjoint(use)
            reading, slopes = self.read(use, node, flat)
            adjoints = entries(adjoint, reading.found)
            with numpy.errstate(all="ignore"):
                found.append(Uses(use, reading, slopes, adjoints, slopes * adjoints))
        return found

    def read(self, use: Node, operand: Node, flat: int) -> tuple[Reading, Any]:
        """By which steps a quantity depends on one entry of an operand; the local derivatives.

        Shapes: one for each entry of the quantity that the reading found.
        """
        import numpy

        pullback = self._prepared(use)
        reading = read(pullback, operand, flat)
        factors = {node: numpy.zeros(len(places)) for node, places in reading.places.items()}
        factors[reading.share][:] = 1.0
        with numpy.errstate(all="ignore"):
            for way in reading.ways:
                times = factors[way.step]
                if way.slope is not None:
                    times = times * self._slope(way, reading)
                times = times[way.rows]
                for item, flats in way.beside:
                    times = times * entries(self.values[item], flats)
                target = factors[way.operand]
                target += numpy.bincount(reading.at(way), times, len(target))
        return reading, factors[reading.seed]

    def _slope(self, way: Way, reading: Reading) -> Any:
        record, places = way.step.primitive, reading.places[way.step]
        assert isinstance(record, Pointwise)
        assert way.slope is not None
        named = zip(record.operands, way.step.inputs, strict=True)
        numbers = {
            name: entries(self.values[item], places) for name, item in named if item in self.values
        }
        return evaluate(way.slope, numbers, "array_kernel")


def _slopes(
    node: Node, numbers: Mapping[Node, Any], moved: set[Node]
) -> Iterator[tuple[Node, Any]]:
    """The slopes of a pointwise step by those of its operands that depend on the adjoint.

    Such a step is linear in them: `numbers` need hold only the others.
    """
    record = node.primitive
    assert isinstance(record, Pointwise)
    named = dict(zip(record.operands, node.inputs, strict=True))
    given = {name: numbers[item] for name, item in named.items() if item not in moved}
    for item, slope in zip(node.inputs, record.slopes, strict=True):
        if item in moved and slope is not None:
            yield item, evaluate(slope, given, "array_kernel")


def entries(array: Any, places: Any) -> Any:
    """The entries at these flat indices, in double precision."""
    import numpy

    if array.flags.c_contiguous:
        return array.reshape(-1)[places].astype(float)
    return array[numpy.unravel_index(places, array.shape)].astype(float)
