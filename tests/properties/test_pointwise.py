"""Each pointwise record against its definition, in 50 digits, and its slopes against calculus."""

from __future__ import annotations

import itertools
import math
import sys
from typing import Any

import numpy
import pytest
from helpers.budget import budgeted
from helpers.definitions import (
    CALCULUS,
    DEFINITIONS,
    POINTWISE,
    defined,
    derivative,
    draws,
    rounding,
)

from chainrule.differentiate.reverse import reverse
from chainrule.engines import reference
from chainrule.graph.build import Builder
from chainrule.primitives import Pointwise
from chainrule.primitives.pointwise import ACTIVATIONS
from chainrule.primitives.record import evaluate

ARITHMETIC = ("add", "sub", "mul", "div", "neg")
EXTREMES = (
    *(0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0, 1e308, -1e308, math.inf, -math.inf, math.nan),
    *(5e-324, -5e-324, sys.float_info.min, -sys.float_info.min, 1e-300, 2.0, 0.5, -2.5, 3.0, -3.0),
)


def name(record: Pointwise) -> str:
    return record.name


every = pytest.mark.parametrize("record", POINTWISE, ids=name)
every_with_slopes = pytest.mark.parametrize("record", CALCULUS, ids=name)


def test_every_record_has_a_definition():
    assert {record.name for record in POINTWISE} == set(DEFINITIONS)


def test_every_record_has_a_domain_and_a_slope_for_each_operand():
    for record in POINTWISE:
        assert len(record.domain) == len(record.slopes) == len(record.operands), record.name


@every
def test_scalar_kernel_is_the_definition(record: Pointwise):
    for point in draws(record, budgeted(200)):
        expected = defined(record, point)
        got = record.scalar_kernel(*point)
        if record.condition:
            assert got is expected, point
        else:
            assert abs(got - expected) <= 2 * rounding(record, point), (point, got, expected)


@every
def test_array_kernel_is_the_scalar_kernel(record: Pointwise):
    points = list(draws(record, budgeted(300)))
    scalars = [record.scalar_kernel(*point) for point in points]
    columns = [numpy.array(column) for column in zip(*points, strict=True)]
    arrays = record.array_kernel(*columns).tolist()
    for point, scalar, array in zip(points, scalars, arrays, strict=True):
        if record.name in ARITHMETIC or record.condition:
            assert scalar == array, point
        else:
            assert abs(scalar - array) <= 2 * rounding(record, point), (point, scalar, array)


@every_with_slopes
def test_slopes_are_the_derivatives_of_the_definition(record: Pointwise):
    for point in draws(record, budgeted(60), away_from_kinks=1e-3):
        environment = dict(zip(record.operands, point, strict=True))
        environment["y"] = record.scalar_kernel(*point)
        for place, slope in enumerate(record.slopes):
            if slope is not None and record.name != "stop":
                orders = tuple(int(i == place) for i in range(len(point)))
                expected = derivative(record, point, orders)
                allowed = 2 * rounding(record, point, slope)
                for kernel in ("scalar_kernel", "array_kernel"):
                    got = float(evaluate(slope, environment, kernel))
                    assert abs(got - expected) <= allowed, (slope, point, got, expected)


@pytest.mark.parametrize("record", [r for r in CALCULUS if r.analytic], ids=name)
@pytest.mark.parametrize("kernel", ["scalar_kernel", "array_kernel"])
def test_slopes_are_complex_steps(record: Pointwise, kernel: str):
    step = 1e-30
    for point in draws(record, budgeted(60), away_from_kinks=1e-3):
        environment = dict(zip(record.operands, point, strict=True))
        environment["y"] = record.scalar_kernel(*point)
        for place, slope in enumerate(record.slopes):
            if slope is not None:
                moved: list[Any] = list(point)
                moved[place] = complex(point[place], step)
                if kernel == "array_kernel":
                    moved = [numpy.array([value]) for value in moved]
                result = getattr(record, kernel)(*moved)
                stepped = complex(result if kernel == "scalar_kernel" else result[0]).imag / step
                expected = float(evaluate(slope, environment))
                assert stepped == pytest.approx(expected, rel=1e-12, abs=1e-12), (slope, point)


