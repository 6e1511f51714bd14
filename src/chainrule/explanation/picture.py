"""What a picture of a network shows: its units in columns, and what leads from one to another."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Edge", "Picture", "Unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A circle: a quantity's name and number.

    `role` is input, target, bias, hidden, output or loss; `bias` is a parameter that
    is added here and nowhere else; `omitted` counts the units that an ellipsis stands for.
    """

    name: str
    value: float
    role: str
    bias: tuple[str, float] | None = None
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one unit to another, with the weight on it where there is one."""

    source: str
    target: str
    weight: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Columns of units from the inputs to the loss, and the edges between them."""

    columns: tuple[tuple[Unit, ...], ...]
    edges: tuple[Edge, ...]
