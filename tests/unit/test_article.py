"""A worked article: what it holds, and that its counts and pictures are true."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.networks import describe, network

import chainrule as cr
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.blocks import Heading, Recomputed
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.drawing import Circle, Label, Line, draw
from chainrule.explanation.documents.markdown import markdown
from chainrule.explanation.documents.sketch import sketch
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.messages import LANGUAGES, Language, Words
from chainrule.frontends.files import example_names
from chainrule.graph.model import Model

SEED = Path(__file__).parents[1] / "conformance" / "cases" / "seed.json"
SECOND = {"target_o1": 0.0, "target_o2": 1.0}


def text(model: Model, language: Language = "en", choices: Choices | None = None) -> str:
    document = article_document(
        cr.article(model, also=[SECOND]) if "target_o2" in model.entry_of else cr.article(model),
        Words(language),
        choices or Choices(),
    )
    return "\n".join(row.text for row in terminal_rows(document, 100))


def numbers(data: Any) -> list[float]:
    if isinstance(data, dict):
        return [item for value in data.values() for item in numbers(value)]
    if isinstance(data, list):
        return [item for value in data for item in numbers(value)]
    return [float(data)] if isinstance(data, (int, float)) and not isinstance(data, bool) else []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_article_on_the_seed_holds_every_published_number(language: Language) -> None:
    shown = text(cr.load("seed"), language).replace("−", "-")
    written = {float(item) for item in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", shown)}
    published = json.loads(SEED.read_text(encoding="utf-8"))
    assert [item for item in numbers(published) if item not in written] == []


@pytest.mark.parametrize("name", example_names())
def test_every_example_has_an_article_in_both_languages(name: str) -> None:
    english, chinese = (text(cr.load(name), language) for language in LANGUAGES)
    assert "All updates" in english or "All derivatives" in english
    assert "前向传播" in chinese
    assert "{" not in english + chinese


def test_what_is_derived_in_full() -> None:
    article = cr.article(cr.load("seed"))
    assert article.chosen == ("w7", "w1")
    assert len(article.derivation("w1").contributions) == 2
    assert cr.article(cr.load("seed-equations")).chosen == ("w[6]", "w[0]")


def test_each_parameter_has_one_anchor() -> None:
    document = article_document(cr.article(cr.load("seed")), Words())
    anchors = [item.anchor for item in document.blocks if isinstance(item, Heading) and item.anchor]
    assert sorted(anchors) == sorted(cr.load("seed").trained)


@pytest.mark.parametrize("name", example_names())
def test_what_is_recomputed_is_what_is_said(name: str) -> None:
    model = cr.load(name)
    document = article_document(cr.article(model), Words())
    calls = [item for item in document.blocks if isinstance(item, Recomputed)]
    assert calls
    for item in calls:
        assert eval(item.call, {"cr": cr, "model": model}) == item.value


# ------------------------------------------------------------------------ the count


def count(formula: str, definitions: dict[str, str]) -> int:
    """Multiplications and divisions of a formula with every common part written out."""
    total = 0
    for node in ast.walk(ast.parse(formula, mode="eval")):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            total += 1
        elif isinstance(node, ast.Name) and node.id in definitions:
            total += count(definitions[node.id], definitions)
    return total


@pytest.mark.parametrize("name", ["seed", "mazur", "macleod", "negnevitsky"])
def test_multiplications_are_counted(name: str) -> None:
    article = cr.article(cr.load(name))
    found = article.explanation.as_json()
    definitions = {part["name"]: part["formula"] for part in found["shared"]}
    results = [item["result"]["formula"] for item in found["derivations"] if "result" in item]
    assert article.cost.apart == sum(count(formula, definitions) for formula in results)
    once = [*definitions.values(), *results]
    assert article.cost.together == sum(count(formula, {}) for formula in once)


def test_the_seed_saves_as_many_as_one_counts_by_hand() -> None:
    # w7 .. w12: three each.  w1 .. w6: two paths of three, and three for the rest.
    # Together: two for each of two δ's, four for each of three, one for each weight.
    cost = cr.article(cr.load("seed")).cost
    assert (cost.apart, cost.together) == (6 * 3 + 6 * 9, 2 * 2 + 3 * 4 + 12)


# ---------------------------------------------------------------------- the picture


def test_the_picture_of_the_seed() -> None:
    picture = cr.article(cr.load("seed")).picture
    columns = [[unit.name for unit in column] for column in picture.columns]
    assert columns == [
        ["l1", "l2", "b1"],
        ["out_h1", "out_h2", "out_h3", "b2"],
        ["out_o1", "out_o2", "target_o1", "target_o2"],
        ["E_o1", "E_o2"],
        ["E"],
    ]
    edges = {(edge.source, edge.target): edge.weight for edge in picture.edges}
    assert edges["l1", "out_h1"] == ("w1", 0.1)
    assert edges["out_h1", "out_o2"] == ("w8", 0.45)
    assert edges["b1", "out_h2"] is None
    assert [unit.role for unit in picture.columns[2]] == ["output", "output", "target", "target"]


def test_the_picture_of_a_batch_shows_the_first_example() -> None:
    picture = cr.article(cr.load("flowers")).picture
    names = [unit.name for column in picture.columns for unit in column]
    assert "out_h1[0]" in names
    assert not any(name.endswith(("[1]", "[2]")) for name in names)
    biased = [unit.bias for unit in picture.columns[1]]
    assert biased == [("b1", 0.1), ("b2", -0.1)]


def test_a_tall_column_is_shortened() -> None:
    inputs = {f"x{place}": float(place) for place in range(30)}
    weights = [[1.0] * 30]
    description = {"inputs": inputs, "targets": {"o": 1.0}, "loss": "squared error"}
    model = network({**description, "layers": [{"units": ["o"], "weights": weights}]})
    column = cr.article(model).picture.columns[0]
    assert [unit.omitted for unit in column if unit.omitted] == [25]
    assert len(column) == 6
    assert "⋮ (25)" in "\n".join(sketch(cr.article(model).picture, 80))


@pytest.mark.parametrize("seed", range(12))
def test_a_drawing_stays_within_itself_and_units_apart(seed: int) -> None:
    picture = cr.article(network(describe(seed))).picture
    drawing = draw(picture)
    circles = [shape for shape in drawing.shapes if isinstance(shape, Circle)]
    assert len(circles) == sum(not unit.omitted for column in picture.columns for unit in column)
    for number, one in enumerate(circles):
        x, y = one.centre
        assert one.radius <= x <= drawing.width - one.radius
        assert one.radius <= y <= drawing.height - one.radius
        for other in circles[:number]:
            apart = abs(complex(x - other.centre[0], y - other.centre[1]))
            assert apart > one.radius + other.radius
    for shape in drawing.shapes:
        points = (shape.start, shape.end) if isinstance(shape, Line) else ()
        points += (shape.at,) if isinstance(shape, Label) else ()
        assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)


def test_the_sketch_is_as_wide_as_it_may_be() -> None:
    rows = sketch(cr.article(cr.load("flowers")).picture, 60)
    assert max(map(len, rows)) <= 60


def test_an_article_without_a_learning_rate(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.txt"
    sheet.write_text("w = 0.5\nx = 2.0\nE = (1.0 - w*x)**2\n", encoding="utf-8")
    article = cr.article(cr.load(sheet, trained=["w"]))
    assert article.steps is None
    assert "no parameter is updated" in markdown(article_document(article, Words()))


def test_an_article_needs_a_trained_parameter() -> None:
    with pytest.raises(cr.InputError, match="no parameter is trained"):
        cr.article(cr.var("x", 2.0, trained=False) ** 2)