@every_with_slopes
def test_second_derivatives_by_differentiating_twice(record: Pointwise):
    op = Builder()
    operands = [op.variable(operand) for operand in record.operands]
    result = op.apply(record.name, *operands)
    first = reverse(op, result, operands)
    twice = {
        (i, j): second[b]
        for i, a in enumerate(operands)
        if a in first
        for second in [reverse(op, first[a], operands)]
        for j, b in enumerate(operands)
        if b in second
    }
    for point in draws(record, budgeted(25), away_from_kinks=1e-2):
        leaves = dict(zip(operands, point, strict=True))
        values = reference.run([*first.values(), *twice.values()], leaves)
        for i, j in itertools.product(range(len(operands)), repeat=2):
            if record.slopes[i] is None or record.slopes[j] is None:
                continue
            orders = tuple((i == k) + (j == k) for k in range(len(operands)))
            expected = float(derivative(record, point, orders))
            got = float(values[twice[i, j]]) if (i, j) in twice else 0.0
            assert got == pytest.approx(expected, rel=1e-10, abs=1e-10), (i, j, point)


@every
def test_scalar_kernel_never_raises_and_agrees_with_arrays_at_the_extremes(record: Pointwise):
    for point in itertools.product(EXTREMES, repeat=len(record.operands)):
        if record.name == "where" and point[0] != point[0]:
            continue
        scalar = record.scalar_kernel(*point)
        with numpy.errstate(all="ignore"):
            array = record.array_kernel(*(numpy.array([value]) for value in point))[0].item()
        assert isinstance(scalar, bool if record.condition else float), (point, scalar)
        assert scalar == pytest.approx(array, rel=1e-14, abs=5e-323, nan_ok=True), point


@every_with_slopes
def test_slopes_never_raise_at_the_extremes(record: Pointwise):
    for point in itertools.product(EXTREMES, repeat=len(record.operands)):
        environment = dict(zip(record.operands, point, strict=True))
        environment["y"] = record.scalar_kernel(*point)
        for slope in record.slopes:
            if slope is not None:
                evaluate(slope, environment)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("z", [z for z in EXTREMES if math.isfinite(z)])
def test_activations_and_their_slopes_stay_finite(activation: str, z: float):
    record = next(record for record in POINTWISE if record.name == activation)
    point = (z, *(interval[0] for interval in record.domain[1:]))
    y = record.scalar_kernel(*point)
    assert math.isfinite(y)
    slope = record.slopes[0]
    assert slope is not None
    environment = dict(zip(record.operands, point, strict=True), y=y)
    assert math.isfinite(evaluate(slope, environment))


@pytest.mark.parametrize("z", [-1e308, -1e4, -745.0, -40.0, 0.0, 40.0, 745.0, 1e4, 1e308])
@pytest.mark.parametrize("t", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_of_a_logit_stays_finite(t: float, z: float):
    record = next(record for record in POINTWISE if record.name == "cross_entropy_logit")
    loss = record.scalar_kernel(t, z)
    assert math.isfinite(loss)
    assert loss >= 0
    slope = record.slopes[1]
    assert slope is not None
    assert evaluate(slope, {"t": t, "z": z, "y": loss}) == pytest.approx(
        record_sigmoid(z) - t, abs=1e-15
    )


def record_sigmoid(z: float) -> float:
    return math.exp(min(z, 0.0)) / (1.0 + math.exp(-abs(z)))


@pytest.mark.parametrize(
    ("activation", "z", "limit"),
    [
        ("sigmoid", -1000.0, 0.0),
        ("sigmoid", 1000.0, 1.0),
        ("tanh", -1000.0, -1.0),
        ("tanh", 1000.0, 1.0),
        ("softplus", -1000.0, 0.0),
        ("softplus", 1000.0, 1000.0),
        ("silu", -1000.0, 0.0),
        ("gelu", -1000.0, 0.0),
        ("gelu", 1000.0, 1000.0),
    ],
)
def test_activations_reach_their_limits(activation: str, z: float, limit: float):
    record = next(record for record in POINTWISE if record.name == activation)
    assert record.scalar_kernel(z) == limit
