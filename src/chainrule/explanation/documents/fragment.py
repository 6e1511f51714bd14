"""Blocks as a piece of HTML for a notebook, its mathematics in LaTeX that the notebook typesets.

A notebook that is not trusted takes away style sheets, drawings and MathML; this piece
has none of them, and looks the same.
"""

from __future__ import annotations

import html
import re

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

__all__ = ["fragment"]

SKETCH_WIDTH = 100


def fragment(document: Document) -> str:
    """The document as HTML to stand within a page that has MathJax."""
    to_latex = latex_writer(document.language, document.symbols)
    rows = (_block(block, to_latex) for block in document.blocks)
    language = {"en": "en", "zh": "zh-Hans"}[document.language]
    return f'<div lang="{language}">\n' + "\n".join(filter(None, rows)) + "\n</div>"


def _block(block: Block, to_latex: Writer) -> str:
    match block:
        case Title(text):
            return f"<h2>{_words(text)}</h2>"
        case Heading(level=level):
            return f"<h{level + 2}>{_heading(block, to_latex)}</h{level + 2}>"
        case Paragraph(text, style):
            words = _words(text)
            return f"<p><em>{words}</em></p>" if style == "note" else f"<p>{words}</p>"
        case Equation():
            return f"<div>$$\n{html.escape(aligned(block, to_latex))}\n$$</div>"
        case Entries():
            items = (f"<li>{_inline(aligned(item, to_latex))}</li>" for item in block.equations)
            return f"<ul>{''.join(items)}</ul>"
        case Table():
            return _table(block, to_latex)
        case Diagram(picture):
            rows = "\n".join(sketch(picture, SKETCH_WIDTH))
            return f"<pre>{html.escape(rows)}</pre>"
        case Details(heading, blocks):
            inner = "\n".join(filter(None, (_block(item, to_latex) for item in blocks)))
            summary = _heading(heading, to_latex)
            return f"<details>\n<summary>{summary}</summary>\n{inner}\n</details>"
        case Recomputed() | Break():
            return ""


def _heading(block: Heading, to_latex: Writer) -> str:
    return _words(block.text) if block.piece is None else _inline(to_latex(block.piece))


def _table(block: Table, to_latex: Writer) -> str:
    head = "".join(f'<th scope="col">{_words(cell)}</th>' for cell in block.head)
    rows = (
        "<tr>" + "".join(f"<td>{_cell(cell, to_latex)}</td>" for cell in row) + "</tr>"
        for row in block.rows
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{''.join(rows)}</table>"


def _cell(cell: Cell, to_latex: Writer) -> str:
    if isinstance(cell, str):
        return _words(cell)
    return _inline(to_latex(Number(cell) if isinstance(cell, float) else cell))


def _inline(latex: str) -> str:
    return f"${html.escape(latex)}$"


def _words(text: str) -> str:
    """Words, with nothing in them that HTML would act on or MathJax take for mathematics."""
    written = html.escape(printable(text, len(text)))
    return re.sub(r"\$", r"\\$", re.sub(r"\\(?=[\[\]()\\$])", "\\\\\u200b", written))
