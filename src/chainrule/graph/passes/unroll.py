"""Unroll: an array graph becomes a scalar graph, entry by entry.

Pointwise steps are repeated for every entry, linear steps are spelt out as the
sums that their terms say, steps that only move entries vanish.  The names of
entries become the names of scalar quantities.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chainrule.graph.build import Builder
from chainrule.graph.labels import Labels
from chainrule.graph.node import Node, topological
from chainrule.primitives import VARIABLE, Composite, Linear, Pointwise, Select
from chainrule.primitives.linear import sum_terms
from chainrule.primitives.record import Rows, Term

if TYPE_CHECKING:
    from chainrule.graph.passes.demand import Demand

__all__ = ["ScalarFold", "Unrolled", "entry_labels", "quantities", "unroll", "unrolled_size"]


@dataclass(frozen=True, slots=True)
class ScalarFold:
    """One entry of a composite's result: row of results, place in it, rows of operands.

    The row is one list for all its entries, so that an entry which is named later is
    known to the others by its name.
    """

    composite: Composite
    results: list[Node]
    place: int
    operands: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Unrolled:
    """A scalar graph: the entries of each array node, and the composites among them.

    `at[node]` has the entries that were made by their flat index, `entries[node]` the
    same in their order.  `given` says where the number of each scalar variable comes
    from, be it a leaf or a quantity that is taken as given.  `labels` are the names
    of all quantities, made or not.
    """

    op: Builder
    labels: Mapping[Node, Sequence[str]]
    at: dict[Node, dict[int, Node]] = field(default_factory=dict)
    entries: dict[Node, list[Node]] = field(default_factory=dict)
    folds: dict[Node, ScalarFold] = field(default_factory=dict)
    given: dict[Node, tuple[Node, int]] = field(default_factory=dict)


def unrolled_size(outputs: list[Node]) -> int:
    """How many scalar steps `unroll` would make, about; nothing is allocated."""
    total = 0
    for node in topological(outputs):
        size = math.prod(node.shape)
        if node.primitive.name in ("matmul", "batch_matmul", "linear"):
            total += 2 * size * node.inputs[0].shape[-1]
        elif node.primitive.name == "convolution":
            total += 2 * size * math.prod(node.inputs[1].shape[1:])
        elif node.primitive.name == "cumsum":
            total += size * node.shape[node.attributes["axis"]]
        elif node.primitive.name in ("sum", "max", "overlap_add", "scatter_add"):
            total += math.prod(node.inputs[0].shape)
        else:
            total += size
    return total


def entry_labels(node: Node) -> Sequence[str] | None:
    """The names of a node's entries: its labels, or its name with the index, or None."""
    if node.labels is not None or node.name is None:
        return node.labels
    return Labels(node.name, node.shape)


def unroll(
    outputs: list[Node], labels: Mapping[Node, Sequence[str]], demand: Demand | None = None
) -> Unrolled:
    """The scalar graph of `outputs`, or what `demand` says of it.

    `labels` names the entries of array nodes (see `passes.name`).
    """
    result = Unrolled(Builder(), labels)
    for node in topological(outputs):
        wanted = range(math.prod(node.shape)) if demand is None else demand.entries[node]
        taken = frozenset() if demand is None else demand.given[node]
        result.at[node] = _entries(result, node, wanted, taken)
        result.entries[node] = list(result.at[node].values())
        if node.fold is not None and node.fold.composite.jacobian is not None:
            _note_fold(result, node)
    return result


def quantities(unrolled: Unrolled, outputs: list[Node]) -> list[Node]:
    """The named, computed scalar nodes that array nodes `outputs` need, layer by layer."""
    entries = (entry for node in topological(outputs) for entry in unrolled.entries[node])
    return [node for node in dict.fromkeys(entries) if node.name is not None and node.inputs]


def entry_rows(node: Node) -> Rows | None:
    """The operand entries that each entry of a linear or selecting step is made of."""
    primitive = node.primitive
    shapes = [item.shape for item in node.inputs]
    if isinstance(primitive, Select):
        assert primitive.pairwise, f"{primitive.name} is no step of a loss"
        return sum_terms(shapes, node.attributes)
    return primitive.rows(shapes, node.attributes) if isinstance(primitive, Linear) else None


def _entries(
    result: Unrolled, node: Node, wanted: Iterable[int], taken: Set[int]
) -> dict[int, Node]:
    """The wanted entries of a node; of those `taken` as given, the names."""
    result.op.origin = node.origin
    labels = result.labels.get(node)
    make = _maker(result, node)
    made: dict[int, Node] = {}
    for flat in wanted:
        if node.primitive is VARIABLE or flat in taken:
            assert labels is not None
            entry = result.op.variable(labels[flat])
            result.given[entry] = (node, flat)
        else:
            entry = make(flat)
            if labels is not None:
                entry = _named(result, entry, labels[flat])
        made[flat] = entry
    return made


def _maker(result: Unrolled, node: Node) -> Callable[[int], Node]:
    """What makes an entry of the node, by its flat index, from its operands' entries."""
    op, primitive = result.op, node.primitive
    operands = [result.at[item] for item in node.inputs]
    if isinstance(primitive, Pointwise):
        return lambda flat: op.apply(primitive.name, *[item[flat] for item in operands])
    rows = entry_rows(node)
    if rows is None:
        return lambda flat: op.constant(node.attributes["value"])
    if isinstance(primitive, Select):
        return lambda flat: _reduce(op, primitive.pairwise, operands[0], rows[flat])
    return lambda flat: _sum(op, operands, rows[flat])


def _named(result: Unrolled, entry: Node, label: str) -> Node:
    """The entry under its name; what was known of it as a composite's result stays known."""
    named = result.op.named(entry, label)
    fold = result.folds.get(entry)
    if fold is not None:
        result.folds[named] = fold
        fold.results[fold.place] = named
    return named


def _sum(op: Builder, operands: Sequence[Mapping[int, Node]], terms: Iterable[Term]) -> Node:
    total: Node | None = None
    for term in terms:
        product: Node | None = None
        for operand, flat in term:
            factor = operands[operand][flat]
            product = factor if product is None else op.mul(product, factor)
        assert product is not None
        total = product if total is None else op.add(total, product)
    return op.constant(0.0) if total is None else total


def _reduce(op: Builder, pairwise: str, entries: Mapping[int, Node], terms: list[Term]) -> Node:
    row = [entries[flat] for ((_, flat),) in terms]
    return functools.reduce(lambda total, entry: op.apply(pairwise, total, entry), row)


def fold_rows(node: Node) -> int:
    """Composites work on the last axis of their operands: how many rows these have."""
    assert node.fold is not None
    return max(1, math.prod(node.fold.operands[0].shape[:-1]))


def row_entries(node: Node, rows: int, row: int) -> range:
    """The flat indices of a row, of as many as `rows`."""
    width = math.prod(node.shape) // rows
    return range(row * width, (row + 1) * width)


def _note_fold(result: Unrolled, node: Node) -> None:
    """The composites that the node's entries are results of, one for each row that was made."""
    assert node.fold is not None
    rows = fold_rows(node)
    for row in range(rows):
        parts = [
            (result.at[part], row_entries(part, rows, row)) for part in (node, *node.fold.operands)
        ]
        if not all(flat in made for made, own in parts for flat in own):
            continue  # beside the way, where it is not differentiated
        results, *operands = ([made[flat] for flat in own] for made, own in parts)
        for place, entry in enumerate(results):
            result.folds[entry] = ScalarFold(
                node.fold.composite, results, place, tuple(map(tuple, operands))
            )
