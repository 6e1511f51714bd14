"""Pieces of mathematics in a markup language: one script each, over the printers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chainrule.explanation.documents.blocks import (
    Derivative,
    Equation,
    Name,
    Number,
    Piece,
    Series,
    Words,
    Written,
)
from chainrule.explanation.printers import latex

__all__ = ["LATEX", "SIGNS", "Script", "aligned", "write"]


@dataclass(frozen=True, slots=True)
class Script:
    """How one markup language writes each kind of piece.

    `signs` holds what stands between the parts of a series, `bracket` and `raised`
    are templates: around a negative number, and for a name with a raised plus.
    """

    formula: Callable[..., str]
    name: Callable[[str], str]
    derivative: Callable[[str, str], str]
    number: Callable[[float], str]
    words: Callable[[str], str]
    signs: Mapping[str, str]
    bracket: Callable[[str], str]
    raised: Callable[[str], str]


LATEX = Script(
    formula=latex.latex,
    name=latex.name,
    derivative=latex.derivative,
    number=latex.number,
    words=lambda text: rf"\text{{{latex.text(text)}}}",
    signs={"·": r" \cdot ", "+": " + ", "−": " - ", "=": " = ", "": ""},
    bracket=lambda inner: f"({inner})",
    raised=lambda inner: f"{inner}^{{+}}",
)


SIGNS = {"=": "=", "≈": r"\approx"}
"""The signs between the sides of an equation, in LaTeX."""


def aligned(block: Equation, symbols: Mapping[str, str]) -> str:
    """An equation in LaTeX, its right sides below each other where it has several."""
    left = write(block.left, LATEX, symbols)
    rights = [f"{SIGNS[right.sign]} {write(right.piece, LATEX, symbols)}" for right in block.rights]
    if len(rights) == 1:
        return f"{left} {rights[0]}"
    rows = " \\\\\n".join([f"{left} &{rights[0]}", *(f"&{right}" for right in rights[1:])])
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


def write(piece: Piece, script: Script, symbols: Mapping[str, str] | None = None) -> str:
    """The piece in the script's language; `symbols` says how some names are written."""
    match piece:
        case Derivative(over, by):
            return script.derivative(over, by)
        case Written(formula, values):
            return script.formula(formula, values, symbols)
        case Number(value):
            return script.number(value)
        case Name(name, mark):
            written = script.name(name)
            return script.raised(written) if mark else written
        case Words(text):
            return script.words(text)
        case Series(parts, sign):
            return script.signs[sign].join(
                _between_signs(part, sign, script, symbols) for part in parts
            )


def _between_signs(
    part: Piece, sign: str, script: Script, symbols: Mapping[str, str] | None
) -> str:
    written = write(part, script, symbols)
    negative = isinstance(part, Number) and part.value < 0
    return script.bracket(written) if negative and sign and sign in "+·" else written
