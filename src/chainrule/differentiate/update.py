"""One step of gradient descent, as a node: `w − η · ∂E/∂w`; and which parameters go first."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

from chainrule.graph.node import Node, topological

__all__ = ["descend", "distance_from_loss", "update_groups"]


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


def update_groups(loss: Node, parameters: Collection[Node], order: str) -> list[list[Node]]:
    """The parameters that are updated together, group after group.

    All at once where the order is simultaneous, those nearest the loss first where it is
    sequential.
    """
    if order == "simultaneous":
        return [list(parameters)]
    distance = distance_from_loss(loss, parameters)
    near_first = sorted(parameters, key=distance.__getitem__)
    return [list(group) for _, group in itertools.groupby(near_first, distance.__getitem__)]
