"""Checking numbers, rows of them, and matrices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chainrule.frontends.network.faults import Spot, count, describe
from chainrule.frontends.network.spec import Row

__all__ = [
    "Grid",
    "finite_row",
    "is_number",
    "read_list",
    "read_matrix",
    "read_number",
    "read_row",
    "sized",
]

T = TypeVar("T")


def is_number(value: object) -> bool:
    """Whether `value` is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_number(spot: Spot, value: Any) -> float | None:
    """`value` as a finite float."""
    if not is_number(value):
        spot.add("TypeError", f"is {describe(value)}", needs="a number")
        return None
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isfinite(number):
        return number
    spot.add("ValueError", f"is {describe(value)}", needs="a finite number that a float64 holds")
    return None


def finite_row(values: list[Any]) -> Row | None:
    """`values` as floats if every one is a finite number, found at the speed of C."""
    if not set(map(type, values)) <= {int, float}:
        return None
    try:
        row = tuple(map(float, values))
    except OverflowError:
        return None
    return row if all(map(math.isfinite, row)) else None


def read_list(spot: Spot, value: object, needs: str) -> list[Any] | None:
    """`value`, which must be a list."""
    if isinstance(value, list):
        return value
    spot.add("TypeError", f"is {describe(value)}", needs=needs)
    return None


def read_row(spot: Spot, value: object) -> Row | None:
    """`value` as a row of finite floats."""
    values = read_list(spot, value, "a list of numbers")
    if values is None:
        return None
    row = finite_row(values)
    if row is None:
        for index, entry in enumerate(values):
            read_number(spot.entry("number", index), entry)
    return row


def sized(spot: Spot, row: T | None, size: int, expected: int | None, noun: str) -> T | None:
    """`row`, unless its size is known to be wrong."""
    if row is None or expected is None or size == expected:
        return row
    spot.add(
        "ShapeError",
        f"has {count(size, noun)}, needs {expected}",
        needs=f"one {noun} per unit of the layer: {expected}",
    )
    return None


@dataclass(frozen=True)
class Grid(Generic[T]):
    """What a matrix must be: its entries, and its rows and columns where they are known."""

    noun: str
    read_row: Callable[[Spot, object], tuple[T, ...] | None]
    rows: int | None
    columns: int | None

    @property
    def needs(self) -> str:
        """The rule in words."""
        rule = f"one row per unit, one {self.noun} per input of the layer"
        if self.rows is None or self.columns is None:
            return rule
        return f"{count(self.rows, 'row')} of {self.columns}: {rule}"


def read_matrix(spot: Spot, value: object, grid: Grid[T]) -> tuple[tuple[T, ...], ...] | None:
    """The rows of a matrix, each read by `grid`; None if anything about it is wrong."""
    rows = read_list(spot, value, grid.needs)
    if rows is None:
        return None
    if rows and not any(isinstance(row, list) for row in rows):
        spot.add(
            "ShapeError",
            f"is a flat list of {len(rows)}, not rows",
            needs=grid.needs,
            hint="put each unit's row in its own brackets: [[...], [...]]",
        )
        return None
    read = [grid.read_row(spot.entry("row", index), row) for index, row in enumerate(rows)]
    sizes = [len(row) for row in rows if isinstance(row, list)]
    if len(sizes) < len(rows) or not _is_grid(spot, sizes, grid):
        return None
    whole = tuple(row for row in read if row is not None)
    return whole if len(whole) == len(rows) else None


def _is_grid(spot: Spot, sizes: list[int], grid: Grid[T]) -> bool:
    """Whether rows of these sizes make the matrix that `grid` wants; reports why not."""
    if len(set(sizes)) > 1:
        _report_ragged(spot, sizes, grid)
        return False
    rows, columns = len(sizes), sizes[0] if sizes else 0
    wanted_rows = rows if grid.rows is None else grid.rows
    wanted_columns = columns if grid.columns is None else grid.columns
    if (rows, columns) == (wanted_rows, wanted_columns):
        return True
    transposed = (rows, columns) == (wanted_columns, wanted_rows)
    spot.add(
        "ShapeError",
        f"is {count(rows, 'row')} of {columns}, "
        f"needs {count(wanted_rows, 'row')} of {wanted_columns}",
        needs=grid.needs,
        hint="it looks transposed: one row per unit" if transposed else None,
    )
    return False


def _report_ragged(spot: Spot, sizes: list[int], grid: Grid[T]) -> None:
    expected = Counter(sizes).most_common(1)[0][0] if grid.columns is None else grid.columns
    for index, size in enumerate(sizes):
        if size != expected:
            what = f"has {count(size, grid.noun)}, needs {expected}"
            spot.entry("row", index).add("ShapeError", what, needs=grid.needs)
    if grid.rows is not None and len(sizes) != grid.rows:
        what = f"has {count(len(sizes), 'row')}, needs {grid.rows}"
        spot.add("ShapeError", what, needs=grid.needs)
