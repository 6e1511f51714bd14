"""Blocks on a terminal, laid out as one would on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from typing import TypeGuard

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Derivative,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    PaperBlock,
    Paragraph,
    Piece,
    Recomputed,
    Series,
    Table,
    Title,
    Words,
    Written,
    unfolded,
)
from chainrule.explanation.documents.layout import Page, Row, Side
from chainrule.explanation.documents.sketch import sketch
from chainrule.explanation.printers.boxes import Box, beside, cells, fraction, line
from chainrule.explanation.printers.unicode import inline, pretty_number, stacked

__all__ = ["terminal_rows", "terminal_text"]

INDENTS = (0, 1, 4)
"""By level: sentences; an equation that follows from one stands a cell deeper."""
EQUATION_INDENTS = (0, 2, 4)


def terminal_rows(document: Document, width: int) -> list[Row]:
    """The rows of a document, `width` cells wide."""
    return _Terminal(width, document.symbols).rows(document.blocks)


def terminal_text(document: Document) -> str:
    """The document as plain text, as wide as the terminal."""
    width = shutil.get_terminal_size(fallback=(80, 24)).columns
    return "".join(f"{row.text}\n" for row in terminal_rows(document, width))


class _Terminal:
    def __init__(self, width: int, symbols: Mapping[str, str]) -> None:
        self.page = Page(width)
        self.symbols = symbols

    def rows(self, blocks: Iterable[Block]) -> list[Row]:
        for block in unfolded(blocks):
            self._block(block)
        while self.page.rows and not self.page.rows[-1].text:
            self.page.rows.pop()
        return self.page.rows

    def _block(self, block: PaperBlock) -> None:
        page = self.page
        match block:
            case Title(text):
                page.add(printable(text), "title")
            case Heading(text, level=level):
                page.heading(text, "heading" if level == 1 else "plain")
            case Paragraph(text, style, level):
                page.add(text, style, INDENTS[level])
            case Entries(pairs, approximate):
                items = [
                    f"{name} {'≈' if name in approximate else '='} {pretty_number(value)}"
                    for name, value in pairs
                ]
                page.items(items, indent=2)
            case Equation():
                self._equation(block)
            case Table():
                self._table(block)
            case Diagram(picture):
                for row in sketch(picture, page.width):
                    page.rows.append(Row(row))
            case Recomputed():
                pass
            case Break():
                page.add()

    # -------------------------------------------------------------------- equations

    def _equation(self, block: Equation) -> None:
        indent = EQUATION_INDENTS[block.level]
        left = self._side(block.left)
        rights = [self._side(right.piece, right.sign) for right in block.rights]
        chain = block.rights[0].piece
        whole = left.stacked.width + 3 + rights[0].stacked.width
        if _is_chain(chain) and indent + whole > self.page.width:
            self._chain(left.stacked, chain, indent)
            return
        if isinstance(block.left, Series) and isinstance(block.left.parts[0], Words):
            indent = INDENTS[block.level]  # a numbered step stands where sentences do
        self.page.equation(left, rights, indent, block.style)

    def _chain(self, left: Box, chain: Series, indent: int) -> None:
        """A product of fractions, wrapped before a dot."""
        row = [left, line(" = ")]
        margin = line(" " * (beside(row).width - 2))
        for place, part in enumerate(chain.parts):
            box = self._box(part)
            box = beside([line(" · "), box]) if place else box
            if place and beside([*row, box]).width + indent > self.page.width:
                self.page.box(beside(row), indent)
                row = [margin]
            row.append(box)
        self.page.box(beside(row), indent)

    def _side(self, piece: Piece, sign: str = "=") -> Side:
        return Side(self._box(piece), self._inline(piece), sign)

    def _box(self, piece: Piece) -> Box:
        match piece:
            case Derivative(over, by):
                return fraction(line(f"∂{over}"), line(f"∂{by}"))
            case Written(formula, values):
                return stacked(formula, values, self.symbols)
            case Series(parts, sign) if any(not isinstance(part, Number) for part in parts):
                between = line(f" {sign} ") if sign else line("")
                boxes = [box for part in parts for box in (between, self._box(part))]
                return beside(boxes[1:])
        return line(self._inline(piece))

    def _inline(self, piece: Piece) -> str:
        match piece:
            case Derivative(over, by):
                return f"∂{over}/∂{by}"
            case Written(formula, values):
                return inline(formula, values, self.symbols)
            case Number(value):
                return pretty_number(value)
            case Name(name, mark):
                return name + mark
            case Words(text):
                return text
            case Series(parts, sign):
                texts = [self._inline(part) for part in parts]
                if (
                    sign and sign in "+·"
                ):  # a negative number in a sum or a product stands in brackets
                    texts = [f"({text})" if text.startswith("−") else text for text in texts]
                return (f" {sign} " if sign else "").join(texts)

    # ----------------------------------------------------------------------- tables

    def _table(self, block: Table) -> None:
        rows = [[self._cell(cell) for cell in row] for row in block.rows]
        if block.head:
            rows.insert(0, list(block.head))
        widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
        indent = EQUATION_INDENTS[block.level]
        gaps = 2 * (len(widths) - 1) + (3 if block.arrow else 0)
        fits = indent + sum(widths) + gaps <= self.page.width
        for row in rows:
            if not fits:  # a row on several lines, the later cells below the first
                first, *later = [*row[:-1], f"→  {row[-1]}"] if block.arrow else row
                self.page.add(first, block.style, indent)
                for cell in later:
                    self.page.add(cell, block.style, indent + 2)
                continue
            padded = [
                cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True)
            ]
            if block.arrow:
                padded[-1:] = [f"→  {padded[-1]}"]
            self.page.rows.append(Row((" " * indent + "  ".join(padded)).rstrip(), block.style))

    def _cell(self, cell: Cell) -> str:
        if isinstance(cell, str):
            return cell
        return self._inline(Number(cell) if isinstance(cell, float) else cell)


def _is_chain(piece: Piece) -> TypeGuard[Series]:
    return isinstance(piece, Series) and all(isinstance(part, Derivative) for part in piece.parts)
