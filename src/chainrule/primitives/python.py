"""Formulas as Python writes them: `1/(1 + exp(-net_h1))`.

What is printed here evaluates, with Python's own floats and the functions of
`math`, to the number that the reference engine computes, digit for digit.  (Where
`math` raises because a number leaves the floats, `exp(1000)` or `log(0)`, the
engine goes on with an infinity.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chainrule.primitives.code import COMPARISONS, FUNCTIONS, Code, call
from chainrule.primitives.formula import Formula
from chainrule.primitives.notation import ATOM, CHOICE, COMPARISON, POWER, PRODUCT, SUM, Values

__all__ = ["Python", "python", "python_number"]


def python(formula: Formula, values: Mapping[str, float] | None = None) -> str:
    """The formula as text; with `values`, its symbols replaced by their numbers."""
    return _PYTHON.write(formula, values)


def python_number(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return _PYTHON.number(value)


def _power(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    base, exponent = arguments
    return f"{to.within(base, values, ATOM)}**{to.within(exponent, values, POWER)}", POWER


def _choice(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    condition, first, second = (to.within(item, values, COMPARISON) for item in arguments)
    return f"{first} if {condition} else {second}", CHOICE


class Python(Code):
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
        "maximum": call("maximum", flat=True),
        "minimum": call("minimum", flat=True),
        **COMPARISONS,
        **{name: call(name) for name in FUNCTIONS},
    }

    def function(self, operation: str) -> str:
        """Python's own `max` and `min`, the functions of `math` by their names."""
        return {"maximum": "max", "minimum": "min"}.get(operation, operation)


_PYTHON = Python()
