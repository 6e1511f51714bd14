"""What a document is made of, before it is a document in any format.

`compose` makes blocks from the data of an explanation; each format renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chainrule.primitives import Formula

__all__ = [
    "Block",
    "Break",
    "Derivative",
    "Entries",
    "Equation",
    "Heading",
    "Name",
    "Number",
    "Paragraph",
    "Piece",
    "Right",
    "Series",
    "Style",
    "Table",
    "Title",
    "Words",
    "Written",
]

Style = Literal["plain", "value", "good", "bad", "note"]

# ------------------------------------------------------------------ pieces of mathematics


@dataclass(frozen=True, slots=True)
class Derivative:
    """∂over/∂by."""

    over: str
    by: str


@dataclass(frozen=True, slots=True)
class Written:
    """A formula, in symbols or, with `values`, with the numbers put in."""

    formula: Formula
    values: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was computed."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A quantity; `mark` is set behind it (⁺ for its value after an update)."""

    name: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Plain words within a line of mathematics."""

    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Pieces with a sign between them, or side by side where there is none."""

    parts: tuple[Piece, ...]
    sign: Literal["+", "−", "·", "=", ""] = "·"


Piece = Derivative | Written | Number | Name | Words | Series

# ------------------------------------------------------------------------------- blocks


@dataclass(frozen=True, slots=True)
class Title:
    """The document's title, as the user wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or a label; `level` is how deep it stands below its section."""

    text: str
    style: Style = "plain"
    level: int = 0


@dataclass(frozen=True, slots=True)
class Right:
    """A right side of an equation, with the sign before it."""

    piece: Piece
    sign: Literal["=", "≈"] = "="


@dataclass(frozen=True, slots=True)
class Equation:
    """`left = right = right ...`; `style` is that of the last one, the result."""

    left: Piece
    rights: tuple[Right, ...]
    level: int = 2
    style: Style = "value"


@dataclass(frozen=True, slots=True)
class Entries:
    """Names and their numbers, in no need of a row each."""

    pairs: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; a number stands as a number.  `arrow` sets → before the last column."""

    rows: tuple[tuple[str | float, ...], ...]
    level: int = 1
    arrow: bool = False
    style: Style = "plain"


@dataclass(frozen=True, slots=True)
class Break:
    """A little room before what follows."""


Block = Title | Heading | Paragraph | Equation | Entries | Table | Break
