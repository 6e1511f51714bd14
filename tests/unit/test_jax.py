"""The JAX engine: the NumPy engine's numbers, data in batches, processes that share rows."""

from __future__ import annotations

import ast
import importlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from helpers.networks import network
from helpers.tolerances import TOLERANCES
from jax import numpy as jnp

import chainrule as cr
from chainrule.engines.jax.descent import JaxRun
from chainrule.engines.jax.devices import Devices
from chainrule.engines.jax.program import _kernel
from chainrule.engines.numpy import kernel_of
from chainrule.engines.run import DType, Task
from chainrule.errors import InputError, NumericError
from chainrule.graph.model import Model
from chainrule.primitives import REGISTRY, Pointwise
from chainrule.train import history, steps
from chainrule.train.steps import Steps

EXAMPLES = ("flowers", "macleod", "mazur", "negnevitsky", "seed", "seed-equations")
SOURCE = Path(cr.__file__).parent

dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def jax_step(model: Model, steps: int = 1, **options: Any) -> Steps:
    taken = cr.step(model, steps, engine="jax", **options)
    assert (taken.engine, taken.reason) == ("jax", "as asked")
    return taken


# ---------------------------------------------------------------------- the same numbers


@dtypes
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_step_as_with_numpy(name: str, dtype: DType) -> None:
    model = cr.load(name)
    theirs, ours = cr.step(model, 3, engine="numpy"), jax_step(model, 3, dtype=dtype)
    assert (theirs.engine, ours.dtype) == ("numpy", dtype)
    tolerance = TOLERANCES["jax", dtype]
    assert ours.losses == pytest.approx(theirs.losses, rel=tolerance, abs=tolerance)
    assert ours.parameters == pytest.approx(theirs.parameters, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(
    "record",
    [record for record in REGISTRY.values() if isinstance(record, Pointwise)],
    ids=lambda record: record.name,
)
def test_pointwise_steps_are_the_records_own(record: Pointwise) -> None:
    columns = [np.linspace(low, high, 7) for low, high in record.domain]
    operands = [column[:, None] for column in columns[:1]] + columns[1:]
    expected = kernel_of(record)(*np.broadcast_arrays(*operands))
    with jax.enable_x64(True):
        found = _kernel(record)(*map(jnp.asarray, np.broadcast_arrays(*operands)))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


BESIDE = ((1, 1), (-1, 2))


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("pad", {"start": (1, 0), "step": (2, 1), "shape": (6, 5)}),
        ("slice", {"start": (0, 1), "step": (2, 2), "shape": (1, 2)}),
        ("transpose", {"permutation": (1, 0)}),
        ("reshape", {"shape": (4, 2)}),
        ("broadcast", {"shape": (3, 2, 4)}),
        ("sum", {"axes": (0,)}),
        ("flip", {"axes": (1,)}),
        ("cumsum", {"axis": 1}),
        ("take", {"indices": (3, 0, 3), "axis": 1}),
        ("scatter_add", {"indices": (4, 0, 4, 1), "axis": 1, "size": 5}),
        ("windows", {"size": (2,), "stride": (1,), "dilation": (2,), "padding": ((1, 0),)}),
        ("windows", {"size": (2, 3), "stride": (2, 1), "dilation": (1, 1), "padding": BESIDE}),
        (
            "overlap_add",
            {"stride": (2,), "dilation": (3,), "padding": ((1, -1),), "shape": (12,)},
        ),
        ("max", {"axes": (1,)}),
        ("first_max", {"axes": (1,)}),
        ("first_max", {"axes": (0, 1)}),
    ],
)
def test_linear_steps_are_the_records_own(name: str, attributes: dict[str, Any]) -> None:
    x = np.array([[3.0, 5.0, 5.0, 1.0], [2.0, 2.0, 0.0, 2.0]], dtype=np.float32)
    expected = kernel_of(REGISTRY[name])(x, **attributes)
    np.testing.assert_array_equal(_kernel(REGISTRY[name])(jnp.asarray(x), **attributes), expected)


