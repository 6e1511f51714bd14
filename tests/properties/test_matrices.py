"""The matrix form evaluated: each line, from its tree alone, against the engines."""

from __future__ import annotations

import re
from typing import Any

import numpy
import pytest
from helpers import matrices as hand
from helpers.budget import budgeted
from helpers.networks import describe, network

import chainrule as cr
from chainrule import api
from chainrule.engines import numpy as arrays
from chainrule.engines.gradient import gradient
from chainrule.explanation.matrices import Matrices, matrices
from chainrule.explanation.printers.numpy import numpy as as_numpy
from chainrule.explanation.printers.numpy import spelt
from chainrule.graph.model import Model

EXAMPLES = ("seed", "mazur", "macleod", "negnevitsky", "flowers")
NETWORKS = range(budgeted(150))


def form_of(model: Model) -> Matrices:
    form = matrices(model)
    assert form is not None
    return form


def close(got: Any, expected: Any) -> bool:
    return bool(numpy.allclose(got, expected, rtol=1e-9, atol=1e-12))


def check(model: Model) -> None:
    form = form_of(model)
    values = hand.run(form, hand.given(form, model))
    _check_forward(form, model, values)
    _check_gradients(form, model, values)
    _check_numpy_text(form, model, values)
    if model.learning_rate is not None:
        _check_updates(form, model, values)


def _check_forward(form: Matrices, model: Model, values: hand.Values) -> None:
    run = arrays.run([model.loss], arrays.leaf_arrays(model))
    for line in form.forward:
        expected = hand.laid_out(run[line.node], line.shape, line.transposed)
        assert close(values[line.symbol], expected), line.symbol


def _check_gradients(form: Matrices, model: Model, values: hand.Values) -> None:
    expected = gradient(model).entries
    found: dict[str, float] = {}
    for array in form.arrays:
        symbol = f"∂{model.loss.name}/∂{array.symbol}"
        if symbol in [line.symbol for line in form.gradients]:
            found |= hand.by_entry(array, values[symbol])
    assert set(found) <= set(expected)
    size = max(map(abs, expected.values()), default=1.0)
    for name, value in expected.items():
        assert abs(found.get(name, 0.0) - value) <= 1e-9 * max(size, 1e-6), name


def _check_numpy_text(form: Matrices, model: Model, values: hand.Values) -> None:
    functions = vars(numpy) | hand.COMPOSITES | {"erf": hand.erf}
    names = {spelt(name).replace(".", "_"): value for name, value in values.items()}
    assert len(names) == len(values)
    with numpy.errstate(all="ignore"):
        for line in (*form.forward, *form.adjoints, *form.gradients):
            text = re.sub(r"(?<=[a-z0-9])\.(?=bias)", "_", as_numpy(line.formula))
            result = eval(text, functions | names)
            assert close(result, values[line.symbol]), as_numpy(line.formula)


def _check_updates(form: Matrices, model: Model, values: hand.Values) -> None:
    stepped = api.step(model).model
    by_symbol = {array.symbol: array for array in form.arrays}
    new = {line.symbol: hand.work(line, values) for line in form.updates}
    for line in reversed(form.updates):  # from the loss on
        seen = hand.backward(form, values | {name: new[name] for name in line.after})
        changed = hand.work(line, seen | {line.symbol: values[line.symbol]})
        new[line.symbol] = changed
        for name, value in hand.by_entry(by_symbol[line.symbol], changed).items():
            assert close(value, stepped.value(name)), name


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_lines_of_an_example(name: str) -> None:
    check(api.load(name))


@pytest.mark.parametrize("seed", NETWORKS)
def test_the_lines_of_a_random_network(seed: int) -> None:
    check(network(describe(seed)))


def test_the_lines_of_arrays_in_python() -> None:
    """Vectors, rows, columns, numbers: whatever matrices can say."""
    chance = numpy.random.default_rng(1)

    def var(name: str, *shape: int) -> cr.Expression:
        return cr.var(name, chance.normal(size=shape))

    m, v, u, r, k = var("M", 2, 3), var("v", 3), var("u", 2), var("r", 1, 3), var("k", 1, 1)
    h = cr.sigmoid(m @ v + u).named("h")
    losses = (
        (m @ v).sum(),
        ((u @ m) @ v),
        (cr.tanh(r @ m.T) * u).sum(),
        (m + r + k).sum() * (v / r).sum(),
        (k @ r @ v).sum() * 3.0,
        cr.half_squared_error(u, h).sum() + cr.l2_penalty(m, 0.1),
        (cr.softmax(m) * r).sum(),
        cr.categorical_cross_entropy_from_logits(cr.exp(v), v * v),
        (cr.log_softmax(r @ m.T) @ m).sum(),
        (h / (1.0 + h.sum())).sum(),
    )
    for loss in losses:
        check(cr.model(loss, learning_rate=0.1))
