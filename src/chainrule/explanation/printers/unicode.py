"""Formulas as one writes them on paper, in characters: fractions stacked, signs proper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from chainrule.explanation.printers.boxes import Box, beside, fraction, line
from chainrule.explanation.printers.names import split_name
from chainrule.primitives import Formula, Number
from chainrule.primitives.notation import (
    ATOM,
    CHOICE,
    COMPARISON,
    MATRIX,
    POWER,
    PRODUCT,
    SUM,
    Notation,
    Values,
    called,
    factors,
    flattened,
    guarded,
    over,
    over_entries,
    times_log,
    times_log_of_entries,
)

__all__ = ["inline", "pretty_number", "stacked"]

Form = Callable[[Notation[Box], tuple[Formula, ...], Values], tuple[Box, int]]

MINUS = "−"
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_FUNCTIONS = {"sigmoid": "σ", "log": "ln", "maximum": "max", "minimum": "min"}


def stacked(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
) -> Box:
    """The formula with its quotients as fractions; `symbols` says how some names are written."""
    return _Stacked(symbols or {}).write(formula, values)


def inline(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
) -> str:
    """The formula on one line; `symbols` says how some names are written."""
    return _Inline(symbols or {}).write(formula, values).rows[0]


def pretty_number(value: float) -> str:
    """A result with all its digits and a proper minus sign; a zero has no sign."""
    return repr(float(value) + 0.0).replace("-", MINUS)


def _call(operation: str, name: str) -> Form:
    def form(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
        parts = []
        for item in flattened(operation, arguments):
            parts += [line(", "), to.write(item, values)]
        return beside([line(name), to.bracket(beside(parts[1:]))]), ATOM

    return form


def _comparison(sign: str) -> Form:
    def form(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
        left, right = (to.within(item, values, SUM) for item in arguments)
        return beside([left, line(f" {sign} "), right]), COMPARISON

    return form


def _power(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
    base, exponent = arguments
    written = to.within(base, values, ATOM)
    if isinstance(exponent, Number) and exponent.value.is_integer() and 0 < exponent.value < 1e6:
        raised = line(str(int(exponent.value)).translate(SUPERSCRIPTS))
    else:
        raised = beside([line("^"), _on_one_line(to, exponent, values)])
    return _raised(written, raised), POWER


def _raised(base: Box, exponent: Box) -> Box:
    """The exponent stands beside the top row of its base."""
    return beside([base, Box(exponent.rows, exponent.baseline + base.baseline)])


def _exponential(
    to: Notation[Box], arguments: tuple[Formula, ...], values: Values
) -> tuple[Box, int]:
    return beside([line("e^"), _on_one_line(to, arguments[0], values)]), POWER


def _on_one_line(to: Notation[Box], formula: Formula, values: Values) -> Box:
    """An exponent: small things are not stacked."""
    assert isinstance(to, _Unicode)
    return _Inline(to.symbols).within(formula, values, ATOM)


def _magnitude(
    to: Notation[Box], arguments: tuple[Formula, ...], values: Values
) -> tuple[Box, int]:
    inner = to.write(arguments[0], values)
    bar = Box(("│",) * inner.height, inner.baseline) if inner.height > 1 else line("|")
    return beside([bar, inner, bar]), ATOM


def _choice(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
    condition, first, second = (to.within(item, values, COMPARISON) for item in arguments)
    return beside([first, line(" if "), condition, line(" else "), second]), CHOICE


def _quotient(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
    over, under = (to.write(item, values) for item in arguments)
    return fraction(over, under), PRODUCT


def _matrix_product(
    to: Notation[Box], arguments: tuple[Formula, ...], values: Values
) -> tuple[Box, int]:
    parts = []
    for item in factors(arguments):
        parts += [line(" "), to.within(item, values, POWER)]
    return beside(parts[1:]), MATRIX


def _transposed(
    to: Notation[Box], arguments: tuple[Formula, ...], values: Values
) -> tuple[Box, int]:
    return _raised(to.within(arguments[0], values, ATOM), line("ᵀ")), POWER


def _entrywise_power(
    to: Notation[Box], arguments: tuple[Formula, ...], values: Values
) -> tuple[Box, int]:
    base, exponent = arguments
    raised = beside([line("^⊙"), _on_one_line(to, exponent, values)])
    return _raised(to.within(base, values, ATOM), raised), POWER


def _ones(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
    return line("𝟏" + to.write(arguments[0], values).rows[0].translate(SUBSCRIPTS)), ATOM


def _called(to: Notation[Box], arguments: tuple[Formula, ...], values: Values) -> tuple[Box, int]:
    step = called(arguments)
    name = _FUNCTIONS.get(step.operation, step.operation)
    return _call(step.operation, name)(to, step.arguments, values)


class _Unicode(Notation[Box]):
    def __init__(self, symbols: Mapping[str, str]) -> None:
        self.symbols = symbols

    minus = MINUS
    negated: ClassVar = {
        "cross_entropy_term": times_log,
        "cross_entropy_slope": over,
        "entrywise_cross_entropy_term": times_log_of_entries,
        "entrywise_cross_entropy_slope": over_entries,
    }
    forms: ClassVar = {
        "pow": _power,
        "exp": _exponential,
        "abs": _magnitude,
        "where": _choice,
        "cross_entropy_term": guarded(times_log),
        "cross_entropy_slope": guarded(over),
        "less": _comparison("<"),
        "less_equal": _comparison("≤"),
        "greater": _comparison(">"),
        "greater_equal": _comparison("≥"),
        "equal": _comparison("="),
        "not_equal": _comparison("≠"),
        "maximum": _call("maximum", "max"),
        "minimum": _call("minimum", "min"),
        "log": _call("log", "ln"),
        "sqrt": _call("sqrt", "√"),
        **{name: _call(name, name) for name in ("expm1", "log1p", "sin", "cos", "tanh", "erf")},
        "matmul": _matrix_product,
        "transpose": _transposed,
        "ones": _ones,
        "call": _called,
        "call_rows": _called,
        "entrywise_pow": _entrywise_power,
        "entrywise_cross_entropy_term": guarded(times_log_of_entries),
        "entrywise_cross_entropy_slope": guarded(over_entries),
    }

    def text(self, text: str) -> Box:
        return line(text)

    def symbol(self, name: str) -> Box:
        return line(self.symbols.get(name, name))

    def symbol_binding(self, name: str) -> int:
        written = self.symbols.get(name, name)
        if "/" in written:
            return PRODUCT
        return POWER if split_name(written).layer else ATOM

    def join(self, parts: Sequence[Box]) -> Box:
        return beside(parts)

    def bracket(self, inner: Box) -> Box:
        if inner.height == 1:
            return line(f"({inner.rows[0]})")
        middle = inner.height - 2
        left = Box(("⎛", *("⎜",) * middle, "⎝"), inner.baseline)
        right = Box(("⎞", *("⎟",) * middle, "⎠"), inner.baseline)
        return beside([left, inner, right])

    def number(self, value: float) -> Box:
        return line(repr(float(value)).replace("-", MINUS))


_SIGNS = {
    "add": (SUM, " + "),
    "sub": (SUM, f" {MINUS} "),
    "mul": (PRODUCT, " · "),
    "hadamard": (PRODUCT, " ⊙ "),
    "entrywise_div": (PRODUCT, " ⊘ "),
}


class _Stacked(_Unicode):
    infix: ClassVar = _SIGNS
    forms: ClassVar = {**_Unicode.forms, "div": _quotient}


class _Inline(_Unicode):
    infix: ClassVar = {**_SIGNS, "div": (PRODUCT, "/")}
