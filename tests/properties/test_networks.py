"""What is read is what runs: whole networks, every formula evaluated, every number compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from helpers.budget import budgeted
from helpers.networks import ALL_ACTIVATIONS, ALL_LOSSES, describe, network
from helpers.plain import Names, plain

from chainrule import api
from chainrule.differentiate.reverse import reverse
from chainrule.engines import gradient, reference
from chainrule.explanation.derivation import Derivation
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import Values
from chainrule.graph.build import Builder
from chainrule.graph.model import LeafValue, Model
from chainrule.verify.report import check_gradient

COUNT = 240
SEEDS = range(budgeted(COUNT))
ORDERS = ("simultaneous", "sequential")

every_network = pytest.mark.parametrize("seed", SEEDS)


@cache
def model(seed: int) -> Model:
    return network(describe(seed))


@cache
def shown(seed: int) -> Values:
    return api.show(model(seed))


@cache
def explained(seed: int) -> Explanation:
    return api.explain(model(seed), every_name(seed), checked=False)


def every_name(seed: int) -> list[str]:
    """All that can be asked for: inputs and targets too, and what is held fixed."""
    return list(model(seed).entry_of)


def json_lines(value: Any) -> Iterator[dict[str, Any]]:
    """Everything in a document that has a formula, its numbers and its value."""
    if isinstance(value, dict):
        if {"formula", "substituted", "value"} <= value.keys():
            yield value
        for inner in value.values():
            yield from json_lines(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from json_lines(inner)


def shown_names(seed: int) -> dict[str, float]:
    """Every number that is shown under a name: given, computed, or a shared derivative."""
    values, explanation = shown(seed), explained(seed)
    names = {name: value for name, _, value in values.given}
    for line in values.lines:
        assert names.setdefault(line.symbol, line.value) == line.value, line.symbol
    for line in explanation.shared:
        assert line.node.name is not None
        assert line.node.name not in names, line.node.name
        names[line.node.name] = line.value
    return names


def test_the_networks_have_everything():
    descriptions = [describe(seed) for seed in range(COUNT)]
    layers = [layer for description in descriptions for layer in description["layers"]]
    assert {description["loss"] for description in descriptions} == set(ALL_LOSSES)
    assert {layer["activation"] for layer in layers} == set(ALL_ACTIVATIONS)
    assert {len(description["layers"]) for description in descriptions} == {1, 2, 3, 4, 5}
    for options, found in (
        ({"order", "reduction", "huber_delta", "l1", "l2"}, descriptions),
        ({"biases", "thresholds", "bias_names", "weight_names", "name", "train_biases"}, layers),
        ({"train_weights", "negative_slope", "alpha"}, layers),
    ):
        for option in options:
            assert sum(option in table for table in found) >= 5, option
    models = [model(seed) for seed in range(COUNT)]
    outputs = {
        (description["loss"], description["layers"][-1]["activation"])
        for description in descriptions
    }
    assert ("categorical_cross_entropy", "softmax") in outputs
    assert sum(len(each.trained) for each in models) > 3000


@every_network
def test_every_formula_evaluates_to_the_number_beside_it(seed: int):
    names = Names(shown_names(seed))
    for line in shown(seed).lines:
        assert names.value(line.formula) == line.value, (line.symbol, line.formula)
        assert plain(line.substituted) == line.value, (line.symbol, line.substituted)
    document = explained(seed).as_json()
    lines = list(json_lines({"shared": document["shared"], "all": document["derivations"]}))
    assert lines
    for line in lines:
        assert names.value(line["formula"]) == line["value"], (line["symbol"], line["formula"])
        assert plain(line["substituted"]) == line["value"], (line["symbol"], line["substituted"])


@every_network
def test_factors_multiply_to_the_gradient_and_contributions_add_to_the_first(seed: int):
    for derivation in explained(seed).derivations:
        if not derivation.factors:
            assert derivation.gradient == 0
            assert derivation.reason == "not connected"
            continue
        product = derivation.factors[0].value
        for factor in derivation.factors[1:]:
            product *= factor.value
        assert abs(product - derivation.gradient) <= 4 * math.ulp(derivation.gradient)
        assert derivation.result is not None
        assert derivation.result.value == derivation.gradient
        check_contributions(derivation)


def check_contributions(derivation: Derivation) -> None:
    if not derivation.contributions:
        return
    assert len(derivation.contributions) > 1
    total = derivation.contributions[0].value
    for contribution in derivation.contributions[1:]:
        total += contribution.value
    assert total == derivation.factors[0].value
    for contribution in derivation.contributions:
        product = contribution.factors[0].value
        for factor in contribution.factors[1:]:
            product *= factor.value
        assert abs(product - contribution.value) <= 4 * math.ulp(contribution.value)


@every_network
def test_factors_form_a_chain(seed: int):
    """Each numerator is the denominator before it: from the loss to the parameter."""
    for derivation in explained(seed).derivations:
        if derivation.factors:
            assert derivation.factors[0].over == derivation.loss
            assert derivation.factors[-1].by == derivation.parameter
            for left, right in zip(derivation.factors, derivation.factors[1:], strict=False):
                assert left.by == right.over


@pytest.mark.parametrize("order", ORDERS)
@every_network
def test_update_is_what_it_says_and_what_a_step_does(seed: int, order: Any):
    after = api.step(model(seed), 1, order=order).parameters
    for derivation in api.explain(model(seed), order=order, checked=False).derivations:
        update = derivation.update
        assert update is not None
        assert update.new == after[derivation.parameter]
        assert plain(update.substituted) == update.new
        numbers = {
            update.parameter: update.old,
            update.rate_name: update.rate,
            update.gradient_name: update.gradient,
        }
        assert Names(numbers).value(update.formula) == update.new
        if order == "simultaneous" or not update.after:
            assert update.gradient == derivation.gradient
            assert update.after == ()


@every_network
def test_sequential_update_says_what_it_was_computed_with(seed: int):
    """The new weights of the layers nearer the loss, and of those only.

    A bias only adds: no gradient is computed with it.
    """
    layers = [
        leaf
        for leaf in model(seed).leaves
        if leaf.role == "parameter" and len(leaf.node.shape) == 2
    ]
    later: dict[str, set[str]] = {}
    known: set[str] = set()
    for leaf in reversed(layers):
        later.update((label, set(known)) for label in leaf.labels)
        if leaf.trained:
            known.update(leaf.labels)
    for derivation in api.explain(model(seed), order="sequential", checked=False).derivations:
        assert derivation.update is not None
        if derivation.parameter in later:
            assert set(derivation.update.after) <= later[derivation.parameter]
        else:
            assert set(derivation.update.after) <= known


@pytest.mark.parametrize("order", ORDERS)
@every_network
def test_engines_step_alike(seed: int, order: Any, monkeypatch: pytest.MonkeyPatch):
    scalars = api.step(model(seed), 2, order=order)
    monkeypatch.setattr(reference, "LIMIT", 0)
    arrays = api.step(model(seed), 2, order=order)
    assert (scalars.engine, arrays.engine) == ("reference", "numpy")
    assert scalars.losses == pytest.approx(arrays.losses, rel=1e-11, abs=1e-11)
    assert scalars.parameters == pytest.approx(arrays.parameters, rel=1e-11, abs=1e-11)


@every_network
def test_engines_agree(seed: int):
    scalars, arrays = gradient._scalar(model(seed)), gradient._arrays(model(seed))
    assert scalars.engine == "reference"
    assert arrays.engine == "numpy"
    assert scalars.loss == pytest.approx(arrays.loss, rel=1e-13, abs=1e-13)
    assert scalars.entries.keys() == arrays.entries.keys()
    scale = max(1.0, *(abs(value) for value in scalars.entries.values()))
    for name, value in scalars.entries.items():
        assert abs(value - arrays.entries[name]) <= 1e-12 * scale, name


@every_network
def test_explanation_and_engine_have_the_same_gradient(seed: int):
    entries = gradient._scalar(model(seed)).entries
    found = {item.parameter: item.gradient for item in explained(seed).derivations}
    assert entries == {name: found[name] for name in model(seed).trained}


@every_network
def test_check_passes(seed: int):
    report = api.check(model(seed))
    assert report.passed, report.worst
    assert len(report.entries) == len(model(seed).trained)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [reference.LIMIT, 0], ids=["reference", "numpy"])
def test_a_parameter_that_the_loss_does_not_use_stays(
    order: Any, limit: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reference, "LIMIT", limit)
    op = Builder()
    x, w, unused = op.variable("x"), op.variable("w"), op.variable("unused")
    loss = op.named(op.pow(op.mul(w, x), 2.0), "E")
    leaves = (
        LeafValue(x, (2.0,), "input"),
        LeafValue(w, (0.5,), "parameter", trained=True),
        LeafValue(unused, (0.25,), "parameter", trained=True),
    )
    model = Model("test", loss, leaves, learning_rate=0.1, order=order)
    assert api.step(model).parameters == {"w": 0.5 - 0.1 * 4.0, "unused": 0.25}
    derivation = api.explain(model, ["unused"]).derivations[0]
    assert (derivation.gradient, derivation.reason) == (0.0, "not connected")
    assert derivation.update is not None
    assert derivation.update.new == 0.25
    assert api.check(model).passed


@pytest.mark.parametrize("target", [0.0, 0.9])
@pytest.mark.parametrize("weight", [15.0, 20.0, 23.0, 30.0])
def test_check_believes_a_right_gradient_where_the_loss_is_ill_conditioned(
    weight: float, target: float
):
    """Of ln(1 − y) with y all but 1, few digits are left, and no difference can have more."""
    saturated = network(
        {
            "loss": "binary cross entropy",
            "learning_rate": 0.1,
            "inputs": [1.0],
            "targets": [target],
            "layers": [{"units": 1, "activation": "sigmoid", "weights": [[weight]]}],
        }
    )
    (derivative,) = gradient.gradient(saturated).entries.values()
    assert derivative == pytest.approx(1 / (1 + math.exp(-weight)) - target, rel=1e-12)
    report = api.check(saturated)
    assert report.passed, report.worst


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "absolute error"])
def test_check_says_when_a_kink_is_in_the_way(kind: str):
    """Exactly on the corner no difference can judge: it is said, and nothing is blamed."""
    loss = kind if kind == "absolute error" else "half squared error"
    activation = "identity" if kind == "absolute error" else kind
    cornered = network(
        {
            "loss": loss,
            "learning_rate": 0.1,
            "inputs": [1.0],
            "targets": [0.0 if kind == "absolute error" else 1.0],
            "layers": [{"units": 1, "activation": activation, "weights": [[0.0]]}],
        }
    )
    report = api.check(cornered)
    assert report.passed
    assert [item.verdict for item in report.entries] == ["kink"]


def test_check_finds_a_wrong_gradient():
    """The check is no rubber stamp: each entry, a little off, is caught."""
    for seed in range(20):
        entries = gradient.gradient(model(seed)).entries
        scale = max(abs(value) for value in entries.values()) + abs(
            gradient.gradient(model(seed)).loss
        )
        for name in list(entries)[:3]:
            wrong = entries | {name: entries[name] + 1e-4 * max(scale, 1e-3)}
            report = check_gradient(model(seed), wrong, list(entries))
            kinks = {item.parameter for item in report.kinks}
            assert not report.passed or name in kinks
            if not report.passed:
                assert [i.parameter for i in report.entries if i.verdict == "disagrees"] == [name]


FACTORS = ((1.0, 1.0), (2.0, 0.5e16), (4.0, -0.25e16))
"""Summands factor · sin(k x), whose derivatives at 0 are 1, 1e16 and −1e16."""


def test_contributions_are_added_in_the_order_of_their_uses():
    """1 + 1e16 − 1e16 is 0 from the left and 1 from the right: the order is the graph's."""
    op = Builder()
    x = op.variable("x")
    terms = [op.mul(factor, op.sin(x if k == 1 else op.mul(k, x))) for k, factor in FACTORS]
    total = op.add(op.add(terms[0], terms[1]), terms[2])
    adjoint = reverse(op, total, [x])[x]
    assert reference.run([adjoint], {x: 0.0})[adjoint] == (1.0 + 1e16) - 1e16 == 0.0
