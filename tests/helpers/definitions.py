"""Every pointwise primitive as mathematics defines it, in mpmath, written apart from its record."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mpmath
from mpmath import mp

from chainrule.primitives import REGISTRY, Apply, Formula, Pointwise
from chainrule.primitives.formula import interpret, parse, substitute

DIGITS = 50

DEFINITIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": mp.power,
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "sqrt": mp.sqrt,
    "abs": mp.fabs,
    "sin": mp.sin,
    "cos": mp.cos,
    "erf": mp.erf,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "where": lambda c, a, b: a if c else b,
    "maximum": lambda a, b: max(a, b),
    "minimum": lambda a, b: min(a, b),
    "stop": lambda a: +a,
    "sigmoid": lambda z: mp.mpf(1) / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "relu": lambda z: (z + mp.fabs(z)) / 2,
    "leaky_relu": lambda z, alpha: z if z >= 0 else alpha * z,
    "elu": lambda z, alpha: z if z >= 0 else alpha * (mp.exp(z) - 1),
    "softplus": lambda z: mp.log(1 + mp.exp(z)),
    "gelu": lambda z: z * mp.ncdf(z),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "cross_entropy_slope": lambda t, p: -t / p if t else mp.mpf(0),
    "cross_entropy_term": lambda t, p: -t * mp.log(p) if t else mp.mpf(0),
    "huber": lambda r, delta: (
        r**2 / 2 if mp.fabs(r) <= delta else delta * mp.fabs(r) - delta**2 / 2
    ),
    "cross_entropy_logit": lambda t, z: (
        t * mp.log(1 + mp.exp(-z)) + (1 - t) * mp.log(1 + mp.exp(z))
    ),
}

POINTWISE = [record for record in REGISTRY.values() if isinstance(record, Pointwise)]
CALCULUS = [record for record in POINTWISE if any(slope is not None for slope in record.slopes)]
"""The records that have a slope."""


def exact(values: Mapping[str, float] | tuple[float, ...]) -> Any:
    """Floats as mpmath numbers, unchanged."""
    if isinstance(values, tuple):
        return tuple(mp.mpf(value) for value in values)
    return {name: mp.mpf(value) for name, value in values.items()}


def defined(record: Pointwise, point: tuple[float, ...]) -> Any:
    """The definition's value at the floats `point`, to `DIGITS` digits."""
    with mp.workdps(DIGITS):
        return DEFINITIONS[record.name](*exact(point))


def derivative(record: Pointwise, point: tuple[float, ...], orders: tuple[int, ...]) -> Any:
    """A partial derivative of the definition, `orders` times by each operand."""
    with mp.workdps(DIGITS):
        return mpmath.diff(DEFINITIONS[record.name], exact(point), orders)


def expanded(formula: Formula) -> Formula:
    """`formula` with every step that can be reduced further written out."""
    if not isinstance(formula, Apply):
        return formula
    record = REGISTRY[formula.operation]
    assert isinstance(record, Pointwise)
    arguments = tuple(expanded(item) for item in formula.arguments)
    if record.is_basic:
        return Apply(formula.operation, arguments)
    return expanded(substitute(record.formula, dict(zip(record.operands, arguments, strict=True))))


def rounding(record: Pointwise, point: tuple[float, ...], slope: str | None = None) -> float:
    """How far the value, or a slope, may be off when each operation is off by 1 ulp.

    Each operation in turn is disturbed, and what comes of it is added up.
    """
    formula = expanded(record.formula)
    if slope is not None:
        formula = expanded(substitute(parse(slope), {"y": formula}))
    nudge = mp.mpf(10) ** (-DIGITS // 2)
    with mp.workdps(DIGITS):
        environment = dict(zip(record.operands, exact(point), strict=True))

        def value(disturbed: int) -> tuple[Any, int]:
            count = 0

            def apply(operation: str, *arguments: Any) -> Any:
                nonlocal count
                count += 1
                result = DEFINITIONS[operation](*arguments)
                return result * (1 + nudge) if count == disturbed else result

            return interpret(formula, environment, mp.mpf, apply), count

        plain, operations = value(0)
        off = sum(abs(value(place + 1)[0] - plain) for place in range(operations))
        return float(off / nudge + abs(plain)) * 2.0**-52


def margin(record: Pointwise, point: tuple[float, ...]) -> float:
    """How far the choices in the record's formulas are from being taken the other way."""
    environment: dict[str, Any] = dict(zip(record.operands, point, strict=True))
    environment["y"] = float(defined(record, point))
    found: list[float] = []

    def apply(operation: str, *arguments: Any) -> Any:
        step = REGISTRY[operation]
        assert isinstance(step, Pointwise)
        if step.condition or operation in ("maximum", "minimum"):
            found.append(abs(arguments[0] - arguments[1]))
        elif operation == "abs":
            found.append(abs(arguments[0]))
        return step.scalar_kernel(*arguments)

    for formula in (record.value, *record.slopes):
        if formula is not None:
            interpret(expanded(parse(formula)), environment, float, apply)
    return min(found, default=math.inf)


def draws(
    record: Pointwise, count: int, away_from_kinks: float = 0.0
) -> Iterator[tuple[float, ...]]:
    """`count` points of the record's domain, corners and ties among them.

    With `away_from_kinks`, only points where every choice is clear by as much.
    """
    chance = random.Random(record.name)
    while count:
        point = [
            chance.choice(interval) if chance.random() < 0.1 else chance.uniform(*interval)
            for interval in record.domain
        ]
        if record.name == "where":
            point[0] = float(chance.random() < 0.5)
        if chance.random() < 0.1:  # a tie, as far as the domains allow it
            point = [min(max(point[-1], low), high) for low, high in record.domain]
        drawn = tuple(point)
        if away_from_kinks and margin(record, drawn) < away_from_kinks:
            continue
        count -= 1
        yield drawn
