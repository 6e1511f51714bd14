"""The JAX engine: the NumPy engine's numbers, data in batches, processes that share rows."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from helpers.budget import budgeted
from helpers.networks import describe, network
from jax import numpy as jnp

import chainrule as cr
from chainrule.engines import reference
from chainrule.engines.jax.descent import DType, JaxDescent
from chainrule.engines.jax.devices import Devices
from chainrule.engines.jax.program import _kernel
from chainrule.engines.numpy import kernel_of
from chainrule.errors import InputError, NumericError
from chainrule.graph.model import Model
from chainrule.primitives import REGISTRY, Pointwise
from chainrule.train.compiled import take_steps_jax

EXAMPLES = ("flowers", "macleod", "mazur", "negnevitsky", "seed", "seed-equations")
SOURCE = Path(cr.__file__).parent
TOLERANCE: dict[DType, float] = {"float64": 1e-13, "float32": 2e-6}
"""Relative to the largest of each number and 1, after three steps."""

dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def check_steps(model: Model, dtype: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "LIMIT", 0)
    theirs, ours = cr.step(model, 3), take_steps_jax(model, 3, dtype=dtype)
    assert (theirs.engine, ours.engine) == ("numpy", f"jax, {dtype}")
    tolerance = TOLERANCE[dtype]
    assert ours.losses == pytest.approx(theirs.losses, rel=tolerance, abs=tolerance)
    assert ours.parameters == pytest.approx(theirs.parameters, rel=tolerance, abs=tolerance)


# ---------------------------------------------------------------------- the same numbers


@dtypes
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_step_as_with_numpy(
    name: str, dtype: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_steps(cr.load(name), dtype, monkeypatch)


@pytest.mark.parametrize("seed", range(budgeted(52)))
def test_networks_step_as_with_numpy(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_steps(network(describe(seed)), "float64", monkeypatch)


@pytest.mark.parametrize("seed", range(100, 100 + budgeted(12)))
def test_networks_step_as_with_numpy_in_float32(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_steps(network(describe(seed)), "float32", monkeypatch)


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


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("pad", {"start": (1, 0), "step": (2, 1), "shape": (6, 5)}),
        ("slice", {"start": (0, 1), "step": (2, 2), "shape": (1, 2)}),
        ("transpose", {"permutation": (1, 0)}),
        ("reshape", {"shape": (4, 2)}),
        ("broadcast", {"shape": (3, 2, 4)}),
        ("sum", {"axes": (0,)}),
        ("max", {"axes": (1,)}),
        ("first_max", {"axes": (1,)}),
        ("first_max", {"axes": (0, 1)}),
    ],
)
def test_linear_steps_are_the_records_own(name: str, attributes: dict[str, Any]) -> None:
    x = np.array([[3.0, 5.0, 5.0, 1.0], [2.0, 2.0, 0.0, 2.0]], dtype=np.float32)
    expected = kernel_of(REGISTRY[name])(x, **attributes)
    np.testing.assert_array_equal(_kernel(REGISTRY[name])(jnp.asarray(x), **attributes), expected)


def test_float64_is_on_only_while_the_engine_is_at_work() -> None:
    take_steps_jax(cr.load("seed"), 1)
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


def data(model: Model) -> list[Any]:
    return [
        np.reshape(leaf.values, leaf.node.shape)
        for role in ("input", "target")
        for leaf in model.leaves
        if leaf.role == role
    ]


@dtypes
def test_epochs_are_steps_on_one_batch_after_another(
    dtype: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "LIMIT", 0)
    whole, model = table_network(14), table_network(4)
    x, t = data(whole)
    ran = JaxDescent(model, 0.1, dtype=dtype).run_epochs(x, t, 2)
    losses = []
    for _ in range(2):
        for start in (0, 4, 8):  # rows 12 and 13 are no whole batch
            batch = {"input": x[start : start + 4], "target": t[start : start + 4]}
            leaves = enumerate(model.leaves)
            model = model.with_leaves(
                {n: batch[leaf.role].ravel() for n, leaf in leaves if leaf.role in batch}
            )
            taken = cr.step(model)
            losses.append(taken.losses[0])
            model = taken.model
    assert ran.losses.shape == (2, 3)
    np.testing.assert_allclose(ran.losses.ravel(), losses, rtol=TOLERANCE[dtype])
    for leaf in model.leaves:
        if leaf.trained:
            found = ran.parameters[leaf.node].ravel()
            np.testing.assert_allclose(found, leaf.values, atol=TOLERANCE[dtype])


def test_a_run_goes_on_where_the_last_one_ended() -> None:
    descent = JaxDescent(cr.load("seed"), 0.5)
    first, second = descent.run(2), descent.run(2)
    whole = take_steps_jax(cr.load("seed"), 4)
    assert first.losses[-1] == second.losses[0]
    assert [*first.losses, *second.losses[1:]] == pytest.approx(whole.losses, rel=1e-14)


@pytest.mark.parametrize(
    ("inputs", "targets", "what"),
    [
        ((8, 3), (8, 3), "ShapeError: data of shapes (8, 3) and (8, 3)\n"),
        ((8, 4), (7, 3), "ShapeError: data of shapes (8, 4) and (7, 3)\n"),
        ((3, 4), (3, 3), "ShapeError: data of shapes (3, 4) and (3, 3) are less than one batch\n"),
    ],
)
def test_data_of_another_shape_are_refused(inputs: Any, targets: Any, what: str) -> None:
    with pytest.raises(InputError) as caught:
        JaxDescent(table_network(4), 0.1).run_epochs(np.zeros(inputs), np.zeros(targets))
    needs = "at least 4 rows" if "less" in what else "inputs and targets (n, 4) and (n, 3)"
    assert str(caught.value) == f"{what}  needs: {needs}"


def test_data_need_a_table_of_inputs_and_one_of_targets() -> None:
    with pytest.raises(InputError) as caught:
        JaxDescent(cr.load("seed-equations"), 0.1).run_epochs(np.zeros((1, 2)), np.zeros((1, 2)))
    assert str(caught.value) == (
        "ShapeError: the model has 0 tables of examples\n"
        "  needs: one of inputs and one of targets, for data to go into"
    )


# ---------------------------------------------------------------------- several processes

PROCESS = """
import json, sys
number, port = int(sys.argv[1]), sys.argv[2]
from chainrule.engines.jax.devices import Devices, connect
connect(f"127.0.0.1:{port}", 2, number)
from unit.test_jax import data, table_network
from chainrule.engines.jax.descent import JaxDescent
from chainrule.train.compiled import take_steps_jax
model, devices = table_network(8), Devices()
taken = take_steps_jax(model, 3, devices=devices)
ran = JaxDescent(model, 0.1, devices=devices).run_epochs(*data(table_network(16)))
sums = [array.sum() for array in ran.parameters.values()]
try:
    take_steps_jax(table_network(7), devices=devices)
