"""Programs on arrays compute, in every language, what the engines do."""

from __future__ import annotations

import itertools
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import pytest
from helpers import programs
from helpers.array_programs import Arrays, run_c, run_javascript, run_numpy
from helpers.budget import budgeted
from helpers.graphs import graph
from helpers.networks import describe, network

import chainrule as cr
from chainrule import api
from chainrule.differentiate.reverse import reverse
from chainrule.differentiate.update import descend
from chainrule.emit import array_writer
from chainrule.emit.array_program import ArrayProgram, Product, Result
from chainrule.emit.array_writer import array_program
from chainrule.emit.c_arrays import CArraysSource
from chainrule.emit.straight_line import What, straight_line
from chainrule.engines import gradient, ordered
from chainrule.engines.numpy import leaf_arrays
from chainrule.engines.run import on_arrays
from chainrule.frontends.files import example_names
from chainrule.graph.build import Builder
from chainrule.graph.model import Model, Order

SEEDS = range(budgeted(60))
GRAPHS = range(budgeted(100))
PROGRAMS: tuple[tuple[What, Order], ...] = (
    ("forward", "simultaneous"),
    ("gradient", "simultaneous"),
    ("step", "simultaneous"),
    ("step", "sequential"),
)


@cache
def drawn(seed: int) -> Model:
    return network(describe(seed))


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


@pytest.mark.parametrize("seed", GRAPHS)
def test_numpy_computes_every_step_on_arrays(seed: int) -> None:
    model = graph(seed)
    for what, order in PROGRAMS[:3]:
        program = array_program(model, what, order)
        assert_near(run_numpy(program), judged(model, program), 1e-10)


def test_a_program_on_arrays_has_what_the_one_on_scalars_has(tmp_path: Path) -> None:
    for name, (what, order) in itertools.product(example_names(), PROGRAMS):
        model = api.load(name)
        (wanted,) = programs.run_python(straight_line(model, what, order))
        found = {
            label: float(value)
            for item, array in paired(array_program(model, what, order))
            for label, value in zip(item.labels, numpy.ravel(array), strict=True)
        }
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-15)


def paired(program: ArrayProgram) -> list[tuple[Result, Any]]:
    """The results with their numbers, by NumPy."""
    found = run_numpy(program)
    return [(item, found[item.label]) for item in program.results]


