"""Of a large model only the way to the loss is spelt out: with the same digits, to the letter."""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import Any

import numpy
import pytest
from helpers.budget import budgeted
from helpers.layouts import CASES
from helpers.networks import describe, network
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import api
from chainrule.engines import ordered, reference
from chainrule.engines.scalars import ordered_arrays
from chainrule.errors import InputError, NumericError
from chainrule.graph import model as models
from chainrule.graph.build import Builder
from chainrule.graph.model import Model
from chainrule.graph.passes.unroll import entry_labels, unroll
from chainrule.primitives import REGISTRY, Linear, Pointwise, Select
from chainrule.workings import Workings

COUNT = 240
every_network = pytest.mark.parametrize("seed", range(budgeted(COUNT)))
MOVING = [name for name, record in REGISTRY.items() if isinstance(record, Linear)]
POINTWISE = [name for name, record in REGISTRY.items() if isinstance(record, Pointwise)]
AWKWARD = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))

SHEETS = {
    "a weight used twice": "x = 0.7\nt = 1.0\nw = 0.3\nv = -0.4\na = tanh(w*x)\nE = (t - w*a*v)**2",
    "an entry used by several": (
        "x = [1.0, -2.0]\nt = 0.5\nw = [0.3, -0.2]\n"
        "p = w[0]*x[0] + w[1]*x[1]\nq = exp(w[0])\nE = (t - p*q)**2 + w[1]*p"
    ),
    "ties": "x = 1.0\nw = 0.5\nv = 0.5\nh = max(w*x, v*x)\nk = max(0, w - v)\nE = (1.0 - h)**2 + k",
    "beside the way": "a = 2.0\nw = 0.5\nv = 3.0\nh = exp(a)*v\nk = sin(h)\nE = (h*w - k)**2 + h",
}


def bits(value: Any) -> bytes:
    """A float to the last bit; every NaN is the same."""
    return struct.pack("d", float("nan") if value != value else value)


@cache
def model(seed: int) -> Model:
    return network(describe(seed))


