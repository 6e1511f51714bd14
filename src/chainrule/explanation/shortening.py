"""Long sums, shortened: their largest terms, and one name for the sum of the others.

`net = w1·x1 + ... + w784·x784 + b` becomes `w7·x7 + w300·x300 + rest_783`, which is a
formula like any other: `rest_783` has a number, and what is shown still gives the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.primitives import Apply, Formula, Symbol
from chainrule.primitives.formula import symbols_within
from chainrule.primitives.record import evaluate

__all__ = ["Rest", "Shortened", "shortened"]

LONGEST = 12
"""Terms of a sum that are written out."""
KEPT = 6
"""Terms that are kept of a longer one: the largest."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What a sum leaves out.

    `coverage` is the share of the terms kept in the sum of all magnitudes.
    """

    name: str
    value: float
    count: int
    coverage: float


@dataclass(frozen=True, slots=True)
class Shortened:
    """A formula, the numbers that it speaks of, and what was left out."""

    formula: Formula
    values: Mapping[str, float]
    rests: tuple[Rest, ...]


def shortened(formula: Formula, values: Mapping[str, float], asked: str = "") -> Shortened:
    """`formula` without the small terms of its long sums; itself where none is long.

    Terms that speak of the name `asked` are kept, however small.
    """
    rests: list[Rest] = []
    short = _Shortening(values, asked, rests).shorten(formula)
    if not rests:
        return Shortened(formula, values, ())
    return Shortened(short, {**values, **{rest.name: rest.value for rest in rests}}, tuple(rests))


def _terms(formula: Formula) -> list[tuple[str, Formula]]:
    """The terms of a sum, each with the operation that brings it in."""
    terms: list[tuple[str, Formula]] = []
    while isinstance(formula, Apply) and formula.operation in ("add", "sub"):
        terms.append((formula.operation, formula.arguments[1]))
        formula = formula.arguments[0]
    return [("add", formula), *reversed(terms)]


def _sum(terms: list[tuple[str, Formula]]) -> Formula:
    sign, total = terms[0]
    if sign == "sub":
        total = Apply("neg", (total,))
    for operation, term in terms[1:]:
        total = Apply(operation, (total, term))
    return total


class _Shortening:
    def __init__(self, values: Mapping[str, float], asked: str, rests: list[Rest]) -> None:
        self.values = values
        self.asked = asked
        self.rests = rests

    def shorten(self, formula: Formula) -> Formula:
        if not isinstance(formula, Apply):
            return formula
        terms = _terms(formula)
        if len(terms) > LONGEST:
            return self._kept(terms)
        if len(terms) > 1:
            return _sum([(sign, self.shorten(term)) for sign, term in terms])
        return Apply(formula.operation, tuple(map(self.shorten, formula.arguments)))

    def _kept(self, terms: list[tuple[str, Formula]]) -> Formula:
        numbers = [evaluate(term, self.values) for _, term in terms]
        by_size = sorted(range(len(terms)), key=lambda place: -abs(numbers[place]))
        asked = {i for i, (_, term) in enumerate(terms) if self.asked in symbols_within(term)}
        kept = sorted(asked | set(by_size[:KEPT]))
        left_out = [place for place in range(len(terms)) if place not in kept]
        total = 0.0
        for place in left_out:
            sign, _ = terms[place]
            total += -numbers[place] if sign == "sub" else numbers[place]
        name = f"rest_{len(left_out)}"
        while name in self.values or any(rest.name == name for rest in self.rests):
            name += "_"
        everything = sum(map(abs, numbers))
        coverage = sum(abs(numbers[place]) for place in kept) / everything if everything else 1.0
        self.rests.append(Rest(name, total, len(left_out), coverage))
        return _sum([*(terms[place] for place in kept), ("add", Symbol(name))])