except Exception as error:
    refused = str(error)
answer = [devices.count, taken.losses, taken.parameters, ran.losses.tolist(), sums, refused]
print(json.dumps(answer))
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
    one = take_steps_jax(model, 3)
    epoch = JaxDescent(model, 0.1).run_epochs(*data(table_network(16)))
    for output, _ in answers:
        count, losses, parameters, batches, sums, refused = json.loads(output.splitlines()[-1])
        assert count == 2
        assert losses == pytest.approx(one.losses, rel=1e-13)
        assert parameters == pytest.approx(one.parameters, rel=1e-12, abs=1e-14)
        np.testing.assert_allclose(batches, epoch.losses, rtol=1e-13)
        expected = [array.sum() for array in epoch.parameters.values()]
        np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-14)
        assert refused == (
            "ShapeError: 7 examples do not share evenly among 2 devices\n"
            "  needs: a multiple of 2 examples"
        )


def test_one_device_shares_with_nobody() -> None:
    model = table_network(8)
    alone, shared = take_steps_jax(model, 2), take_steps_jax(model, 2, devices=Devices())
    assert alone.parameters == shared.parameters


# ------------------------------------------------------------------------ what is refused


def test_without_jax_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("chainrule.engines.jax")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(InputError) as caught:
        take_steps_jax(cr.load("seed"))
    assert str(caught.value) == (
        "PackageError: the JAX engine needs jax, which is not installed\n"
        "  try: pip install 'chainrule[jax]'"
    )


def test_a_run_that_diverges_says_where() -> None:
    w = cr.var("w", 3.0)
    with pytest.raises(NumericError) as caught:
        take_steps_jax(cr.model(w**4.0, learning_rate=10.0), 20)
    assert "step 5: the loss is no longer a finite number (loss inf)" in str(caught.value)


def test_nothing_to_train_is_refused() -> None:
    x = cr.var("x", 3.0, trained=False)
    with pytest.raises(InputError) as caught:
        take_steps_jax(cr.model(x * 2.0, learning_rate=1.0))
    assert "no parameter is trained" in str(caught.value)


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