def answers(model: Model, names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is explained from the whole scalar graph, and from what is needed of it."""
    whole = api.explain(model, names, checked=False).as_json()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "LIMIT", 0)
        return whole, api.explain(model, names, checked=False).as_json()


def check_equal(model: Model, names: list[str]) -> None:
    whole, needed = answers(model, names)
    values = whole.pop("values")
    own = needed.pop("values")
    sequential = whole["conventions"]["update order"] == "sequential"
    assert sequential or own.keys() <= values.keys()
    assert {name: values.get(name, value) for name, value in own.items()} == own
    if sequential:
        # Which adjoints have names depends on whose gradients are computed beside.
        whole, needed = (
            [(item["gradient"], item["reason"], item["update"]) for item in each["derivations"]]
            for each in (whole, needed)
        )
    assert needed == whole


@every_network
def test_networks(seed: int):
    names = list(model(seed).entry_of)
    if seed % 12:
        names = random.Random(seed).sample(names, 1)
    for name in names:
        check_equal(model(seed), [name])
    check_equal(model(seed), list(model(seed).trained))


@pytest.mark.parametrize("sheet", SHEETS)
def test_sheets(sheet: str, tmp_path: Any):
    path = tmp_path / "sheet.txt"
    path.write_text(SHEETS[sheet])
    loaded = cr.load(path)
    for name in loaded.entry_of:
        check_equal(loaded, [name])


def arrays_of(kind: str) -> Model:
    """Quantities that only move entries, share rows, or are composites used in part."""
    op = Builder()
    x = op.variable("x", (2, 3))
    w = op.variable("w", (2, 3))
    v = op.variable("v", (3,))
    rows = op.named(op.linear(x, w), "rows")
    if kind == "moved":
        turned = op.named(op.transpose(w), "turned")
        rows = op.named(op.matmul(x, turned), "rows")
    elif kind == "reshaped":
        rows = op.named(op.reshape(op.linear(x, w), (2, 2)), "again")
        rows = op.named(op.reshape(op.matmul(x, v), (2, 1)), "column")
    elif kind == "joined":
        rows = op.named(op.concat(op.mul(x, w), op.tanh(w), axis=1), "joined")
        rows = op.slice(rows, (0, 1), (1, 2), (2, 2))
    elif kind == "padded":
        rows = op.named(op.pad(op.exp(w), (1, 0), (1, 2), (4, 6)), "padded")
    elif kind == "softmax in part":
        rows = op.named(op.composite("softmax", op.named(op.mul(x, w), "net")), "p")
        rows = op.slice(rows, (0, 0), (1, 1), (2, 1))
    elif kind == "largest":
        rows = op.named(op.max(op.named(op.mul(x, w), "products"), 1), "largest")
    loss = op.named(op.sum(op.pow(op.sub(1.0, rows), 2.0)), "E")
    numbers = numpy.random.default_rng(3).normal(size=15).round(1)
    leaves = [
        models.LeafValue(node, tuple(numbers[start:end]), "parameter", trained=True)
        for node, start, end in ((x, 0, 6), (w, 6, 12), (v, 12, 15))
    ]
    return Model("arrays", loss, tuple(leaves), learning_rate=0.1)


@pytest.mark.parametrize(
    "kind", ["plain", "moved", "reshaped", "joined", "padded", "softmax in part", "largest"]
)
def test_arrays(kind: str):
    built = arrays_of(kind)
    for name in built.entry_of:
        check_equal(built, [name])


def test_what_is_beside_the_way_is_not_spelt_out():
    wide = cr.Network(
        inputs=[0.1] * 50,
        targets=[0.5] * 4,
        layers=[{"units": 60, "activation": "tanh", "init": "xavier"}, {"units": 4, "init": "he"}],
    )
    leaf = wide.leaves[1].node
    unrolled = wide.unrolled_towards({wide.loss: {0}, leaf: {0}}, {leaf: {0}})
    hidden = next(node for node, own in wide.labels.items() if own[0] == "out_h1")
    assert [bool(node.inputs) for node in unrolled.entries[hidden]] == [True] + [False] * 59
    assert len(unrolled.entries[leaf]) == 50


# ------------------------------------------------------------------------- the numbers


@every_network
def test_arrays_have_the_digits_of_the_reference_engine(seed: int):
    own = model(seed)
    arrays = ordered_arrays(own)
    nodes = [node for node in own.nodes if node.dtype != "bool"]
    entries = {node: own.unrolled.entries[node] for node in nodes}
    values = reference.run(
        [entry for each in entries.values() for entry in each], reference.leaf_values(own)
    )
    for node in nodes:
        found = [bits(value) for value in numpy.ravel(arrays[node]).tolist()]
        assert found == [bits(values[entry]) for entry in entries[node]], node


def check_step(name: str, shapes: Any, attributes: Any, seed: int) -> None:
    op = Builder()
    chance = random.Random(seed)
    operands = [op.variable(f"x{number}", shape) for number, shape in enumerate(shapes)]
    numbers = {
        node: numpy.array(
            [
                chance.choice(AWKWARD) if chance.random() < 0.3 else chance.gauss(0, 2)
                for _ in range(int(numpy.prod(node.shape)))
            ]
        ).reshape(node.shape)
        for node in operands
    }
    result = op.apply(name, *operands, **attributes)
    unrolled = unroll([result], {node: entry_labels(node) or () for node in operands})
    given = {
        entry: float(value)
        for node in operands
        for entry, value in zip(unrolled.entries[node], numbers[node].ravel(), strict=True)
    }
    scalars = reference.run(unrolled.entries[result], given)
    arrays = ordered.run([result], numbers)[result]
    expected = [bits(float(scalars[entry])) for entry in unrolled.entries[result]]
    assert [bits(float(value)) for value in numpy.ravel(arrays)] == expected


@pytest.mark.parametrize("name", [*MOVING, "max"])
@given(data=st.data())
def test_steps_on_arrays(name: str, data: st.DataObject):
    assert isinstance(REGISTRY[name], Linear | Select)
    shapes, attributes = data.draw(CASES[name])
    check_step(name, shapes, attributes, data.draw(st.integers(0, 10**6)))


@pytest.mark.parametrize("name", POINTWISE)
def test_pointwise_steps(name: str):
    record = REGISTRY[name]
    assert isinstance(record, Pointwise)
    for seed in range(20):
        check_step(name, [(7,)] * len(record.operands), {}, seed)


# ----------------------------------------------------------------------------- what fails


def test_a_quantity_beside_the_way_that_is_not_finite(monkeypatch: pytest.MonkeyPatch):
    op = Builder()
    w, v, t = op.variable("w"), op.variable("v"), op.variable("t")
    beside = op.named(op.exp(op.mul(v, 1000.0)), "h")
    loss = op.named(op.pow(op.sub(t, op.mul(w, beside)), 2.0), "E")
    leaves = tuple(models.LeafValue(node, (1.5,), "parameter", trained=True) for node in (w, v, t))
    built = Model("test", loss, leaves)
    said = []
    for limit in (reference.LIMIT, 0):
        monkeypatch.setattr(reference, "LIMIT", limit)
        with pytest.raises(NumericError) as caught:
            api.explain(built, ["w"])
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert said[0].startswith("NumericError: h is inf: exp(v*1000) = exp(1.5*1000)")


def test_a_way_that_is_too_long_is_counted_before_it_is_spelt_out(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(reference, "LIMIT", 0)
    monkeypatch.setattr(models, "UNROLL_LIMIT", 10)
    model = cr.load("seed")
    with pytest.raises(InputError) as caught:
        Workings(model, ["w1"], "simultaneous")
    assert str(caught.value) == (
        "SizeError: more than 10 scalar steps lead from what is asked to the loss\n"
        "  needs: at most 10 to be written out step by step\n"
        "  try: ask for fewer parameters, or for some nearer to the loss"
    )
    excerpt = api.explain(model, ["w1"])  # which reads the entry without spelling it out
    assert isinstance(excerpt, cr.Excerpt)
    assert excerpt.entries[0].gradient == 0.012267816402833432
