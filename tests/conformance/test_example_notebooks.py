"""The notebooks of the examples: stored with what they print, they run and agree with PyTorch."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the client's own imports say
    from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(file.name for file in EXAMPLES.glob("*.ipynb"))

pytestmark = pytest.mark.filterwarnings("default")  # Jupyter's, of its sockets and event loops

every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def read(name: str) -> Any:
    return nbformat.read(EXAMPLES / name, as_version=4)


def printed(notebook: Any) -> str:
    """What the cells print."""
    texts = [
        output.get("text") or output.data["text/plain"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    return "\n".join(texts)


@every_notebook
def test_it_is_stored_with_its_outputs(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs
            assert all(output.output_type != "error" for output in cell.outputs)
            assert all(output.get("name") != "stderr" for output in cell.outputs)
    assert not re.search(r"/tmp/|/home/|/root/|[A-Z]:\\", (EXAMPLES / name).read_text("utf-8"))


@every_notebook
def test_it_runs_and_agrees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the language that it is stored in; what it says of the check is the same, all agree."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    stored, notebook = read(name), read(name)
    resources = {"metadata": {"path": str(EXAMPLES)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    found = printed(notebook)
    assert re.findall("agrees|DISAGREES", found) == re.findall("agrees|DISAGREES", printed(stored))
    assert "DISAGREES" not in found
    assert found.count("agrees") > 3
    headings = re.compile(r"^∂.*", re.MULTILINE)
    assert headings.findall(found)[0] == headings.findall(printed(stored))[0]
