"""A drawing: circles, lines and labels with their places, before it is drawn in any format.

Lengths are in units of a line of text; x grows to the right, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chainrule.explanation.picture import Picture

__all__ = ["Circle", "Drawing", "Label", "Line", "Stroke", "draw", "sketch"]

Stroke = Literal["plain", "faint", "positive", "negative"]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line; with `arrow` it has a head at its end."""

    start: tuple[float, float]
    end: tuple[float, float]
    stroke: Stroke = "plain"
    width: float = 1.0
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """A unit of the network."""

    centre: tuple[float, float]
    radius: float
    role: str = "unit"


@dataclass(frozen=True, slots=True)
class Label:
    """A name, its number, or both (`w7 = 0.4`), in the middle of `at`.

    `text` is words where it is neither; `sign` stands between name and number.
    """

    at: tuple[float, float]
    name: str = ""
    value: float | None = None
    text: str = ""
    sign: Literal["=", "≈"] = "="
    small: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes, from back to front, and the room that they take."""

    width: float
    height: float
    shapes: tuple[Line | Circle | Label, ...]


def draw(picture: Picture) -> Drawing:
    """The picture in shapes."""
    shapes: list[Line | Circle | Label] = []
    places = {}
    for column, units in enumerate(picture.columns):
        for row, unit in enumerate(units):
            places[unit.name] = (4.0 + 16 * column, 4.0 + 6 * row)
    for edge in picture.edges:
        start, end = places[edge.source], places[edge.target]
        shapes.append(Line(start, end))
        if edge.weight is not None:
            name, value = edge.weight
            middle = (0.6 * start[0] + 0.4 * end[0], 0.6 * start[1] + 0.4 * end[1])
            shapes.append(Label(middle, name, value, small=True))
    for units in picture.columns:
        for unit in units:
            x, y = places[unit.name]
            shapes += [Circle((x, y), 1.5, unit.role), Label((x, y), unit.name)]
            shapes.append(Label((x, y + 2.2), "", unit.value, small=True))
    height = max(len(units) for units in picture.columns) * 6.0 + 3
    return Drawing(16.0 * len(picture.columns), height, tuple(shapes))


def sketch(picture: Picture, width: int) -> tuple[str, ...]:
    """The picture in rows of characters, where nothing can be drawn."""
    return tuple(
        "   ".join(f"{unit.name} = {unit.value}" for unit in units) for units in picture.columns
    )
