"""One step of gradient descent, as a node: `w − η · ∂E/∂w`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chainrule.graph.node import Node, topological

__all__ = ["descend", "distance_from_loss"]


def descend(op: Any, parameter: Any, rate: Any, gradient: Any) -> Any:
    """The parameter after the step: a node by a builder, a number by Python's `operator`.

    Source: Cauchy (1847), Comptes Rendus 25, "méthode générale".
    """
    return op.sub(parameter, op.mul(rate, gradient))


def distance_from_loss(loss: Node, parameters: Collection[Node]) -> Mapping[Node, int]:
    """How many steps that use parameters lie between each parameter and the loss.

    It is 0 for one that the loss does not use.

    A sequential update goes by it: the parameters nearest the loss first.
    """
    wanted = set(parameters)
    order = topological([loss])
    distance = dict.fromkeys(order, 0)
    for node in reversed(order):
        step = 1 if any(item in wanted for item in node.inputs) else 0
        for item in node.inputs:
            distance[item] = max(distance[item], distance[node] + step)
    return {parameter: distance.get(parameter, 0) for parameter in parameters}