def test_convolution_is_the_records_own() -> None:
    chance = np.random.default_rng(0)
    x, w = chance.integers(-4, 5, (2, 4, 6, 5)) / 4.0, chance.integers(-4, 5, (6, 2, 2, 3)) / 4.0
    sliding = {"stride": (2, 1), "padding": ((1, 2), (-1, 2)), "dilation": (1, 2), "groups": 2}
    record = REGISTRY["convolution"]
    expected = kernel_of(record)(x, w, **sliding)
    np.testing.assert_array_equal(
        _kernel(record)(jnp.asarray(x), jnp.asarray(w), **sliding), expected
    )


def test_float64_is_on_only_while_the_engine_is_at_work() -> None:
    jax_step(cr.load("seed"))
    assert jnp.zeros(2).dtype == "float32"


# ----------------------------------------------------------------------- data in batches


def table_network(examples: int) -> Model:
    chance = np.random.default_rng(5)
    described = {
        "loss": "categorical cross entropy",
        "learning_rate": 0.1,
        "inputs": chance.normal(size=(examples, 4)).tolist(),
        "targets": np.eye(3)[chance.integers(0, 3, examples)].tolist(),
        "layers": [
            {"units": 5, "activation": "relu", "init": "he", "seed": 1, "biases": "zeros"},
            {"units": 3, "activation": "softmax", "init": "xavier", "seed": 2, "biases": "zeros"},
        ],
    }
    return network(described)


def tables(model: Model) -> list[Any]:
    return [
        np.reshape(leaf.values, leaf.node.shape)
        for role in ("input", "target")
        for leaf in model.leaves
        if leaf.role == role
    ]


@dtypes
@pytest.mark.parametrize("seed", [None, 3])
def test_epochs_are_those_of_numpy(dtype: DType, seed: int | None) -> None:
    model, data = table_network(4), tables(table_network(14))  # 2 rows are no whole batch
    theirs = cr.fit(model, *data, epochs=2, seed=seed, engine="numpy")
    ours = cr.fit(model, *data, epochs=2, seed=seed, engine="jax", dtype=dtype)
    assert (ours.engine, ours.dtype, len(ours.losses)) == ("jax", dtype, 6)
    tolerance = TOLERANCES["jax", dtype]
    assert ours.losses == pytest.approx(theirs.losses, rel=tolerance, abs=tolerance)
    for mine, its in zip(ours.model.leaves, theirs.model.leaves, strict=True):
        assert mine.values == pytest.approx(its.values, rel=tolerance, abs=tolerance)


def test_losses_that_are_not_wanted_are_not_kept() -> None:
    model, data = table_network(4), tables(table_network(12))
    kept = cr.fit(model, *data, engine="jax")
    spared = cr.fit(model, *data, engine="jax", losses=False)
    assert (len(kept.losses), spared.losses) == (3, ())
    assert spared.model.numbers == kept.model.numbers
    run = JaxRun(Task(model, 0.1, losses=False))
    assert run.advance(3) == []
    assert run.loss() == pytest.approx(cr.step(model, 3, engine="numpy").losses[-1])


def test_a_run_goes_on_where_the_last_one_ended_and_where_its_numbers_are_changed() -> None:
    model = cr.load("seed")
    run = JaxRun(Task(model, 0.5))
    losses = [*run.advance(3), *run.advance(1), *run.advance(2), run.loss()]
    assert losses == pytest.approx(jax_step(model, 6).losses, rel=1e-14)
    start = JaxRun(Task(model, 0.5)).values
    run.values.update(zip(run.values, start.values(), strict=True))
    assert run.loss() == losses[0]


def test_what_is_followed_is_that_of_the_reference_engine() -> None:
    model = cr.load("seed")
    told: list[int] = []
    ours = jax_step(model, 2500, follow=True)
    theirs = cr.step(model, 2500, follow=True, engine="reference")
    assert ours.history is not None
    assert theirs.history is not None
    assert ours.history.steps == theirs.history.steps
    assert ours.history.parameters["w1"] == pytest.approx(theirs.history.parameters["w1"])
    assert jax_step(model, 3, progress=lambda step, loss: told.append(step)).count == 3
    assert told == [0, 1, 2]


