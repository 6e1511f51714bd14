"""Derivations as lines: the same objects as in one answer, whichever way they are made."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from helpers.budget import budgeted
from helpers.networks import describe, network
from helpers.plain import Names

import chainrule as cr
from chainrule import api, streamed
from chainrule.engines import reference
from chainrule.errors import NumericError
from chainrule.graph.model import Model


def parsed(model: Model, names: list[str] | None = None, checked: bool = False) -> Any:
    """The header, the numbers by name, the shared lines by name, the derivations."""
    lines = [json.loads(line) for line in api.derivations(model, names, checked=checked)]
    values: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    derivations = []
    for line in lines[1:]:
        values |= line.get("values", {})
        if "shared" in line:
            assert line["shared"]["name"] not in shared
            shared[line["shared"]["name"]] = line["shared"]
            values[line["shared"]["name"]] = line["shared"]["value"]
        if "parameter" in line:
            check_line(line, values)
            derivations.append(line)
    return lines[0], values, shared, derivations


def check_line(line: dict[str, Any], values: dict[str, Any]) -> None:
    """What was read before is enough to evaluate every formula."""
    parts = [*line["factors"], *line["contributions"]]
    for part in parts if "result" not in line else [*parts, line["result"]]:
        assert Names(values).value(part["formula"]) == part["value"], part


def check_same(model: Model, names: list[str] | None = None, checked: bool = False) -> None:
    answer = api.explain(model, names, checked=checked).as_json()
    header, values, shared, derivations = parsed(model, names, checked)
    assert derivations == answer["derivations"]
    assert shared == {line["name"]: line for line in answer["shared"]}
    assert header["schema"] == "chainrule.derivations/1"
    kept = ("model", "conventions", "learning_rate", "loss")
    assert {key: header[key] for key in kept} == {key: answer[key] for key in kept}
    assert {name: values.get(name, value) for name, value in answer["values"].items()} == answer[
        "values"
    ]


@pytest.mark.parametrize("seed", range(budgeted(160)))
def test_networks(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streamed, "CHUNK", 1 + seed % 7 if seed % 2 else streamed.CHUNK)
    model = network(describe(seed))
    check_same(model, checked=seed % 10 == 0)
    names = list(model.entry_of)
    check_same(model, random.Random(seed).sample(names, min(5, len(names))))


@pytest.mark.parametrize("zeros", [0.0, -0.0, 1e-12])
def test_numbers_that_say_why_a_gradient_is_zero(zeros: float):
    check_same(
        cr.Network(
            inputs=[zeros, 1.0, 0.5, -2.0, zeros],
            targets=[1.0, 0.0],
            layers=[
                {"units": 4, "activation": "relu", "init": "he", "seed": 3, "biases": "zeros"},
                {"units": 2, "activation": "sigmoid", "init": "xavier", "biases": "zeros"},
            ],
            learning_rate=0.5,
        )
    )


def wide(**changes: Any) -> Model:
    layers = [
        {"units": 30, "activation": "tanh", "init": "xavier", "seed": 1, "biases": "zeros"},
        {"units": 3, "activation": "softmax", "init": "xavier", "seed": 1, "biases": "zeros"},
    ]
    described = {
        "loss": "categorical cross-entropy",
        "inputs": [((7 * place) % 11) / 11 for place in range(40)],
        "targets": [0.0, 1.0, 0.0],
        "layers": layers,
        "learning_rate": 0.1,
    }
    return cr.Network(**{**described, **changes})


def test_many_are_checked_by_directions(monkeypatch: pytest.MonkeyPatch):
    check_same(wide(), checked=True)


def test_a_large_model_has_the_same_lines(monkeypatch: pytest.MonkeyPatch):
    small = list(api.derivations(wide()))
    monkeypatch.setattr(reference, "LIMIT", 0)
    assert list(api.derivations(wide())) == small


def test_weights_are_stamped_and_not_worked_out(monkeypatch: pytest.MonkeyPatch):
    worked_out = []
    derive = streamed.Derivations.derive
    monkeypatch.setattr(
        streamed.Derivations,
        "derive",
        lambda reader, node: worked_out.append(node) or derive(reader, node),
    )
    assert len(list(api.derivations(wide(), checked=False))) > 1323
    assert len(worked_out) < 150


def test_a_number_that_is_not_finite_is_told_before_the_first_line():
    model = wide(inputs=[1e200] * 40, loss="half squared error")
    broken = model.with_values({"layer1.weight[0,0]": 1e300})
    with pytest.raises(NumericError) as caught:
        next(api.derivations(broken))
    with pytest.raises(NumericError) as expected:
        api.explain(broken, ["layer1.weight[0,0]"])
    assert str(caught.value) == str(expected.value)
