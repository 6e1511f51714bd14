"""Blocks in Markdown, with mathematics as GitHub and Jupyter render it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Number,
    Paragraph,
    Recomputed,
    Table,
    Title,
)
from chainrule.explanation.documents.pieces import LATEX, write
from chainrule.explanation.documents.sketch import sketch

__all__ = ["markdown"]

SKETCH_WIDTH = 76

_ACTED_ON = re.compile(r"([\\`*_{}\[\]<>()#+!|$&~])")
"""Characters that Markdown, HTML or the mathematics in it would act on."""


def markdown(document: Document) -> str:
    """The document as Markdown."""
    parts = (_block(block, document.symbols) for block in document.blocks)
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, symbols: Mapping[str, str]) -> str:
    match block:
        case Title(text):
            return f"# {_text(text)}"
        case Heading(text, piece, level=level):
            heading = _text(text) if piece is None else f"${write(piece, LATEX, symbols)}$"
            return f"{'#' * (level + 1)} {heading}"
        case Paragraph(text, style):
            return f"*{_text(text)}*" if style == "note" else _text(text)
        case Equation():
            return _equation(block, symbols)
        case Entries():
            return "\n".join(f"- ${_sides(item, symbols)[0]}$" for item in block.equations)
        case Table():
            return _table(block, symbols)
        case Diagram(picture):
            return _verbatim(sketch(picture, SKETCH_WIDTH))
        case Recomputed() | Break():
            return ""


def _sides(block: Equation, symbols: Mapping[str, str]) -> list[str]:
    """`left = right`, then each further right side with its sign."""
    signs = {"=": "=", "≈": r"\approx"}
    rights = [f"{signs[right.sign]} {write(right.piece, LATEX, symbols)}" for right in block.rights]
    return [f"{write(block.left, LATEX, symbols)} {rights[0]}", *rights[1:]]


def _equation(block: Equation, symbols: Mapping[str, str]) -> str:
    first, *rest = _sides(block, symbols)
    if not rest:
        return f"$$\n{first}\n$$"
    left = write(block.left, LATEX, symbols)
    rows = [f"{left} &{first.removeprefix(left + ' ')}", *(f"&{row}" for row in rest)]
    body = " \\\\\n".join(rows)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _table(block: Table, symbols: Mapping[str, str]) -> str:
    columns = len(block.rows[0]) if block.rows else 0
    head = " | ".join(map(_text, block.head or (" ",) * columns))
    rows = (" | ".join(_cell(cell, symbols) for cell in row) for row in block.rows)
    return "\n".join([f"| {head} |", "|" + " - |" * columns, *(f"| {row} |" for row in rows)])


def _cell(cell: Cell, symbols: Mapping[str, str]) -> str:
    if isinstance(cell, str):
        return _text(cell)
    return f"${write(Number(cell) if isinstance(cell, float) else cell, LATEX, symbols)}$"


def _verbatim(rows: Iterable[str]) -> str:
    """Rows of characters as they are; indented, since no row can end that."""
    return "\n".join(f"    {row}" for row in rows)


def _text(text: str) -> str:
    """User's and catalogue's words, with nothing in them that Markdown would act on."""
    escaped = _ACTED_ON.sub(r"\\\1", printable(text, len(text)))
    return re.sub(r"^(\d+)\.", r"\1\\.", escaped)  # a numbered sentence begins no list
