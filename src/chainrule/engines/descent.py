"""Gradient descent on a prepared graph, by whichever engine runs it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.differentiate.chain import Chain
from chainrule.differentiate.reverse import reverse
from chainrule.differentiate.update import descend, update_groups
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.engines.program import Program
from chainrule.graph.build import Builder
from chainrule.graph.model import Model
from chainrule.graph.node import Node, topological

__all__ = ["Descent", "Stage", "array_descent", "scalar_descent"]

MakeProgram = Callable[[Iterable[Node], Iterable[Node]], Program]


@dataclass(frozen=True, slots=True)
class Stage:
    """Parameters that are updated together, and what computes their new values."""

    parameters: tuple[Node, ...]
    updated: tuple[Node, ...]
    program: Program


class Descent:
    """Steps of gradient descent.

    A simultaneous step computes every gradient from the old parameters.  A
    sequential one updates the parameters nearest the loss first, and lets the
    gradients farther from it use the new ones; the forward values stay those of
    the step's beginning.
    """

    def __init__(
        self,
        make: MakeProgram,
        op: Builder,
        loss: Node,
        gradients: Mapping[Node, Node],
        rate: Node,
        order: str,
    ) -> None:
        self.loss = loss
        self.rate = rate
        self.gradients = gradients
        self._make = make
        self._known = {*topological([loss]), *gradients, rate}
        self.stages: list[Stage] = []
        for group in update_groups(loss, gradients, order):
            updated = tuple(descend(op, item, rate, gradients[item]) for item in group)
            used = [gradients[item] for item in group]  # of one that is 1, the update says nothing
            program = make([*updated, *used], self._known)
            self.stages.append(Stage(tuple(group), updated, program))

    def step(self, leaves: Mapping[Node, Any]) -> tuple[Any, dict[Node, Any], dict[Node, Any]]:
        """One step: the loss before it, the gradients used, the new parameters."""
        values = self._forward.run(leaves)
        return values[self.loss], *self.update(values)

    def update(self, values: dict[Node, Any]) -> tuple[dict[Node, Any], dict[Node, Any]]:
        """The gradients used and the new parameters, from the values of the forward pass.

        The new parameters replace the old ones in `values`.
        """
        gradients: dict[Node, Any] = {}
        changed: dict[Node, Any] = {}
        for stage in self.stages:
            run = stage.program.run(values)
            for parameter, updated in zip(stage.parameters, stage.updated, strict=True):
                changed[parameter] = run[updated]
                gradients[parameter] = run[self.gradients[parameter]]
            values.update(changed)
        return gradients, changed

    @functools.cached_property
    def _forward(self) -> Program:
        return self._make([self.loss], ())

    def updated_before(self, parameter: Node) -> tuple[str, ...]:
        """The parameters whose new values the gradient of `parameter` is computed with."""
        earlier = self._earlier[parameter]
        if not earlier:
            return ()
        read = topological([self.gradients[parameter]], self._known.__contains__)
        return tuple(node.name or "" for node in read if node in earlier)

    @functools.cached_property
    def _earlier(self) -> dict[Node, frozenset[Node]]:
        """For each parameter, those that are updated before it."""
        found: dict[Node, frozenset[Node]] = {}
        for stage in self.stages:
            found.update(dict.fromkeys(stage.parameters, frozenset(found)))
        return found

    def evaluate(self, leaves: Mapping[Node, Any]) -> Any:
        """The loss alone."""
        return self._forward.run(leaves)[self.loss]


def scalar_descent(chain: Chain, parameters: Iterable[Node], rate: Node, order: str) -> Descent:
    """Descent on scalar `parameters`, by the reference engine; `chain` has their gradients."""
    zero = chain.op.constant(0.0)
    gradients = {node: chain.adjoint.get(node, zero) for node in parameters}
    return Descent(reference.program, chain.op, chain.loss, gradients, rate, order)


def array_descent(
    model: Model, rate: Node, order: str, make: MakeProgram = arrays.program
) -> Descent:
    """Descent on the array graph, by the NumPy engine or by that which `make` is of."""
    op = Builder()
    parameters = [leaf.node for leaf in model.leaves if leaf.trained]
    found = reverse(op, model.loss, parameters)
    gradients = {
        node: found.get(node, op.broadcast(op.constant(0.0), node.shape)) for node in parameters
    }
    return Descent(make, op, model.loss, gradients, rate, order)
