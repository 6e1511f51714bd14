"""Pieces and equations as MathML, with what a screen reader says for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.explanation.documents.blocks import Equation, Piece
from chainrule.explanation.documents.html.width import elements, unbroken, width
from chainrule.explanation.documents.pieces import mathml_script, speech_script, write
from chainrule.explanation.messages import Language
from chainrule.explanation.printers.mathml import wrapped

__all__ = ["Mathematics", "Sides"]

COLUMN, PHONE = 42.0, 16.5
"""The room for a line on a page and on a phone, in units of the font's size."""
LONG, INDENT = 4.5, 1.5
"""A left side that leaves too little room beside it; on a phone the right ones stand below it."""


@dataclass(frozen=True, slots=True)
class Sides:
    """An equation: its markup, and whether its left side, or a line of it, is a wide one."""

    markup: str
    is_long: bool
    is_wide: bool


class Mathematics:
    """Mathematics in a document's language; `symbols` says how some names are written."""

    def __init__(self, language: Language, symbols: Mapping[str, str]) -> None:
        self._seen, self._heard = mathml_script(language), speech_script(language)
        self._symbols = symbols

    def spoken(self, piece: Piece) -> str:
        """A piece in words."""
        return write(piece, self._heard, self._symbols)

    def inline(self, piece: Piece) -> str:
        """A piece within a line of text."""
        return wrapped(self._written(piece), self.spoken(piece), "inline")

    def line(self, equation: Equation) -> str:
        """An equation within a line of text."""
        return wrapped(
            "".join((self._written(equation.left), *self._rights(equation))),
            self._said(equation),
            "inline",
        )

    def equation(self, equation: Equation) -> Sides:
        """An equation with a row for each right side, the signs below one another."""
        left, rights = self._written(equation.left), self._rights(equation)
        lefts = [f"<mrow>{left}</mrow>", *("" for _ in rights[1:])]
        styles = [*("" for _ in rights[1:]), f' class="{equation.style}"']
        rows = "".join(
            f'<mtr{style}><mtd class="left">{left}</mtd><mtd class="right">{right}</mtd></mtr>'
            for left, right, style in zip(lefts, rights, styles, strict=True)
        )
        markup = wrapped(f'<mtable displaystyle="true">{rows}</mtable>', self._said(equation))
        lead = width(elements(left))
        is_long = lead > LONG
        beside = INDENT if is_long else lead
        sides = [elements(right) for right in rights]
        is_wide = max(lead, *(beside + unbroken(side) for side in sides)) > PHONE
        return Sides(markup, is_long, is_wide or lead + max(width(side) for side in sides) > COLUMN)

    def _written(self, piece: Piece) -> str:
        return write(piece, self._seen, self._symbols)

    def _rights(self, equation: Equation) -> list[str]:
        return [
            f'{self._seen.signs[right.sign]}<mrow class="flow">{self._written(right.piece)}</mrow>'
            for right in equation.rights
        ]

    def _said(self, equation: Equation) -> str:
        rights = (
            self._heard.signs[right.sign] + self.spoken(right.piece) for right in equation.rights
        )
        return self.spoken(equation.left) + "".join(rights)
