"""The check of a whole gradient, entry by entry or, where that is too much, by sample.

A random direction judges all entries at once: the derivative along it must be
the gradient's inner product with it, and an error in any entry shows with
probability one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.graph.model import Model
from chainrule.graph.node import Node
from chainrule.mime import Displayed
from chainrule.verify.differences import (
    CENTRAL_TOLERANCE,
    COMPLEX_TOLERANCE,
    Checked,
    array_differences,
    scalar_differences,
)
from chainrule.wire import plain

__all__ = ["CHECK_SCHEMA", "Report", "check_gradient"]

CHECK_SCHEMA = "chainrule.check/1"

SCALAR_WORK = 50_000
"""Scalar steps times entries up to which the reference engine does the check."""
ENTRY_LIMIT = 2_000
"""Entries that are checked one by one; of more, as many are drawn, and directions added."""
DIRECTIONS = 8
JUDGED = ("agrees", "disagrees")


@dataclass(frozen=True)
class Report(Displayed):
    """The entries checked, and the directions over all entries, if any."""

    title: str
    total: int
    entries: tuple[Checked, ...]
    directions: tuple[Checked, ...] = ()
    complex_tolerance: float = COMPLEX_TOLERANCE
    central_tolerance: float = CENTRAL_TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether nothing disagrees."""
        return all(item.verdict != "disagrees" for item in (*self.entries, *self.directions))

    @property
    def worst(self) -> Checked | None:
        """What is nearest to, or farthest beyond, its tolerance."""
        judged = [item for item in (*self.entries, *self.directions) if item.verdict in JUDGED]
        return max(judged, key=lambda item: item.error, default=None)

    @property
    def kinks(self) -> tuple[Checked, ...]:
        """The entries at a kink, where the two sides have slopes of their own."""
        return tuple(item for item in self.entries if item.verdict == "kink")

    @property
    def unjudged(self) -> tuple[Checked, ...]:
        """The entries where the loss is too rough, or not finite, for a difference to judge."""
        return tuple(item for item in self.entries if item.verdict == "not judged")

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.check/1`."""
        worst = self.worst
        return {
            "schema": CHECK_SCHEMA,
            "model": self.title,
            "passed": self.passed,
            "parameters": self.total,
            "tolerance": {
                "complex_step": self.complex_tolerance,
                "central_difference": self.central_tolerance,
                "relative_to": "max(|gradient|, |loss|, 0.001)",
            },
            "worst": worst.parameter if worst is not None else None,
            "entries": [as_json(item) for item in self.entries],
            "directions": [as_json(item) for item in self.directions],
        }


def as_json(item: Checked) -> dict[str, Any]:
    """One checked entry; `one_sided` only at a kink."""
    sides = {} if item.one_sided is None else {"one_sided": item.one_sided}
    fields = {
        "parameter": item.parameter,
        "gradient": item.gradient,
        "complex_step": item.complex_step,
        "central_difference": item.central_difference,
        "error": item.error,
        "verdict": item.verdict,
        **sides,
    }
    entry: dict[str, Any] = plain(fields)
    return entry


def check_gradient(
    model: Model,
    gradient: Mapping[str, float],
    names: Sequence[str],
    most: int = ENTRY_LIMIT,
    seed: int = 0,
) -> Report:
    """Compare the entries `names` of `gradient` with independent derivatives.

    With more than `most` names, as many of them are drawn and random directions
    over all of them are added; `seed` fixes both.
    """
    # The stable form, where there is one, is smoother, and more independent.
    model = model.in_stable_form() or model
    drawn = random.Random(seed)
    chosen = list(names)
    directions: tuple[Checked, ...] = ()
    if len(chosen) > most:
        directions = _directions(model, gradient, chosen, drawn)
        chosen = [names[place] for place in sorted(drawn.sample(range(len(names)), most))]
    small = model.scalar_size * len(chosen) <= SCALAR_WORK
    entries = (_by_scalars if small else _by_arrays)(model, gradient, chosen)
    return Report(model.title, len(names), entries, directions)


def _by_scalars(
    model: Model, gradient: Mapping[str, float], names: Sequence[str]
) -> tuple[Checked, ...]:
    differences, leaves = scalar_differences(model)
    node_of = {node.name: node for node in leaves}
    return tuple(
        differences.check(name, node_of[name], gradient[name], leaves[node_of[name]])
        for name in names
    )


def _by_arrays(
    model: Model, gradient: Mapping[str, float], names: Sequence[str]
) -> tuple[Checked, ...]:
    import numpy

    differences = array_differences(model)
    checked = []
    for name in names:
        number, flat = model.entry_of[name]
        leaf = model.leaves[number]
        unit = numpy.zeros(leaf.node.shape)
        unit.flat[flat] = 1.0
        checked.append(
            differences.check(name, [(leaf.node, unit)], gradient[name], leaf.values[flat])
        )
    return tuple(checked)


def _directions(
    model: Model, gradient: Mapping[str, float], names: Sequence[str], drawn: random.Random
) -> tuple[Checked, ...]:
    import numpy

    differences = array_differences(model)
    places: dict[int, tuple[list[int], list[float]]] = {}
    for name in names:
        leaf, flat = model.entry_of[name]
        flats, derivatives = places.setdefault(leaf, ([], []))
        flats.append(flat)
        derivatives.append(gradient[name])
    checked = []
    for number in range(DIRECTIONS):
        direction: list[tuple[Node, Any]] = []
        expected = 0.0
        for leaf, (flats, derivatives) in places.items():
            node = model.leaves[leaf].node
            signs = numpy.frombuffer(drawn.randbytes(len(flats)), numpy.int8) < 0
            amounts = numpy.where(signs, -1.0, 1.0) / len(names) ** 0.5
            vector = numpy.zeros(node.shape)
            vector.flat[flats] = amounts
            direction.append((node, vector))
            expected += float(amounts @ derivatives)
        checked.append(differences.check(f"direction {number + 1}", direction, expected, 1.0))
    return tuple(checked)
