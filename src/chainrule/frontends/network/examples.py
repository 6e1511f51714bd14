"""Inputs and targets: four forms, one row of numbers per example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.frontends.network.faults import (
    Report,
    Spot,
    count,
    describe,
    in_words,
    known,
    listed,
)
from chainrule.frontends.network.names import check_distinct, normal
from chainrule.frontends.network.numbers import finite_row, read_number, read_row
from chainrule.frontends.network.spec import Matrix
from chainrule.frontends.network.text import KeyPath

__all__ = [
    "Examples",
    "check_probabilities",
    "check_same_examples",
    "check_targets",
    "example_path",
    "in_unit_order",
    "read_examples",
]


@dataclass(frozen=True)
class Examples:
    """Inputs or targets as written: `keys` only where the form is a table, None after a fault.

    Shapes: values (examples, columns).
    """

    key: str
    keys: tuple[str, ...] | None
    columns: int | None
    examples: int | None
    batch: bool
    values: Matrix | None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The keys as names."""
        return None if self.keys is None else tuple(normal(str(key)) for key in self.keys)


def read_examples(spot: Spot, value: object) -> Examples | None:
    """Read one of the four forms: a table or a list, of numbers or of lists of numbers."""
    if not isinstance(value, dict | list):
        needs = "a table of names and numbers, or a list of numbers"
        spot.add("TypeError", f"is {describe(value)}", needs=needs)
        return None
    if not value:
        spot.add("ValueError", "is empty", needs="at least one number")
        return None
    keys = tuple(value) if isinstance(value, dict) else None
    parts = list(value.values() if isinstance(value, dict) else value)
    lists = [isinstance(part, list) for part in parts]
    noun = "row" if all(lists) else "number"
    spots = [spot.key(str(key)) for key in keys] if keys else _entries(spot, noun, len(parts))
    key = str(spot.path[-1])
    if not any(lists):
        row = finite_row(parts)
        if row is None:
            for place, number in zip(spots, parts, strict=True):
                read_number(place, number)
        return Examples(key, keys, len(parts), 1, False, None if row is None else (row,))
    if not all(lists):
        number, other = lists.index(False), lists.index(True)
        spots[number].add(
            "ShapeError",
            f"is {describe(parts[number])}, while {spots[other].called} is a list",
            needs="numbers alone (one example), or lists alone (a batch)",
        )
        return None
    rows = _read_batch(spots, parts)
    length = len(rows[0]) if rows else None
    if keys is None:
        return Examples(key, None, length, len(parts), True, rows)
    columns = tuple(zip(*rows, strict=True)) if rows else None
    return Examples(key, keys, len(parts), length, True, columns)


def _entries(spot: Spot, noun: str, size: int) -> list[Spot]:
    return [spot.entry(noun, index) for index in range(size)]


def _read_batch(spots: Sequence[Spot], parts: Sequence[list[Any]]) -> Matrix | None:
    """The lists as rows, if they are of numbers and of equal length."""
    lengths = Counter(map(len, parts))
    expected = lengths.most_common(1)[0][0]
    read = [read_row(spot, numbers) for spot, numbers in zip(spots, parts, strict=True)]
    for spot, numbers in zip(spots, parts, strict=True):
        if len(numbers) != expected or not numbers:
            spot.add(
                "ShapeError",
                f"has {count(len(numbers), 'number')}"
                + (f", the others have {expected}" if expected else ""),
                needs="lists of one length, 1 or more",
            )
    rows = tuple(row for row in read if row is not None)
    return rows if len(lengths) == 1 and expected and len(rows) == len(read) else None


def example_path(
    key: str, names: Sequence[str] | None, example: int, column: int, batch: bool
) -> KeyPath:
    """Where the number of one example stands, in each of the four forms."""
    if names:
        return (key, names[column], example) if batch else (key, names[column])
    return (key, example, column) if batch else (key, column)


def check_same_examples(report: Report, inputs: Examples, targets: Examples) -> None:
    """Report inputs and targets that are not of the same examples."""
    if inputs.batch != targets.batch:
        batch, single = ("inputs", "targets") if inputs.batch else ("targets", "inputs")
        report.add(
            (single,),
            "ShapeError",
            f"{batch} is a batch, {single} is a single example",
            needs="both a batch, or both a single example",
        )
    elif None not in (inputs.examples, targets.examples) and inputs.examples != targets.examples:
        report.add(
            ("targets",),
            "ShapeError",
            f"targets has {count(known(targets.examples), 'example')}, "
            f"inputs has {inputs.examples}",
            needs="one target for each example of the inputs",
        )


def check_targets(report: Report, targets: Examples, units: tuple[str, ...] | int) -> None:
    """Report targets that are not those of the output layer: by name, or in number."""
    if targets.keys and isinstance(units, tuple):
        _check_target_names(report, targets.keys, units)
        return
    wanted = units if isinstance(units, int) else len(units)
    if targets.columns not in (None, wanted):
        report.add(
            ("targets",),
            "ShapeError",
            f"targets has {count(known(targets.columns), 'number')}, "
            f"the output layer has {count(wanted, 'unit')}",
            needs=f"one target per output unit: {wanted}",
        )


def _check_target_names(report: Report, keys: tuple[str, ...], units: tuple[str, ...]) -> None:
    named = [(normal(str(key)), ("targets", key)) for key in keys]
    given = dict(named)
    missing = [unit for unit in units if unit not in given]
    wanted = set(units)
    unknown = [(name, path) for name, path in named if name not in wanted]
    for name, path in unknown:
        report.add(
            path,
            "NameError",
            f'targets: "{name}" is not a unit of the output layer',
            needs=f"the output units: {listed(units)}",
            near=(name, missing or units),
        )
    if missing and not unknown:
        report.add(
            ("targets",),
            "KeyError",
            f"targets has no number for {listed(missing)}",
            needs=f"one target per output unit: {listed(units)}",
        )
    check_distinct(report, named, "target")


def check_probabilities(report: Report, targets: Examples) -> None:
    """Report targets outside [0, 1], which no cross-entropy loss takes."""
    for example, row in enumerate(targets.values or ()):
        for column, value in enumerate(row):
            if not 0 <= value <= 1:
                path = example_path("targets", targets.keys, example, column, targets.batch)
                report.add(
                    path,
                    "ValueError",
                    f"{in_words(path)} is {value!r}, no probability",
                    needs="targets from 0 to 1 with a cross-entropy loss",
                )


def in_unit_order(targets: Examples, units: tuple[str, ...]) -> Matrix:
    """The columns of the targets in the order of the output units."""
    values = known(targets.values)
    if targets.names is None:
        return values
    column_of = {name: column for column, name in enumerate(targets.names)}
    order = [column_of[unit] for unit in units]
    return tuple(tuple(row[column] for column in order) for row in values)
