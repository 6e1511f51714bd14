"""The reasons of all entries of arrays: counts, by passes over whole arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.engines.backward import Backward
from chainrule.explanation.why import Cause, Part, WhyMap
from chainrule.graph.model import LeafValue, Model
from chainrule.reasons.blocked import Block, Stops
from chainrule.reasons.depth import change
from chainrule.reasons.entry import pytorch_like
from chainrule.reasons.nonfinite import born
from chainrule.reasons.places import Places
from chainrule.reasons.walk import Walk

__all__ = ["Map"]


class Map:
    """The reasons of the entries of some leaves."""

    def __init__(self, model: Model, leaves: Sequence[LeafValue]) -> None:
        self.model = model
        self.leaves = leaves
        self.backward = Backward(model)
        self.places = Places(model)

    def why(self) -> WhyMap:
        """The answer."""
        uses = self.backward.pullbacks.uses
        nodes = [leaf.node for leaf in self.leaves if leaf.node in uses]
        self.stops = Stops(self.backward, nodes, selects=pytorch_like(self.model))
        parts = [part for leaf in self.leaves for part in self._parts(leaf)]
        sizes = {self._name(leaf): len(leaf.values) for leaf in self.leaves}
        assert self.model.loss.name is not None
        return WhyMap(self.model, self.model.loss.name, sizes, tuple(parts))

    def _name(self, leaf: LeafValue) -> str:
        """What an array is called; one whose entries have names of their own, by the first."""
        spot = self.places.spot(leaf.node, self._all(leaf))
        return spot.name if spot.pattern == "" else spot.quantity

    def _all(self, leaf: LeafValue) -> Any:
        import numpy

        return numpy.ones(leaf.node.shape, bool)

    def _parts(self, leaf: LeafValue) -> list[Part]:
        import numpy

        node = leaf.node
        if node not in self.backward.pullbacks.uses:
            return [self._part(leaf, "not connected", self._all(leaf))]
        reasons, adjoints = self.stops.reasons[node], self.stops.adjoints[node]
        strange = ~numpy.isfinite(adjoints)
        framework = self.model.framework
        largest = None
        if framework is not None and framework.largest < numpy.finfo(self.model.dtype).max:
            own = numpy.reshape(framework.gradient(node.name or ""), node.shape)
            if not strange.any() and not numpy.isfinite(own).all():
                largest = framework.largest
                strange = ~numpy.isfinite(own)
        found: list[Part] = []
        if strange.any():
            birth = born(self.stops, self.places, largest)
            found.append(self._part(leaf, "not finite", strange, birth and birth.spot))
        grouped: dict[tuple[Cause, Any], list[int]] = {}
        for number in numpy.unique(reasons):
            if number:
                block = self.stops.blocks[number - 1]
                grouped.setdefault((block.cause, block.step), []).append(int(number))
        for (cause, _), numbers in grouped.items():
            entries = numpy.isin(reasons, numbers) & ~strange
            if entries.any():
                spot = self._spot(leaf, self.stops.blocks[numbers[0] - 1], entries)
                cause = cause if spot is None or spot.cause is None else spot.cause
                found.append(self._part(leaf, cause, entries, spot))
        open_ = (reasons == 0) & ~strange
        if open_.any():
            found.append(self._part(leaf, self._open(leaf, open_), open_))
        return sorted(found, key=lambda part: -part.count)

    def _open(self, leaf: LeafValue, entries: Any) -> Cause:
        """The reason of entries that an adjoint gets through to."""
        if leaf.role == "parameter" and not leaf.trained:
            return "frozen"
        walk = Walk(self.stops, leaf.node, entries, closed=False)
        found = change(walk, leaf.node)
        return "ordinary" if found is None else found[0]

    def _spot(self, leaf: LeafValue, block: Block, entries: Any) -> Any:
        """Where entries of one reason lead to, all together."""
        walk = Walk(self.stops, leaf.node, entries, closed=True)
        if block.cause == "cancelled":
            for use, mask in walk.met.items():
                return self.places.spot(*walk.settled(use, mask), at=use, cause="cancelled")
            return None
        end = walk.ends_of(block)[0]
        return self.places.spot(end.node, end.entries, at=end.step, cause=end.cause)

    def _part(self, leaf: LeafValue, cause: Cause, entries: Any, spot: Any = None) -> Part:
        where = self.places.spot(leaf.node, entries)
        return Part(self._name(leaf), cause, where.count, where.pattern or where.name, spot)
