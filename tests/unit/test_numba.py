"""The numba engine: compiled runs, their cache, and what happens where there is none."""

from __future__ import annotations

import importlib.util
import itertools

import numpy
import pytest

import chainrule as cr
from chainrule.emit import plan as plans
from chainrule.engines import choice
from chainrule.engines.numba import ArrayRun
from chainrule.engines.run import Task, on_arrays
from chainrule.errors import InputError, NumericError
from chainrule.frontends.network import build_network, network_from_data
from tests.helpers.running import interpret


def dense(sizes, batch, seed=0):
    """A ReLU network with softmax cross-entropy, the mean over a batch."""
    chance = numpy.random.default_rng(seed)
    layers = [
        {
            "units": units,
            "activation": "relu",
            "weights": (chance.normal(size=(units, inputs)) / inputs**0.5).tolist(),
            "biases": [0.0] * units,
        }
        for inputs, units in itertools.pairwise(sizes)
    ]
    layers[-1]["activation"] = "identity"
    described = {
        "loss": "categorical_cross_entropy_from_logits",
        "reduction": "mean",
        "learning_rate": 0.1,
        "inputs": chance.normal(size=(batch, sizes[0])).tolist(),
        "targets": numpy.eye(sizes[-1])[chance.integers(0, sizes[-1], batch)].tolist(),
        "layers": layers,
    }
    return build_network(network_from_data(described))


def data(sizes, rows):
    chance = numpy.random.default_rng(1)
    hot = numpy.eye(sizes[-1])[chance.integers(0, sizes[-1], rows)]
    return chance.normal(size=(rows, sizes[0])), hot


def parameters(model):
    return numpy.concatenate([leaf.values for leaf in model.leaves if leaf.trained])


@pytest.mark.parametrize("example", ["seed", "mazur", "macleod"])
def test_a_spelt_out_run_has_the_digits_of_the_reference_engine(example):
    model = cr.load(example)
    found = cr.step(model, 1000, engine="numba")
    expected = cr.step(model, 1000, engine="reference")
    assert found.engine == "numba"
    assert found.parameters == expected.parameters
    numpy.testing.assert_allclose(found.losses, expected.losses, rtol=4e-16)


def test_updates_that_read_other_parameters_use_their_old_numbers():
    a, b = cr.var("a", 0.5), cr.var("b", -0.25)
    model = cr.model(((a * b - 1.0) ** 2).named("E"), learning_rate=0.1)
    found = cr.step(model, 50, engine="numba")
    assert found.engine == "numba"
    assert found.parameters == cr.step(model, 50, engine="reference").parameters


@pytest.mark.parametrize("tiled", [0, plans.TILED], ids=["called", "tiled"])
def test_epochs_in_batches_are_those_of_numpy(tiled, monkeypatch):
    monkeypatch.setattr(plans, "TILED", tiled)
    sizes = (6, 9, 4)
    model = dense(sizes, 8)
    inputs, targets = data(sizes, 8 * 5 + 3)
    expected = cr.fit(model, inputs, targets, epochs=3, seed=1, engine="numpy")
    found = cr.fit(model, inputs, targets, epochs=3, seed=1, engine="numba")
    assert (found.engine, expected.engine) == ("numba", "numpy")
    assert len(found.losses) == 15
    numpy.testing.assert_allclose(found.losses, expected.losses, rtol=1e-10)
    numpy.testing.assert_allclose(
        parameters(found.model), parameters(expected.model), rtol=1e-10, atol=1e-13
    )
    single = cr.fit(
        *(model, inputs, targets),
        epochs=3,
        seed=1,
        engine="numba",
        dtype="float32",
        losses=False,
    )
    assert single.losses == ()
    numpy.testing.assert_allclose(
        parameters(single.model), parameters(expected.model), rtol=1e-3, atol=1e-5
    )


def test_trying_threads_leaves_the_steps_as_they_are(monkeypatch):
    monkeypatch.setattr(plans, "TILED", 0)
    model = dense((6, 9, 4), 8)
    inputs, targets = data((6, 9, 4), 8 * 40)
    expected = cr.fit(model, inputs, targets, engine="numpy")
    found = cr.fit(model, inputs, targets, engine="numba", fast=True)
    numpy.testing.assert_allclose(found.losses, expected.losses, rtol=1e-10)


def test_a_plan_writes_no_gradient_of_a_weight():
    model = dense((6, 9, 4), 8)
    plan = ArrayRun(on_arrays(model, 0.1, "simultaneous"), ()).plan
    shown = str(plan)
    assert "w2_T = w2_T + (-rate) · w1ᵀ · mul5" in shown  # (examples, inputs)ᵀ · (examples, units)
    assert "w3 = w3 + (-rate) · add3ᵀ · relu1" in shown
    weights = {(9, 6), (6, 9), (4, 9)}  # of the last layer, the transpose that is read
    assert not weights & {buffer.shape for buffer in plan.buffers}


def test_the_text_of_a_run_does_not_depend_on_its_numbers():
    first, second = (
        ArrayRun(on_arrays(dense((3, 4, 2), 5, seed), 0.1, "simultaneous"), ()).source
        for seed in (0, 1)
    )
    assert first == second


