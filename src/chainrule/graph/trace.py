"""A trace: the values of one run of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.graph.node import Node

__all__ = ["Trace"]


@dataclass(frozen=True, slots=True)
class Trace:
    """The number of every scalar node that was run."""

    values: Mapping[Node, float]

    def __getitem__(self, node: Node) -> float:
        return self.values[node]
