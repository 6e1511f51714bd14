"""Merge: steps that are equal become one, also where different builders made them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from chainrule.graph.node import Node, topological
from chainrule.primitives import VARIABLE

__all__ = ["merge"]


def merge(outputs: Iterable[Node]) -> dict[Node, Node]:
    """For every node that `outputs` need, the one that stands for all that are equal to it."""
    known: dict[object, Node] = {}
    merged: dict[Node, Node] = {}
    for node in topological(outputs):
        if node.primitive is VARIABLE:
            merged[node] = node
            continue
        inputs = tuple(merged[item] for item in node.inputs)
        structure = (node.primitive, inputs, repr(sorted(node.attributes.items())))
        if structure not in known:
            known[structure] = dataclasses.replace(node, inputs=inputs)
        merged[node] = known[structure]
    return merged
