"""Why an entry's adjoint is zero: from the loss on, each step says which entries it stops.

One pass from the loss to the leaves, of whole arrays.  An entry whose adjoint is zero is
stopped by a step, if an adjoint that is not zero arrives there and does not get through; it
is cancelled, if what gets through adds up to nothing; else its reason is that of the entries
that it leads to.  No path is ever followed by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.engines.backward import Backward
from chainrule.explanation.derivation import SATURATED_BELOW
from chainrule.explanation.why import Cause
from chainrule.graph.node import Node, topological
from chainrule.primitives import Apply, Linear, Pointwise, Select
from chainrule.primitives.formula import parse
from chainrule.reasons.flow import Flow, flows, slopes

__all__ = ["CANCELLED_BELOW", "Block", "Stops"]

CANCELLED_BELOW = 1e-6
"""A sum of terms below this share of their sizes is called cancelled.

Sums of terms without a relation to each other leave about 1/√n of their sizes, and hardly
ever a millionth; what rounding leaves of terms that cancel is about 1e-16 of them, and in
single precision 1e-7, times what was lost on the way.
"""

_STRENGTH: tuple[Cause, ...] = (
    *("not connected", "multiplied by zero", "stopped", "masked", "saturated", "cancelled"),
)
"""Which reason is told where several hold at one step: the last of these.

