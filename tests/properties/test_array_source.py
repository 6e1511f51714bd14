"""Programs on arrays compute, in every language, what the engines do."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import pytest
from helpers.array_programs import Arrays, run_c, run_javascript, run_numpy
from helpers.budget import budgeted
from helpers.networks import describe, network

from chainrule import api
from chainrule.differentiate.reverse import reverse
from chainrule.differentiate.update import descend
from chainrule.emit.array_program import ArrayProgram
from chainrule.emit.array_writer import array_program
from chainrule.emit.straight_line import What
from chainrule.engines import gradient, ordered
from chainrule.engines.numpy import leaf_arrays
from chainrule.engines.run import on_arrays
from chainrule.frontends.files import example_names
from chainrule.graph.build import Builder
from chainrule.graph.model import Model, Order

SEEDS = range(budgeted(160))
PROGRAMS: tuple[tuple[What, Order], ...] = (
    ("forward", "simultaneous"),
    ("gradient", "simultaneous"),
    ("step", "simultaneous"),
    ("step", "sequential"),
)


@cache
def drawn(seed: int) -> Model:
    return network(describe(seed))


def models() -> list[Model]:
    return [*map(api.load, example_names()), *map(drawn, SEEDS)]


def judged(model: Model, program: ArrayProgram) -> Arrays:
    """The results by the ordered engine: sums in their order, functions those of `math`."""
    op = Builder()
    leaves = leaf_arrays(model)
    trained = [leaf.node for leaf in model.leaves if leaf.trained]
    if program.what == "forward":
        values = ordered.run(model.nodes, leaves)
        nodes = [node for node in model.nodes if node in model.labels and node.inputs]
        wanted = [*(node for node in nodes if node is not model.loss), model.loss]
        by_labels = {model.labels[node]: values[node] for node in wanted}
        return {item.label: by_labels[item.labels] for item in program.results}
    # Adjoints of what lies between are asked for as well, which changes no digit.
    found = reverse(op, model.loss, trained, folded=True)
    zeros = {node: op.broadcast(op.constant(0.0), node.shape) for node in trained}
    gradients = [found.get(node, zeros[node]) for node in trained]
    outputs = gradients
    if program.what == "step":
        rate = op.variable("rate")
        leaves[rate] = model.learning_rate
        pairs = zip(trained, gradients, strict=True)
        outputs = [descend(op, node, rate, item) for node, item in pairs]
    values = ordered.run([model.loss, *outputs], leaves)
    labels = [item.label for item in program.results]
    return dict(zip(labels, (values[node] for node in (model.loss, *outputs)), strict=True))


def by_engine(model: Model, what: What, order: Order) -> dict[str, float]:
    """The loss, and every entry of the gradient or of the new parameters, by the engines."""
    if what == "gradient":
        found = gradient._arrays(model)
        return {"": found.loss} | found.entries
    assert model.learning_rate is not None
    run = on_arrays(model, model.learning_rate, order)
    before, _, changed = run.descent.step(run.values)
    entries = {"": float(before)}
    for leaf in model.leaves:
        if leaf.trained:
            entries.update(zip(leaf.labels, numpy.ravel(changed[leaf.node]).tolist(), strict=True))
    return entries


def assert_near(found: Arrays, wanted: Arrays, tolerance: float) -> None:
    assert found.keys() == wanted.keys()
    for label, value in wanted.items():
        numpy.testing.assert_allclose(found[label], value, rtol=tolerance, atol=tolerance)


def assert_same(found: Arrays, wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    for label, value in wanted.items():
        numpy.testing.assert_array_equal(found[label], value, label)
        numpy.testing.assert_array_equal(numpy.signbit(found[label]), numpy.signbit(value), label)


@pytest.mark.parametrize(("what", "order"), PROGRAMS[1:])
@pytest.mark.parametrize("seed", SEEDS)
def test_numpy_computes_what_the_engines_do(seed: int, what: What, order: Order) -> None:
    model = drawn(seed)
    program = array_program(model, what, order)
    found = run_numpy(program)
    wanted = by_engine(model, what, order)
    prefix = "dE_d" if what == "gradient" else ""
    named = {
        label.removeprefix(prefix): float(value)
        for item in program.results
        for label, value in zip(item.labels, numpy.ravel(found[item.label]), strict=True)
    }
    named[""] = named.pop("E")
    assert named.keys() == wanted.keys()
    for name, value in wanted.items():
        assert math.isclose(named[name], value, rel_tol=1e-9, abs_tol=1e-12), name


@pytest.mark.parametrize("run", [run_c, run_javascript])
def test_other_languages_have_the_digits_of_the_ordered_engine(run: Any, tmp_path: Path) -> None:
    cases = [
        (model, array_program(model, *PROGRAMS[place % 3])) for place, model in enumerate(models())
    ]
    for (model, program), found in zip(
        cases, run(tmp_path, [program for _, program in cases]), strict=True
    ):
        wanted = judged(model, program)
        try:
            assert_same(found, wanted)
        except AssertionError as error:
            print(model.title, program.what, str(error)[:300])
        assert_near(found, wanted, 1e-12)
        assert_near(run_numpy(program), wanted, 1e-11)
