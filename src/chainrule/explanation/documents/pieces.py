"""Pieces of mathematics in a markup language: one script each, over the printers."""

from __future__ import annotations

import functools
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
from chainrule.explanation.messages import Language
from chainrule.explanation.printers import latex, speech, typst
from chainrule.explanation.printers.markup import words

__all__ = ["LATEX", "SIGNS", "Script", "aligned", "speech_script", "typst_script", "write"]


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


def typst_script(lang: Language) -> Script:
    """Typst's math mode, with the words of a language."""
    return Script(
        formula=functools.partial(typst.typst, lang=lang),
        name=typst.name,
        derivative=typst.derivative,
        number=typst.number,
        words=lambda text: typst.text(text.strip()),
        signs={"·": " dot.op ", "+": " + ", "−": " - ", "=": " = ", "": " "},
        bracket=lambda inner: f"({inner})",
        raised=lambda inner: f"{inner}^(+)",
    )


def speech_script(lang: Language) -> Script:
    """Words of a language, to be read aloud."""
    said = words(lang)
    signs = {"·": "times", "+": "plus", "−": "minus", "=": "equal"}
    return Script(
        formula=functools.partial(speech.speech, lang=lang),
        name=functools.partial(speech.name, lang=lang),
        derivative=functools.partial(speech.derivative, lang=lang),
        number=functools.partial(speech.number, lang=lang),
        words=str.strip,
        signs={sign: f" {said[word]} " for sign, word in signs.items()} | {"": " "},
        bracket=lambda inner: said["bracket"].format(inner=inner),
        raised=lambda inner: said["updated"].format(name=inner),
    )


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
