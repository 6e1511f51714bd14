"""Each block as elements of HTML."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Derivative,
    Details,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Piece,
    Recomputed,
    Table,
    Title,
)
from chainrule.explanation.documents.drawing import draw
from chainrule.explanation.documents.html.anchors import Anchors, link
from chainrule.explanation.documents.html.mathematics import PHONE, Mathematics
from chainrule.explanation.documents.html.svg import LEAST, svg
from chainrule.explanation.messages import Words
from chainrule.explanation.printers.mathml import text as escaped

__all__ = ["MAIN", "Blocks", "Section"]

MAIN = "main"
"""The id of the content, where the link that skips the rest leads."""

CHARACTER = 0.55
"""The width of a letter, about."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading that the table of contents leads to."""

    anchor: str
    markup: str
    spoken: str
    level: int


class Blocks:
    """The blocks of a document, in the order in which they are read.

    `markup` is all of them, `sections` the headings among them.
    """

    def __init__(self, document: Document) -> None:
        self.sections: list[Section] = []
        self._say = Words(document.language)
        self._mathematics = Mathematics(document.language, document.symbols)
        self._anchors = Anchors([MAIN])
        self._numbers = itertools.count(1)
        self._label = document.title
        self.markup = self._blocks(document.blocks)

    def _blocks(self, blocks: tuple[Block, ...]) -> str:
        elements = (
            self._block(block, "apart" if isinstance(before, Break) else "")
            for before, block in zip((None, *blocks), blocks, strict=False)
        )
        return "\n".join(filter(None, elements))

    def _block(self, block: Block, room: str) -> str:
        match block:
            case Title(text):
                return f"<h1>{escaped(text)}</h1>"
            case Heading():
                return self._heading(block)
            case Paragraph(text, style, level):
                self._label = text
                return f"<p{_classes(style, f'level-{level}', room)}>{escaped(text)}</p>"
            case Equation():
                return self._equation(block, room)
            case Entries():
                return self._entries(block)
            case Table():
                return self._table(block, room)
            case Diagram():
                return self._diagram(block)
            case Details(heading, blocks):
                markup, spoken = self._headed(heading)
                summary = f'<summary aria-label="{spoken}">{markup}</summary>'
                return f"<details>{summary}\n{self._blocks(blocks)}\n</details>"
            case Recomputed() | Break():
                return ""

    def _headed(self, block: Heading) -> tuple[str, str]:
        """A heading as it is seen, and as it is said."""
        self._label = block.text
        piece = block.piece
        if piece is None:
            return escaped(block.text), escaped(block.text)
        return self._mathematics.inline(piece), escaped(self._mathematics.spoken(piece))

    def _heading(self, block: Heading) -> str:
        markup, spoken = self._headed(block)
        section = Section(
            self._anchors.new(block.anchor or block.text), markup, spoken, block.level
        )
        if block.level == 1 or block.anchor:
            self.sections.append(section)
        tag = f"h{block.level + 1}"
        label = self._say("page.link", name=spoken)
        return (
            f'<div class="heading"><{tag} id="{section.anchor}" aria-label="{spoken}">'
            f"{markup}</{tag}>"
            f'<a class="here" href="{link(section.anchor)}" aria-label="{label}">#</a></div>'
        )

    # -------------------------------------------------------------------- mathematics

    def _equation(self, block: Equation, room: str) -> str:
        sides = self._mathematics.equation(block)
        classes = _classes(
            "equation", f"level-{block.level}", "long" if sides.is_long else "", room
        )
        return f"<div{classes}{self._scrolled(sides.is_wide)}>{sides.markup}</div>"

    def _entries(self, block: Entries) -> str:
        items = "".join(f"<li>{self._mathematics.line(item)}</li>" for item in block.equations)
        return f'<ul class="entries">{items}</ul>'

    def _scrolled(self, is_wide: bool) -> str:
        """What makes a box reachable by the keyboard, where it may be wider than the page."""
        if not is_wide:
            return ""
        label = self._say("page.wide", number=next(self._numbers))
        return f' tabindex="0" role="region" aria-label="{escaped(label)}"'

    # ------------------------------------------------------------------------- tables

    def _table(self, block: Table, room: str) -> str:
        head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in block.head)
        rows = "".join(self._row(row, block.arrow) for row in block.rows)
        above = f"<thead><tr>{head}</tr></thead>" if head else ""
        label = escaped(self._label.rstrip(":："))
        classes = _classes("table", f"level-{block.level}", block.style, room)
        return (
            f"<div{classes}{self._scrolled(_least_width(block) > PHONE)}>"
            f'<table aria-label="{label}">{above}<tbody>{rows}</tbody></table></div>'
        )

    def _row(self, row: Iterable[Cell], arrow: bool) -> str:
        first, *rest = row
        cells = [f'<th scope="row">{self._head(first)}</th>']
        cells += [f"<td>{self._cell(cell)}</td>" for cell in rest]
        if arrow:
            cells.insert(-1, "<td>→</td>")
        return f"<tr>{''.join(cells)}</tr>"

    def _head(self, cell: Cell) -> str:
        """A cell that names its row: in words too, since not all take mathematics for a name."""
        if isinstance(cell, str):
            return escaped(cell)
        spoken = escaped(self._mathematics.spoken(_piece(cell)))
        seen = f'<span aria-hidden="true">{self._cell(cell)}</span>'
        return f'<span class="unseen">{spoken}</span>{seen}'

    def _cell(self, cell: Cell) -> str:
        return escaped(cell) if isinstance(cell, str) else self._mathematics.inline(_piece(cell))

    # ----------------------------------------------------------------------- pictures

    def _diagram(self, block: Diagram) -> str:
        drawing = draw(block.picture)
        title, description = (self._anchors.new(name) for name in ("diagram", "description"))
        picture = svg(
            drawing,
            (title, self._say("page.diagram")),
            (description, block.alternative),
        )
        return f"<figure{self._scrolled(LEAST * drawing.width > PHONE)}>{picture}</figure>"


def _classes(*names: str) -> str:
    given = " ".join(name for name in names if name and name not in ("plain", "level-0"))
    return f' class="{given}"' if given else ""


def _piece(cell: float | Name | Derivative) -> Piece:
    return Number(cell) if isinstance(cell, float) else cell


def _least_width(block: Table) -> float:
    """The width of a table whose words are wrapped wherever they can be."""
    rows: list[tuple[Cell, ...]] = [*([block.head] if block.head else []), *block.rows]
    columns = zip(*rows, strict=False)
    return sum(max(map(_longest_word, column)) * CHARACTER + 1 for column in columns)


def _longest_word(cell: Cell) -> int:
    return max(map(len, str(getattr(cell, "name", cell)).split()), default=0)
