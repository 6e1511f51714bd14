"""The workings behind an explanation: a model differentiated towards what is asked, run once.

This is where the rooms of the house meet: the chain (differentiate), its numbers
(engines), their reading (explanation), one update and the check (verify).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.differentiate.chain import Chain
from chainrule.differentiate.update import distance_from_loss
from chainrule.engines import reference
from chainrule.engines.descent import scalar_descent
from chainrule.engines.gradient import gradient
from chainrule.engines.scalars import scalars
from chainrule.explanation.derivation import Derivation, Derivations, Line, Update
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import (
    Values,
    non_finite,
    raise_non_finite,
    values_of,
)
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.unroll import quantities
from chainrule.graph.trace import Trace
from chainrule.verify.framework import FrameworkCheck

__all__ = ["Workings", "checks_of", "ends"]

MOST_CHECKED = 500
"""Derivations that are checked one by one; of more, as many are drawn, and directions added."""


class Workings:
    """The chain from the loss to the leaf entries `names`, with the numbers of one run.

    Raises: NumericError where a quantity or a derivative is not finite.
    """

    def __init__(self, model: Model, names: Sequence[str], order: Order) -> None:
        self.model = model
        self.order = order
        # A sequential update is computed with other parameters' new values, and so with
        # their gradients: those of all that stand in the graph.
        updates_all = order == "sequential" and model.learning_rate is not None
        self.scalars = scalars(model, names, closed=updates_all)
        unrolled = self.scalars.unrolled
        self.asked = [self.scalars.leaf(model, name) for name in names]
        others = [
            node
            for leaf in model.leaves
            if leaf.trained and updates_all
            for node in unrolled.entries[leaf.node]
        ]
        loss = unrolled.at[model.loss][0]
        self.chain = Chain(unrolled, loss, dict.fromkeys([*self.asked, *others]))
        self.trace = self._run()
        self.framework = FrameworkCheck(model)

    def _run(self) -> Trace:
        """The numbers of the forward pass and of every derivative."""
        chain = self.chain
        values = reference.run([chain.loss], self.scalars.given)
        raise_non_finite(self.scalars.unrolled, self.model.loss, Trace(values))
        uses = [use for group in chain.uses.values() for use in group]
        derivatives = [
            *chain.adjoint.values(),
            *(derivative for _, derivative in uses),
            *(chain.share(*use) for use in uses),
        ]
        return Trace(reference.run(derivatives, values))

    def explanation(self, checked: bool = True) -> Explanation:
        """Everything that was asked, each with its update and, if `checked`, its check."""
        model, reader = self.model, Derivations(self.chain, self.trace)
        derivations = [reader.derive(node) for node in self.asked]
        shared = reader.shared(derivations)
        _raise_non_finite_derivative(shared, derivations)
        updates = self._updates()
        gradient = {item.parameter: item.gradient for item in derivations}
        checks = checks_of(model, gradient, list(gradient)) if checked else {}
        rate = model.learning_rate
        return Explanation(
            model,
            reader.loss,
            self.trace[self.chain.loss],
            self.order,
            tuple(
                dataclasses.replace(
                    item,
                    update=updates.get(item.parameter),
                    checks=self._checks(item, checks),
                )
                for item in derivations
            ),
            tuple(shared),
            self.trace.by_name | ({} if rate is None else {model.learning_rate_name: rate}),
        )

    def _checks(
        self, item: Derivation, checks: Mapping[str, Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """The check of one derivation, with the framework's own where the model came from one."""
        own = checks.get(item.parameter, {})
        leaf, flat = self.model.entry_of[item.parameter]
        node = self.model.leaves[leaf].node
        framework = self.framework.of(node, flat, item.gradient) if checks else {}
        return {**own, "framework": framework} if framework else own

    def values(self) -> Values:
        """The forward pass, as far as it is spelt out."""
        unrolled = self.scalars.unrolled
        nodes = quantities(unrolled, [self.model.loss])
        return values_of(self.model, unrolled, nodes, self.trace)

    def worth_showing(self) -> tuple[str, ...]:
        """A parameter nearest to the loss and one farthest from it, of those with most to show.

        That is a weight rather than a bias, a gradient that is not zero, and several
        paths.  They are the same where there is no other.
        """
        chain, reader = self.chain, Derivations(self.chain, self.trace)
        depth = {chain.loss: 0}
        for quantity in chain.adjoint:  # from the loss on
            if quantity is not chain.loss:
                depth[quantity] = 1 + max(depth[use] for use, _ in chain.uses[quantity])

        def shows(node: Node) -> tuple[bool, bool, bool]:
            derivation = reader.derive(node)
            weighs = any(constant_value(local) is None for _, local in chain.uses.get(node, ()))
            return weighs, derivation.gradient != 0, bool(derivation.contributions)

        reached = [node for node in self.asked if node in depth] or self.asked
        nearest = max(reached, key=lambda node: (-depth.get(node, 0), shows(node)))
        farthest = max(reached, key=lambda node: (depth.get(node, 0), shows(node)))
        return tuple(dict.fromkeys(node.name or "" for node in (nearest, farthest)))

    def _updates(self) -> dict[str, Update]:
        """One step on each asked parameter that is trained, by name."""
        model, chain = self.model, self.chain
        if model.learning_rate is None:
            return {}
        rate = chain.op.variable(model.learning_rate_name)
        trained = set(model.trained)
        parameters = [node for node in chain.wrt if node.name in trained]
        descent = scalar_descent(chain, parameters, rate, self.order)
        gradients, changed = descent.update({**self.trace.values, rate: model.learning_rate})
        return {
            node.name or "": Update(
                node.name or "",
                f"d{chain.loss.name}_d{node.name}",
                model.learning_rate_name,
                self.trace[node],
                model.learning_rate,
                gradients[node],
                changed[node],
                descent.updated_before(node),
            )
            for node in self.asked
            if node in changed
        }


def checks_of(
    model: Model, gradient: Mapping[str, float], names: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """The independent derivatives of each entry of a gradient, by name."""
    from chainrule.verify.report import as_json, check_gradient

    report = check_gradient(model, gradient, names, MOST_CHECKED)
    checks: dict[str, Mapping[str, Any]] = {}
    if report.directions:
        verdict = "agrees" if report.passed else "disagrees"
        fields = {"method": "random directions", "verdict": verdict}
        checks = dict.fromkeys(names, fields)
    for item in report.entries:
        fields = as_json(item)
        del fields["parameter"], fields["gradient"]
        checks[item.parameter] = fields
    return checks


def _raise_non_finite_derivative(shared: Sequence[Line], derivations: Sequence[Derivation]) -> None:
    lines = list(shared)
    for item in derivations:
        lines.extend(item.factors)
        if item.result is not None:
            lines.append(item.result)
    error = non_finite(lines)
    if error is not None:
        raise error


def ends(model: Model) -> list[str]:
    """Of a trained array nearest to the loss and of one farthest from it, the steepest entry.

    Tables of weights are taken, where there are any, rather than biases.
    """
    leaves = [leaf for leaf in model.leaves if leaf.trained]
    tables = [leaf for leaf in leaves if len(leaf.node.shape) > 1]
    trained = {leaf.node: leaf.labels for leaf in tables or leaves}
    distance = distance_from_loss(model.loss, trained)
    steepness = gradient(model).entries
    both = (min(trained, key=distance.__getitem__), max(trained, key=distance.__getitem__))
    steepest = (max(trained[node], key=lambda name: abs(steepness[name])) for node in both)
    return list(dict.fromkeys(steepest))
