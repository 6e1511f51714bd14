"""Unroll: an array graph becomes a scalar graph, entry by entry.

Pointwise steps are repeated for every entry, linear steps are spelt out as the
sums that their terms say, steps that only move entries vanish.  The names of
entries become the names of scalar quantities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule.graph.build import Builder
from chainrule.graph.node import Node, topological
from chainrule.primitives import CONSTANT, VARIABLE, Composite, Linear, Pointwise, Select
from chainrule.primitives.linear import sum_terms

__all__ = ["ScalarFold", "Unrolled", "unroll", "unrolled_size"]


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
    """A scalar graph: the entries of each array node, and the composites among them."""

    op: Builder
    entries: dict[Node, list[Node]] = field(default_factory=dict)
    folds: dict[Node, ScalarFold] = field(default_factory=dict)


def unrolled_size(outputs: list[Node]) -> int:
    """How many scalar steps `unroll` would make, about; nothing is allocated."""
    total = 0
    for node in topological(outputs):
        size = math.prod(node.shape)
        if node.primitive.name in ("matmul", "linear"):
            total += 2 * size * node.inputs[0].shape[1]
        elif node.primitive.name in ("sum", "max"):
            total += math.prod(node.inputs[0].shape)
        else:
            total += size
    return total


def entry_labels(node: Node) -> tuple[str, ...] | None:
    """The names of a node's entries: its labels, or its name with the index, or None."""
    if node.labels is not None or node.name is None:
        return node.labels
    if node.shape == ():
        return (node.name,)
    labels = []
    for flat in range(math.prod(node.shape)):
        index = []
        for size in reversed(node.shape):
            flat, position = divmod(flat, size)
            index.append(str(position))
        labels.append(f"{node.name}[{','.join(reversed(index))}]")
    return tuple(labels)


def unroll(outputs: list[Node], labels: Mapping[Node, tuple[str, ...]]) -> Unrolled:
    """The scalar graph of `outputs`.

    `labels` names the entries of array nodes (see `passes.name`).
    """
    result = Unrolled(Builder())
    for node in topological(outputs):
        entries = _entries(result, node, labels.get(node))
        result.entries[node] = entries
        if node.fold is not None and node.fold.composite.jacobian is not None:
            _note_fold(result, node, entries)
    return result


def _entries(result: Unrolled, node: Node, labels: tuple[str, ...] | None) -> list[Node]:
    op = result.op
    op.origin = node.origin
    primitive = node.primitive
    if primitive is VARIABLE:
        assert labels is not None
        return [op.variable(label) for label in labels]
    if primitive is CONSTANT:
        return [op.constant(node.attributes["value"])]
    operands = [result.entries[item] for item in node.inputs]
    if isinstance(primitive, Pointwise):
        entries = [op.apply(primitive.name, *row) for row in zip(*operands, strict=True)]
    elif isinstance(primitive, Linear) and primitive.terms is not None:
        shapes = [item.shape for item in node.inputs]
        entries = [_sum(op, operands, terms) for terms in primitive.terms(shapes, node.attributes)]
    elif isinstance(primitive, Select) and primitive.pairwise:
        groups = _groups(node)
        entries = [_reduce(op, primitive.pairwise, [operands[0][i] for i in row]) for row in groups]
    else:
        entries = _moved(op, node, operands)
    if labels is None:
        return entries
    return [_named(result, entry, label) for entry, label in zip(entries, labels, strict=True)]


def _named(result: Unrolled, entry: Node, label: str) -> Node:
    """The entry under its name; what was known of it as a composite's result stays known."""
    named = result.op.named(entry, label)
    fold = result.folds.get(entry)
    if fold is not None:
        result.folds[named] = fold
        fold.results[fold.place] = named
    return named


def _sum(op: Builder, operands: list[list[Node]], terms: Any) -> Node:
    total: Node | None = None
    for term in terms:
        product: Node | None = None
        for operand, flat in term:
            factor = operands[operand][flat]
            product = factor if product is None else op.mul(product, factor)
        assert product is not None
        total = product if total is None else op.add(total, product)
    return op.constant(0.0) if total is None else total


def _groups(node: Node) -> list[list[int]]:
    """For each entry of a reduction's result, the flat operand entries that feed it."""
    terms = sum_terms([node.inputs[0].shape], node.attributes)
    return [[flat for ((_, flat),) in row] for row in terms]


def _reduce(op: Builder, pairwise: str, row: list[Node]) -> Node:
    total = row[0]
    for entry in row[1:]:
        total = op.apply(pairwise, total, entry)
    return total


def _moved(op: Builder, node: Node, operands: list[list[Node]]) -> list[Node]:
    """A step that only moves entries, by running its kernel on the entries' numbers."""
    import numpy

    numbered, pool = [], [op.constant(0.0)]
    for item, entries in zip(node.inputs, operands, strict=True):
        numbers = numpy.arange(len(pool), len(pool) + len(entries)).reshape(item.shape)
        numbered.append(numbers)
        pool.extend(entries)
    assert isinstance(node.primitive, Linear)
    moved = node.primitive.kernel(*numbered, **node.attributes)
    return [pool[number] for number in moved.ravel().tolist()]


def _note_fold(result: Unrolled, node: Node, entries: list[Node]) -> None:
    """Composites work on the last axis of their operands, one row of the result each."""
    assert node.fold is not None
    rows = max(1, math.prod(node.fold.operands[0].shape[:-1]))
    per_row = len(entries) // rows
    for row in range(rows):
        results = entries[row * per_row : (row + 1) * per_row]
        operands = []
        for operand in node.fold.operands:
            flat = result.entries[operand]
            width = len(flat) // rows
            operands.append(tuple(flat[row * width : (row + 1) * width]))
        for place, entry in enumerate(results):
            result.folds[entry] = ScalarFold(node.fold.composite, results, place, tuple(operands))
