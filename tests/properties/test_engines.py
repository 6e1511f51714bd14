"""The engines agree: by the tolerances that are documented, on random networks."""

from __future__ import annotations

import functools

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.emit import plan as plans
from chainrule.engines.choice import ENGINES, prepare
from chainrule.engines.numba import ArrayRun
from chainrule.engines.numpy import kernel_of
from chainrule.engines.printed import Printed
from chainrule.engines.run import Task, on_arrays, on_scalars
from chainrule.primitives import REGISTRY, Linear, Pointwise, Select
from tests.helpers.budget import budgeted
from tests.helpers.layouts import CASES
from tests.helpers.networks import describe, network
from tests.helpers.running import interpret
from tests.helpers.tolerances import TOLERANCES, distance

NETWORKS = budgeted(120)
STEPS = 3
ORDERS = ("simultaneous", "sequential")
EVERY = {"reference": 1, "numpy": 1, "numba": 30, "jax": 10}
"""An engine takes the steps of one network in so many: compiling takes its time."""

drawn = functools.cache(lambda seed: network(describe(seed)))


def steps_by(run, take):
    """The losses and the parameters after some steps."""
    losses = take(run)
    return losses, [numpy.ravel(run.values[node]) for node in run.parameters]


@pytest.mark.parametrize("tiled", [0, plans.TILED], ids=["called", "tiled"])
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_emitted_steps_on_arrays_are_those_of_numpy(seed, tiled, monkeypatch):
    monkeypatch.setattr(plans, "TILED", tiled)
    model = network(describe(seed))
    if not model.trained:
        return
    expected = steps_by(on_arrays(model, 0.01, "simultaneous"), lambda run: run.advance(STEPS))
    run = on_arrays(model, 0.01, "simultaneous")
    steps = interpret(ArrayRun(run, ()))
    found = steps_by(run, lambda run: steps.take(STEPS, run.values)[:-1])
    numpy.testing.assert_allclose(found[0], expected[0], rtol=1e-10, atol=1e-12)
    for mine, its in zip(found[1], expected[1], strict=True):
        numpy.testing.assert_allclose(mine, its, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("engine", "dtype", "seed"),
    [
        (engine, dtype, seed)
        for engine, dtype in TOLERANCES
        for seed in range(0 if dtype == "float64" else 1, NETWORKS, EVERY[engine])
    ],
)
def test_weights_after_an_epoch_are_those_of_numpy(engine, dtype, seed):
    model = drawn(seed)
    if not model.trained:
        return
    order = ORDERS[seed // EVERY[engine] % 2]
    expected = ENGINES["numpy"](Task(model, model.learning_rate, order))
    start = prepare(engine, Task(model, model.learning_rate, order, dtype, 100))
    if start.engine != engine:
        assert "numba takes simultaneous steps" in start.reason
        return
    found = start.run
    losses, theirs = found.advance(STEPS), expected.advance(STEPS)
    tolerance = TOLERANCES[engine, dtype]
    assert losses == pytest.approx(theirs, rel=tolerance, abs=tolerance)
    assert found.loss() == pytest.approx(expected.loss(), rel=tolerance, abs=tolerance)
    assert distance(found, expected, model) <= tolerance
    if dtype != "float64":
        assert {str(number.dtype) for number in found.values.values()} == {dtype}


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_emitted_steps_in_single_precision_are_near(seed):
    model = drawn(seed)
    if not model.trained:
        return
    expected = on_arrays(model, 0.01, "simultaneous")
    run = on_arrays(model, 0.01, "simultaneous", "float32")
    expected.advance(STEPS)
    interpret(ArrayRun(run, (), "float32")).take(STEPS, run.values)
    assert distance(run, expected, model) <= TOLERANCES["numba", "float32"]


def test_every_engine_is_in_the_table_of_tolerances():
    types = [(engine, dtype) for engine in ENGINES for dtype in ("float64", "float32")]
    assert set(types) - TOLERANCES.keys() == {("numpy", "float64"), ("reference", "float32")}


# -------------------------------------------------------------------- single precision


@pytest.mark.parametrize(
    "record",
    [record for record in REGISTRY.values() if isinstance(record, Pointwise)],
    ids=lambda record: record.name,
)
@pytest.mark.parametrize("shape", [(7,), ()], ids=["array", "number"])
def test_pointwise_steps_keep_the_type_of_their_numbers(record, shape):
    chance = numpy.random.default_rng(1)
    operands = [numpy.float32(chance.uniform(low, high, shape)) for low, high in record.domain]
    assert kernel_of(record)(*operands).dtype == ("bool" if record.condition else "float32")


@pytest.mark.parametrize(
    "name", [name for name, record in REGISTRY.items() if isinstance(record, Linear | Select)]
)
@given(data=st.data())
def test_other_steps_keep_the_type_of_their_numbers(name, data):
    shapes, attributes = data.draw(CASES[name])
    operands = [numpy.ones(shape, "float32") for shape in shapes]
    assert kernel_of(REGISTRY[name])(*operands, **attributes).dtype == "float32"


# ---------------------------------------------------------------- the reference engine


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_the_printed_program_has_the_digits_of_the_interpreted_graph(seed, order):
    model = drawn(seed)
    if not model.trained:
        return
    # With a rate as high as that of every fifth, numbers leave the floats.
    rate = model.learning_rate if seed % 5 else 1e150
    found = Printed(Task(model, rate, order))
    expected = on_scalars(model, rate, order)
    numpy.testing.assert_equal(found.gradients(), expected.gradients())
    numpy.testing.assert_equal(found.advance(STEPS), expected.advance(STEPS))
    numpy.testing.assert_equal([*found.values.values()], [*expected.values.values()])
    numpy.testing.assert_equal(found.loss(), expected.loss())
