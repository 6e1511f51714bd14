"""A drawing in LaTeX's own `picture`, which needs no package."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from chainrule.explanation.documents.blocks import Name, Number
from chainrule.explanation.documents.drawing import Circle, Drawing, Label, Line
from chainrule.explanation.documents.pieces import LATEX, SIGNS, write
from chainrule.explanation.documents.tex.formulas import formula
from chainrule.explanation.documents.tex.words import escaped

__all__ = ["drawn"]

WIDEST_DRAWING = 36
"""Units that are sure to fit into a line."""


def drawn(drawing: Drawing) -> str:
    """The drawing, in a paragraph of its own."""
    width, height = drawing.width, drawing.height
    circles = [shape for shape in drawing.shapes if isinstance(shape, Circle)]
    rows = [
        r"{\unitlength=12pt\fboxsep=1pt",
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
            yield from _line(shape, circles)


def _label(label: Label) -> str:
    size = r"\scriptsize " if label.small else r"\small "
    name = formula(Name(label.name), {}) if label.name else ""
    value = "" if label.value is None else write(Number(label.value), LATEX)
    sign = f" {SIGNS[label.sign]} " if name and value else ""
    return f"{size}${name}{sign}{value}$" if name or value else f"{size}{escaped(label.text)}"


def _line(line: Line, circles: Sequence[Circle]) -> Iterator[str]:
    """The line outside the circles that it joins; a negative one is dotted, not coloured."""
    start = _outside(line.start, line.end, circles)
    end = _outside(line.end, line.start, circles)
    length = math.dist(start, end)
    if not length:
        return
    thickness = 0.2 if line.stroke == "faint" else 0.4 * line.width
    yield rf"\linethickness{{{thickness:.2f}pt}}"
    yield _stroke(start, end, f"[{6 * length:.0f}]" if line.stroke == "negative" else "")
    if line.arrow:
        along = math.atan2(end[1] - start[1], end[0] - start[0])
        for turned in (along - 2.7, along + 2.7):
            barb = (end[0] + 0.5 * math.cos(turned), end[1] + 0.5 * math.sin(turned))
            yield _stroke(barb, end)


def _stroke(start: tuple[float, float], end: tuple[float, float], dots: str = "") -> str:
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    return rf"\qbezier{dots}" + "".join(f"({x:.2f},{-y:.2f})" for x, y in (start, middle, end))


def _outside(
    point: tuple[float, float], towards: tuple[float, float], circles: Sequence[Circle]
) -> tuple[float, float]:
    """The point, or where the line leaves the circle around it."""
    distance = math.dist(point, towards)
    for circle in circles:
        if circle.centre == point and circle.radius < distance:
            share = circle.radius / distance
            return (
                point[0] + share * (towards[0] - point[0]),
                point[1] + share * (towards[1] - point[1]),
            )
    return point
