"""Formulas in LaTeX that fit into a line, or can be broken."""

from __future__ import annotations

import re

from chainrule.explanation.documents.blocks import Piece
from chainrule.explanation.documents.pieces import Writer
from chainrule.explanation.documents.tex.words import CODE, escaped

__all__ = ["formula"]

LONGEST_UNBROKEN = 60
"""Characters in a group, such as a fraction, that are sure to fit into a line."""

LONGEST_SET = 800
"""Characters in a group that can be made small enough; of a longer one the source is shown."""


def formula(piece: Piece, to_latex: Writer) -> str:
    """The piece in math mode, such that it fits into a line or can be broken."""
    written = to_latex(piece)
    unbroken = _unbroken(written)
    if unbroken > LONGEST_SET:
        source = escaped(written[:LONGEST_SET] + "…")
        return rf"\parbox[t]{{.7\linewidth}}{{\raggedright\scriptsize {source}}}"
    return rf"\fitted{{{written}}}" if unbroken > LONGEST_UNBROKEN else written


def _unbroken(written: str) -> int:
    """The characters, about, of the longest group, which TeX does not break."""
    longest = depth = inside = 0
    for lexeme in re.findall(r"\\(?:left|right|begin|end)\b|\\[A-Za-z]+|\\.|.", written, re.DOTALL):
        opens, closes = lexeme in ("{", r"\left", r"\begin"), lexeme in ("}", r"\right", r"\end")
        depth += opens - closes
        width = 0 if opens or closes else 1 if lexeme.isascii() else CODE
        inside = inside + width if depth else 0
        longest = max(longest, inside)
    return longest
