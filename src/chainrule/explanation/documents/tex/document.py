"""Blocks in LaTeX: a document of its own, or a part to `\\input` in another.

English is set by any LaTeX; Chinese by LuaLaTeX and XeLaTeX, where babel breaks its lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

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
    Style,
    Table,
    Title,
    unfolded,
)
from chainrule.explanation.documents.drawing import draw
from chainrule.explanation.documents.pieces import SIGNS, Writer, latex_writer
from chainrule.explanation.documents.tex.drawings import drawn
from chainrule.explanation.documents.tex.formulas import formula
from chainrule.explanation.documents.tex.words import WIDE, plain, representable, words

__all__ = ["latex"]

COMMANDS = Path(__file__).with_name("workings.tex")
"""The definitions that a document's text is written in."""

INDENTS = ("0em", "0em", "1.5em")
LONGEST_CELL = 20
"""Characters of a table's cell after which it takes several lines."""

LONG_COLUMN = 0.28
"""The width of a column with such cells, as a share of the page's."""


def latex(document: Document, standalone: bool = True) -> str:
    """The document in LaTeX, or with `standalone=False` the part between preamble and end."""
    to_latex = latex_writer(document.language, document.symbols)
    body = "\n\n".join(filter(None, (_block(item, to_latex) for item in unfolded(document.blocks))))
    body = representable(body, wide=document.language == "zh")
    uses_wide = r"\character{" in body or document.language == "zh"
    commands = COMMANDS.read_text(encoding="utf-8")
    if not standalone:
        needs = "amsmath, amssymb, graphicx, color, longtable"
        rows = [f"% To be read by \\input; needs \\usepackage{{{needs}}} in the preamble."]
        if document.language == "zh":
            rows.append("% It is Chinese: it needs a font, as the package ctex gives one.")
        return "\n".join([*rows, commands, body, ""])
    title = representable(plain(document.title), wide=document.language == "zh")
    preamble = [
        r"\documentclass{article}",
        r"\usepackage[a4paper,margin=25mm]{geometry}",
        r"\usepackage{amsmath,amssymb,graphicx,color,longtable}",
        *(WIDE[document.language] if uses_wide else ()),
        r"\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}",
        r"\IfFileExists{pict2e.sty}{\usepackage{pict2e}}{}",
        r"\usepackage[unicode,psdextra,hidelinks]{hyperref}",
        commands.rstrip(),
        rf"\hypersetup{{pdftitle={{{title}}}}}",
        r"\setcounter{secnumdepth}{0}\setcounter{LTchunksize}{1000}",
        r"\setlength{\parskip}{3pt plus 1pt}\setlength{\emergencystretch}{3em}",
        r"\begin{document}",
    ]
    return "\n".join([*preamble, "", body, "", r"\end{document}", ""])


# ------------------------------------------------------------------------------ blocks


def _block(block: PaperBlock, to_latex: Writer) -> str:
    match block:
        case Title(text):
            return _heading("section", words(text), text, "")
        case Heading(text, piece, anchor, level):
            written = words(text)
            if piece is not None:
                written = rf"$\displaystyle {formula(piece, to_latex)}$"
            return _heading("subsection" if level == 1 else "subsubsection", written, text, anchor)
        case Paragraph(text, style, level):
            return rf"\par{{\leftskip={INDENTS[level]}\noindent {_styled(text, style)}\par}}"
        case Equation():
            return _equation(block, to_latex)
        case Entries():
            items = (_entry(item, to_latex) for item in block.equations)
            row = "\n".join(rf"\mbox{{${item}$}}\quad" for item in items)
            return f"{{\\raggedright\\noindent\n{row}\n\\par}}"
        case Table():
            return _table(block, to_latex)
        case Diagram(picture, alternative):
            caption = rf"\par{{\raggedright\noindent\small {words(alternative)}\par}}"
            return f"{drawn(draw(picture))}\n{caption}"
        case Break():
            return r"\smallskip"
        case Recomputed():
            return ""


def _heading(command: str, written: str, text: str, anchor: str) -> str:
    heading = rf"\{command}{{\texorpdfstring{{{written}}}{{{plain(text)}}}}}"
    if not anchor:
        return heading
    target = re.sub(r"[^A-Za-z0-9.]", lambda found: f"-{ord(found[0]):x}", anchor)
    return rf"{heading}\hypertarget{{{target}}}{{}}\label{{chainrule:{target}}}"


def _styled(text: str, style: Style) -> str:
    commands = {"note": r"\small ", "bad": r"\bfseries "}
    return f"{commands.get(style, '')}{words(text)}"


def _equation(block: Equation, to_latex: Writer) -> str:
    depth = INDENTS[block.level]
    rows = [rf"\begin{{working}}{{{depth}}}{{{formula(block.left, to_latex)}}}"]
    rows += [
        rf"  \side{{{SIGNS[right.sign]}}}{{{formula(right.piece, to_latex)}}}"
        for right in block.rights
    ]
    return "\n".join([*rows, r"\end{working}"])


def _entry(item: Equation, to_latex: Writer) -> str:
    (right,) = item.rights
    return f"{formula(item.left, to_latex)} {SIGNS[right.sign]} {formula(right.piece, to_latex)}"


def _table(block: Table, to_latex: Writer) -> str:
    rows = [[_cell(cell, to_latex) for cell in row] for row in block.rows]
    texts = [*([block.head] if block.head else []), *block.rows]
    columns = [_column(column) for column in zip(*texts, strict=True)]
    if block.arrow:
        columns.insert(-1, r"c@{\ }")
        rows = [[*row[:-1], r"$\to$", row[-1]] for row in rows]
    lines = [" & ".join(row) + r" \\" for row in rows]
    if block.head:
        head = [rf"\textbf{{{words(text)}}}" for text in block.head]
        blank = [""] if block.arrow else []
        row = " & ".join([*head[:-1], *blank, head[-1]]) + r" \\\hline\noalign{\smallskip}"
        # Once as a row of the table, which is as wide at the first run, and on later pages.
        lines = [r"\endfirsthead", row, r"\endhead", row, *lines]
    style = r"\bfseries" if block.style == "bad" else ""
    opening = rf"{{{style}\setlength\LTleft{{{INDENTS[block.level]}}}\setlength\LTright{{\fill}}"
    return "\n".join(
        [
            opening,
            rf"\begin{{longtable}}{{@{{}}{''.join(columns)}@{{}}}}",
            *lines,
            r"\end{longtable}}",
        ]
    )


def _column(cells: Sequence[Cell]) -> str:
    """As wide as it needs to be, or with lines that are broken, a few columns to a page."""
    longest = max(len(cell) if isinstance(cell, str) else 0 for cell in cells)
    return rf"p{{{LONG_COLUMN}\linewidth}}" if longest > LONGEST_CELL else "l"


def _cell(cell: Cell, to_latex: Writer) -> str:
    if isinstance(cell, str):
        return words(cell)
    return f"${formula(Number(cell) if isinstance(cell, float) else cell, to_latex)}$"