@pytest.mark.parametrize("seed", range(budgeted(40)))
def test_a_product_is_the_sum_that_its_index_formula_says(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a step is written that the languages have no function for."""
    model = graph(seed)
    wanted = run_numpy(array_program(model, "gradient", "simultaneous"))
    monkeypatch.setattr(array_writer, "PRODUCTS", ())
    program = array_program(model, "gradient", "simultaneous")
    assert not any(isinstance(item, Product) for item in program.statements)
    assert_near(run_numpy(program), wanted, 1e-10)


# ---------------------------------------------------------------------- other languages


def cases() -> list[tuple[Model, ArrayProgram]]:
    """All programs of the examples, and one of each network and graph, by turns."""
    found = [
        (model, array_program(model, *program))
        for model in map(api.load, example_names())
        for program in PROGRAMS[:3]
    ]
    for seed in range(budgeted(27)):
        for model in (drawn(seed), graph(seed)):
            found.append((model, array_program(model, *PROGRAMS[seed % 3])))
    return found


def test_c_has_the_digits_of_the_ordered_engine(tmp_path: Path) -> None:
    """Both call the functions of the same library, and a square is a product in either."""
    given = cases()
    found = run_c(tmp_path, [program for _, program in given])
    for (model, program), arrays in zip(given, found, strict=True):
        wanted = judged(model, program)
        assert_near(arrays, wanted, 1e-13)
        if not has_powers(program):  # a compiler may write a square as a product
            assert_same(arrays, wanted)


@pytest.mark.parametrize("scale", [1e200, -1e308])
def test_infinities_and_nan_are_where_the_ordered_engine_has_them(
    scale: float, tmp_path: Path
) -> None:
    given = []
    for seed in range(budgeted(9)):
        model = drawn(seed)
        model = model.with_values({model.trained[0]: scale})
        given.append((model, array_program(model, *PROGRAMS[seed % 3])))
    found = run_c(tmp_path, [program for _, program in given])
    also = run_javascript(tmp_path, [program for _, program in given])
    for (model, program), in_c, in_javascript in zip(given, found, also, strict=True):
        for arrays in (in_c, in_javascript, run_numpy(program)):
            assert_near(arrays, judged(model, program), 1e-10)


@pytest.mark.parametrize("run", [run_c, run_javascript])
def test_a_sequential_step_is_that_of_numpy(run: Any, tmp_path: Path) -> None:
    given = [
        array_program(model, "step", "sequential")
        for model in (*map(api.load, example_names()), *map(drawn, range(budgeted(6))))
    ]
    for program, arrays in zip(given, run(tmp_path, given), strict=True):
        assert_near(arrays, run_numpy(program), 1e-11)


def test_c_computes_the_sum_of_an_index_formula(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_writer, "PRODUCTS", ())
    models = [api.load("flowers"), *map(graph, range(budgeted(8)))]
    given = [array_program(model, "gradient", "simultaneous") for model in models]
    found = run_c(tmp_path, given)
    for model, program, arrays in zip(models, given, found, strict=True):
        assert_near(arrays, judged(model, program), 1e-13)


def has_powers(program: ArrayProgram) -> bool:
    return "pow(" in CArraysSource(program).source()


def test_javascript_is_as_near_as_its_functions(tmp_path: Path) -> None:
    given = cases()
    found = run_javascript(tmp_path, [program for _, program in given])
    for (model, program), arrays in zip(given, found, strict=True):
        assert_near(arrays, judged(model, program), 1e-12)


# -------------------------------------------------------------------------- a real size


@cache
def digits() -> Model:
    """Four images of 784 numbers, 128 hidden units, 10 classes; ReLU, so no function rounds."""
    chance = numpy.random.default_rng(0)

    def numbers(*shape: int) -> Any:
        return (chance.normal(size=shape) / shape[-1] ** 0.5).round(6).tolist()

    layers = [
        {"units": 128, "activation": "relu", "weights": numbers(128, 784), "biases": [0.01] * 128},
        {"units": 10, "activation": "relu", "weights": numbers(10, 128), "biases": [0.02] * 10},
    ]
    return network(
        {
            "loss": "absolute error",
            "reduction": "mean",
            "learning_rate": 0.1,
            "inputs": numbers(4, 784),
            "targets": numpy.eye(10)[[3, 1, 4, 1]].tolist(),
            "layers": layers,
        }
    )


def test_a_large_network_is_written_as_arrays_by_itself() -> None:
    model = digits()
    assert "loops and matrix products" in cr.source(model, lang="c")
    with pytest.raises(cr.InputError) as error:
        cr.source(model, lang="c", form="scalars")
    assert "try: `--form arrays` writes it as loops and matrix products" in str(error.value)


@pytest.mark.parametrize("run", [run_c, run_javascript])
def test_the_step_of_a_large_network_has_the_digits_of_the_ordered_engine(
    run: Any, tmp_path: Path
) -> None:
    program = array_program(digits(), "step", "simultaneous")
    (found,) = run(tmp_path, [program])
    assert sum(map(numpy.size, found.values())) == 1 + 128 * 785 + 10 * 129
    assert_same(found, judged(digits(), program))


def test_the_step_of_a_large_network_is_that_of_the_engines() -> None:
    found = run_numpy(array_program(digits(), "step", "simultaneous"))
    taken = cr.step(digits())
    assert found["E"] == pytest.approx(taken.losses[0], rel=1e-12)
    weights = numpy.reshape(taken.model.leaves[1].values, (128, 784))
    numpy.testing.assert_allclose(found["layer1.weight"], weights, rtol=1e-12, atol=1e-15)
