"""A picture in rows of characters, for where nothing can be drawn: a layer below the other."""

from __future__ import annotations

from chainrule.errors import printable
from chainrule.explanation.documents.layout import Page
from chainrule.explanation.picture import Edge, Picture, Unit
from chainrule.explanation.printers.unicode import pretty_number

__all__ = ["sketch"]


def sketch(picture: Picture, width: int) -> tuple[str, ...]:
    """The rows: each unit with its number, and below it what leads to it."""
    page = Page(width)
    incoming: dict[str, list[Edge]] = {}
    for edge in picture.edges:
        incoming.setdefault(edge.target, []).append(edge)
    for number, column in enumerate(picture.columns):
        if number:
            page.add("↓", indent=2)
        sources = [unit for unit in column if unit.name not in incoming]
        if sources:
            page.items([_unit(unit, picture) for unit in sources], indent=2)
        for unit in column:
            if unit.name in incoming:
                page.add(_unit(unit, picture), indent=2)
                page.items(_arrows(incoming[unit.name], unit, picture), indent=6)
    return tuple(printable(row.text, len(row.text)) for row in page.rows)


def _unit(unit: Unit, picture: Picture) -> str:
    return f"⋮ ({unit.omitted})" if unit.omitted else _number(unit.name, unit.value, picture)


def _number(name: str, value: float, picture: Picture) -> str:
    sign = "≈" if name in picture.rounded else "="
    return f"{name} {sign} {pretty_number(value)}"


def _arrows(edges: list[Edge], unit: Unit, picture: Picture) -> list[str]:
    """`← l1 (w1 = 0.1)` for each edge, and the bias that is the unit's own."""
    rows = [
        f"← {edge.source}" + (f" ({_number(*edge.weight, picture)})" if edge.weight else "")
        for edge in edges
    ]
    if unit.bias is not None:
        rows.append(f"← {_number(*unit.bias, picture)}")
    return rows
