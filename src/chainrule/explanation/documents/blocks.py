"""What a document is made of, before it is a document in any format.

`compose` makes blocks from the data of an explanation; each format renders them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from chainrule.explanation.messages import Language
from chainrule.explanation.picture import Picture
from chainrule.primitives import Formula

__all__ = [
    "Block",
    "Break",
    "Cell",
    "Derivative",
    "Details",
    "Diagram",
    "Document",
    "Entries",
    "Equation",
    "Heading",
    "Name",
    "Number",
    "PaperBlock",
    "Paragraph",
    "Piece",
    "Recomputed",
    "Right",
    "Series",
    "Style",
    "Table",
    "Title",
    "Words",
    "Written",
    "unfolded",
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
    """A section, or with `level` 2 a part of one.

    `piece` is the heading where it is mathematics, which `text` then says on one line.
    `anchor` is what a link may lead to: the parameter whose derivation follows.
    """

    text: str
    piece: Piece | None = None
    anchor: str = ""
    level: int = 1


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
    """Names and their numbers, in no need of a row each; of those `rounded`, with ≈."""

    pairs: tuple[tuple[str, float], ...]
    rounded: frozenset[str] = frozenset()

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The same as an equation each."""
        return tuple(
            Equation(Name(name), (Right(Number(value), "≈" if name in self.rounded else "="),))
            for name, value in self.pairs
        )


Cell = str | float | Name | Derivative


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, below `head` where it is given; a number stands as a number.

    `arrow` sets → before the last column.
    """

    rows: tuple[tuple[Cell, ...], ...]
    level: int = 1
    arrow: bool = False
    style: Style = "plain"
    head: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagram:
    """A picture of a network, and what it shows in words, for whoever does not see it."""

    picture: Picture
    alternative: str


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Python that computes a number of the section again: only a notebook holds it.

    `call` is an expression in `cr`, the package, and `model`.
    """

    call: str
    value: float


@dataclass(frozen=True, slots=True)
class Break:
    """A little room before what follows."""


@dataclass(frozen=True, slots=True)
class Details:
    """Blocks below a heading that opens on a click, where a format can; else they stand open."""

    heading: Heading
    blocks: tuple[Block, ...]


PaperBlock = Title | Heading | Paragraph | Equation | Entries | Table | Diagram | Recomputed | Break
Block = PaperBlock | Details


def unfolded(blocks: Iterable[Block]) -> Iterator[PaperBlock]:
    """The blocks as they stand on paper, where nothing opens."""
    for block in blocks:
        if isinstance(block, Details):
            yield block.heading
            yield from unfolded(block.blocks)
        else:
            yield block


@dataclass(frozen=True, slots=True)
class Document:
    """Blocks in the order in which they are read.

    `symbols` says how the names of derivatives are written: ∂E/∂out_h1 for `dE_dout_h1`.
    """

    title: str
    blocks: tuple[Block, ...]
    language: Language = "en"
    symbols: Mapping[str, str] = field(default_factory=dict)
