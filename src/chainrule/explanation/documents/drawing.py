"""A drawing: circles, lines and labels with their places, before it is drawn in any format.

Lengths are in units of a line of text; x grows to the right, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chainrule.explanation.picture import Edge, Picture, Unit

__all__ = ["Circle", "Drawing", "Label", "Line", "Point", "Stroke", "draw"]

Stroke = Literal["plain", "positive", "negative"]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line; `stroke` tells the sign of the weight on it, where there is one."""

    start: Point
    end: Point
    stroke: Stroke = "plain"
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Circle:
    """A unit of the network."""

    centre: Point
    radius: float
    role: str = "hidden"


@dataclass(frozen=True, slots=True)
class Label:
    """A name, its number, or both (`w7 = 0.4`), in the middle of `at`.

    `text` is words where it is neither; `sign` stands before the number.
    """

    at: Point
    name: str = ""
    value: float | None = None
    text: str = ""
    sign: Literal["=", "≈"] = "="
    small: bool = False

    @property
    def shows_sign(self) -> bool:
        """Whether the sign is written: not before a number alone that is as it was computed."""
        return self.value is not None and (bool(self.name) or self.sign == "≈")


Shape = Line | Circle | Label


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes, from back to front, and the room that they take."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


RADIUS = 1.5
ROW, ROW_WITH_BIAS = 6.6, 7.4
"""From one unit to the one below."""
MARGIN = 1.0
CHARACTER, SMALL_CHARACTER = 0.56, 0.42
"""The width of a letter, about."""
ALONG = (0.3, 0.24, 0.36, 0.42, 0.18, 0.48, 0.54, 0.6, 0.66)
"""Where on its edge a weight may stand; the first that is free is taken."""


def draw(picture: Picture) -> Drawing:
    """The picture in shapes."""
    return _Painter(picture).drawing()


class _Painter:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        biased = any(unit.bias for column in picture.columns for unit in column)
        self.row = ROW_WITH_BIAS if biased else ROW
        self.centre: dict[str, Point] = {}
        self.taken: list[tuple[Point, float, float]] = []

    def drawing(self) -> Drawing:
        columns = self.picture.columns
        tallest = max(map(len, columns))
        right = MARGIN
        units: list[Shape] = []
        for number, column in enumerate(columns):
            half = max(self._width(unit) for unit in column) / 2
            x = right + half
            if number:  # room for the lines and the weights on them
                x = max(x, right + half + 1.5, right + 0.5 * self._gap(number))
            top = MARGIN + 1 + RADIUS + (tallest - len(column)) * self.row / 2
            for row, unit in enumerate(column):
                units += self._unit(unit, (x, top + row * self.row))
            right = x + half
        edges = self._edges()
        weights = [label for edge in self.picture.edges for label in self._weight(edge)]
        height = MARGIN + 1 + 2 * RADIUS + (tallest - 1) * self.row + (self.row - ROW) + 2 * MARGIN
        return Drawing(right + MARGIN, height, (*edges, *units, *weights))

    def _gap(self, column: int) -> float:
        """The room that the widest weight before a column needs, on a slanting line."""
        targets = {unit.name for unit in self.picture.columns[column]}
        widths = [
            _label_width(_written(*edge.weight))
            for edge in self.picture.edges
            if edge.weight is not None and edge.target in targets
        ]
        return 2.6 * max(widths, default=0.0) + 9

    def _width(self, unit: Unit) -> float:
        widths = [2 * RADIUS, len(unit.name) * CHARACTER]
        if not unit.omitted:
            widths.append(_label_width(f"≈ {unit.value!r}"))
        if unit.bias is not None:
            widths.append(_label_width(_written(*unit.bias)))
        return max(widths)

    def _unit(self, unit: Unit, at: Point) -> list[Shape]:
        x, y = at
        if unit.omitted:
            return [Label(at, text="⋮"), Label((x, y + 1.2), text=f"{unit.omitted}", small=True)]
        self.centre[unit.name] = at
        inside = len(unit.name) * CHARACTER < 2 * RADIUS
        labels = [
            Label((x, y if inside else y - RADIUS - 0.6), unit.name),
            self._label((x, y + RADIUS + 0.7), "", unit.value, unit.name),
        ]
        if unit.bias is not None:
            name, value = unit.bias
            labels.append(self._label((x, y + RADIUS + 1.6), name, value, name))
        self.taken.append((at, 2 * RADIUS, 2 * RADIUS))
        self.taken += [(label.at, self._width(unit), 1.0) for label in labels[1:]]
        return [Circle(at, RADIUS, unit.role), *labels]

    def _edges(self) -> list[Line]:
        weights = [abs(edge.weight[1]) for edge in self.picture.edges if edge.weight is not None]
        largest = max(weights, default=0.0) or 1.0
        lines = []
        for edge in self.picture.edges:
            start, end = _between(self.centre[edge.source], self.centre[edge.target])
            if edge.weight is None:
                lines.append(Line(start, end))
                continue
            value = edge.weight[1]
            width = 0.7 + 1.5 * abs(value) / largest
            lines.append(Line(start, end, "negative" if value < 0 else "positive", width))
        return lines

    def _weight(self, edge: Edge) -> Iterable[Label]:
        """The weight on its edge, where it covers nothing else."""
        if edge.weight is None:
            return
        name, value = edge.weight
        (x0, y0), (x1, y1) = _between(self.centre[edge.source], self.centre[edge.target])
        width = _label_width(_written(name, value))
        places = [(x0 + part * (x1 - x0), y0 + part * (y1 - y0)) for part in ALONG]
        at = min(places, key=lambda place: self._covered(place, width))
        self.taken.append((at, width, 1.0))
        yield self._label(at, name, value, name)

    def _covered(self, at: Point, width: float) -> float:
        """How much of what is drawn already a label would cover."""
        total = 0.0
        for (x, y), wide, high in self.taken:
            across = (width + wide) / 2 - abs(at[0] - x)
            down = (1.0 + high) / 2 - abs(at[1] - y)
            total += max(across, 0.0) * max(down, 0.0)
        return total

    def _label(self, at: Point, name: str, value: float, whose: str) -> Label:
        sign: Literal["=", "≈"] = "≈" if whose in self.picture.rounded else "="
        return Label(at, name, value, sign=sign, small=True)


def _between(start: Point, end: Point) -> tuple[Point, Point]:
    """The line between two circles, without what lies inside them."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0)
    dx, dy = RADIUS * (x1 - x0) / length, RADIUS * (y1 - y0) / length
    return (x0 + dx, y0 + dy), (x1 - dx, y1 - dy)


def _written(name: str, value: float) -> str:
    return f"{name} = {value!r}"


def _label_width(text: str) -> float:
    return SMALL_CHARACTER * len(text)
