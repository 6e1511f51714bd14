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
from chainrule.explanation.printers import latex, mathml, speech, typst
from chainrule.explanation.printers.markup import words

__all__ = [
    "SIGNS",
    "Script",
    "Writer",
    "aligned",
    "latex_writer",
    "mathml_script",
    "speech_script",
    "typst_script",
    "write",
]

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


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


Writer = Callable[[Piece], str]
"""How the pieces of one document are written."""


def latex_writer(language: Language = "en", symbols: Mapping[str, str] | None = None) -> Writer:
    """LaTeX's math mode, with the words of a language; `symbols` as in `write`."""
    script = Script(
        formula=functools.partial(latex.latex, lang=language),
        name=latex.name,
        derivative=latex.derivative,
        number=latex.number,
        words=lambda text: rf"\text{{{latex.text(text)}}}",
        signs={"·": r" \cdot ", "+": " + ", "−": " - ", "=": " = ", "": ""},
        bracket=lambda inner: f"({inner})",
        # A name that is raised already is not raised twice.
        raised=lambda inner: f"{{{inner}}}^{{+}}" if "^" in inner else f"{inner}^{{+}}",
    )
    return lambda piece: write(piece, script, symbols)


SIGNS = {"=": "=", "≈": r"\approx"}
"""The signs between the sides of an equation, in LaTeX."""


def aligned(block: Equation, to_latex: Writer) -> str:
    """An equation in LaTeX, its right sides below each other where it has several."""
    left = to_latex(block.left)
    rights = [f"{SIGNS[right.sign]} {to_latex(right.piece)}" for right in block.rights]
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


def mathml_script(language: Language) -> Script:
    """MathML, in the language of its `if` and `otherwise`; every piece is one element."""
    return Script(
        formula=functools.partial(mathml.mathml, lang=language),
        name=mathml.name,
        derivative=mathml.derivative,
        number=mathml.number,
        # Spaces at the ends of an element would not be seen.
        words=lambda text: f"<mtext>{mathml.text(text).replace(' ', NO_BREAK_SPACE)}</mtext>",
        signs={sign: f"<mo>{sign}</mo>" for sign in "·+−=≈"} | {"": ""},
        bracket=mathml.bracket,
        raised=lambda inner: f"<msup>{inner}<mo>+</mo></msup>",
    )


def speech_script(language: Language) -> Script:
    """Plain words, as a screen reader says them."""
    said = words(language)
    signs = {"·": "times", "+": "plus", "−": "minus", "=": "equal", "≈": "approximately"}
    return Script(
        formula=functools.partial(speech.speech, lang=language),
        name=functools.partial(speech.name, lang=language),
        derivative=functools.partial(speech.derivative, lang=language),
        number=functools.partial(speech.number, lang=language),
        words=str.strip,
        signs={sign: f" {said[key]} " for sign, key in signs.items()} | {"": " "},
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
