"""`--format` and `-o` for the formats that are files of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.invoking import invoke, succeed


@pytest.mark.parametrize("command", [("explain", "seed", "w7"), ("article", "seed")])
def test_latex(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "lesson.tex"
    assert invoke(*command, "-o", str(file)).status == 0
    text = file.read_text(encoding="utf-8")
    assert text == succeed(*command, "--format", "latex")
    assert text.startswith("\\documentclass")
    assert text.endswith("\\end{document}\n")
    part = succeed(*command, "--format", "latex-fragment")
    assert r"\documentclass" not in part
    assert r"\hypertarget{w7}" in part


def test_a_notebook_has_the_numbers_and_the_order_that_were_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "lesson.ipynb"
    choices = ("--set", "w7=0.5", "--order", "sequential", "--digits", "3", "--lang", "zh")
    assert invoke("explain", "seed", "w7", *choices, "-o", str(file)).status == 0
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 2
    assert "weights = [[0.5, 0.5, 0.6]" in code[0]
    assert "order='sequential').derivations[0].update.new" in code[1]


def test_an_unknown_ending_names_the_known_ones() -> None:
    done = invoke("explain", "seed", "w7", "-o", "lesson.odt")
    assert done.status == 2
    assert ".txt, .md, .tex, .ipynb, .pdf, .html, .json" in done.err
