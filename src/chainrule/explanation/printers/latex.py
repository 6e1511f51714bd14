r"""Formulas in LaTeX: `\frac{1}{1 + \mathrm{e}^{-\mathrm{net}_{h1}}}`.

What is written here goes between dollar signs, and needs the package amsmath.
Letters other than Latin and Greek stand in `\text{...}`: for Chinese names or
words, the document has to be set by XeLaTeX or LuaLaTeX with a font that has
them (pdfLaTeX knows accented Latin letters only).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from chainrule.errors import printable
from chainrule.explanation.messages import Language
from chainrule.explanation.printers.markup import Markup
from chainrule.explanation.printers.names import Name, is_letter, split_name
from chainrule.primitives import Formula
from chainrule.primitives.notation import PRODUCT, SUM

__all__ = ["derivative", "latex", "name", "number", "text"]


def latex(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
    lang: Language = "en",
) -> str:
    """The formula in math mode; `symbols` says how some names are written."""
    return _LaTeX(symbols, lang).write(formula, values)


def name(name: str) -> str:
    """A quantity's name in math mode."""
    return _LaTeX().name(split_name(name))


def derivative(over: str, by: str) -> str:
    """A derivative as a fraction, in math mode."""
    return _LaTeX().derivative(over, by)


def number(value: float) -> str:
    """A result with all its digits, in math mode; a zero has no sign."""
    return _LaTeX().number(float(value) + 0.0)


def text(text: str) -> str:
    """Any text in text mode, with nothing in it that LaTeX would act on."""
    return "".join(_ESCAPES.get(character, character) for character in printable(text, len(text)))


_COMMANDS = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "ϵ": r"\epsilon",
    "ζ": r"\zeta",
    "η": r"\eta",
    "θ": r"\theta",
    "ϑ": r"\vartheta",
    "ι": r"\iota",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "μ": r"\mu",
    "ν": r"\nu",
    "ξ": r"\xi",
    "π": r"\pi",
    "ρ": r"\rho",
    "ς": r"\varsigma",
    "σ": r"\sigma",
    "τ": r"\tau",
    "υ": r"\upsilon",
    "φ": r"\varphi",
    "ϕ": r"\phi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "ω": r"\omega",
    "Γ": r"\Gamma",
    "Δ": r"\Delta",
    "Θ": r"\Theta",
    "Λ": r"\Lambda",
    "Ξ": r"\Xi",
    "Π": r"\Pi",
    "Σ": r"\Sigma",
    "Υ": r"\Upsilon",
    "Φ": r"\Phi",
    "Ψ": r"\Psi",
    "Ω": r"\Omega",
}
"""The Greek letters that have a command; the others look like Latin ones."""

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "∂": r"\ensuremath{\partial}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
    **{letter: rf"\ensuremath{{{command}}}" for letter, command in _COMMANDS.items()},
}
_DIGITS = re.compile(r"[0-9]+")
_PLAIN = re.compile(r"[A-Za-z0-9._]+")
_UNIT = re.compile(r"[A-Za-z][0-9]+")
"""A subscript such as h1, which needs no upright letters to be read as one."""

_NEXT_CASE = r" \\ "
_TALL = (r"\frac", r"\begin", r"\left")
_FUNCTIONS = {
    "log": r"\ln",
    "sin": r"\sin",
    "cos": r"\cos",
    "tanh": r"\tanh",
    "sigmoid": r"\sigma",
    "maximum": r"\max",
    "minimum": r"\min",
}


def _word(word: str) -> str:
    """A part of a name: a letter in italics, anything longer upright."""
    if word in _COMMANDS:
        return _COMMANDS[word]
    if (is_letter(word) and word.isascii()) or _DIGITS.fullmatch(word):
        return word
    if _PLAIN.fullmatch(word):
        return rf"\mathrm{{{text(word)}}}"
    return rf"\text{{{text(word)}}}"


class _LaTeX(Markup[str]):
    infix: ClassVar = {
        "add": (SUM, " + "),
        "sub": (SUM, " - "),
        "mul": (PRODUCT, r" \cdot "),
        "hadamard": (PRODUCT, r" \odot "),
        "entrywise_div": (PRODUCT, r" \oslash "),
    }
    relations: ClassVar = {
        "less": " < ",
        "less_equal": r" \le ",
        "greater": " > ",
        "greater_equal": r" \ge ",
        "equal": " = ",
        "not_equal": r" \ne ",
    }
    times = r" \times "
    juxtaposed = r"\, "

    def text(self, text: str) -> str:
        return text

    def join(self, parts: Sequence[str]) -> str:
        return "".join(parts)

    def bracket(self, inner: str) -> str:
        tall = any(mark in inner for mark in _TALL)
        return rf"\left({inner}\right)" if tall else f"({inner})"

    def name(self, name: Name) -> str:
        written = _word(name.base)
        below = name.subscript if _UNIT.fullmatch(name.subscript) else _word(name.subscript)
        if name.upright and name.base.isascii():
            written = rf"\mathrm{{{name.base}}}"
        elif name.upright:  # there is no upright Greek
            below = rf"\mathit{{{below}}}"
        if name.subscript:
            written += f"_{{{below}}}"
        if name.layer:
            written += f"^{{({name.layer})}}"
        return f"{written}[{name.index}]" if name.index else written

    def partial(self, of: str) -> str:
        return rf"\partial {of}"

    def digits(self, text: str) -> str:
        return text

    def infinity(self) -> str:
        return r"\infty"

    def not_a_number(self) -> str:
        return r"\mathrm{NaN}"

    def euler(self) -> str:
        return r"\mathrm{e}"

    def fraction(self, over: str, under: str) -> str:
        return rf"\frac{{{over}}}{{{under}}}"

    def raised(self, base: str, exponent: str) -> str:
        return f"{base}^{{{exponent}}}"

    def transposed(self, inner: str) -> str:
        return rf"{inner}^{{\mathsf{{T}}}}"

    def raised_entries(self, base: str, exponent: str) -> str:
        return rf"{base}^{{\odot {exponent}}}"

    def ones(self, size: str) -> str:
        return rf"\mathbf{{1}}_{{{size}}}"

    def root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"

    def magnitude(self, inner: str) -> str:
        return rf"\left|{inner}\right|"

    def function(self, operation: str) -> str:
        return _FUNCTIONS.get(operation) or rf"\operatorname{{{text(operation)}}}"

    def choice(self, rows: Sequence[tuple[str, str]], otherwise: str) -> str:
        cases = [rf"{value} & \text{{{self.words['if']} }}{when}" for value, when in rows]
        cases.append(rf"{otherwise} & \text{{{self.words['otherwise']}}}")
        return rf"\begin{{cases}} {_NEXT_CASE.join(cases)} \end{{cases}}"
