"""Coefficients: what a leaf entry is multiplied by in a quantity that is a sum.

In `net = w1*x1 + w2*x2 - b` that of `w1` is `x1`, and that of `b` is -1.  It is the
local derivative, read off the terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.graph.node import Node
from chainrule.graph.passes.demand import Asked
from chainrule.graph.passes.unroll import entry_rows
from chainrule.primitives import CONSTANT, VARIABLE, Linear, Pointwise
from chainrule.primitives.record import Rows

__all__ = ["Coefficient", "Coefficients", "Entry"]

Entry = tuple[Node, int]
"""An entry of an array node, by its flat index."""

Coefficient = Entry | float
"""The entry of another quantity, or 1 or -1."""

SIGNS = {"1": 1.0, "-1": -1.0}
"""The slopes of sums and differences."""


class Coefficients:
    """The coefficients of the leaf entries `asked` in quantities that use them."""

    def __init__(self, labels: Mapping[Node, Sequence[str]], asked: Asked) -> None:
        self._labels = labels
        self._asked = asked
        self._rows: dict[Node, Rows | None] = {}
        self._source: dict[Entry, Entry | None] = {}

    def of(self, node: Node, flat: int) -> dict[Entry, Coefficient] | None:
        """Each asked entry's coefficient in one entry of a quantity.

        None where the quantity is not such a sum, or has an entry twice.
        """
        if node.fold is not None or self.source(node, flat) != (node, flat):
            return None
        found: list[tuple[Entry, Coefficient]] = []
        parts = [(node, flat, 1.0)]
        while parts:
            at, place, sign = parts.pop()
            if at.primitive is CONSTANT or (at is not node and at in self._labels):
                if self._is_asked((at, place)):
                    found.append(((at, place), sign))
            elif isinstance(at.primitive, Pointwise):
                if not SIGNS.keys() >= set(at.primitive.slopes):
                    return None
                signs = [SIGNS[str(slope)] for slope in at.primitive.slopes]
                parts.extend(
                    (item, place, sign * own) for item, own in zip(at.inputs, signs, strict=True)
                )
            elif not self._terms(at, place, sign, parts, found):
                return None
        coefficients = dict(found)
        return coefficients if len(coefficients) == len(found) else None

    def _terms(self, at: Node, place: int, sign: float, parts: list[Any], found: list[Any]) -> bool:
        """Take the terms of a linear step apart; whether each is a bare entry or a product."""
        rows = self._of_step(at)
        if rows is None or not isinstance(at.primitive, Linear):
            return False
        for term in rows[place]:
            if len(term) == 1:
                ((operand, flat),) = term
                parts.append((at.inputs[operand], flat, sign))
                continue
            if len(term) > 2:
                return False
            (first, i), (second, j) = term
            left, right = (
                self._source_of(at.inputs[first], i),
                self._source_of(at.inputs[second], j),
            )
            if left is None or right is None:
                return False
            for own, other in ((left, right), (right, left)):
                if self._is_asked(own):
                    if sign < 0:
                        return False
                    found.append((own, other))
        return True

    def _is_asked(self, entry: Entry) -> bool:
        own = self._asked.get(entry[0])
        return own is not None and entry[1] in own

    def _source_of(self, node: Node, flat: int) -> Entry | None:
        return (node, flat) if node.primitive is VARIABLE else self.source(node, flat)

    def source(self, node: Node, flat: int) -> Entry | None:
        """The quantity or leaf that an entry is, looked for through steps that only move it."""
        if (node, flat) not in self._source:
            found: Entry | None = None
            at, place = node, flat
            while True:
                if at.primitive is CONSTANT:
                    found = None
                elif at in self._labels:
                    found = (at, place)
                rows = self._of_step(at)
                terms = [] if rows is None else rows[place]
                if len(terms) != 1 or len(terms[0]) != 1:
                    break
                ((operand, place),) = terms[0]
                at = at.inputs[operand]
            self._source[node, flat] = found
        return self._source[node, flat]

    def _of_step(self, node: Node) -> Rows | None:
        if node not in self._rows:
            self._rows[node] = entry_rows(node) if node.inputs else None
        return self._rows[node]
