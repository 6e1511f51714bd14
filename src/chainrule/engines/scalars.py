"""The scalar graph that a derivation is read from, and the numbers that are given in it.

A small model is spelt out whole.  Of a large one only the way from what is asked to the
loss is; the quantities beside it are given, with the numbers of an ordered run of the
arrays, which has the reference engine's digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.engines import ordered, reference
from chainrule.engines.numpy import leaf_arrays
from chainrule.graph.model import Model
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.demand import Asked
from chainrule.graph.passes.unroll import Unrolled

__all__ = [
    "Scalars",
    "asked_entries",
    "first_non_finite",
    "given_numbers",
    "ordered_arrays",
    "scalars",
]


@dataclass(frozen=True, slots=True)
class Scalars:
    """A scalar graph with the numbers of its variables."""

    unrolled: Unrolled
    given: Mapping[Node, float]

    def leaf(self, model: Model, name: str) -> Node:
        """The scalar leaf of that name."""
        number, flat = model.entry_of[name]
        return self.unrolled.at[model.leaves[number].node][flat]


def scalars(model: Model, names: Iterable[str], closed: bool) -> Scalars:
    """What the loss needs to be differentiated by the leaf entries `names`.

    `closed` asks for the trained entries as well that stand in the same graph.

    Raises: InputError when that is too large to spell out.
    """
    if reference.takes(model):
        return Scalars(model.unrolled, reference.leaf_values(model))
    arrays = ordered_arrays(model)
    asked = asked_entries(model, names)
    roots = {model.loss: {0}} | first_non_finite(model, arrays)
    unrolled = model.unrolled_towards(roots | asked, asked)
    while closed and (beside := _trained_beside(model, unrolled, asked)):
        asked |= {node: asked.get(node, set()) | more for node, more in beside.items()}
        unrolled = model.unrolled_towards(roots | asked, asked)
    return Scalars(unrolled, given_numbers(unrolled, arrays))


def first_non_finite(model: Model, arrays: Mapping[Node, Any]) -> dict[Node, set[int]]:
    """The first quantity that is not a finite number, to be spelt out wherever it lies."""
    import numpy

    for node in topological([model.loss]):
        if node in model.labels:
            (found,) = numpy.nonzero(~numpy.isfinite(numpy.ravel(arrays[node])))
            if len(found):
                return {node: {int(found[0])}}
    return {}


def _trained_beside(model: Model, unrolled: Unrolled, asked: Asked) -> dict[Node, set[int]]:
    """The trained leaf entries in the graph that are not asked for."""
    beside = {
        leaf.node: unrolled.at[leaf.node].keys() - asked.get(leaf.node, set())
        for leaf in model.leaves
        if leaf.trained
    }
    return {node: more for node, more in beside.items() if more}


def asked_entries(model: Model, names: Iterable[str]) -> dict[Node, set[int]]:
    """The leaf entries of these names, by their array nodes."""
    asked: dict[Node, set[int]] = {}
    for name in names:
        number, flat = model.entry_of[name]
        asked.setdefault(model.leaves[number].node, set()).add(flat)
    return asked


def ordered_arrays(model: Model) -> dict[Node, Any]:
    """Every array of the model, in the digits of the reference engine."""
    return ordered.run(model.nodes, leaf_arrays(model))


def given_numbers(unrolled: Unrolled, arrays: Mapping[Node, Any]) -> dict[Node, float]:
    """The numbers of the variables of a scalar graph."""
    return {entry: float(arrays[node].flat[flat]) for entry, (node, flat) in unrolled.given.items()}
