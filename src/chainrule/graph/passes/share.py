"""Share: equal expressions are one node.  That is how the δ's come to be shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.graph.node import Node

__all__ = ["Shared"]


class Shared:
    """The nodes made so far, by their structure.

    A named node is always a new one, since two quantities may have equal
    formulas; but it serves later requests for the same unnamed expression, so
    that a formula speaks of a quantity instead of spelling it out again.
    """

    def __init__(self) -> None:
        self._nodes: dict[Any, Node] = {}

    def node(self, structure: Any, make: Callable[[], Node], named: bool = False) -> Node:
        """The node of that structure: the one there is, or the one that `make` makes."""
        known = self._nodes.get(structure)
        if known is not None and not named:
            return known
        made = make()
        if known is None or known.name is None:
            self._nodes[structure] = made
        return made
