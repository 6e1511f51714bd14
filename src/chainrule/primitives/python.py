"""Formulas as Python writes them: `1/(1 + exp(-net_h1))`.

What is printed here evaluates, with Python's own floats and the functions of
`math`, to the number that the reference engine computes, digit for digit.  (Where
`math` raises because a number leaves the floats, `exp(1000)` or `log(0)`, the
engine goes on with an infinity.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from chainrule.primitives.formula import Formula
from chainrule.primitives.notation import (
    ATOM,
    CHOICE,
    COMPARISON,
    POWER,
    PRODUCT,
    SUM,
    Notation,
    Values,
    flattened,
)

__all__ = ["Python", "python", "python_number"]

Form = Callable[[Notation[str], tuple[Formula, ...], Values], tuple[str, int]]


def python(formula: Formula, values: Mapping[str, float] | None = None) -> str:
    """The formula as text; with `values`, its symbols replaced by their numbers."""
    return _PYTHON.write(formula, values)


def python_number(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(float(value))


def _call(operation: str, name: str) -> Form:
    def form(to: Notation[str], arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        inner = ", ".join(to.write(item, values) for item in flattened(operation, arguments))
        return f"{name}({inner})", ATOM

    return form


def _comparison(sign: str) -> Form:
    def form(to: Notation[str], arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        left, right = (to.within(item, values, SUM) for item in arguments)
        return f"{left} {sign} {right}", COMPARISON

    return form


def _power(to: Notation[str], arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    base, exponent = arguments
    return f"{to.within(base, values, ATOM)}**{to.within(exponent, values, POWER)}", POWER


def _choice(to: Notation[str], arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    condition, first, second = (to.within(item, values, COMPARISON) for item in arguments)
    return f"{first} if {condition} else {second}", CHOICE


class Python(Notation[str]):
    """Text that Python evaluates."""

    infix: ClassVar = {
        "add": (SUM, " + "),
        "sub": (SUM, " - "),
        "mul": (PRODUCT, "*"),
        "div": (PRODUCT, "/"),
    }
    forms: ClassVar = {
        "pow": _power,
        "where": _choice,
        "less": _comparison("<"),
        "less_equal": _comparison("<="),
        "greater": _comparison(">"),
        "greater_equal": _comparison(">="),
        "equal": _comparison("=="),
        "not_equal": _comparison("!="),
        "maximum": _call("maximum", "max"),
        "minimum": _call("minimum", "min"),
        **{
            name: _call(name, name)
            for name in ("exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "tanh", "erf")
        },
    }

    def text(self, text: str) -> str:
        """Text as it is."""
        return text

    def join(self, parts: Sequence[str]) -> str:
        """One string."""
        return "".join(parts)

    def bracket(self, inner: str) -> str:
        """Round ones."""
        return f"({inner})"

    def number(self, value: float) -> str:
        """The shortest text that reads back as the same float."""
        return python_number(value)


_PYTHON = Python()
