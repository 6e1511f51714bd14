"""Equations laid out in a column of a given width."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chainrule.explanation.documents.blocks import Style as BlockStyle
from chainrule.explanation.printers.boxes import Box, beside, cells, line

__all__ = ["Page", "Row", "Side", "Style"]

Style = BlockStyle | Literal["title", "heading"]

_BREAKS = re.compile(r"(?= [+−·<≤>≥=≠] )|(?= if )|(?= else )|(?<=, )")
"""Where a formula on one line may be broken: before a sign or a word, after a comma."""


MOST_ROWS = 24
"""Rows of one formula that are written out."""

_WORDS = re.compile(r"(?<! ) (?! )")
"""Where words may be wrapped."""

_WIDE = "\u2e80-\u2fff\u3040-\uff00"
_BREAKABLE = re.compile(rf"[{_WIDE}][\u3000-\u303f\uff01-\uffef]*|[^{_WIDE}]+")
"""Pieces of a word between which a row may end: Chinese is written without spaces."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equation: stacked, and on one line for when there is no room."""

    stacked: Box
    inline: str
    sign: str = "="

    @classmethod
    def text(cls, text: str, sign: str = "=") -> Side:
        """A side that has one form."""
        return cls(line(text), text, sign)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a document, and the part that it plays."""

    text: str
    style: Style = "plain"


class Page:
    """Rows of a document, wrapped to `width` cells."""

    def __init__(self, width: int) -> None:
        self.width = max(20, width)
        self.rows: list[Row] = []

    def add(self, text: str = "", style: Style = "plain", indent: int = 0) -> None:
        """Words, wrapped between single spaces; wider gaps are kept.  Alone, one empty row."""
        if not text and (not self.rows or not self.rows[-1].text):
            return
        for row in _wrapped(_WORDS.split(text), self.width - indent):
            self.rows.append(Row(" " * indent + row if row else "", style))

    def items(self, items: Sequence[str], indent: int = 0) -> None:
        """Short pieces that are not broken, as many in a row as fit."""
        for row in _wrapped(items, self.width - indent, gap="   "):
            self.rows.append(Row(" " * indent + row))

    def heading(self, text: str, style: Style = "heading") -> None:
        """A heading, with an empty line before it."""
        self.add()
        self.add(text, style)

    def box(self, box: Box, indent: int = 0, style: Style = "plain") -> None:
        """A box as it is."""
        self.rows.extend(Row((" " * indent + row).rstrip(), style) for row in box.rows)

    def equation(
        self, left: Side, rights: Sequence[Side], indent: int = 2, style: Style = "value"
    ) -> None:
        """`left = right = right ...`, a line each, the equals signs below one another.

        `style` is that of the last line, the result.
        """
        room = self.width - indent
        widest = max(right.stacked.width for right in rights)
        lead = left.stacked
        if lead.width + 3 + widest > room and lead.width > room // 5:
            # Beside a wide left side the right ones would be broken to shreds.
            if lead.width <= room:
                self.box(lead, indent)
            else:
                for piece in _wrapped_formula(left.inline, room):
                    self.box(line(piece), indent)
            lead = line("  ")
        first = lead
        for number, right in enumerate(rights):
            lead = first if number == 0 else line(" " * first.width)
            sign = line(f" {right.sign} ")
            own: Style = style if number == len(rights) - 1 else "plain"
            whole = beside([lead, sign, right.stacked])
            if whole.width <= room:
                self.box(whole, indent, own)
                continue
            margin = lead.width + sign.width
            pieces = _wrapped_formula(right.inline, room - margin)
            self.box(beside([lead, sign, line(pieces[0])]), indent, own)
            for piece in pieces[1:]:
                self.box(line(" " * margin + piece), indent, own)


def _wrapped(words: Sequence[str], width: int, gap: str = " ") -> list[str]:
    rows = [""]
    for word in words:
        for place, piece in enumerate(_BREAKABLE.findall(word) or [""]):
            between = gap if rows[-1] and place == 0 else ""
            longer = rows[-1] + between + piece
            if rows[-1] and cells(longer) > width:
                rows.append(piece)
            else:
                rows[-1] = longer
    return rows


def _wrapped_formula(text: str, width: int) -> list[str]:
    """`text` broken before signs, outside brackets where that is possible.

    A single piece that is too wide is left so.  Of a formula that would fill more
    than `MOST_ROWS` rows, the rest is counted instead.
    """
    pieces = _BREAKS.split(text)
    depths = list(itertools.accumulate(piece.count("(") - piece.count(")") for piece in pieces))
    rows: list[str] = []
    first = 0
    while first < len(pieces):
        if len(rows) == MOST_ROWS:
            return [*rows, f"… and {len(pieces) - first} more terms and factors"]
        end, used, fitting = first + 1, cells(pieces[first].lstrip()), []
        while end < len(pieces) and used <= width:
            fitting.append((depths[end - 1], _is_product(pieces[end], used, width), -end))
            used += cells(pieces[end])
            end += 1
        if used > width and fitting:
            end = -min(fitting)[2]
        rows.append("".join(pieces[first:end]).strip())
        first = end
    return rows


def _is_product(piece: str, used: int, width: int) -> bool:
    """Whether a break before `piece` is a poor one: within a product, or far to the left."""
    return piece.startswith(" ·") or used < width // 2
