"""Kernels of many numbers: what they do another way than for few comes to the same."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.graph.build import Builder
from chainrule.graph.node import Node
from chainrule.primitives import REGISTRY, Linear
from chainrule.primitives.pointwise import MANY

SPECIAL = (0.0, -0.0, 1.5, -2.0, math.inf, -math.inf, math.nan)

dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def kernel(name: str) -> Any:
    return arrays.kernel_of(REGISTRY[name])


def pairs(dtype: str) -> tuple[Any, Any]:
    """Every pair of special numbers, many times over."""
    a, b = np.array(list(itertools.product(SPECIAL, SPECIAL)), dtype).T
    times = MANY // len(a) + 1
    return np.tile(a, times), np.tile(b, times)


def same(found: Any, expected: Any) -> None:
    """The same numbers of the same type; of zeros, of the same sign."""
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])


@dtypes
def test_choices_are_those_of_numpy(dtype: str) -> None:
    a, b = pairs(dtype)
    same(kernel("where")(a > b, a, b), np.where(a > b, a, b))
    same(kernel("where")(np.abs(a), a, b), np.where(np.abs(a), a, b))
    one, row = (np.broadcast_to(np.array(value, dtype), (3, *a.shape)) for value in (1.0, b))
    same(kernel("where")(row > a, one, row), np.where(row > a, one, row))


@dtypes
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_the_larger_of_many_is_that_of_few(name: str, dtype: str) -> None:
    a, b = pairs(dtype)
    few = len(SPECIAL) ** 2
    expected = kernel(name)(a[:few], b[:few])
    same(kernel(name)(a, b)[:few], expected)


@dtypes
def test_relu_keeps_what_it_is_of(dtype: str) -> None:
    a, _ = pairs(dtype)
    same(kernel("relu")(a), np.where((a >= 0) | (a != a), a, np.array(0.0, dtype)))


def test_a_cube_in_single_precision() -> None:
    a = np.linspace(-3, 3, 101, dtype=np.float32)
    found = kernel("pow")(a, np.broadcast_to(np.float32(3.0), a.shape))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, a.astype(float) ** 3, rtol=2e-7)


@dtypes
@pytest.mark.parametrize("axes", [(2, 3), (0, 2), (1,)])
def test_of_many_short_rows_the_first_largest(axes: tuple[int, ...], dtype: str) -> None:
    chance = np.random.default_rng(0)
    x = chance.integers(-1, 2, (5, 4, 40, 6)).astype(dtype)
    x[1, 1, 1] = math.nan
    x[2] = -math.inf
    x = x.transpose(0, 1, 3, 2) if 3 not in axes else x[..., :3, :]  # few entries along the axes
    kept = tuple(axis for axis in range(4) if axis not in axes)
    rows = x.transpose(*kept, *axes).reshape(*(x.shape[axis] for axis in kept), -1)
    first = np.arange(rows.shape[-1]) == np.argmax(rows, axis=-1)[..., None]
    found = kernel("first_max")(x, axes)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.transpose(*kept, *axes).reshape(rows.shape), first)
    np.testing.assert_array_equal(kernel("max")(x, axes), np.max(x, axis=axes))


def test_few_windows_are_added_in_the_order_of_the_terms() -> None:
    chance = np.random.default_rng(0)
    options = {
        "stride": (2, 1),
        "dilation": (1, 1),
        "padding": ((1, 0), (0, 1)),
        "shape": (2, 9, 7),
    }
    x = chance.normal(size=(2, 2, 3, 7, 6))
    record = REGISTRY["overlap_add"]
    assert isinstance(record, Linear)
    rows = record.rows([x.shape], options)
    expected = np.zeros(2 * 9 * 7)
    for entry, row in enumerate(rows):
        for ((_, place),) in row:
            expected[entry] += x.flat[place]
    np.testing.assert_array_equal(record.kernel(x, **options).ravel(), expected)


# ------------------------------------------------------------------- single precision

Step = Any
STEPS: dict[str, tuple[Step, tuple[tuple[int, ...], ...]]] = {
    "convolution": (
        lambda op, x, w: op.convolution(x, w, (2, 1), ((1, 1),) * 2, (1, 2), 2),
        ((2, 4, 7, 8), (6, 2, 3, 2)),
    ),
    "max pool": (
        lambda op, x: op.max(
            op.windows(
                op.surrounded(x, ((1, 1),) * 2, -math.inf), (3, 3), (2, 2), (1, 1), ((0, 0),) * 2
            ),
            (-2, -1),
        ),
        ((2, 8, 16, 16),),
    ),
    "batch norm": (
        lambda op, x, *rows: op.composite("batch_norm", x, *rows, 1e-5),
        ((2, 3, 4, 4), (3,), (3,)),
    ),
    "fixed batch norm": (
        lambda op, x, *rows: op.composite(
            "batch_norm_fixed", x, *(op.exp(row) for row in rows), 1e-5
        ),
        ((2, 3, 4, 4), (3,), (3,), (3,), (3,)),
    ),
    "layer norm": (
        lambda op, x, *rows: op.composite("layer_norm", x, *rows, 1e-5),
        ((4, 5), (5,), (5,)),
    ),
    "attention": (
        lambda op, *operands: op.composite("attention", *operands),
        ((2, 4, 3), (2, 4, 3), (2, 4, 3), (4, 4)),
    ),
    "log softmax": (
        lambda op, x: op.pick(op.composite("log_softmax", x), (1, 2)),
        ((2, 4),),
    ),
    "cube": (lambda op, x: op.tanh(op.pow(op.relu(x), 3.0)), ((70, 70),)),
    "embedding": (lambda op, x: op.take(x, (1, 1, 0), 0), ((3, 2),)),
    "running sum": (lambda op, x: op.cumsum(x, 1), ((3, 2),)),
}


@pytest.mark.parametrize("name", list(STEPS))
def test_single_precision_stays_single(name: str) -> None:
    """Of every step, of its adjoints and of everything between."""
    ours, shapes = STEPS[name]
    op, chance = Builder(), np.random.default_rng(0)
    operands: list[Node] = [op.variable(f"x{at}", shape) for at, shape in enumerate(shapes)]
    result = ours(op, *operands)
    seed = op.variable("g", result.shape)
    outputs = [result, *reverse(op, result, operands, seed).values()]
    values = {node: chance.normal(size=node.shape).astype(np.float32) for node in (*operands, seed)}
    program = arrays.program(outputs, dtype="float32")
    run = program.run(values)
    assert {str(np.asarray(value).dtype) for value in run.values()} <= {"float32", "bool"}
    double = arrays.run(outputs, {node: value.astype(float) for node, value in values.items()})
    for node in outputs:
        np.testing.assert_allclose(run[node], double[node], rtol=2e-3, atol=2e-4)


def test_results_are_those_of_a_run_and_no_more() -> None:
    op = Builder()
    x = op.variable("x", (3,))
    inner = op.exp(x)
    outputs = [op.sum(op.mul(inner, inner)), inner, x]
    given = {x: np.arange(3.0)}
    program = arrays.program(outputs)
    run, found = program.run(given), program.results(given)
    assert list(found) == outputs
    assert list(given) == [x]
    for node in outputs:
        np.testing.assert_array_equal(found[node], run[node])
