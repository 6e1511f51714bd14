"""Reading one entry: which entries of a quantity's adjoint it is made of, and by which steps.

Only places are followed here, no numbers: a reading is what is later multiplied out by an
engine, or written down as a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.differentiate.pullbacks import Pullback
from chainrule.graph.build import Builder
from chainrule.graph.node import Node
from chainrule.primitives import Formula, Linear, Pointwise
from chainrule.primitives.formula import parse

__all__ = ["Reading", "Way", "formula_of_slope", "read"]


@dataclass(frozen=True, slots=True)
class Way:
    """From entries of one step to those of an operand that they are made of.

    Way `k` leads from entry `rows[k]` of the step's places to entry `flats[k]` of `operand`,
    times the entries of `beside`, or times `slope`, a formula in the step's operands.
    """

    step: Node
    operand: Node
    rows: Any
    flats: Any
    beside: tuple[tuple[Node, Any], ...] = ()
    slope: Formula | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The ways from one entry of a share to the entries of the adjoint, `seed`.

    `places[node]` are the entries of each step that were met, in order; the ways stand in the
    order in which they are gone.
    """

    share: Node
    seed: Node
    places: Mapping[Node, Any]
    ways: tuple[Way, ...]

    @property
    def found(self) -> Any:
        """The entries of the adjoint that the entry is made of, in order."""
        return self.places[self.seed]

    def added(self, way: Way, numbers: Any) -> Any:
        """A number for each way, added up for each of the operand's places."""
        import numpy

        places = self.places[way.operand]
        if way.flats is places:
            return numbers
        return numpy.bincount(numpy.searchsorted(places, way.flats), numbers, len(places))


def read(pullback: Pullback, operand: Node, flat: int) -> Reading:
    """What the entry `flat` of the share of `operand` is made of."""
    import numpy

    share, steps = pullback.shares[operand], pullback.steps[operand]
    moved = {*steps, pullback.seed}
    met: dict[Node, list[Any]] = {share: [numpy.array([flat])]}
    places: dict[Node, Any] = {}
    ways: list[Way] = []
    for node in (*reversed(steps), pullback.seed):
        places[node] = own = _union(met.pop(node, []))
        if node is pullback.seed or not len(own):
            continue
        for way in _ways(node, own, moved):
            met.setdefault(way.operand, []).append(way.flats)
            ways.append(way)
    return Reading(share, pullback.seed, places, tuple(ways))


def _union(parts: list[Any]) -> Any:
    """All of the places, in order, once each."""
    import numpy

    if not parts:
        return numpy.zeros(0, int)
    if all(part is parts[0] for part in parts) and (parts[0][1:] > parts[0][:-1]).all():
        return parts[0]
    merged = numpy.sort(numpy.concatenate(parts), kind="stable")  # of sorted runs, mostly
    return merged[numpy.concatenate([[True], merged[1:] != merged[:-1]])]


def _ways(node: Node, places: Any, moved: set[Node]) -> list[Way]:
    import numpy

    record = node.primitive
    if isinstance(record, Pointwise):
        rows = numpy.arange(len(places))
        return [
            Way(node, item, rows, places, slope=parse(slope))
            for item, slope in zip(node.inputs, record.slopes, strict=True)
            if item in moved and slope is not None
        ]
    assert isinstance(record, Linear)
    ways = []
    shapes = [item.shape for item in node.inputs]
    for rows, factors in record.products(places, shapes, node.attributes):
        own = [(node.inputs[number], flats) for number, flats in factors]
        beside = tuple(part for part in own if part[0] not in moved)
        ways += [Way(node, item, rows, flats, beside) for item, flats in own if item in moved]
    return ways


# ------------------------------------------------------------------------------ formulas


def formula_of_slope(
    op: Builder,
    reading: Reading,
    flat: int,
    entry: Callable[[Node, int], Node],
    most: int,
) -> Node | None:
    """The derivative that a reading leads to at entry `flat` of the adjoint, in scalar nodes.

    `entry(node, flat)` is the scalar that stands for an entry beside the way.  None where more
    than `most` steps would multiply.
    """
    import numpy

    wanted: dict[Node, Any] = {reading.seed: numpy.array([flat])}
    kept: list[tuple[Way, Any]] = []
    count = 0
    for way in reversed(reading.ways):
        if way.operand not in wanted:
            continue
        (chosen,) = numpy.nonzero(numpy.isin(way.flats, wanted[way.operand]))
        if len(chosen):
            starts = reading.places[way.step][way.rows[chosen]]
            known = wanted.get(way.step)
            wanted[way.step] = starts if known is None else numpy.concatenate([known, starts])
            kept.append((way, chosen))
            count += len(chosen) if way.beside or way.slope is not None else 0
            if count > most:
                return None
    ((start,),) = (reading.places[reading.share],)
    found: dict[tuple[Node, int], Node] = {(reading.share, int(start)): op.constant(1.0)}
    for way, chosen in reversed(kept):
        for place in chosen.tolist():
            at = int(reading.places[way.step][way.rows[place]])
            if (way.step, at) not in found:
                continue
            total = found[way.step, at]
            if way.slope is not None:
                record = way.step.primitive
                assert isinstance(record, Pointwise)
                symbols = dict(zip(record.operands, way.step.inputs, strict=True))
                numbers = {
                    name: entry(item, at)
                    for name, item in symbols.items()
                    if item is not way.operand
                }
                total = op.mul(total, op.lower(way.slope, numbers))
            for item, flats in way.beside:
                total = op.mul(total, entry(item, int(flats[place])))
            end = (way.operand, int(way.flats[place]))
            found[end] = op.add(found[end], total) if end in found else total
    return found.get((reading.seed, flat))
