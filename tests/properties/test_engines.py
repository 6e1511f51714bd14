"""The engines agree: emitted steps with the interpreted ones, on random networks."""

from __future__ import annotations

import numpy
import pytest

from chainrule.emit import plan as plans
from chainrule.engines.numba import ArrayRun
from chainrule.engines.run import on_arrays
from chainrule.train.steps import take_steps
from tests.helpers.budget import budgeted
from tests.helpers.networks import describe, network
from tests.helpers.running import interpret

NETWORKS = budgeted(120)
COMPILED = budgeted(8)
STEPS = 3


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


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_emitted_steps_in_single_precision_are_near(seed):
    model = network(describe(seed))
    if not model.trained:
        return
    expected, run = (on_arrays(model, 0.01, "simultaneous") for _ in range(2))
    expected.advance(STEPS)
    interpret(ArrayRun(run, (), "float32")).take(STEPS, run.values)
    for node in run.parameters:
        numpy.testing.assert_allclose(run.values[node], expected.values[node], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(7, 7 + 13 * COMPILED, 13))
def test_compiled_steps_are_those_of_the_reference_engine(seed):
    model = network(describe(seed))
    found = take_steps(model, 20, engine="numba")
    expected = take_steps(model, 20, engine="reference")
    assert found.engine == "numba" or "sequential" in found.reason
    # A square is a product, which may differ from the power in the last place.
    numpy.testing.assert_allclose(found.losses, expected.losses, rtol=1e-13)
    numpy.testing.assert_allclose(
        list(found.parameters.values()), list(expected.parameters.values()), rtol=1e-10, atol=1e-13
    )
