"""Blocks in Markdown, with mathematics as GitHub and Jupyter render it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Derivative,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Right,
    Table,
    Title,
)
from chainrule.explanation.documents.pieces import LATEX, write
from chainrule.explanation.printers.unicode import pretty_number

__all__ = ["markdown"]

_ACTED_ON = re.compile(r"([\\`*_{}\[\]<>()#+!|$&~])")
"""Characters that Markdown, HTML or the mathematics in it would act on."""


def markdown(blocks: Iterable[Block], symbols: Mapping[str, Derivative] | None = None) -> str:
    """The document as Markdown.

    `symbols` says how the names of derivatives are written.
    """
    written = {name: f"∂{item.over}/∂{item.by}" for name, item in (symbols or {}).items()}
    parts = (_block(block, written) for block in blocks)
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, symbols: Mapping[str, str]) -> str:
    match block:
        case Title(text):
            return f"# {_text(text)}"
        case Heading(text):
            return f"## {_text(text)}"
        case Paragraph(text, style):
            return f"*{_text(text)}*" if style == "note" else _text(text)
        case Equation():
            return _equation(block, symbols)
        case Entries(pairs):
            equations = (Equation(Name(name), (Right(Number(value)),)) for name, value in pairs)
            return "\n".join(f"- ${_sides(item, symbols)[0]}$" for item in equations)
        case Table():
            return _table(block)
        case Break():
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


def _table(block: Table) -> str:
    columns = len(block.rows[0]) if block.rows else 0
    head = ["|" + "   |" * columns, "|" + " - |" * columns]
    rows = [
        "| "
        + " | ".join(_text(cell) if isinstance(cell, str) else pretty_number(cell) for cell in row)
        + " |"
        for row in block.rows
    ]
    return "\n".join([*head, *rows])


def _text(text: str) -> str:
    """User's and catalogue's words, with nothing in them that Markdown would act on."""
    escaped = _ACTED_ON.sub(r"\\\1", printable(text, len(text)))
    return re.sub(r"^(\d+)\.", r"\1\\.", escaped)  # a numbered sentence begins no list
