"""How far the engines may be apart: the table of the documentation, which states it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy

from chainrule.engines.run import Run
from chainrule.graph.model import Model

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\S+) \| (\S+) \|", re.MULTILINE)


def _stated() -> dict[tuple[str, str], float]:
    found = {}
    for engine, double, single in _ROW.findall(PAGE.read_text(encoding="utf-8")):
        found[engine, "float64"], found[engine, "float32"] = double, single
    return {key: float(text) for key, text in found.items() if text != "–"}


TOLERANCES = _stated()
"""By engine and type: relative to each number or, where that is larger, 1."""


def distance(found: Run, expected: Run, model: Model) -> float:
    """How far the parameters of two runs are apart, in the measure of the table."""
    ours, theirs = (
        numpy.array([x for leaf in model.leaves if leaf.trained for x in run.read(leaf.node)])
        for run in (found, expected)
    )
    return float((abs(ours - theirs) / numpy.maximum(1, abs(theirs))).max())
