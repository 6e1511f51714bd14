"""Why the derivative by one entry is what it is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from chainrule.engines.backward import Backward
from chainrule.explanation.derivation import partial
from chainrule.explanation.why import SHOWN, Born, Cause, Says, Spot, Term, Terms, Why
from chainrule.graph.model import LeafValue, Model, Phrase
from chainrule.graph.node import Node
from chainrule.reasons.blocked import Block, Stops
from chainrule.reasons.depth import change, layers, steepest
from chainrule.reasons.nonfinite import born
from chainrule.reasons.places import Places
from chainrule.reasons.unseen import unseen_by
from chainrule.reasons.walk import Stopped, Walk

__all__ = ["Entry", "pytorch_like"]


def pytorch_like(model: Model) -> bool:
    """Whether a choice hands back 0 to what was not taken even where NaN arrives."""
    return model.framework is not None


class Entry:
    """One entry of a leaf, `name`, and what there is to say of its derivative."""

    def __init__(self, model: Model, name: str) -> None:
        import numpy

        self.model, self.name = model, name
        number, self.flat = model.entry_of[name]
        self.leaf: LeafValue = model.leaves[number]
        self.node: Node = self.leaf.node
        self.entries = numpy.zeros(self.node.shape, bool)
        self.entries.reshape(-1)[self.flat] = True
        self.backward = Backward(model)
        self.places = Places(model)
        assert model.loss.name is not None
        self.symbol = partial(model.loss.name, name)

    def why(self) -> Why:
        """The answer."""
        if self.node not in self.backward.pullbacks.uses:
            return self._answer(0.0, "not connected", spots=(self._leaf_spot("not connected"),))
        stops = Stops(self.backward, [self.node], selects=pytorch_like(self.model))
        adjoint = float(stops.adjoints[self.node][self.entries][0])
        gradient = self._gradient(adjoint)
        strange = self._not_finite(stops, adjoint)
        if strange is not None:
            return strange
        number = int(stops.reasons[self.node][self.entries][0])
        if number:
            return self._stopped(stops, stops.blocks[number - 1], gradient)
        if self.leaf.role == "parameter" and not self.leaf.trained:
            spots = (self._leaf_spot("frozen"),)
            return self._answer(gradient, "frozen", {"value": _plain(gradient)}, spots=spots)
        return self._open(stops, gradient)

    def _gradient(self, adjoint: float) -> float:
        """The derivative, with the digits that `explain` has."""
        import numpy

        own = float(numpy.ravel(self.backward.adjoint(self.node))[self.flat])
        return own if math.isfinite(own) or not math.isfinite(adjoint) else adjoint

    def _answer(
        self,
        gradient: float,
        cause: Cause,
        values: dict[str, str | int] | None = None,
        *,
        key: str | None = None,
        more: tuple[Phrase, ...] = (),
        **evidence: Any,
    ) -> Why:
        spots: tuple[Spot, ...] = evidence.get("spots", ())
        said = {"symbol": self.symbol, "value": _plain(gradient), **(values or {})}
        for spot in spots[:1]:
            said.setdefault("place", _listed(spots))
            said.setdefault("step", spot.step)
        phrases = (Phrase(f"why.{key or cause}", said), *more)
        assert self.model.loss.name is not None
        return Why(
            self.model,
            self.model.loss.name,
            self.name,
            gradient,
            cause,
            phrases,
            **evidence,
        )

    def _leaf_spot(self, cause: Cause) -> Spot:
        import numpy

        values = numpy.reshape(numpy.asarray(self.leaf.values), self.node.shape)
        return self.places.spot(self.node, self.entries, "value", values, cause=cause)

    # ------------------------------------------------------------------ not finite

    def _not_finite(self, stops: Stops, adjoint: float) -> Why | None:
        """The answer where the derivative is not finite, here or in the framework's format."""
        import numpy

        gradient, largest = adjoint, None
        framework = self.model.framework
        if math.isfinite(adjoint):
            if framework is None or framework.largest >= numpy.finfo(self.model.dtype).max:
                return None
            gradient = float(numpy.ravel(framework.gradient(self.node.name or ""))[self.flat])
            if math.isfinite(gradient):
                return None
            largest = framework.largest
        birth = born(stops, self.places, largest)
        if birth is None:
            return None
        mended = Stops(self.backward, [self.node], repairs=True)
        repaired: float | None = float(mended.adjoints[self.node][self.entries][0])
        if repaired is not None and not math.isfinite(repaired):
            repaired = None
        more = []
        if repaired is not None and largest is None:
            more.append(Phrase("why.repaired", {"value": _plain(repaired)}))
        return self._answer(
            gradient,
            "not finite",
            _birth(birth),
            key=_birth_key(birth),
            more=tuple(more),
            spots=(birth.spot,),
            born=birth,
            repaired=repaired,
        )

    # ------------------------------------------------------------------ zero

    def _stopped(self, stops: Stops, block: Block, gradient: float) -> Why:
        """The answer where nothing gets through, or what does adds up to nothing."""
        walk = Walk(stops, self.node, self.entries, closed=True)
        if block.cause == "cancelled":
            return self._cancelled(stops, block, walk, gradient)
        spots = tuple(self._spot(stops, end) for end in walk.ends_of(block))
        cause = spots[0].cause or block.cause
        own = [spot for spot in spots if spot.cause == cause]
        other = [spot for spot in spots if spot.cause != cause]
        more = (Phrase("why.also", {"place": _listed(other)}),) if other else ()
        key = "left out" if block.rank == 0 and block.cause == "masked" else None
        where: dict[str, str | int] = {"place": _listed(own)}
        return self._answer(gradient, cause, where, key=key, more=more, spots=spots)

    def _spot(self, stops: Stops, end: Stopped) -> Spot:
        """A place where something ends, with the number that says why."""
        says: Says = "value"
        numbers, named = stops.values[end.node], end.node
        if end.cause == "saturated" and end.slope is not None:
            says, numbers = "slope", end.slope
        elif end.cause == "masked" and end.operand is not None:
            says, numbers, named = "operand", stops.values[end.operand], end.operand
        spot = self.places.spot(end.node, end.entries, says, numbers, end.step, end.cause)
        first = (self.places.label(named, flat) for flat in spot.places[:SHOWN].tolist())
        values = (value for _, value in spot.numbers)
        return dataclasses.replace(spot, numbers=tuple(zip(first, values, strict=True)))

    def _cancelled(self, stops: Stops, block: Block, walk: Walk, gradient: float) -> Why:
        """The terms that cancel, and the composite that does not see them, where there is one."""
        spots = [
            self.places.spot(node, entries, "derivative", stops.adjoints[node], use, "cancelled")
            for use, mask in walk.met.items()
            for node, entries in (walk.settled(use, mask),)
        ]
        more: tuple[Phrase, ...] = ()
        unseen = unseen_by(stops, self.node, self.entries)
        if unseen is not None:
            import numpy

            everywhere = numpy.ones(unseen.shape, bool)
            spots.insert(0, self.places.spot(unseen, everywhere, cause="cancelled"))
            more = (Phrase("why.unseen", {"step": spots[0].step, "place": spots[0].quantity}),)
        terms = self._terms(block, walk)
        values: dict[str, str | int] = {"place": _listed(spots[1:] if unseen else spots)}
        if terms is not None:
            values |= {
                "count": terms.count,
                "of": partial(self.model.loss.name or "", terms.of),
                "total": f"{terms.total:.2g}",
                "sizes": f"{terms.sizes:.2g}",
            }
        key = "cancelled" if terms is not None else "cancelled within"
        return self._answer(
            gradient, "cancelled", values, key=key, more=more, spots=tuple(spots), terms=terms
        )

    def _terms(self, block: Block, walk: Walk) -> Terms | None:
        """The terms of the first entry at which they cancel, where it is a quantity's."""
        import numpy

        mask = walk.reached.get(block.operand)
        if mask is None or block.operand not in self.backward.pullbacks.uses:
            return self.terms(self.node, self.flat)
        flat = int(numpy.flatnonzero(mask & block.entries)[0])
        return self.terms(block.operand, flat)

    def terms(self, node: Node, flat: int) -> Terms | None:
        """What one entry of a quantity's adjoint is the sum of."""
        import numpy

        found: list[Term] = []
        for use in self.backward.uses(node, flat):
            names = self.model.labels.get(use.use)
            if names is None:
                continue
            rows = zip(
                use.reading.found.tolist(), use.slopes, use.adjoints, use.products, strict=True
            )
            found += [Term(names[place], *map(float, row)) for place, *row in rows]
        found = [term for term in found if term.product != 0]
        if not found:
            return None
        products = numpy.array([term.product for term in found])
        by_size = sorted(found, key=lambda term: -abs(term.product))
        names = self.model.labels[node]
        return Terms(
            names[flat],
            tuple(by_size[:SHOWN]),
            len(found),
            float(products.sum()),
            float(numpy.abs(products).sum()),
        )

    # ------------------------------------------------------------------ not zero

    def _open(self, stops: Stops, gradient: float) -> Why:
        """The answer where something gets through: how large it is on the way."""
        walk = Walk(stops, self.node, self.entries, closed=False)
        table = layers(walk, self.node)
        found = change(walk, self.node)
        if found is None:
            terms = self.terms(self.node, self.flat)
            count = 0 if terms is None else terms.count
            return self._answer(gradient, "ordinary", {"count": count}, layers=table, terms=terms)
        cause, ratio = found
        module = steepest(table)
        values: dict[str, str | int] = {
            "count": len(table),
            "ratio": f"{ratio:.2g}",
            "module": module or (table[0].quantity if table else ""),
        }
        return self._answer(gradient, cause, values, layers=table)


def _birth_key(birth: Born) -> str:
    if birth.largest is not None:
        return "too large"
    return "not finite backward" if birth.backward else "not finite forward"


def _birth(birth: Born) -> dict[str, str | int]:
    operands = ", ".join(f"{name} = {_plain(value)}" for name, value in birth.operands)
    largest = "" if birth.largest is None else _plain(birth.largest)
    return {
        "number": _plain(birth.value),
        "operands": operands or birth.spot.name,
        "largest": largest,
    }


def _listed(spots: Any) -> str:
    shown = [f"{spot.name}" for spot in spots[:3]]
    return ", ".join([*shown, *["…"][: len(spots) > 3]])


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
