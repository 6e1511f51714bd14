"""Arithmetic on one number, as IEEE 754 has it.

Python's floats raise where IEEE arithmetic has an answer (`1 / 0`, `exp(1000)`,
`log(0)`); a derivation has to follow such numbers to the place where they were
born, so each function here returns infinity or NaN instead.

Each function also takes Python's complex numbers, for complex-step
differentiation; a choice or a comparison then goes by the real parts.
"""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable
from typing import Any

NAN = math.nan
INFINITY = math.inf


def divide(a: Any, b: Any) -> Any:
    """a / b."""
    try:
        return a / b
    except ZeroDivisionError:
        if isinstance(a, complex) or isinstance(b, complex) or a == 0 or a != a:
            return NAN
        return math.copysign(INFINITY, a) * math.copysign(1.0, b)


def power(a: Any, b: Any) -> Any:
    """a ** b, NaN for a root of a negative number."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INFINITY if a < 0 and b % 2 == 1 else INFINITY
    except ValueError:
        if a == 0:
            return math.copysign(INFINITY, a) if b % 2 == 1 else INFINITY
        return NAN
    except TypeError:
        return a**b


def exponential(a: Any) -> Any:
    """e ** a."""
    try:
        return math.exp(a)
    except OverflowError:
        return INFINITY
    except TypeError:
        return _complex(cmath.exp, a)


def exponential_minus_one(a: Any) -> Any:
    """e ** a - 1, accurate near zero."""
    try:
        return math.expm1(a)
    except OverflowError:
        return INFINITY
    except TypeError:
        real = math.expm1(a.real) * math.cos(a.imag) - 2 * math.sin(a.imag / 2) ** 2
        return complex(real, math.exp(a.real) * math.sin(a.imag))


def logarithm(a: Any) -> Any:
    """The natural logarithm: -infinity at 0, NaN below."""
    try:
        return math.log(a)
    except ValueError:
        return -INFINITY if a == 0 else NAN
    except TypeError:
        return _complex(cmath.log, a)


def logarithm_of_one_plus(a: Any) -> Any:
    """log(1 + a), accurate near zero."""
    try:
        return math.log1p(a)
    except ValueError:
        return -INFINITY if a == -1 else NAN
    except TypeError:
        real = 0.5 * math.log1p(a.real * (2 + a.real) + a.imag**2)
        return complex(real, math.atan2(a.imag, 1 + a.real))


def square_root(a: Any) -> Any:
    """The square root, NaN below zero."""
    try:
        return math.sqrt(a)
    except ValueError:
        return NAN
    except TypeError:
        return cmath.sqrt(a)


def sine(a: Any) -> Any:
    """sin(a), NaN at infinity."""
    try:
        return math.sin(a)
    except ValueError:
        return NAN
    except TypeError:
        return _complex(cmath.sin, a)


def cosine(a: Any) -> Any:
    """cos(a), NaN at infinity."""
    try:
        return math.cos(a)
    except ValueError:
        return NAN
    except TypeError:
        return _complex(cmath.cos, a)


def hyperbolic_tangent(a: Any) -> Any:
    """tanh(a)."""
    try:
        return math.tanh(a)
    except TypeError:
        return cmath.tanh(a)


def absolute(a: Any) -> Any:
    """|a|; for a complex number the branch that its real part takes."""
    return abs(a) if not isinstance(a, complex) else (-a if a.real < 0 else a)


def maximum(a: Any, b: Any) -> Any:
    """The larger; `a` at a tie; NaN if either is."""
    try:
        return a if a >= b or a != a else b
    except TypeError:
        return a if a.real >= b.real else b


def minimum(a: Any, b: Any) -> Any:
    """The smaller; `a` at a tie; NaN if either is."""
    try:
        return a if a <= b or a != a else b
    except TypeError:
        return a if a.real <= b.real else b


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` if the condition holds, else `b`."""
    return a if condition else b


def comparison(relation: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """`relation` between the real parts."""

    def compare(a: Any, b: Any) -> bool:
        try:
            return relation(a, b)
        except TypeError:
            return relation(a.real, b.real)

    return compare


less = comparison(operator.lt)
less_equal = comparison(operator.le)
greater = comparison(operator.gt)
greater_equal = comparison(operator.ge)


def equal(a: Any, b: Any) -> bool:
    """Whether the real parts are equal."""
    return bool(a.real == b.real)


def not_equal(a: Any, b: Any) -> bool:
    """Whether the real parts differ."""
    return bool(a.real != b.real)


def _complex(function: Callable[[complex], complex], a: complex) -> complex:
    try:
        return function(a)
    except (OverflowError, ValueError):
        return complex(NAN, NAN)
