"""What extracting the common parts saves, in multiplications counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chainrule.differentiate.chain import Chain
from chainrule.graph.node import Node, topological

__all__ = ["Cost", "cost_of"]

COUNTED = ("mul", "div")


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiplications, divisions among them, beyond the forward pass.

    `apart`: each derivative worked out by itself, every path multiplied out;
    `together`: each common part once.
    """

    apart: int
    together: int


def cost_of(chain: Chain, parameters: Iterable[Node]) -> Cost:
    """The count for the derivatives of the loss by `parameters`, as the reference engine runs them.

    No path is enumerated: what a part costs by itself is the sum of what its operands do.
    """
    forward = set(topological([chain.loss]))
    adjoints = [chain.adjoint[node] for node in parameters if node in chain.adjoint]
    alone: dict[Node, int] = {}
    together = 0
    for node in topological(adjoints, forward.__contains__):
        if node in forward:
            alone[node] = 0
            continue
        own = node.primitive.name in COUNTED
        together += own
        alone[node] = own + sum(alone[item] for item in node.inputs)
    return Cost(sum(alone[node] for node in adjoints), together)