def test_compiled_code_is_kept_under_the_key_of_its_text(tmp_path, monkeypatch):
    from chainrule.engines.compiled import compiled

    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    source = "def run(count, values):\n    values[0] = count\n"
    for _ in range(2):
        run = compiled(source, "void(int64, float64[::1])")
        values = numpy.zeros(1)
        run(3, values)
        assert values[0] == 3
    kept = [path.suffix for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(kept) == [".nbc", ".nbi", ".py"]


def test_without_a_home_compiled_code_is_kept_for_the_process(tmp_path, monkeypatch):
    from chainrule.engines.compiled import compiled

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file"))
    run = compiled("def run(values):\n    values[0] = 2.0\n", "void(float64[::1])")
    values = numpy.zeros(1)
    run(values)
    assert values[0] == 2


def test_where_numbers_leave_the_floats_the_step_is_named_as_by_the_reference_engine():
    w = cr.var("w", 0.5)
    model = cr.model(((3.0 * w) ** 2).named("E"), learning_rate=10.0)
    said = []
    for name in ("reference", "numba"):
        with pytest.raises(NumericError) as error:
            cr.step(model, 500, engine=name)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_parameters_are_followed_at_the_same_steps():
    model = cr.load("seed")
    found = cr.step(model, 2500, follow=True, engine="numba")
    expected = cr.step(model, 2500, follow=True, engine="reference")
    assert found.history == expected.history


def test_progress_is_told_before_each_step():
    told = []
    taken = cr.step(
        cr.load("seed"), 5, engine="numba", progress=lambda step, loss: told.append((step, loss))
    )
    assert told == list(enumerate(taken.losses[:-1]))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (("numba",), "numba is"),
        (("scipy",), "scipy is"),
        (("threadpoolctl", "numba"), "numba, threadpoolctl are"),
    ],
)
def test_without_the_extra_another_engine_goes_on_and_says_what_to_install(
    missing, said, monkeypatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    taken = cr.step(cr.load("seed"), engine="numba")
    assert taken.engine == "reference"
    assert taken.reason == f"{said} not installed: pip install 'chainrule[fast]'"
    fitted = cr.fit(dense((6, 9, 4), 8), *data((6, 9, 4), 8), engine="numba")
    assert fitted.reason == taken.reason
    assert cr.step(cr.load("seed"), 10**5, engine="auto").engine == "reference"


def test_auto_compiles_where_many_steps_pay_for_it():
    model = cr.load("seed")
    few, many = (choice.prepare("auto", Task(model, 0.5, count=n)) for n in (100, 10**7))
    assert (few.engine, few.reason) == ("reference", "a small model")
    assert (many.engine, many.reason[:6]) == ("numba", "about ")


def test_a_step_without_a_plan_is_taken_by_numpy():
    parts = [cr.var(name, [[1.0] * 30] * 30) for name in ("a", "b")]
    loss = (cr.concat(parts, axis=0) ** 2).sum().named("E")
    taken = cr.step(cr.model(loss, learning_rate=0.1), engine="numba")
    assert taken.engine in ("numpy", "reference")
    assert taken.reason == "concat of shape (60, 30)"


def test_a_large_sequential_update_is_taken_by_another_engine():
    taken = cr.step(dense((6, 9, 4), 8), order="sequential", engine="numba")
    assert taken.reason == "numba takes simultaneous steps of a model of this size"


def test_an_update_of_arrays_reads_the_old_numbers_of_the_others():
    a, b = (cr.var(name, [[value] * 40] * 40) for name, value in (("a", 0.5), ("b", 2.0)))
    model = cr.model((a * b).sum().named("E"), learning_rate=0.1)
    run, expected = (on_arrays(model, 0.1, "simultaneous") for _ in range(2))
    interpret(ArrayRun(run, ())).take(3, run.values)
    expected.advance(3)
    for mine, its in zip(run.parameters, expected.parameters, strict=True):
        numpy.testing.assert_allclose(run.values[mine], expected.values[its], rtol=1e-14)


@pytest.mark.parametrize(
    ("rows", "targets", "words"),
    [
        ((10, 5), (10, 4), "the inputs have the shape (10, 5)"),
        ((10, 6), (9, 4), "the targets have the shape (9, 4)"),
    ],
)
def test_data_that_do_not_fit_are_refused(rows, targets, words):
    with pytest.raises(InputError) as error:
        cr.fit(dense((6, 9, 4), 8), numpy.zeros(rows), numpy.zeros(targets))
    assert words in str(error.value)


@pytest.mark.parametrize("losses", [True, False])
def test_epochs_that_diverge_say_where(losses):
    model = dense((6, 9, 4), 8).with_values({"learning_rate": 1e300})
    said = []
    for name in ("numpy", "reference", "jax"):
        with pytest.raises(NumericError) as error:
            cr.fit(model, *data((6, 9, 4), 24), epochs=2, engine=name, losses=losses)
        said.append(str(error.value).splitlines()[0])
    assert "epoch 1, batch 2: the loss is no longer a finite number" in said[0]
    assert said[0] == said[1]
    if not losses:
        said[0] = "NumericError: after these epochs: layer1.weight[0,0], ... is no longer a finite"
    assert said[2].startswith(said[0])


def test_a_model_without_one_array_of_inputs_has_no_batches():
    with pytest.raises(InputError) as error:
        cr.fit(cr.load("seed-equations"), [[1.0]], [[1.0]])
    assert "arrays of inputs" in str(error.value)


@pytest.mark.parametrize("name", ["numpy", "reference"])
def test_epochs_go_on_in_the_stable_form_where_an_output_rounds_to_1(name):
    model = cr.Network(
        inputs=[[2.0]],
        targets=[[0.0]],
        loss="binary cross-entropy",
        learning_rate=0.1,
        layers=[{"units": 1, "activation": "sigmoid", "weights": [[0.25]]}],
    )
    fitted = cr.fit(model, [[400.0]], [[0.0]], engine=name)
    assert fitted.losses == (100.0,)
