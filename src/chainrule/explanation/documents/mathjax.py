"""Blocks as formulas alone, in LaTeX that MathJax shows without any other markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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
from chainrule.explanation.documents.pieces import LATEX, aligned, write

__all__ = ["mathjax"]


def mathjax(document: Document) -> str:
    """The document as displayed formulas; words stand in them as text."""
    rows = (row for block in document.blocks for row in _block(block, document.symbols))
    return "\n".join(f"$$\n{row}\n$$" for row in rows)


def _block(block: Block, symbols: Mapping[str, str]) -> Iterator[str]:
    match block:
        case Title(text) | Paragraph(text) | Diagram(_, text):
            yield _words(text)
        case Heading(text, piece):
            yield _words(text) if piece is None else write(piece, LATEX, symbols)
        case Equation():
            yield aligned(block, symbols)
        case Entries():
            yield r" \quad ".join(aligned(item, symbols) for item in block.equations)
        case Table():
            yield _table(block, symbols)
        case Recomputed() | Break():
            pass


def _table(block: Table, symbols: Mapping[str, str]) -> str:
    rows = [[_cell(cell, symbols) for cell in row] for row in block.rows]
    if block.arrow:
        rows = [[*row[:-1], rf"\to {row[-1]}"] for row in rows]
    if block.head:
        rows.insert(0, list(map(_words, block.head)))
    columns = "l" * len(rows[0]) if rows else "l"
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    return f"\\begin{{array}}{{{columns}}}\n{body}\n\\end{{array}}"


def _cell(cell: Cell, symbols: Mapping[str, str]) -> str:
    if isinstance(cell, str):
        return _words(cell)
    return write(Number(cell) if isinstance(cell, float) else cell, LATEX, symbols)


_COMMANDS = {
    "\\": r"\backslash",
    "<": r"\lt",
    ">": r"\gt",
    **{character: f"\\{character}" for character in "{}$&#%"},
}


def _words(text: str) -> str:
    """Words as text; in that, MathJax knows no commands, so these stand outside."""
    return "".join(
        _COMMANDS[run] + " " if run in _COMMANDS else rf"\text{{{run}}}"
        for run in re.findall(r"[^\\<>{}$&#%]+|.", printable(text, len(text)))
    )
