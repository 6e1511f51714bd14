"""Notebooks, judged by Jupyter: they are valid, they run, and a changed number stops them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the client's own imports say
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

import chainrule as cr
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.notebook import notebook
from chainrule.explanation.messages import Language, Words
from chainrule.graph.model import Model

SHEET = "x = 2.0\nt = 1.0\nw = [0.3, -0.5]\nh = tanh(w[0] * x)\nE = (t - w[1] * h) ** 2\n"
JSON = (
    '{"inputs": {"x": 0.5}, "targets": {"o": 1.0}, "loss": "half squared error",'
    ' "learning_rate": 0.5, "layers": [{"units": ["o"], "weights": [[0.25]]}]}'
)
Run = Callable[[Any], Any]

pytestmark = pytest.mark.filterwarnings("default")  # Jupyter's, of its sockets and event loops


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a notebook, with the kernel that the last one left."""
    folder: Path = tmp_path_factory.mktemp("notebooks")
    client = NotebookClient(
        nbformat.v4.new_notebook(), timeout=60, resources={"metadata": {"path": str(folder)}}
    )
    with client.setup_kernel():

        def execute(read: Any) -> Any:
            client.nb = read
            client.reset_execution_trackers()
            for number, cell in enumerate(read.cells):
                client.execute_cell(cell, number)
            return read

        yield execute


def written(model: Model, language: Language = "en", *names: str) -> Any:
    explanation = cr.explain(model, list(names) or None)
    text = notebook(explanation_document(explanation, Words(language)), model)
    read = nbformat.reads(text, as_version=4)
    nbformat.validate(read)
    return read


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_example_runs(run: Run, language: Language) -> None:
    done = run(written(cr.load("seed", values={"w7": 0.45}), language, "w1", "w7", "l1"))
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert len(code) == 4
    assert all(cell.outputs[0].output_type == "execute_result" for cell in code)
    (shown,) = code[0].outputs
    assert {"text/plain", "text/latex", "text/markdown"} <= set(shown.data)
    assert sum(cell.source.count("assert ") for cell in code) == 3


def test_an_article_runs_with_fewer_digits(run: Run) -> None:
    model = cr.load("mazur")
    document = article_document(cr.article(model, order="sequential"), Words(), Choices(digits=3))
    done = run(nbformat.reads(notebook(document, model), as_version=4))
    assert sum(cell.source.count("assert ") for cell in done.cells) > 2


def test_a_sheet_runs_with_what_was_chosen_beside_it(run: Run) -> None:
    model = cr.loads(SHEET, title="sheet", loss="h", trained=["w"], values={"w[0]": 0.25})
    done = run(written(model))
    assert "w = [0.25, -0.5]" in done.cells[1].source
    assert "loss='h', trained=('w',)" in done.cells[1].source


def test_a_json_network_runs(run: Run) -> None:
    run(written(cr.loads(JSON, title='a\'b\n\u202e"""')))


def test_a_changed_number_stops_it(run: Run) -> None:
    read = written(cr.load("seed"), "en", "w7")
    gradient = repr(cr.explain(cr.load("seed"), ["w7"]).derivations[0].gradient)
    (changed,) = [cell for cell in read.cells if f"    {gradient},\n" in cell.source]
    changed.source = changed.source.replace(gradient, gradient[:-1] + "1")
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run(read)