A flat curve is told before a choice: formulas that choose between two branches bend in the
one that was taken.
"""


@dataclass(frozen=True, eq=False)
class Block:
    """A step at which some entries of an operand are stopped, and why.

    `entries` are they.  `factor`, where there is one, is the operand whose zeros stop them.  Of
    several reasons the one of the highest `rank` is told: that of the step which the adjoint
    reached last, on its way from the loss; `rank` is 0 where none arrived at all.
    """

    cause: Cause
    step: Node
    operand: Node
    entries: Any
    factor: Node | None = None
    rank: int = 0


class Stops:
    """The adjoints between the loss and `leaves`, and the reasons of those that are zero.

    `reasons[node]` has for each entry 0, or one more than the place of its reason in `blocks`.
    With `selects` the adjoints are those of PyTorch: a choice hands back 0 to what was not taken,
    whatever arrives there.  With `repairs` every product 0 · ∞ is 0.  Slopes of a curve that
    saturates count as 0 below `SATURATED_BELOW`, and so does what is left of terms that cancel.
    """

    def __init__(
        self,
        backward: Backward,
        leaves: Sequence[Node],
        *,
        selects: bool = True,
        repairs: bool = False,
    ) -> None:
        import numpy

        self.model = backward.model
        self.values = backward.values
        self.selects, self.repairs = selects or repairs, repairs
        loss, dtype = self.model.loss, self.model.dtype
        self.order, self.users = _folded(loss, set(leaves))
        self._places = {node: place for place, node in enumerate(self.order)}
        self.blocks: list[Block] = []
        self.adjoints: dict[Node, Any] = {loss: numpy.ones((), dtype)}
        self.reasons: dict[Node, Any] = {loss: numpy.zeros((), int)}
        self._flows: dict[Node, dict[Node, Flow]] = {}
        self._numbers: dict[Flow, dict[Node, Any]] = {}
        with numpy.errstate(all="ignore"):
            for node in reversed(self.order):
                if node is not loss:
                    self._meet(node)

    # ------------------------------------------------------------------ one node

    def _meet(self, node: Node) -> None:
        """The adjoint of a node, and the reasons of its zeros."""
        import numpy

        parts = [self._handed(use, node) for use in self.users[node]]
        zero = numpy.zeros(node.shape, self.model.dtype)
        total = sum((part.share for part in parts), zero)
        sizes = sum((part.sizes for part in parts), zero)
        limit = max(CANCELLED_BELOW, 16 * float(numpy.finfo(self.model.dtype).eps))
        cancelled = (sizes > 0) & numpy.isfinite(sizes) & (numpy.abs(total) <= limit * sizes)
        total = numpy.where(cancelled, 0, total)
        self.adjoints[node] = total
        reasons = numpy.zeros(node.shape, int)
        strength = numpy.full(node.shape, -1)
        closed = total == 0

        def tell(number: int, where: Any) -> None:
            own = self.blocks[number - 1].rank
            chosen = where & closed & (strength < own)
            reasons[chosen] = number
            strength[chosen] = own

        if closed.any():
            if cancelled.any():
                use = max(parts, key=lambda part: float(numpy.sum(part.sizes * cancelled))).use
                tell(self._block("cancelled", use, node, cancelled), cancelled)
            for part in parts:
                for cause, factor, where in part.stopped:
                    own = where & closed
                    if own.any():
                        tell(self._block(cause, part.use, node, own, factor), own)
                for number in numpy.unique(self.reasons[part.use]):
                    if number:
                        tell(int(number), part.leads(self.reasons[part.use] == number))
            left = closed & (reasons == 0)
            if left.any():
                tell(self._left_out(node, left), left)
        self.reasons[node] = reasons

    def _left_out(self, node: Node, where: Any) -> int:
        """The reason of entries that no step reads: one that takes others by their number."""
        takes = [use for use in self.users[node] if use.primitive.name == "take"]
        if takes and node.inputs:
            return self._block("masked", takes[0], node, where, arrives=False)
        return self._block("not connected", node, node, where, arrives=False)

    def _block(
        self,
        cause: Cause,
        step: Node,
        operand: Node,
        entries: Any,
        factor: Node | None = None,
        arrives: bool = True,
    ) -> int:
        depth = len(self.order) - self._places[step]
        rank = len(_STRENGTH) * depth + _STRENGTH.index(cause) if arrives else 0
        self.blocks.append(Block(cause, step, operand, entries, factor, rank))
        return len(self.blocks)

    # ------------------------------------------------------------------ one use of a node

    def _handed(self, use: Node, node: Node) -> _Part:
        """What a step hands back to one operand."""
        if use.primitive.name == "stop":
            return self._held(use)
        if use.fold is None or use.fold.composite.pullback is None:
            if isinstance(use.primitive, Pointwise):
                return self._bent(use, node)
            return self._mixed(use, node)
        return self._composed(use, node)

    def _held(self, use: Node) -> _Part:
        import numpy

        zero = numpy.zeros(use.shape, self.model.dtype)
        live = self.adjoints[use] != 0
        return _Part(use, zero, zero, [("stopped", None, live)], lambda where: where)

    def _bent(self, use: Node, node: Node) -> _Part:
        """A pointwise step: each slope by itself."""
        import numpy

        adjoint = self.adjoints[use]
        live = adjoint != 0
        total = sizes = numpy.zeros(use.shape, self.model.dtype)
        stopped: list[tuple[Cause, Node | None, Any]] = []
        record = use.primitive
        assert isinstance(record, Pointwise)
        for operand, formula, slope in slopes(use, self.values):
            if operand is not node:
                continue
            if record.saturates:
                slope = numpy.where(numpy.abs(slope) < SATURATED_BELOW, 0, slope)
            share = slope * adjoint
            if self.repairs or (self.selects and _chooses(formula)):
                share = numpy.where(slope == 0, 0, share)
            if self.repairs:
                share = numpy.where(adjoint == 0, 0, share)
            total = total + share
            sizes = sizes + numpy.abs(share)
            flat = live & (slope == 0)
            if flat.any():
                stopped += self.flat(use, node, record, formula, flat)
        return _Part(use, total, sizes, stopped, lambda where: where)

    def flat(
        self, use: Node, node: Node, record: Pointwise, formula: str, flat: Any
    ) -> list[tuple[Cause, Node | None, Any]]:
        """Why a slope is zero."""
        if record.saturates:
            return [("saturated", None, flat)]
        if _chooses(formula):
            return [("masked", None, flat)]
        if len(record.operands) == 1:
            return [("saturated", None, flat)]
        found: list[tuple[Cause, Node | None, Any]] = []
        others = [item for item in use.inputs if item is not node]
        for factor in (*others, node):
            zeros = flat & (self.values[factor] == 0)
            if zeros.any():
                found.append((*self._zero(use, factor, zeros), zeros))
                flat = flat & ~zeros
        return found or [("multiplied by zero", None, flat)]

    def _mixed(self, use: Node, node: Node) -> _Part:
        """A step that mixes, moves or selects."""
        import numpy

        flow, numbers = self.flow(use, node)
        adjoint = self.adjoints[use]
        live = (adjoint != 0).astype(self.model.dtype)
        selects = self.selects and isinstance(use.primitive, Select)
        share = self._run(flow, adjoint, numbers, selects or self.repairs)
        sizes = flow.sizes(numpy.abs(adjoint), numbers)
        stopped: list[tuple[Cause, Node | None, Any]] = []
        if not share.all():
            reached = flow.sizes(live, numbers, places=True) > 0
            stopped = self.closed(use, node, live, reached)
        return _Part(use, share, sizes, stopped, lambda where: self._pulled(use, node, where))

    def _run(self, flow: Flow, adjoint: Any, numbers: Mapping[Node, Any], selects: bool) -> Any:
        """What a map gives; with `selects`, 0 times what is not finite is 0."""
        import numpy

        share = flow.run(adjoint, numbers)
        if not selects or numpy.isfinite(share).all():
            return share
        plain = {node: _finite(value) for node, value in numbers.items()}
        strange = {node: _strange(value) for node, value in numbers.items()}
        not_zero = (adjoint != 0).astype(adjoint.dtype)
        met = flow.sizes(_strange(adjoint), numbers) + flow.sizes(not_zero, strange)
        return numpy.where(met != 0, numpy.nan, flow.run(_finite(adjoint), plain))

    def _composed(self, use: Node, node: Node) -> _Part:
        """A composite as one step: its factor is zero if nothing at random gets through."""
        import numpy

        flow, numbers = self.flow(use, node)
        adjoint = self.adjoints[use]
        live = (adjoint != 0).astype(self.model.dtype)
        share = self._run(flow, adjoint, numbers, self.repairs)
        sizes = flow.sizes(numpy.abs(adjoint), numbers)
        dead = self._dead(use, node, live) & numpy.isfinite(share)
        share, sizes = numpy.where(dead, 0, share), numpy.where(dead, 0, sizes)
        stopped: list[tuple[Cause, Node | None, Any]] = []
        if dead.any():
            reached = dead & (flow.sizes(live, numbers, places=True) > 0)
            stopped = self.closed(use, node, live, reached)
        return _Part(use, share, sizes, stopped, lambda where: self._pulled(use, node, where))

    def _dead(self, use: Node, node: Node, live: Any) -> Any:
        """The entries of a composite's operand that nothing at random gets through to."""
        import numpy

        flow, numbers = self.flow(use, node)
        return numpy.abs(flow.run(live * _any(live.shape, live.dtype), numbers)) < SATURATED_BELOW

    def closed(
        self, use: Node, node: Node, live: Any, among: Any
    ) -> list[tuple[Cause, Node | None, Any]]:
        """Why entries `among` an operand's get nothing of the `live` ones, if they do not."""
        import numpy

        flow, numbers = self.flow(use, node)
        if use.fold is not None and use.fold.composite.pullback is not None:
            dead = among & self._dead(use, node, live)
            hidden = dead & numpy.isneginf(self.values[node])
            return [("masked", None, hidden), ("saturated", None, dead & ~hidden)]
        closed = among & ~(flow.sizes(live, numbers) != 0)
        if not closed.any():
            return []
        others = [item for item in use.inputs if item is not node]
        if isinstance(use.primitive, Select) or not others:
            return [("masked", None, closed)]
        zeros = self.zeros(use, node, closed, others[0], live)
        return [(*self._zero(use, others[0], zeros), closed)]

    def _pulled(self, use: Node, node: Node, where: Any) -> Any:
        """The entries of an operand from which a step leads to some of its result's."""
        flow, numbers = self.flow(use, node)
        return flow.sizes(where.astype(self.model.dtype), numbers, places=True) > 0

    def flow(self, use: Node, node: Node) -> tuple[Flow, dict[Node, Any]]:
        """What a step hands back to an operand, and the numbers of its factors."""
        if use not in self._flows:
            self._flows[use] = flows(use)
        flow = self._flows[use][node]
        if flow not in self._numbers:
            self._numbers[flow] = flow.numbers(self.values, self.model.dtype)
        return flow, self._numbers[flow]

    # ------------------------------------------------------------------ zero factors

    def zeros(self, use: Node, node: Node, where: Any, factor: Node, live: Any) -> Any:
        """The zeros of a factor by which the entries `where` of an operand are multiplied.

        Only what leads to the `live` entries of the step's result counts.
        """
        zero = self.values[factor] == 0
        if isinstance(use.primitive, Pointwise):
            return where & zero
        flow, _ = self.flow(use, factor)
        values = {item: self.values[item] for item in use.inputs}
        values[node] = where.astype(self.model.dtype)
        return zero & (flow.sizes(live, flow.numbers(values, self.model.dtype)) > 0)

    def _zero(self, use: Node, factor: Node, zeros: Any) -> tuple[Cause, Node]:
        """What a zero factor means: a mask hid it, a curve flattened it, or it is just zero."""
        origin, entries = self.origin(factor, zeros)
        if _is_mask(origin):
            return "masked", factor
        if origin.fold is not None and origin.fold.composite.saturates:
            operand = origin.fold.operands[0]
            import numpy

            hidden = numpy.isneginf(self.values[operand][entries]).any()
            return ("masked" if hidden else "saturated"), factor
        return "multiplied by zero", factor

    def origin(self, node: Node, entries: Any) -> tuple[Node, Any]:
        """Where numbers come from, through steps that only move them, or multiply by a zero.

        `entries` are some of the node's, as truth values.
        """
        while True:
            step = self._before(node, entries)
            if step is None:
                return node, entries
            node, entries = step

    def _before(self, node: Node, entries: Any) -> tuple[Node, Any] | None:
        import numpy

        record = node.primitive
        if node.fold is not None and node.fold.composite.pullback is not None:
            return None
        if record.name in ("mul", "div"):
            for item in node.inputs[: 1 if record.name == "div" else 2]:
                if not self.values[item][entries].any() and not _is_mask(item):
                    return item, entries
            return None
        if not isinstance(record, Linear) or len(node.inputs) != 1:
            return None
        places = numpy.flatnonzero(entries)
        reads = record.products(places, [node.inputs[0].shape], node.attributes)
        if len(reads) != 1 or not numpy.array_equal(reads[0][0], numpy.arange(len(places))):
            return None
        found = numpy.zeros(node.inputs[0].shape, bool)
        found.reshape(-1)[reads[0][1][0][1]] = True
        return node.inputs[0], found


