"""`why` of hand-sized networks and arrays: entries, maps, documents, the command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.main import command
from chainrule.errors import InputError
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.documents.why import why_document, why_map_document
from chainrule.explanation.messages import LANGUAGES, Words
from chainrule.explanation.why import CAUSES, Why, WhyMap
from chainrule.reasons.places import pattern


def entry(model: Any, wrt: str) -> Why:
    found = cr.why(model, wrt)
    assert isinstance(found, Why)
    return found


def whole(model: Any, wrt: str | None = None) -> WhyMap:
    found = cr.why(model, wrt)
    assert isinstance(found, WhyMap)
    return found


def equations(text: str, trained: str) -> Any:
    return cr.loads(text, loss="E", trained=[trained], format="equations")


SMALL = [
    ("w = 2.0; x = 3.0; E = w * x", "w", "ordinary", 3.0, ""),
    ("w = 2.0; x = 0.0; E = w * x", "w", "multiplied by zero", 0.0, "x"),
    ("w = -2.0; x = 3.0; h = relu(w * x); E = h * h + 1", "w", "masked", 0.0, "h"),
    ("w = 40.0; x = 1.0; E = tanh(w * x)", "w", "saturated", 0.0, "E"),
    ("w = 2.0; x = 3.0; a = w * x; b = 2 - w * x; E = a + b", "w", "cancelled", 0.0, "b"),
]


@pytest.mark.parametrize(("text", "wrt", "cause", "gradient", "place"), SMALL)
def test_causes_of_equations(text: str, wrt: str, cause: str, gradient: float, place: str) -> None:
    found = entry(equations(text, wrt), wrt)
    assert (found.cause, found.gradient) == (cause, gradient)
    assert place in {"", *(spot.quantity for spot in found.spots)}


def test_no_number_of_the_examples_is_strange() -> None:
    for name in ("seed", "mazur", "macleod", "negnevitsky", "flowers", "seed-equations"):
        found = whole(cr.load(name))
        assert set(found.counts) <= {"ordinary", "frozen"}, name


def test_what_is_held_fixed_is_frozen_with_its_derivative() -> None:
    found = entry(cr.load("mazur"), "b1")
    assert found.cause == "frozen"
    assert found.gradient == cr.explain(cr.load("mazur"), ["b1"]).derivations[0].gradient


def test_the_gradient_has_the_digits_of_explain() -> None:
    seed = cr.load("seed")
    for name in seed.trained:
        explained = cr.explain(seed, [name], checked=False).derivations[0].gradient
        assert entry(seed, name).gradient == pytest.approx(explained, rel=1e-15)


def test_a_saturated_unit_of_a_network_says_which_weights_it_stops() -> None:
    model = cr.load("seed", values={"l1": 900.0})
    found = whole(model)
    stopped = [part for part in found.parts if part.cause == "saturated"]
    assert sum(part.count for part in stopped) == 7
    assert {part.array for part in stopped} == {"w1, w2, w3, w4, w5, …", "b1"}
    assert found.counts == {"saturated": 7, "ordinary": 6, "frozen": 1}


def test_an_expression_is_a_model_too() -> None:
    w = cr.var("w", -1.0)
    assert entry(cr.relu(w) + 1.0, "w").cause == "masked"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="w77"):
        cr.why(cr.load("seed"), "w77")


@pytest.mark.parametrize(
    ("places", "shape", "written"),
    [
        ([], (3,), ""),
        ([0], (), ""),
        ([1], (3,), "[1]"),
        ([0, 1, 2], (3,), "[:]"),
        ([0, 1], (3,), "[0:2]"),
        ([0, 2], (4,), "[0|2]"),
        ([1, 4], (2, 3), "[:,1]"),
        ([0, 4], (2, 3), "[0,0], [1,1]"),
        ([0, 4, 8, 9], (4, 3), "[0,0], [1,1], [2,2], …"),
    ],
)
def test_patterns(places: list[int], shape: tuple[int, ...], written: str) -> None:
    import numpy

    assert pattern(numpy.array(places, int), shape) == written


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_has_a_name(language: Any) -> None:
    say = Words(language)
    assert len({say(f"cause.{cause}") for cause in CAUSES}) == len(CAUSES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("text", "wrt"), [row[:2] for row in SMALL])
def test_documents(text: str, wrt: str, language: Any) -> None:
    model = equations(text, wrt)
    rows = terminal_rows(why_document(entry(model, wrt), Words(language)), 80)
    assert rows
    assert all(len(row.text) <= 80 for row in rows)
    assert terminal_rows(why_map_document(whole(model), Words(language)), 80)


def test_the_command_answers_in_words_and_in_json() -> None:
    run = CliRunner().invoke(command, ["why", "seed", "w1", "--set", "l1=900", "--lang", "en"])
    assert run.exit_code == 0
    assert "Cause: saturated" in run.output
    run = CliRunner().invoke(command, ["why", "seed", "w1", "--set", "l1=900", "--json"])
    answer = json.loads(run.output)
    assert (answer["schema"], answer["cause"]) == ("chainrule.why/1", "saturated")
    assert answer["evidence"]["spots"][0]["quantity"] == "out_h1"
    run = CliRunner().invoke(command, ["why", "seed", "--json"])
    assert json.loads(run.output)["counts"] == {"ordinary": 12, "frozen": 2}


def test_a_result_shows_itself_in_a_notebook() -> None:
    shown = entry(cr.load("seed"), "w7")._repr_mimebundle_()
    assert set(shown) >= {"text/plain", "text/html", "text/markdown"}