def test_the_steepest_of_many_parameters_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MOST_FOLLOWED", 3)
    monkeypatch.setattr(history, "MOST_FOLLOWED", 3)
    found = [cr.step(cr.load("seed"), follow=True, engine=name) for name in ("jax", "reference")]
    followed = [taken.history and list(taken.history.parameters) for taken in found]
    assert followed == [["w7", "w9", "w11"]] * 2


# ---------------------------------------------------------------------- several processes

PROCESS = """
import json, sys
number, port = int(sys.argv[1]), sys.argv[2]
from chainrule.engines.jax.devices import Devices, connect
connect(f"127.0.0.1:{port}", 2, number)
import chainrule as cr
from unit.test_jax import table_network, tables
model, devices = table_network(8), Devices()
taken = cr.step(model, 3, engine="jax", devices=devices)
data = tables(table_network(16))
fitted = cr.fit(model, *data, epochs=2, seed=1, engine="jax", devices=devices)
try:
    cr.step(table_network(7), engine="jax", devices=devices)
except cr.InputError as error:
    refused = str(error)
answer = [devices.count, taken.losses, taken.parameters, fitted.losses, fitted.model.numbers]
print(json.dumps([*answer, refused]))
"""


def test_two_processes_have_the_gradient_of_one() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(number), port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
            env={"PATH": "", "JAX_PLATFORMS": "cpu"},
        )
        for number in range(2)
    ]
    try:
        answers = [process.communicate(timeout=90) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(process.returncode == 0 for process in processes), answers
    model = table_network(8)
    one = jax_step(model, 3)
    epochs = cr.fit(model, *tables(table_network(16)), epochs=2, seed=1, engine="jax")
    for output, _ in answers:
        count, losses, parameters, batches, fitted, refused = json.loads(output.splitlines()[-1])
        assert count == 2
        assert losses == pytest.approx(one.losses, rel=1e-13)
        assert parameters == pytest.approx(one.parameters, rel=1e-12, abs=1e-14)
        assert batches == pytest.approx(epochs.losses, rel=1e-13)
        assert fitted == pytest.approx(epochs.model.numbers, rel=1e-12, abs=1e-14)
        assert refused == (
            "ShapeError: 7 examples do not share evenly among 2 devices\n"
            "  needs: a multiple of 2 examples"
        )


def test_one_device_shares_with_nobody() -> None:
    model = table_network(8)
    alone, shared = jax_step(model, 2), jax_step(model, 2, devices=Devices())
    assert alone.parameters == shared.parameters


def test_devices_are_those_of_jax() -> None:
    with pytest.raises(InputError) as caught:
        cr.step(table_network(8), engine="numpy", devices=Devices())
    assert str(caught.value) == (
        "OptionError: devices with the engine numpy\n  needs: the engine jax"
    )


# ------------------------------------------------------------------------ what is refused


@pytest.fixture
def without_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("chainrule.engines.jax")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)


@pytest.mark.usefixtures("without_jax")
def test_without_jax_another_engine_goes_on_and_says_what_to_install() -> None:
    taken = cr.step(cr.load("seed"), engine="jax")
    assert taken.engine == "reference"
    assert taken.reason == "jax is not installed: pip install 'chainrule[jax]'"


@pytest.mark.usefixtures("without_jax")
def test_devices_without_jax_say_what_to_install() -> None:
    with pytest.raises(InputError) as caught:
        importlib.import_module("chainrule.engines.jax.devices")
    assert str(caught.value) == (
        "PackageError: the JAX engine needs jax, which is not installed\n"
        "  try: pip install 'chainrule[jax]'"
    )


def test_a_run_that_diverges_says_where() -> None:
    w = cr.var("w", 3.0)
    model = cr.model(w**4.0, learning_rate=10.0)
    said = []
    for engine in ("jax", "reference"):
        with pytest.raises(NumericError) as caught:
            cr.step(model, 20, engine=engine)  # type: ignore[arg-type]
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "step 5: the loss is no longer a finite number (loss inf)" in said[0]


def test_one_folder_imports_jax() -> None:
    importing = {
        path.parent.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        if name.split(".")[0] == "jax"
    }
    assert importing == {"engines/jax"}
