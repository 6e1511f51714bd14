"""Boxes of text on a grid of character cells, joined along their baselines."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Box", "beside", "cells", "fraction", "line"]


def cells(text: str) -> int:
    """How many terminal cells `text` takes: East Asian wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


@dataclass(frozen=True, slots=True)
class Box:
    """Rows of equal width; `baseline` is the row that lines up with its neighbours."""

    rows: tuple[str, ...]
    baseline: int = 0

    @property
    def width(self) -> int:
        """In cells."""
        return cells(self.rows[0])

    @property
    def height(self) -> int:
        """In rows."""
        return len(self.rows)


def line(text: str) -> Box:
    """A box of one row."""
    return Box((text,))


def _padded(text: str, width: int) -> str:
    """`text` in the middle of `width` cells."""
    spare = width - cells(text)
    return " " * (spare // 2) + text + " " * (spare - spare // 2)


def beside(parts: Sequence[Box]) -> Box:
    """Boxes side by side on one baseline."""
    if len(parts) == 1:
        return parts[0]
    above = max(part.baseline for part in parts)
    below = max(1, *(part.height - part.baseline for part in parts))
    rows = ["" for _ in range(above + below)]
    for part in parts:
        blank = " " * part.width
        first = above - part.baseline
        for place in range(len(rows)):
            inside = first <= place < first + part.height
            rows[place] += part.rows[place - first] if inside else blank
    return Box(tuple(rows), above)


def fraction(over: Box, under: Box) -> Box:
    """One box over another, with a bar between them."""
    width = max(over.width, under.width) + 2
    rows = [
        *(_padded(row, width) for row in over.rows),
        "─" * width,
        *(_padded(row, width) for row in under.rows),
    ]
    return Box(tuple(rows), over.height)
