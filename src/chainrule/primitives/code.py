"""What notations for machines share: formulas as one line of text, calls and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.primitives.formula import Formula
from chainrule.primitives.notation import ATOM, COMPARISON, SUM, Notation, Values, flattened

__all__ = ["COMPARISONS", "FUNCTIONS", "Code", "CodeForm", "call", "comparison"]

CodeForm = Callable[["Code", tuple[Formula, ...], Values], tuple[str, int]]

FUNCTIONS = ("exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "tanh", "erf")
"""The steps that are written as calls everywhere."""


class Code(Notation[str]):
    """Text that a machine reads."""

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
        return repr(float(value))

    def function(self, operation: str) -> str:
        """What the function that computes the step is called."""
        return operation


def call(operation: str, flat: bool = False) -> CodeForm:
    """A step as a call; with `flat`, max(max(a, b), c) is max(a, b, c)."""

    def form(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        items = flattened(operation, arguments) if flat else arguments
        inner = ", ".join(to.write(item, values) for item in items)
        return f"{to.function(operation)}({inner})", ATOM

    return form


def comparison(sign: str) -> CodeForm:
    """A comparison by its sign."""

    def form(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        left, right = (to.within(item, values, SUM) for item in arguments)
        return f"{left} {sign} {right}", COMPARISON

    return form


COMPARISONS = {
    "less": comparison("<"),
    "less_equal": comparison("<="),
    "greater": comparison(">"),
    "greater_equal": comparison(">="),
    "equal": comparison("=="),
    "not_equal": comparison("!="),
}
"""The comparisons, as most languages write them."""
