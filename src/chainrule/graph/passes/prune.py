"""Prune: what lies between an output and the nodes that are asked about.

A graph is always read from its outputs, so that what no output needs is never
met.  Of what is left, only the nodes that depend on a wanted one have a
derivative; the others are pruned before anything is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from chainrule.graph.node import Node

__all__ = ["depending"]


def depending(order: Iterable[Node], wanted: Set[Node], given: Callable[[Node], bool]) -> set[Node]:
    """The nodes of `order` (inputs first) that are wanted, or use one that is.

    A node for which `given` holds is taken as it is: it depends on nothing.
    """
    kept: set[Node] = set()
    for node in order:
        if node in wanted or (not given(node) and not kept.isdisjoint(node.inputs)):
            kept.add(node)
    return kept
