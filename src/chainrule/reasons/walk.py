"""From some entries of a leaf towards the loss: what they reach, and where they are stopped."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from chainrule.engines import numpy as arrays
from chainrule.explanation.derivation import SATURATED_BELOW
from chainrule.explanation.why import Cause
from chainrule.graph.node import Node
from chainrule.primitives import Linear, Pointwise
from chainrule.reasons.blocked import Block, Stops
from chainrule.reasons.flow import forward, slopes

__all__ = ["Stopped", "Walk"]


@dataclass(frozen=True, eq=False)
class Stopped:
    """Some `entries` of `node` that are stopped at `step`, or a factor's zeros that stop them."""

    cause: Cause
    step: Node
    node: Node
    entries: Any
    slope: Any = None
    operand: Node | None = None


class Walk:
    """What `entries` of a leaf lead to, by slopes that are not zero.

    `reached` are the entries of each quantity.  Where the adjoints of `entries` are zero, only
    such entries are gone through, and `stopped` says where they end, in the order of the graph.
    """

    def __init__(self, stops: Stops, leaf: Node, entries: Any, closed: bool) -> None:
        import numpy

        self.stops = stops
        self.reached: dict[Node, Any] = {leaf: entries}
        self.stopped: list[Stopped] = []
        self.met: dict[Node, Any] = {}
        """The steps at which terms cancel, and their entries that are terms."""
        self._ranks = numpy.array([0, *(block.rank for block in stops.blocks)])
        with numpy.errstate(all="ignore"):
            for node in stops.order:
                mask = self.reached.get(node)
                if mask is None or not mask.any():
                    continue
                ends = closed and self._cancelled(node, mask)
                for use in stops.users[node]:
                    if closed and not ends:
                        self._note(use, node, mask)
                    through = self._handed_on(use, node, mask)
                    if ends:
                        met = through & (stops.adjoints[use] != 0)
                        self.met[use] = self.met.get(use, False) | met
                    else:
                        self.reached[use] = self.reached.get(use, False) | through

    def _cancelled(self, node: Node, mask: Any) -> bool:
        """Whether it is here that terms cancel."""
        number = int(self.stops.reasons[node][mask].max(initial=0))
        block = self.stops.blocks[number - 1] if number else None
        return block is not None and block.cause == "cancelled" and block.operand is node

    def _relevant(self, use: Node) -> Any:
        """The entries where an adjoint arrives, or would if another step did not stop it."""
        return (self.stops.adjoints[use] != 0) | (self._ranks[self.stops.reasons[use]] > 0)

    # ------------------------------------------------------------------ onwards

    def _handed_on(self, use: Node, node: Node, mask: Any, places: bool = False) -> Any:
        """The entries of a step's result that change with those of an operand."""
        import numpy

        stops, record = self.stops, use.primitive
        if record.name == "stop":
            return mask if places else numpy.zeros(use.shape, bool)
        opened = use.fold is None or use.fold.composite.pullback is None
        if opened and isinstance(record, Pointwise):
            if places:
                return mask
            steep = numpy.zeros(use.shape, bool)
            least = SATURATED_BELOW if record.saturates else 0.0
            for operand, _, slope in slopes(use, stops.values):
                if operand is node:
                    steep |= ~(numpy.abs(slope) <= least)
            return mask & steep
        change = mask.astype(stops.model.dtype)
        if opened and isinstance(record, Linear):
            total: Any = 0.0
            for place, operand in enumerate(use.inputs):
                if operand is node:
                    joins = record.name == "concat"  # its operands are not factors
                    given = [_size(stops.values[item], places) * (not joins) for item in use.inputs]
                    given[place] = change
                    total = total + arrays.kernel_of(record)(*given, **use.attributes)
            return total > 0
        flow, numbers = stops.flow(use, node)
        onward = forward(flow)
        known = onward.numbers({**stops.values, **numbers}, stops.model.dtype)
        return onward.sizes(change, known, places) > 0

    def settled(self, node: Node, mask: Any) -> tuple[Node, Any]:
        """The same entries in the quantity that a step is part of, if it keeps their number."""
        while node not in self.stops.model.labels and len(self.stops.users.get(node, ())) == 1:
            (use,) = self.stops.users[node]
            if mask.size != max(1, _count(use)) or _mixes(use):
                break
            node, mask = use, self._handed_on(use, node, mask, places=True).reshape(use.shape)
        return node, mask

    # ------------------------------------------------------------------ where it ends

    def _note(self, use: Node, node: Node, mask: Any) -> None:
        import numpy

        stops, record = self.stops, use.primitive
        relevant = self._relevant(use)
        opened = use.fold is None or use.fold.composite.pullback is None
        if record.name == "stop":
            if (mask & relevant).any():
                origin = stops.origin(node, mask & relevant)
                self.stopped.append(Stopped("stopped", use, *origin))
        elif opened and isinstance(record, Pointwise):
            for operand, formula, slope in slopes(use, stops.values):
                least = SATURATED_BELOW if record.saturates else 0.0
                flat = mask & relevant & (numpy.abs(slope) <= least)
                if operand is node and flat.any():
                    for cause, factor, where in stops.flat(use, node, record, formula, flat):
                        self._add(cause, use, node, where, factor, slope, relevant)
        else:
            flow, numbers = stops.flow(use, node)
            left = mask
            for where in (relevant, stops.adjoints[use] != 0):
                live = where.astype(stops.model.dtype)
                reached = left & (flow.sizes(live, numbers, places=True) > 0)
                for cause, factor, own in stops.closed(use, node, live, reached):
                    self._add(cause, use, node, own, factor, None, live)
                    left = left & ~own

    def _add(
        self,
        cause: Cause,
        use: Node,
        node: Node,
        where: Any,
        factor: Node | None,
        slope: Any,
        live: Any,
    ) -> None:
        """Notes an end; of a factor, where its zeros come from."""
        if not where.any():
            return
        if factor is not None:
            zeros = self.stops.zeros(use, node, where, factor, live)
            if zeros.any():
                origin, entries = self.stops.origin(factor, zeros)
                if cause == "masked" and not origin.inputs:  # it is the product that is masked
                    self.stopped.append(Stopped(cause, use, use, where))
                    return
                if cause == "masked" and origin.fold is not None:  # hidden before the softmax
                    operand = origin.fold.operands[0]
                    origin, entries = self.stops.origin(operand, entries)
                step = use if origin.primitive.name == "constant" else origin
                self.stopped.append(Stopped(cause, step, origin, entries))
                return
        if where.shape != use.shape or slope is None:
            shown = self._handed_on(use, node, where, places=True)
            if use.fold is not None and use.shape == node.shape:
                shown = where
            self.stopped.append(Stopped(cause, use, *self.settled(use, shown)))
            return
        at = self.settled(use, where)
        if at[0].shape != use.shape:
            self.stopped.append(Stopped(cause, use, *at))
        else:
            self.stopped.append(Stopped(cause, use, *at, slope, node))

    def ends_of(self, block: Block) -> list[Stopped]:
        """The places where the entries end: first those for the reason of a block.

        Where none ends for that, another reason holds before it: a unit that is off stops what
        its own zero would multiply later.
        """
        found: dict[tuple[Node, Node], Stopped] = {}
        by_reason = sorted(self.stopped, key=lambda item: item.cause != block.cause)
        for item in by_reason:
            known = found.get((item.step, item.node))
            if known is not None:
                both = item.entries | known.entries
                found[item.step, item.node] = dataclasses.replace(known, entries=both)
            elif all(item.node is not node or item.cause == block.cause for _, node in found):
                found[item.step, item.node] = item
        if not found:
            own = self.reached.get(block.operand, False) & block.entries
            origin = self.stops.origin(block.operand, own if own.any() else block.entries)
            return [Stopped(block.cause, block.step, *origin)]
        return list(found.values())


def _size(value: Any, places: bool) -> Any:
    """The sizes of a factor's entries; 1 for one that is not finite, or for all."""
    import numpy

    if places:
        return numpy.ones_like(value)
    return numpy.where(numpy.isfinite(value), numpy.abs(value), 1).astype(value.dtype)


def _count(node: Node) -> int:
    import math

    return math.prod(node.shape)


def _mixes(node: Node) -> bool:
    """Whether a step does more than to bend or move each entry."""
    if node.fold is not None and node.fold.composite.pullback is not None:
        return True
    return not isinstance(node.primitive, Pointwise) and len(node.inputs) != 1
