"""What the commands print as JSON is what docs/schemas says, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from referencing import Registry, Resource

import chainrule as cr
from chainrule.cli.main import run
from chainrule.frontends.files import example_names
from docs.pages import ROOT

SCHEMAS = ROOT / "docs" / "schemas"
OF_COMMAND = {
    "show": "values",
    "explain": "derivation",
    "article": "article",
    "step": "step",
    "check": "check",
    "why": "why",
}

NAMES = [*OF_COMMAND.values(), "derivations", "excerpt"]

SHEET = """
x = [1.0, -2.0]
w = [0.5, 0.25]
unused = 3.0
y = 1.0
lr = 0.1
o = w[0]*x[0] + w[1]*x[1]
E = (y - np.tanh(o))**2
"""
NETWORK = """
loss = "{loss}"
learning_rate = 0.1
order = "{order}"
l1 = 0.01
inputs = {inputs}
targets = {targets}

[[layers]]
units = 2
activation = "{activation}"
weights = [[1.0, -0.5], [0.3, 0.2]]
biases = "zeros"

[[layers]]
units = 2
weights = [[0.5, -1.0], [0.2, 0.7]]
"""


def network(
    loss: str = "mse",
    order: str = "simultaneous",
    inputs: str = "[1.0, 2.0]",
    targets: str = "[0.5, 1.0]",
    activation: str = "tanh",
) -> str:
    return NETWORK.format(
        loss=loss, order=order, inputs=inputs, targets=targets, activation=activation
    )


BATCH = {"inputs": "[[1.0, 2.0], [-1.0, 0.5], [0.3, 0.3]]", "targets": "[[1, 0], [0, 1], [1, 0]]"}
MODELS = {
    "sheet.txt": SHEET,
    "not_connected.txt": f"# trained: w, unused\n{SHEET}",
    "batch.toml": network(**BATCH),
    "logits.toml": network("categorical cross-entropy from logits", **BATCH),
    "sequential.toml": network(order="sequential"),
    "kink.toml": network(activation="relu"),
    "gelu.toml": network(activation="gelu"),
    "saturated.toml": network(activation="sigmoid", inputs="[400.0, 2.0]"),
    "many.toml": network().replace("units = 2\nactivation", "units = 1200\nactivation").replace(
        "weights = [[1.0, -0.5], [0.3, 0.2]]", 'init = "xavier"'
    ).replace("weights = [[0.5, -1.0], [0.2, 0.7]]", 'init = "xavier"'),
}  # fmt: skip
CASES = [*example_names(), *MODELS]


FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "tanh", "sqrt", "erf")}

REGISTRY: Registry[Any] = Registry().with_resources(
    (contents["$id"], Resource.from_contents(contents))
    for contents in (json.loads(file.read_text("utf-8")) for file in SCHEMAS.iterdir())
)
"""The schemas by their names, by which one may refer to another."""


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return loaded


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """What one command prints, parsed."""
    ended = 0
    try:
        run(arguments)
    except SystemExit as end:
        ended = end.code if isinstance(end.code, int) else 1
    printed = capsys.readouterr()
    assert ended == status, printed.err
    assert printed.out.count("\n") == 1
    return json.loads(printed.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def validated(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    found = answer(capsys, *arguments, "--json", status=status)
    described = schema(OF_COMMAND[arguments[0]])
    jsonschema.Draft202012Validator(described, registry=REGISTRY).validate(found)
    assert found["schema"] == described["$id"]
    return found


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in MODELS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_allow_nothing_else(name: str) -> None:
    for part in _objects(schema(name)):
        assert "additionalProperties" in part or part.get("maxProperties") == 0


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for inner in part.values():
            yield from _objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _objects(inner)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_described(name: str) -> None:
    text = (ROOT / "docs" / "json.md").read_text("utf-8")
    fields = {key for part in _objects(schema(name)) for key in part.get("properties", {})}
    assert [field for field in fields if f"`{field}`" not in text] == []


@pytest.mark.parametrize("model", CASES)
@pytest.mark.parametrize("command", OF_COMMAND)
def test_answers_follow_their_schema(
    command: str, model: str, models: None, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("layer1.weight[0,0]", "layer1.weight[7,1]") if model == "many.toml" else ()
    validated(capsys, command, model, *(names if command == "explain" else ()))


@pytest.mark.parametrize("model", CASES)
def test_lines_follow_their_schema(
    model: str, models: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["explain", model, "--format", "jsonl"])
    validator = jsonschema.Draft202012Validator(schema("derivations"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines[:200]:
        validator.validate(line)
    assert lines[0]["schema"] == schema("derivations")["$id"]


@pytest.mark.parametrize("model", CASES)
def test_excerpts_follow_their_schema(
    model: str, models: None, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = cr.load(model)
    names = [loaded.trained[0], loaded.loss.name or ""]
    found = answer(capsys, "explain", model, *names, "--depth", "3", "--json")
    described = schema("excerpt")
    validator = jsonschema.Draft202012Validator(described)
    validator.validate(found)
    assert found["schema"] == described["$id"]
    for entry in (found["entries"][0], *found["entries"][0]["opened"].values()):
        for term in entry["terms"]:
            assert eval(term["substituted"], dict(FUNCTIONS)) == term["value"]
    assert not validator.is_valid({**found, "more": 1})


def test_what_came_from_a_framework_follows_its_schema() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh()).double()
    model = cr.from_torch(module, torch.ones(1, 2).double(), loss=lambda out: out.sum())
    excerpt = cr.explain(model, "0.weight[0,1]", terms=2).as_json()
    jsonschema.Draft202012Validator(schema("excerpt")).validate(excerpt)
    assert excerpt["entries"][0]["checks"]["verdict"] == "agrees"
    assert excerpt["entries"][0]["uses"][0]["origin"]["module"] == "0"
    whole = cr.explain(model, "0.weight[0,1]").as_json()
    jsonschema.Draft202012Validator(schema("derivation")).validate(whole)
    assert whole["derivations"][0]["checks"]["framework"]["verdict"] == "agrees"


@pytest.mark.parametrize("model", example_names())
def test_formulas_evaluate_to_their_values(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = validated(capsys, "explain", model)
    lines = [*found["shared"]]
    for item in found["derivations"]:
        lines += [*item["factors"], *item["contributions"], item["result"]]
        item["update"]["value"] = item["update"]["new"]
        lines.append(item["update"])
    for line in lines:
        assert eval(line["substituted"], dict(FUNCTIONS)) == line["value"], line


def test_a_parameter_without_a_path(models: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = validated(capsys, "explain", "not_connected.txt", "unused")["derivations"][0]
    assert found["reason"] == "not connected"
    assert "result" not in found


def test_a_kink(models: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = validated(capsys, "check", "kink.toml")
    assert "kink" in {item["verdict"] for item in found["entries"]}
    explained = validated(capsys, "explain", "kink.toml")
    assert any("one_sided" in item["checks"] for item in explained["derivations"])


def test_a_function_that_takes_no_complex_numbers(
    models: None, capsys: pytest.CaptureFixture[str]
) -> None:
    found = validated(capsys, "check", "gelu.toml")
    assert {item["complex_step"] for item in found["entries"]} == {None}


def test_a_saturated_unit(models: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert validated(capsys, "show", "saturated.toml")["saturated"]
    found = validated(capsys, "explain", "saturated.toml", "layer1.bias[0]")["derivations"][0]
    assert "saturated" in (found["reason"], *(item.get("reason") for item in found["factors"]))


def test_directions(models: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = validated(capsys, "check", "many.toml")
    assert found["directions"]
    assert found["parameters"] > len(found["entries"])


def test_a_number_that_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    found = validated(capsys, "show", "seed", "--set", "w1=1e308", status=3)
    assert found["values"]["net_h1"] == "inf"


def test_a_sequential_update(capsys: pytest.CaptureFixture[str]) -> None:
    found = validated(capsys, "explain", "macleod", "wA1")["derivations"][0]
    assert found["update"]["after"] == ["w1o"]  # wA1 reaches the loss through h1 alone
    assert found["update"]["gradient"] != found["gradient"]


@pytest.mark.parametrize("command", OF_COMMAND)
def test_what_is_not_listed_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, command, "seed", "--json")
    described = schema(OF_COMMAND[command])
    validator = jsonschema.Draft202012Validator(described, registry=REGISTRY)
    validator.validate(found)
    assert not validator.is_valid({**found, "more": 1})