@dataclass(frozen=True)
class _Part:
    """What one use hands back: the share, the sizes of its terms, what it stops.

    `leads` gives, for some entries of the use, those of the operand that lead to them.
    """

    use: Node
    share: Any
    sizes: Any
    stopped: list[tuple[Cause, Node | None, Any]]
    leads: Callable[[Any], Any]


def _folded(loss: Node, leaves: set[Node]) -> tuple[list[Node], dict[Node, list[Node]]]:
    """The nodes between `leaves` and the loss, and the uses of each; some composites as a step."""
    whole = topological([loss])
    needed = {loss}
    for node in reversed(whole):
        if node in needed:
            needed.update(operands(node))
    order: list[Node] = []
    users: dict[Node, list[Node]] = {}
    for node in whole:
        if node not in needed:
            continue
        own = [item for item in dict.fromkeys(operands(node)) if item in users]
        if node in leaves or own:
            order.append(node)
            users[node] = []
            for item in own:
                if node.dtype != "bool" and _has_slope(node, item):
                    users[item].append(node)
    return order, users


def operands(node: Node) -> tuple[Node, ...]:
    """What a step works on; of a composite that is differentiated as one, its operands."""
    if node.fold is not None and node.fold.composite.pullback is not None:
        return node.fold.operands
    return node.inputs


def _has_slope(node: Node, operand: Node) -> bool:
    record = node.primitive
    if operand not in node.inputs or not isinstance(record, Pointwise) or record.name == "stop":
        return True
    pairs = zip(node.inputs, record.slopes, strict=True)
    return any(item is operand and slope is not None for item, slope in pairs)


@functools.cache
def _chooses(formula: str) -> bool:
    """Whether a slope is one number or another, by a condition."""
    tree = parse(formula)
    return isinstance(tree, Apply) and tree.operation == "where"


def _is_mask(node: Node) -> bool:
    """Whether a given number is there to mask: it is called so."""
    return not node.inputs and "mask" in (node.name or "").rpartition(".")[2]


def _any(shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers without a relation to each other, which no sum cancels by chance."""
    import numpy

    return numpy.random.default_rng(0).uniform(0.5, 1.5, shape).astype(dtype)


def _finite(value: Any) -> Any:
    """The numbers, 0 in the place of those that are not finite."""
    import numpy

    return value if value.dtype == bool else numpy.where(numpy.isfinite(value), value, 0)


def _strange(value: Any) -> Any:
    """1 where a number is not finite, else 0."""
    import numpy

    return value if value.dtype == bool else (~numpy.isfinite(value)).astype(value.dtype)
