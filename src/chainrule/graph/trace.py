"""A trace: the values of one run of a graph."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.graph.node import Node

__all__ = ["Trace"]


@dataclass(frozen=True)
class Trace:
    """The number of every scalar node that was run."""

    values: Mapping[Node, float]

    def __getitem__(self, node: Node) -> float:
        return self.values[node]

    @functools.cached_property
    def by_name(self) -> dict[str, float]:
        """The numbers of the named nodes; no two nodes of a scalar graph share a name."""
        return {node.name: value for node, value in self.values.items() if node.name is not None}
