"""What an engine prepares for steps of gradient descent: numbers, and steps that change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chainrule.differentiate.chain import Chain
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.engines.descent import Descent, array_descent, scalar_descent
from chainrule.graph.build import Builder
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node

__all__ = ["Run", "on_arrays", "on_scalars"]


class Run:
    """Gradient descent that goes on from where it is, step by step, by the engine of `descent`.

    `values` are the numbers of all leaves, scalar ones if `scalar`; `parameters` those that
    steps change.  `most` is how many steps one call should take.
    """

    most = 1

    def __init__(
        self,
        descent: Descent,
        values: dict[Node, Any],
        scalar: bool,
        name_of: Callable[[Node], str],
    ) -> None:
        self.descent, self.values = descent, values
        self.parameters = list(descent.gradients)
        self.scalar = scalar
        self.name_of = name_of

    def advance(self, count: int) -> list[float]:
        """`count` steps; the loss before each."""
        losses = []
        for _ in range(count):
            loss, _, changed = self.descent.step(self.values)
            losses.append(float(loss))
            self.values.update(changed)
        return losses

    def loss(self) -> float:
        """The loss of the numbers as they are."""
        return float(self.descent.evaluate(self.values))

    def gradients(self) -> Mapping[Node, Any]:
        """The gradients that the next step will use."""
        return self.descent.step(self.values)[1]


def on_scalars(model: Model, rate: float, order: Order) -> Run:
    """By the reference engine."""
    unrolled = model.unrolled
    parameters = [
        node for leaf in model.leaves if leaf.trained for node in unrolled.entries[leaf.node]
    ]
    chain = Chain(unrolled, unrolled.entries[model.loss][0], parameters)
    symbol = unrolled.op.variable(model.learning_rate_name)
    values: dict[Node, Any] = {**reference.leaf_values(model), symbol: rate}
    descent = scalar_descent(chain, parameters, symbol, order)
    return Run(descent, values, True, lambda node: node.name or "")


def on_arrays(model: Model, rate: float, order: Order) -> Run:
    """By the NumPy engine."""
    symbol = Builder().variable(model.learning_rate_name)
    values = {**arrays.leaf_arrays(model), symbol: rate}
    names = {leaf.node: leaf.labels[0] for leaf in model.leaves}
    descent = array_descent(model, symbol, order)
    return Run(descent, values, False, lambda node: f"{names[node]}, ...")
