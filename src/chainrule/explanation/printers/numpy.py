"""Formulas of arrays as NumPy evaluates them: `(W2.T @ δ2)*a1*(1 - a1)`.

The functions are NumPy's (SciPy has `erf` and `softmax`); W⁽²⁾ is spelt `W2`, and
∂E/∂W⁽²⁾ `dE_dW2`.
"""

from __future__ import annotations

from typing import ClassVar

from chainrule.explanation.printers.names import split_derivative, split_name
from chainrule.primitives import REGISTRY, Apply, Formula
from chainrule.primitives.code import Code, CodeForm
from chainrule.primitives.notation import (
    ATOM,
    MATRIX,
    POWER,
    PRODUCT,
    Values,
    called,
    defined,
)
from chainrule.primitives.python import Python

__all__ = ["numpy", "spelt"]


def numpy(formula: Formula) -> str:
    """The formula as text."""
    return _NumPy().write(formula)


def spelt(symbol: str) -> str:
    """A symbol as Python spells it."""
    if parts := split_derivative(symbol):
        over, by = map(spelt, parts)
        return f"d{over}_d{by}"
    name = split_name(symbol)
    return name.base + name.layer if name.layer else symbol


def _matrix_product(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    """From left to right, as it is evaluated."""
    left, right = arguments
    is_product = isinstance(left, Apply) and left.operation == "matmul"
    first = to.within(left, values, MATRIX if is_product else POWER)
    return f"{first} @ {to.within(right, values, POWER)}", MATRIX


def _transposed(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    return f"{to.within(arguments[0], values, ATOM)}.T", ATOM


def _ones(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    return f"ones(({to.write(arguments[0], values)}, 1))", ATOM


def _call(to: Code, step: Apply, values: Values, *options: str) -> tuple[str, int]:
    inner = ", ".join([*(to.write(item, values) for item in step.arguments), *options])
    return f"{step.operation}({inner})", ATOM


def _called(axis: int) -> CodeForm:
    """A primitive as it is written or defined, a composite along its axis."""

    def form(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        step = called(arguments)
        if step.operation in REGISTRY:
            return to.printed(step, values)
        return _call(to, step, values, f"axis={axis}")

    return form


def _by_name(operation: str) -> CodeForm:
    def form(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        return _call(to, Apply(operation, arguments), values)

    return form


def _definition(operation: str) -> CodeForm:
    def form(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
        return to.printed(defined(Apply(operation, arguments)), values)

    return form


class _NumPy(Python):
    infix: ClassVar = {
        **Python.infix,
        "hadamard": (PRODUCT, "*"),
        "entrywise_div": (PRODUCT, "/"),
    }
    forms: ClassVar = {
        **Python.forms,
        "matmul": _matrix_product,
        "transpose": _transposed,
        "ones": _ones,
        "call": _called(axis=0),
        "call_rows": _called(axis=1),
        "entrywise_pow": Python.forms["pow"],
        **{name: _by_name(name) for name in ("where", "maximum", "minimum")},
        **{
            f"entrywise_{name}": _definition(name)
            for name in ("cross_entropy_term", "cross_entropy_slope")
        },
    }

    def symbol(self, name: str) -> str:
        return spelt(name)
