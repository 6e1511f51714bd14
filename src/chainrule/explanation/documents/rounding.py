"""A document with fewer digits: every number rounded, and ≈ where what is shown is not equal.

An equals sign stays where the shown right side is what the shown numbers before it give.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Literal

from chainrule.explanation.documents.blocks import (
    Block,
    Cell,
    Details,
    Diagram,
    Document,
    Entries,
    Equation,
    Number,
    Piece,
    Right,
    Series,
    Table,
    Written,
)
from chainrule.explanation.picture import Picture
from chainrule.primitives.formula import symbols_within
from chainrule.primitives.record import evaluate

__all__ = ["rounded", "rounded_picture", "significant"]

CLOSE = 14
"""Digits to which the shown numbers must give the shown result: beyond them is the noise
of computing with binary numbers what is written in decimal ones."""


def significant(value: float, digits: int) -> float:
    """`value` to so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def rounded(document: Document, digits: int | None) -> Document:
    """The document with `digits` significant digits; itself, if that is None."""
    if digits is None:
        return document
    rounding = _Rounding(digits)
    return replace(document, blocks=tuple(map(rounding.block, document.blocks)))


def rounded_picture(picture: Picture, digits: int) -> Picture:
    """The picture with `digits` significant digits, and a note of what was rounded."""
    return _Rounding(digits).picture(picture)


class _Rounding:
    def __init__(self, digits: int) -> None:
        self.digits = digits
        self._known: dict[int, tuple[Mapping[str, float], Mapping[str, float]]] = {}

    def block(self, block: Block) -> Block:
        match block:
            case Equation(rights=rights):
                return replace(block, rights=tuple(self._rights(rights)))
            case Entries(pairs):
                changed = frozenset(name for name, value in pairs if self._changes(value))
                shown = tuple((name, self.number(value)) for name, value in pairs)
                return replace(block, pairs=shown, rounded=changed)
            case Table(rows):
                return replace(block, rows=tuple(tuple(map(self._cell, row)) for row in rows))
            case Diagram(picture):
                return replace(block, picture=self.picture(picture))
            case Details(blocks=blocks):
                return replace(block, blocks=tuple(map(self.block, blocks)))
        return block

    def number(self, value: float) -> float:
        return significant(value, self.digits)

    def _changes(self, value: float) -> bool:
        return value == value and self.number(value) != value  # NaN stays NaN

    def _cell(self, cell: Cell) -> Cell:
        return self.number(cell) if isinstance(cell, float) else cell

    # -------------------------------------------------------------------- equations

    def _rights(self, rights: Iterable[Right]) -> Iterable[Right]:
        before: float | None = None
        for right in rights:
            piece, exact = self._piece(right.piece)
            sign: Literal["=", "≈"] = "=" if right.sign == "=" and exact else "≈"
            if isinstance(piece, Number) and before is not None:
                near = significant(before, CLOSE) == significant(piece.value, CLOSE)
                sign = "=" if near or (math.isnan(before) and math.isnan(piece.value)) else "≈"
            before = _value(piece)
            yield Right(piece, sign)

    def _piece(self, piece: Piece) -> tuple[Piece, bool]:
        """The piece with its numbers rounded, and whether they are the same as before."""
        match piece:
            case Number(value):
                return Number(self.number(value)), not self._changes(value)
            case Written(formula, values) if values is not None:
                exact = not any(self._changes(values[name]) for name in symbols_within(formula))
                return Written(formula, self._numbers(values)), exact
            case Series(parts, sign):
                found = [self._piece(part) for part in parts]
                shown = tuple(part for part, _ in found)
                return Series(shown, sign), all(exact for _, exact in found)
        return piece, True

    def _numbers(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """All numbers by name, rounded; most formulas of a document speak of the same ones."""
        known = self._known.get(id(values))
        if known is None:
            shown = {name: self.number(value) for name, value in values.items()}
            known = self._known[id(values)] = (values, shown)
        return known[1]

    def picture(self, picture: Picture) -> Picture:
        """The names that were rounded before stay so."""
        changed = set(picture.rounded)

        def weighted(weight: tuple[str, float] | None) -> tuple[str, float] | None:
            return None if weight is None else (weight[0], shown(*weight))

        def shown(name: str, value: float) -> float:
            if self._changes(value):
                changed.add(name)
            return self.number(value)

        columns = tuple(
            tuple(
                replace(unit, value=shown(unit.name, unit.value), bias=weighted(unit.bias))
                for unit in column
            )
            for column in picture.columns
        )
        edges = tuple(replace(edge, weight=weighted(edge.weight)) for edge in picture.edges)
        return Picture(columns, edges, frozenset(changed))


_OPERATIONS: Mapping[str, Callable[[float, float], float]] = {
    "·": operator.mul,
    "+": operator.add,
    "−": operator.sub,
}


def _value(piece: Piece) -> float | None:
    """What the shown numbers of a piece give; None where it speaks of names."""
    match piece:
        case Number(value):
            return value
        case Written(formula, values) if values is not None:
            return float(evaluate(formula, values))
        case Series(parts, sign) if sign in _OPERATIONS:
            numbers = [_value(part) for part in parts]
            known = [number for number in numbers if number is not None]
            if len(known) == len(numbers):
                return functools.reduce(_OPERATIONS[sign], known)
    return None
