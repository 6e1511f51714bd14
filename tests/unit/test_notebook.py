"""Notebooks: which cells there are, and that nothing of the user's acts in their code."""

from __future__ import annotations

import ast
import json
import re

import pytest
from golden.comparing import compare
from helpers.documents import HOSTILE

import chainrule as cr
from chainrule.explanation.documents.blocks import Document, Heading, Paragraph, Recomputed, Title
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.notebook import notebook
from chainrule.explanation.messages import Words

SHEET = "x = 2.0\nw = 0.5\nE = (w * x) ** 2\n"


def cells(text: str) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]


def test_a_small_notebook_as_it_is_written() -> None:
    model = cr.loads(SHEET + "alpha = 0.1\n", title="sheet")
    compare(
        "documents/sheet.ipynb", notebook(explanation_document(cr.explain(model), Words()), model)
    )


def test_numbers_to_compute_again_are_code() -> None:
    model = cr.loads(SHEET)
    blocks = (
        Title("t"),
        Heading("a"),
        Paragraph("before"),
        Recomputed("model.value('w')", 0.5),
        Recomputed("cr.show(model).lines[0].value", float("inf")),
        Paragraph("after"),
    )
    assert cells(notebook(Document("t", blocks), model))[2:] == [
        ("markdown", "## a\n\nbefore"),
        (
            "code",
            "found = [\n    model.value('w'),\n    cr.show(model).lines[0].value,\n]\n"
            'assert found == [\n    0.5,\n    float("inf"),\n]\nfound',
        ),
        ("markdown", "after"),
    ]


@pytest.mark.parametrize("name", [*HOSTILE, '"""', "\\", "\ud800", "\u2028", "''' + evil() + '''"])
def test_hostile_words_are_inert(name: str) -> None:
    model = cr.loads(f"# {name.encode('utf-8', 'replace').decode()}\n{SHEET}", title=name)
    blocks = (Title(name), Heading(name, None, name), Paragraph(name))
    found = cells(notebook(Document(name, blocks), model))
    for kind, source in found:
        if kind == "code":
            called = [
                ast.unparse(node.func)
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.Call)
            ]
            assert set(called) <= {"cr.loads", "cr.explain"}
    assert not re.search(r"(?<!\\)<", found[0][1])


def test_a_model_that_came_from_no_text() -> None:
    w = cr.var("w", 0.5)
    model = cr.model((w * w).named("E"))
    assert cells(notebook(Document("t", (Title("t"),)), model)) == [("markdown", "# t")]
    computed = Document("t", (Title("t"), Recomputed("model.value('w')", 0.5)))
    with pytest.raises(cr.InputError) as caught:
        notebook(computed, model)
    assert str(caught.value) == (
        "OptionError: the model was not read from a file, so a notebook cannot hold its text\n"
        "  needs: a model from a TOML, JSON or equations file"
    )
