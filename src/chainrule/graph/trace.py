"""A trace: the values of one run of a graph."""

from __future__ import annotations

import math
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

    def first_non_finite(self) -> Node | None:
        """The first node, in the order of the run, that is NaN or infinite."""
        for node, value in self.values.items():
            if not math.isfinite(value):
                return node
        return None
