"""Formulas in Typst's math mode: `frac(1, 1 + upright(e)^(-upright("net")_"h1"))`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chainrule.errors import printable
from chainrule.explanation.messages import Language
from chainrule.explanation.printers.markup import Markup
from chainrule.explanation.printers.names import Name, is_letter, split_name
from chainrule.primitives import Formula
from chainrule.primitives.notation import PRODUCT, SUM

__all__ = ["derivative", "name", "number", "text", "typst"]


def typst(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
    lang: Language = "en",
) -> str:
    """The formula, to stand between dollar signs; `symbols` says how some names are written."""
    return _Typst(symbols, lang).write(formula, values)


def name(name: str) -> str:
    """A quantity's name in math mode."""
    return _Typst().name(split_name(name))


def derivative(over: str, by: str) -> str:
    """A derivative as a fraction, in math mode."""
    return _Typst().derivative(over, by)


def number(value: float) -> str:
    """A result with all its digits, in math mode; a zero has no sign."""
    return _Typst().number(float(value) + 0.0)


def text(text: str) -> str:
    """Any text as a string in quotes, with nothing in it that Typst would act on."""
    shown = printable(text, len(text))
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


_FUNCTIONS = {"sigmoid": "σ", "log": "ln", "maximum": "max", "minimum": "min"}
_KNOWN = ("σ", "ln", "max", "min", "sin", "cos", "tanh")


class _Typst(Markup[str]):
    infix: ClassVar = {
        "add": (SUM, " + "),
        "sub": (SUM, " - "),
        "mul": (PRODUCT, " dot.op "),
        "hadamard": (PRODUCT, " dot.o "),
        "entrywise_div": (PRODUCT, " ⊘ "),
    }
    relations: ClassVar = {
        "less": " < ",
        "less_equal": " <= ",
        "greater": " > ",
        "greater_equal": " >= ",
        "equal": " = ",
        "not_equal": " != ",
    }
    times = " times "

    def text(self, text: str) -> str:
        return text

    def join(self, parts: Sequence[str]) -> str:
        return "".join(parts)

    def bracket(self, inner: str) -> str:
        return f"({inner})"

    def name(self, name: Name) -> str:
        written = name.base
        if name.upright or not is_letter(name.base):
            written = f"upright({text(name.base)})"
        if name.subscript:
            written += f"_{name.subscript if name.is_numbered else text(name.subscript)}"
        if name.layer:
            written += f"^(({name.layer}))"
        return f'{written}"[{name.index}]"' if name.index else written

    def partial(self, of: str) -> str:
        return f"partial {of}"

    def digits(self, text: str) -> str:
        return text

    def infinity(self) -> str:
        return "infinity"

    def not_a_number(self) -> str:
        return '"NaN"'

    def euler(self) -> str:
        return "upright(e)"

    def fraction(self, over: str, under: str) -> str:
        return f"frac({over}, {under})"

    def raised(self, base: str, exponent: str) -> str:
        return f"{base}^{exponent}" if exponent.isdigit() else f"{base}^({exponent})"

    def transposed(self, inner: str) -> str:
        return f"{inner}^upright(T)"

    def raised_entries(self, base: str, exponent: str) -> str:
        return f"{base}^(dot.o {exponent})"

    def ones(self, size: str) -> str:
        return f"bold(1)_({size})"

    def root(self, inner: str) -> str:
        return f"sqrt({inner})"

    def magnitude(self, inner: str) -> str:
        return f"abs({inner})"

    def function(self, operation: str) -> str:
        called = _FUNCTIONS.get(operation, operation)
        return called if called in _KNOWN else f'op("{called}")'

    def choice(self, rows: Sequence[tuple[str, str]], otherwise: str) -> str:
        cases = [f'{value} & quad "{self.words["if"]} "{when}' for value, when in rows]
        cases.append(f'{otherwise} & quad "{self.words["otherwise"]}"')
        return f"cases({', '.join(cases)})"
