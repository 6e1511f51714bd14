"""One run of an array graph forward, and back to what is asked; any entry of it can be read.

Adjoints of whole quantities are worked out by the shares of their uses.  What one entry of
an adjoint is made of is read off the graph of a share, without running it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.differentiate.pullbacks import Pullback, Pullbacks
from chainrule.differentiate.reading import Reading, Way, read
from chainrule.engines import numpy as arrays
from chainrule.engines.paths import Paths
from chainrule.graph.model import Model
from chainrule.graph.node import Node, inside, topological
from chainrule.primitives import Pointwise
from chainrule.primitives.record import evaluate

__all__ = ["Backward", "Uses", "entries", "slopes"]


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

    def __init__(self, model: Model, opened: frozenset[Node] = frozenset()) -> None:
        self.model = model
        self.opened = opened
        leaves = arrays.leaf_arrays(model, model.dtype)
        run = arrays.program([model.loss], dtype=model.dtype).run(leaves)
        self.values: dict[Node, Any] = leaves | run
        self._adjoints: dict[Node, Any] = {}
        self.pullbacks = self._pullbacks()

    def _pullbacks(self) -> Pullbacks:
        """Between the quantities; those inside a composite are none until it is opened."""
        made: dict[frozenset[Node], Pullbacks] = self.model.__dict__.setdefault("_pullbacks", {})
        if self.opened not in made:  # kept with the graph: they know no numbers
            composites = [node for node in self.model.nodes if node not in self.opened]
            folded = {step for node in composites for step in inside(node) if step.name is None}
            quantities = self.model.labels.keys() - folded
            made[self.opened] = Pullbacks(self.model.loss, quantities)
        return made[self.opened]

    def open(self, composites: Iterable[Node]) -> Backward:
        """The same run, these composites in their steps."""
        opened = self.opened.union(composites)
        if opened == self.opened:
            return self
        run = copy.copy(self)
        run.opened = opened
        run._adjoints = dict(self._adjoints)
        run.__dict__.pop("paths", None)
        run.pullbacks = run._pullbacks()
        return run

    @property
    def loss(self) -> float:
        """The loss."""
        return float(self.values[self.model.loss])

    def value(self, node: Node) -> Any:
        """The numbers of a quantity, also of one that the loss does not need."""
        self._run([node])
        return self.values[node]

    def _run(self, nodes: Iterable[Node]) -> None:
        missing = [node for node in nodes if node not in self.values]
        if missing:
            order = topological(missing, self.values.__contains__)
            known = {node: self.values[node] for node in order if node in self.values}
            self.values.update(arrays.program(missing, known, self.model.dtype).run(known))

    # ------------------------------------------------------------------ whole arrays

    def adjoint(self, node: Node) -> Any:
        """The derivative of the loss by a whole quantity, in its shape."""
        import numpy

        known = self._adjoints
        if node not in known:
            known[self.model.loss] = numpy.ones((), self.model.dtype)
            missing = [item for item in self.pullbacks.towards(node) if item not in known]
            for item in (*missing, node):
                if item not in known:
                    known[item] = self._sum(item)
        return known[node]

    def _sum(self, node: Node) -> Any:
        """The adjoint of a quantity whose uses have theirs."""
        import numpy

        uses = [use for use in self.pullbacks.users(node) if use in self._adjoints]
        if not uses:
            return numpy.zeros(node.shape, self.model.dtype)
        total = self._share(uses[0], node)
        with numpy.errstate(all="ignore"):
            for use in uses[1:]:
                total = total + self._share(use, node)
        return total

    @functools.cached_property
    def paths(self) -> Paths:
        """The sums over all paths from an entry to the loss."""
        return Paths(self)

    def _share(self, use: Node, operand: Node) -> Any:
        """The share of one operand in what a quantity hands back."""
        pullback = self.prepared(use)
        share = pullback.shares[operand]
        beside = (item for node in pullback.steps[operand] for item in node.inputs)
        given = {item: self.values[item] for item in beside if item in self.values}
        given[pullback.seed] = self._adjoints[use]
        return arrays.program([share], given, self.model.dtype).results(given)[share]

    def prepared(self, use: Node) -> Pullback:
        """The pullback of a quantity, with the numbers that it takes beside the adjoint."""
        pullback = self.pullbacks.of(use)
        self._run(pullback.beside)
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

        pullback = self.prepared(use)
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
                factors[way.operand] += reading.added(way, times)
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


def slopes(node: Node, numbers: Mapping[Node, Any], moved: set[Node]) -> Iterator[tuple[Node, Any]]:
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
