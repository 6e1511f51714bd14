"""Blocks in Markdown, with mathematics as GitHub and Jupyter render it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Details,
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
from chainrule.explanation.documents.pieces import Writer, aligned, latex_writer
from chainrule.explanation.documents.sketch import sketch

__all__ = ["markdown"]

SKETCH_WIDTH = 76

_ACTED_ON = re.compile(r"([\\`*_{}\[\]<>()#+!|$&~])")
"""Characters that Markdown, HTML or the mathematics in it would act on."""


def markdown(document: Document) -> str:
    """The document as Markdown."""
    to_latex = latex_writer(document.language, document.symbols)
    parts = (_block(block, to_latex) for block in document.blocks)
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, to_latex: Writer) -> str:
    match block:
        case Title(text):
            return f"# {_text(text)}"
        case Heading(text, piece, level=level):
            heading = _text(text) if piece is None else f"${to_latex(piece)}$"
            return f"{'#' * (level + 1)} {heading}"
        case Paragraph(text, style):
            return f"*{_text(text)}*" if style == "note" else _text(text)
        case Equation():
            return f"$$\n{aligned(block, to_latex)}\n$$"
        case Entries():
            return "\n".join(f"- ${aligned(item, to_latex)}$" for item in block.equations)
        case Table():
            return _table(block, to_latex)
        case Diagram(picture):
            return _verbatim(sketch(picture, SKETCH_WIDTH))
        case Details(heading, blocks):
            inner = filter(None, (_block(item, to_latex) for item in blocks))
            summary = (
                f"<summary>{html.escape(printable(heading.text, len(heading.text)))}</summary>"
            )
            return "\n\n".join([f"<details>\n{summary}", *inner, "</details>"])
        case Recomputed() | Break():
            return ""


def _table(block: Table, to_latex: Writer) -> str:
    columns = len(block.rows[0]) if block.rows else 0
    head = " | ".join(map(_text, block.head or (" ",) * columns))
    rows = (" | ".join(_cell(cell, to_latex) for cell in row) for row in block.rows)
    return "\n".join([f"| {head} |", "|" + " - |" * columns, *(f"| {row} |" for row in rows)])


def _cell(cell: Cell, to_latex: Writer) -> str:
    if isinstance(cell, str):
        return _text(cell)
    return f"${to_latex(Number(cell) if isinstance(cell, float) else cell)}$"


def _verbatim(rows: Iterable[str]) -> str:
    """Rows of characters as they are; indented, since no row can end that."""
    return "\n".join(f"    {row}" for row in rows)


def _text(text: str) -> str:
    """User's and catalogue's words, with nothing in them that Markdown would act on."""
    escaped = _ACTED_ON.sub(r"\\\1", printable(text, len(text)))
    return re.sub(r"^(\d+)\.", r"\1\\.", escaped)  # a numbered sentence begins no list
