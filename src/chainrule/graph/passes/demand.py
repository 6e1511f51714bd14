"""Demand: which entries of an array graph a derivation makes scalar, and which it takes as given.

Of a large network only the way from the entries that are asked for to the loss is
spelt out.  A quantity beside the way stands in a formula by its name, and its number
is that of a run of the arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from chainrule.graph.node import Node, topological
from chainrule.graph.passes.unroll import entry_rows, fold_rows, row_entries
from chainrule.primitives import CONSTANT, VARIABLE, Linear, Pointwise, Select
from chainrule.primitives.record import Rows

__all__ = ["Asked", "Demand", "demand", "depending_entries", "users"]

Asked = Mapping[Node, Set[int]]
"""Entries of array nodes, by their flat indices."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The entries of each node that are made, in order; those of them that are given.

    `size` is how many scalar steps that makes, about.
    """

    entries: Mapping[Node, list[int]]
    given: Mapping[Node, frozenset[int]]
    size: int


def demand(
    outputs: list[Node],
    labels: Mapping[Node, Sequence[str]],
    roots: Asked,
    asked: Asked,
    limit: int,
) -> Demand:
    """What `roots` need of the graph of `outputs` to be differentiated by the entries `asked`.

    It stops where more than `limit` scalar steps are needed: `size` is then above it.
    """
    search = _Search(outputs, labels, asked)
    for node, entries in roots.items():
        search.wanted[node].update(entries)
    size = 0
    for node in reversed(search.order):
        if node.fold is not None and node.fold.composite.jacobian is not None:
            search.want_rows(node)
        size += search.want_operands(node, roots.get(node, frozenset()), limit - size)
        if size > limit:
            break
    return Demand(
        {node: sorted(entries) for node, entries in search.wanted.items()},
        {node: frozenset(entries) for node, entries in search.given.items()},
        size,
    )


class _Search:
    """The walk from the roots back to the leaves."""

    def __init__(
        self, outputs: list[Node], labels: Mapping[Node, Sequence[str]], asked: Asked
    ) -> None:
        self.order = topological(outputs)
        self.labels = labels
        self.depends = depending_entries(self.order, asked)
        self.wanted: dict[Node, set[int]] = {node: set() for node in self.order}
        self.given: dict[Node, set[int]] = {node: set() for node in self.order}
        self.opened: set[Node] = set()
        self._rows: dict[Node, Rows | None] = {}

    def want_rows(self, node: Node) -> None:
        """A composite on the way is read by its Jacobian: of whole rows, and of steps inside."""
        assert node.fold is not None
        rows = fold_rows(node)
        width = math.prod(node.shape) // rows
        on_the_way = {flat // width for flat in self.wanted[node] if self._depends(node, flat)}
        for row in on_the_way:
            for part in (node, *node.fold.operands):
                self.wanted[part].update(row_entries(part, rows, row))
        if on_the_way:
            inside = topological([node], node.fold.operands.__contains__)
            self.opened.update(set(inside) - {node, *node.fold.operands})

    def want_operands(self, node: Node, roots: Set[int], most: int) -> int:
        """Hand on what the wanted entries of a node are made of; how many steps they are."""
        size = 0
        for flat in self.wanted[node]:
            if node.primitive is VARIABLE:
                size += 1
            elif (
                flat not in roots
                and node not in self.opened
                and not self._depends(node, flat)
                and self._is_named(node, flat)
            ):
                self.given[node].add(flat)
                size += 1
            else:
                size += self._want(node, flat)
            if size > most:
                break
        return size

    def _want(self, node: Node, flat: int) -> int:
        rows = self._terms(node)
        if rows is None:
            for item in node.inputs:
                self.wanted[item].add(flat)
            return 1
        factors = [factor for term in rows[flat] for factor in term]
        for operand, place in factors:
            self.wanted[node.inputs[operand]].add(place)
        return len(factors)

    def _terms(self, node: Node) -> Rows | None:
        if node not in self._rows:
            self._rows[node] = entry_rows(node)
        return self._rows[node]

    def _depends(self, node: Node, flat: int) -> bool:
        mask = self.depends.get(node)
        return mask is not None and bool(mask.flat[flat])

    def _is_named(self, node: Node, flat: int) -> bool:
        """Whether the entry is a quantity of its own, and not another one's under a second name."""
        if node not in self.labels:
            return False
        while True:
            terms = None if (rows := self._terms(node)) is None else rows[flat]
            if terms is None or len(terms) != 1 or len(terms[0]) != 1:
                return terms != []
            ((operand, flat),) = terms[0]
            node = node.inputs[operand]
            if node in self.labels or node.primitive is CONSTANT:
                return False


def depending_entries(order: Iterable[Node], asked: Asked) -> dict[Node, Any]:
    """Which entries of the nodes of `order` (inputs first) use asked ones, directly or not.

    Shapes: each mask has the shape of its node.
    """
    import numpy

    using: dict[Node, Any] = {}
    masks: dict[Node, Any] = {}
    for node in order:
        mask = _passed_on(node, masks)
        if mask is not None:
            using[node] = masks[node] = mask
        if node in asked:
            own = _mask(node, asked[node])
            masks[node] = own if mask is None else numpy.maximum(own, mask)
    return using


def users(
    order: Iterable[Node], labels: Mapping[Node, Sequence[str]], asked: Asked
) -> dict[Node, list[int]]:
    """The entries of quantities in whose own formulas the leaf entries `asked` stand."""
    import numpy

    found: dict[Node, list[int]] = {}
    masks = {node: _mask(node, entries) for node, entries in asked.items()}
    for node in order:
        mask = _passed_on(node, masks)
        if mask is None:
            continue
        if node in labels:
            found[node] = numpy.flatnonzero(mask).tolist()
        else:
            masks[node] = mask
    return found


def _mask(node: Node, entries: Set[int]) -> Any:
    import numpy

    mask = numpy.zeros(node.shape)
    mask.flat[list(entries)] = 1.0
    return mask


def _passed_on(node: Node, masks: Mapping[Node, Any]) -> Any:
    """1 at the entries of a step that an entry of an operand, 1 in its mask, feeds; or None."""
    import numpy

    primitive, mask = node.primitive, None
    for place, item in enumerate(node.inputs):
        if item not in masks:
            continue
        if isinstance(primitive, Pointwise):
            own = masks[item]
        else:
            assert isinstance(primitive, Linear | Select)
            operands = [numpy.ones(other.shape) for other in node.inputs]
            operands[place] = masks[item]
            own = primitive.kernel(*operands, **node.attributes)
            if len(operands) > 1:  # less what the others give without it
                operands[place] = numpy.zeros(item.shape)
                own = own - primitive.kernel(*operands, **node.attributes)
        mask = own if mask is None else numpy.maximum(mask, own)
    return None if mask is None else (mask != 0) * 1.0
