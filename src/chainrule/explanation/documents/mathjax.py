"""Blocks as formulas alone, in LaTeX that MathJax shows without any other markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Break,
    Cell,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Number,
    PaperBlock,
    Paragraph,
    Recomputed,
    Table,
    Title,
    unfolded,
)
from chainrule.explanation.documents.pieces import Writer, aligned, latex_writer

__all__ = ["mathjax"]


def mathjax(document: Document) -> str:
    """The document as displayed formulas; words stand in them as text."""
    to_latex = latex_writer(document.language, document.symbols)
    rows = (row for block in unfolded(document.blocks) for row in _block(block, to_latex))
    return "\n".join(f"$$\n{row}\n$$" for row in rows)


def _block(block: PaperBlock, to_latex: Writer) -> Iterator[str]:
    match block:
        case Title(text) | Paragraph(text) | Diagram(_, text):
            yield _words(text)
        case Heading(text, piece):
            yield _words(text) if piece is None else to_latex(piece)
        case Equation():
            yield aligned(block, to_latex)
        case Entries():
            yield r" \quad ".join(aligned(item, to_latex) for item in block.equations)
        case Table():
            yield _table(block, to_latex)
        case Recomputed() | Break():
            pass


def _table(block: Table, to_latex: Writer) -> str:
    rows = [[_cell(cell, to_latex) for cell in row] for row in block.rows]
    if block.arrow:
        rows = [[*row[:-1], rf"\to {row[-1]}"] for row in rows]
    if block.head:
        rows.insert(0, list(map(_words, block.head)))
    columns = "l" * len(rows[0]) if rows else "l"
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    return f"\\begin{{array}}{{{columns}}}\n{body}\n\\end{{array}}"


def _cell(cell: Cell, to_latex: Writer) -> str:
    if isinstance(cell, str):
        return _words(cell)
    return to_latex(Number(cell) if isinstance(cell, float) else cell)


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
