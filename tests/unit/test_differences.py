"""The independent derivatives: a wrong gradient is seen, a kink is said."""

from __future__ import annotations

import math
import random

import pytest
from helpers.networks import network

import chainrule as cr
from chainrule.engines.gradient import gradient
from chainrule.graph.model import Model
from chainrule.verify import report as reports
from chainrule.verify.differences import (
    CENTRAL_TOLERANCE,
    COMPLEX_TOLERANCE,
    Checked,
    array_differences,
    scalar_differences,
)
from chainrule.verify.report import Report, check_gradient

EXAMPLES = ("flowers", "macleod", "mazur", "negnevitsky", "seed", "seed-equations")


def scale_of(model: Model, name: str) -> float:
    found = gradient(model)
    return max(abs(found.entries[name]), abs(found.loss), 1e-3)


def judged(model: Model, name: str, off: float) -> Checked:
    """The check of one entry whose gradient is off by `off`, relative to what it is judged by."""
    entries = dict(gradient(model).entries)
    entries[name] += off * scale_of(model, name)
    (item,) = check_gradient(model, entries, [name]).entries
    return item


# --------------------------------------------------------------------- a wrong gradient


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_right_gradient_agrees(example: str) -> None:
    model = cr.load(example)
    report = cr.check(model)
    assert report.passed
    assert [item.parameter for item in report.entries] == list(model.trained)
    assert all(item.verdict == "agrees" for item in report.entries)
    assert all(item.complex_step is not None for item in report.entries)
    assert report.worst is not None
    assert report.worst.error < 0.1


