"""A drawing in LaTeX's own `picture`, which needs no package."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from chainrule.explanation.documents.blocks import Name, Number
from chainrule.explanation.documents.drawing import Circle, Drawing, Label, Line
from chainrule.explanation.documents.pieces import SIGNS, latex_writer
from chainrule.explanation.documents.tex.formulas import formula
from chainrule.explanation.documents.tex.words import escaped

__all__ = ["drawn"]

WIDEST_DRAWING = 36
"""Units that are sure to fit into a line."""

UNIT, LARGEST = 12, 12_000
"""Points of a unit, and of the largest drawing that TeX can measure."""

THICKNESS = 0.4
"""Points of a line of width 1."""

DOTS, MOST_DOTS = 4, 500
"""Dots to a unit, and of a line."""


_TO_LATEX = latex_writer()
"""Names and numbers are the same in every language."""


def drawn(drawing: Drawing) -> str:
    """The drawing, in a paragraph of its own."""
    width, height = drawing.width, drawing.height
    circles = [shape for shape in drawing.shapes if isinstance(shape, Circle)]
    rows = [
        rf"{{\unitlength={min(UNIT, LARGEST / max(width, height)):.3f}pt\fboxsep=1pt",
        rf"\begin{{picture}}({width:.2f},{height:.2f})(0,{-height:.2f})",
        *(row for shape in drawing.shapes for row in _shape(shape, circles)),
        r"\end{picture}}",
    ]
    picture = "%\n".join(rows)
    if width > WIDEST_DRAWING:
        picture = rf"\fitted{{\hbox{{{picture}}}}}"
    return f"\\par\\noindent\n{picture}\n\\par"


def _shape(shape: Line | Circle | Label, circles: Sequence[Circle]) -> Iterator[str]:
    match shape:
        case Circle((x, y), radius):
            yield rf"\thicklines\put({x:.2f},{-y:.2f}){{\circle{{{2 * radius:.2f}}}}}\thinlines"
        case Label((x, y)):
            inside = any(circle.centre == shape.at for circle in circles)
            written = _label(shape) if inside else rf"\colorbox{{white}}{{{_label(shape)}}}"
            yield rf"\put({x:.2f},{-y:.2f}){{\makebox(0,0){{{written}}}}}"
        case Line():
            yield from _line(shape)


def _label(label: Label) -> str:
    size = r"\scriptsize " if label.small else r"\small "
    name = formula(Name(label.name), _TO_LATEX) if label.name else ""
    value = "" if label.value is None else _TO_LATEX(Number(label.value))
    sign = f" {SIGNS[label.sign]} " if label.shows_sign else ""
    return f"{size}${name}{sign}{value}$" if name or value else f"{size}{escaped(label.text)}"


def _line(line: Line) -> Iterator[str]:
    """The line; one of a negative weight is dotted, not coloured."""
    (x0, y0), (x1, y1) = line.start, line.end
    points = (line.start, ((x0 + x1) / 2, (y0 + y1) / 2), line.end)
    count = min(DOTS * math.dist(line.start, line.end), MOST_DOTS)
    dots = f"[{count:.0f}]" if line.stroke == "negative" else ""
    yield rf"\linethickness{{{THICKNESS * line.width:.2f}pt}}"
    yield rf"\qbezier{dots}" + "".join(f"({x:.2f},{-y:.2f})" for x, y in points)
