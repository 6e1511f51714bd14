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
    that a formula speaks of a quantity instead of spelling it out again.  The nodes
    of `below` are known too, and nothing is added to them.
    """

    def __init__(self, below: Shared | None = None) -> None:
        self._nodes: dict[Any, Node] = {}
        self._below = below

    def _known(self, structure: Any) -> Node | None:
        known = self._nodes.get(structure)
        if known is None and self._below is not None:
            return self._below._known(structure)
        return known

    def node(self, structure: Any, make: Callable[[], Node], named: bool = False) -> Node:
        """The node of that structure: the one there is, or the one that `make` makes."""
        known = self._known(structure)
        if known is not None and not named:
            return known
        made = make()
        if known is None or known.name is None:
            self._nodes[structure] = made
        return made