@pytest.mark.parametrize("engine", ["scalars", "arrays"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_one_wrong_entry_is_seen(
    example: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "arrays":
        monkeypatch.setattr(reports, "SCALAR_WORK", 0)
    model = cr.load(example)
    right = gradient(model).entries
    for name in model.trained:
        # A millionth of what it is judged by: a thousand times what is allowed.
        for off in (1e-6, -1e-6):
            wrong = dict(right)
            wrong[name] += off * scale_of(model, name)
            report = check_gradient(model, wrong, list(wrong))
            disagreeing = [item.parameter for item in report.entries if item.verdict != "agrees"]
            assert disagreeing == [name]
            assert not report.passed
            assert report.worst is not None
            assert report.worst.parameter == name
            assert report.worst.error == pytest.approx(1000, rel=0.01)


def test_a_relative_error_of_a_millionth_is_seen_where_the_gradient_is_the_scale() -> None:
    w = cr.var("w", [3.0, -2.0])
    model = cr.model(((w * w * w).sum() * 1e3).named("E"))
    right = gradient(model).entries
    for name in right:
        wrong = {**right, name: right[name] * (1 + 1e-6)}
        report = check_gradient(model, wrong, list(wrong))
        assert [item.verdict for item in report.entries].count("disagrees") == 1


@pytest.mark.parametrize(("share", "verdict"), [(0.9, "agrees"), (1.1, "disagrees")])
def test_the_tolerance_is_where_it_is_said_to_be(share: float, verdict: str) -> None:
    model = cr.load("seed")
    assert judged(model, "w7", share * COMPLEX_TOLERANCE).verdict == verdict
    w = cr.var("w", 0.7)  # erf takes no complex numbers: only central differences judge
    rough = cr.model(cr.erf(w).named("E"))
    assert judged(rough, "w", share * CENTRAL_TOLERANCE).verdict == verdict


def test_a_gradient_that_is_not_a_number_does_not_agree() -> None:
    model = cr.load("seed")
    for wrong in (math.nan, math.inf):
        entries = {**gradient(model).entries, "w7": wrong}
        report = check_gradient(model, entries, list(entries))
        assert not report.passed, wrong


# ------------------------------------------------------------------------------- kinks


def at(name: str, value: float) -> Model:
    w = cr.var("w", value)
    functions = {
        "relu": lambda: cr.relu(w),
        "abs": lambda: abs(w),
        "maximum": lambda: cr.maximum(w, 0.5 * w),
        "minimum": lambda: cr.minimum(w, 2.0 * w),
        "leaky_relu": lambda: cr.leaky_relu(w, 0.1),
        "elu": lambda: cr.elu(w, 0.5),
        "where": lambda: cr.where(w > 0, 3.0 * w, w),
        "max": lambda: cr.concat([w, 2.0 * w]).max(),
    }
    return cr.model((functions[name]() * 2.0 + 1.0).named("E"))


SIDES = {
    "relu": (0.0, 2.0),
    "abs": (-2.0, 2.0),
    "maximum": (1.0, 2.0),
    "minimum": (4.0, 2.0),
    "leaky_relu": (0.2, 2.0),
    "elu": (1.0, 2.0),
    "where": (2.0, 6.0),
    "max": (2.0, 4.0),
}


@pytest.mark.parametrize("engine", ["scalars", "arrays"])
@pytest.mark.parametrize("name", SIDES)
def test_a_kink_is_said_with_the_slopes_of_both_sides(
    name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "arrays":
        monkeypatch.setattr(reports, "SCALAR_WORK", 0)
    report = cr.check(at(name, 0.0))
    (item,) = report.entries
    assert (item.verdict, item.error, item.complex_step) == ("kink", 0.0, None)
    assert item.one_sided == pytest.approx(SIDES[name], rel=1e-4, abs=1e-4)
    assert report.kinks == (item,)
    assert report.passed
    assert report.worst is None


@pytest.mark.parametrize("engine", ["scalars", "arrays"])
@pytest.mark.parametrize("value", [-0.5, 0.5])
@pytest.mark.parametrize("name", SIDES)
def test_beside_a_kink_the_gradient_is_judged(
    name: str, value: float, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "arrays":
        monkeypatch.setattr(reports, "SCALAR_WORK", 0)
    model = at(name, value)
    (item,) = cr.check(model).entries
    assert item.verdict == "agrees"
    assert item.one_sided is None
    assert item.complex_step == pytest.approx(item.gradient, rel=1e-12)
    if name != "elu" or value > 0:
        assert item.gradient == pytest.approx(SIDES[name][value > 0])
    assert judged(model, "w", 1e-6).verdict == "disagrees"


def test_a_kink_nearer_than_the_step_is_seen_from_either_side() -> None:
    for value in (1e-6, -1e-6):
        (item,) = cr.check(at("relu", value)).entries
        assert item.verdict == "kink"


def test_a_kink_that_nothing_touches_is_none() -> None:
    w, x = cr.var("w", 2.0), cr.var("x", 0.0, trained=False)
    model = cr.model((w * cr.relu(x) + w * w).named("E"))
    (item,) = cr.check(model).entries
    assert (item.parameter, item.verdict, item.gradient) == ("w", "agrees", 4.0)


# ----------------------------------------------------------- functions without complex


@pytest.mark.parametrize("function", [cr.erf, cr.gelu])
def test_what_takes_no_complex_numbers_is_judged_by_central_differences(function: object) -> None:
    w = cr.var("w", 0.7)
    model = cr.model((function(w) * 3.0).named("E"))  # type: ignore[operator]
    (item,) = cr.check(model).entries
    assert item.complex_step is None
    assert item.verdict == "agrees"
    assert item.central_difference == pytest.approx(item.gradient, rel=1e-8)
    assert judged(model, "w", 1e-5).verdict == "disagrees"


def test_one_such_function_is_enough_for_all() -> None:
    w = cr.var("w", [0.7, 0.2])
    model = cr.model((cr.erf(w[0]) + w[1] * w[1]).named("E"))
    assert [item.complex_step for item in cr.check(model).entries] == [None, None]


def test_the_complex_step_is_exact_to_rounding() -> None:
    for example in EXAMPLES:
        for item in cr.check(cr.load(example)).entries:
            assert item.complex_step is not None
            scale = max(abs(item.gradient), 1e-3)
            assert abs(item.complex_step - item.gradient) < 1e-13 * scale


# -------------------------------------------------------------------- samples, reports


def wide(count: int) -> Model:
    chance = random.Random(0)
    w = cr.var("w", [chance.uniform(-1, 1) for _ in range(count)])
    x = cr.var("x", [chance.uniform(-1, 1) for _ in range(count)], trained=False)
    return cr.model((cr.tanh(w * x) * x).sum().named("E"))


def test_of_many_entries_a_sample_and_directions_are_checked() -> None:
    model = wide(2_500)
    right = gradient(model).entries
    report = check_gradient(model, right, list(right))
    assert (report.total, len(report.entries), len(report.directions)) == (2_500, 2_000, 8)
    assert report.passed
    assert len({item.parameter for item in report.entries}) == 2_000
    again = check_gradient(model, right, list(right))
    assert again == report
    other = check_gradient(model, right, list(right), seed=1)
    assert [item.parameter for item in other.entries] != [i.parameter for i in report.entries]


def test_an_entry_outside_the_sample_shows_in_the_directions() -> None:
    model = wide(2_500)
    right = gradient(model).entries
    report = check_gradient(model, right, list(right))
    left_out = sorted(set(right) - {item.parameter for item in report.entries})[0]
    wrong = {**right, left_out: right[left_out] + 0.01}
    found = check_gradient(model, wrong, list(wrong))
    assert all(item.verdict == "agrees" for item in found.entries)
    assert all(item.verdict == "disagrees" for item in found.directions)
    assert not found.passed
    assert found.worst is not None
    assert found.worst.parameter.startswith("direction ")


def test_scalars_and_arrays_find_the_same_derivatives() -> None:
    for example in EXAMPLES:
        model = cr.load(example)
        scalar, leaves = scalar_differences(model)
        array = array_differences(model)
        right = gradient(model).entries
        node_of = {node.name: node for node in leaves}
        import numpy

        for name, value in right.items():
            number, flat = model.entry_of[name]
            leaf = model.leaves[number]
            unit = numpy.zeros(leaf.node.shape)
            unit.flat[flat] = 1.0
            size = leaf.values[flat]
            one = scalar.check(name, node_of[name], value, size)
            other = array.check(name, [(leaf.node, unit)], value, size)
            assert one.complex_step == pytest.approx(other.complex_step, rel=1e-12, abs=1e-15)
            assert one.central_difference == pytest.approx(other.central_difference, abs=1e-9)


def test_a_report_as_json() -> None:
    data = cr.check(at("relu", 0.0)).as_json()
    assert data["schema"] == "chainrule.check/1"
    assert (data["passed"], data["parameters"], data["worst"]) == (True, 1, None)
    (entry,) = data["entries"]
    assert entry["verdict"] == "kink"
    assert len(entry["one_sided"]) == 2
    (entry,) = cr.check(at("relu", 1.0)).as_json()["entries"]
    assert "one_sided" not in entry


def test_nothing_to_check_is_no_failure() -> None:
    x = cr.var("x", 1.0, trained=False)
    report = cr.check(cr.model((x * x).named("E")))
    assert isinstance(report, Report)
    assert (report.total, report.entries, report.worst, report.passed) == (0, (), None, True)


@pytest.mark.parametrize("seed", range(60))
def test_a_right_gradient_in_deep_saturation_is_not_called_wrong(seed: int) -> None:
    """There 1 − p is rounding and nothing else, and so is what every difference shows."""
    chance = random.Random(seed)
    widest = chance.uniform(5, 25)

    def weights(size: float) -> list[list[float]]:
        return [[chance.uniform(-size, size) for _ in range(2)] for _ in range(2)]

    description = {
        "loss": "binary cross-entropy",
        "inputs": {"a": chance.uniform(-1, 1), "b": chance.uniform(-1, 1)},
        "targets": {"o1": chance.choice([0.0, 1.0, 0.3]), "o2": chance.choice([0.0, 1.0, 0.7])},
        "layers": [
            {"units": ["h1", "h2"], "activation": "tanh", "weights": weights(2.0)},
            {"units": ["o1", "o2"], "activation": "softmax", "weights": weights(widest)},
        ],
    }
    try:
        report = cr.check(network(description))
    except cr.NumericError:  # an output rounds to 1: the loss is infinite
        return
    assert report.passed
