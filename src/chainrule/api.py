"""What chainrule does, as functions: load, show, explain, step, check.

Each command of the command line is one of these and a way to print its answer.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from chainrule.differentiate.chain import Chain
from chainrule.engines import reference
from chainrule.errors import Fault, InputError, NumericError
from chainrule.explanation.derivation import Derivation, Derivations, Line, Update
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import Values, is_saturated, non_finite, quantities
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node
from chainrule.graph.trace import Trace

if TYPE_CHECKING:
    from chainrule.frontends.expression import Expression
    from chainrule.train.steps import Steps
    from chainrule.verify.report import Report

__all__ = ["check", "explain", "load", "show", "step", "updated_text"]

MOST_CHECKED = 500
"""Derivations that are checked one by one; of more, as many are drawn, and directions added."""


def load(
    model: str | os.PathLike[str],
    *,
    loss: str | None = None,
    trained: Sequence[str] | None = None,
    values: Mapping[str, float] | None = None,
) -> Model:
    """A model from a file, from standard input (`-`), or a shipped example by its name.

    `loss` and `trained` choose the loss and the trained parameters of a file of
    equations; `values` overrides numbers by name.

    Raises: InputError with every fault of the file.

    Example:
        >>> load("seed").learning_rate
        0.5
    """
    from chainrule.frontends.files import read

    source = read(model)
    if source.kind == "equations":
        from chainrule.frontends.equations import parse_equations

        loaded = parse_equations(source, loss=loss, trained=trained)
    else:
        from chainrule.frontends.network import load_network

        if loss is not None or trained is not None:
            raise InputError(
                Fault(
                    "OptionError",
                    "a network file says itself what its loss is and what it trains",
                    needs="--loss and --train with a file of equations only",
                )
            )
        loaded = load_network(source)
    loaded = dataclasses.replace(loaded, rewrite=_only_changes(loaded))
    return loaded.with_values(values) if values else loaded


def _only_changes(loaded: Model) -> Callable[[Mapping[str, float]], str]:
    """The model's `rewrite`, for the numbers that are no longer those of the file."""
    rewrite = loaded.rewrite
    assert rewrite is not None
    written = loaded.numbers
    return lambda values: rewrite(
        {name: value for name, value in values.items() if value != written[name]}
    )


def _model(given: Model | Expression) -> Model:
    """A model as it is, an expression as the loss of one, in a form whose loss is finite.

    A cross-entropy of an output that rounds to 0 or 1 is infinite in steps where
    it is finite in mathematics; its stable form is taken then.
    """
    if not isinstance(given, Model):
        from chainrule.frontends.expression import model

        return model(given)
    stable = given.in_stable_form()
    return given if stable is None or math.isfinite(_loss(given)) else stable


def _loss(model: Model) -> float:
    if reference.takes(model):
        loss = model.unrolled.entries[model.loss][0]
        return float(reference.run([loss], reference.leaf_values(model))[loss])
    from chainrule.engines import numpy as arrays

    return float(arrays.run([model.loss], arrays.leaf_arrays(model))[model.loss])


def show(model: Model | Expression) -> Values:
    """Every quantity of the forward pass, with its formula and its number."""
    model = _model(model)
    unrolled = model.unrolled
    nodes = quantities(unrolled, model.outputs)
    trace = Trace(reference.run(nodes, reference.leaf_values(model)))
    lines = tuple(Line(node.name or "", node, trace) for node in nodes)
    given = tuple(
        (label, leaf.role, value) for leaf in model.leaves for label, value in leaf.entries
    )
    saturated = tuple(node.name or "" for node in nodes if is_saturated(unrolled, node, trace))
    loss = unrolled.entries[model.loss][0].name or ""
    return Values(model.title, loss, given, lines, saturated, model.conventions)


def explain(
    model: Model | Expression,
    parameters: str | Sequence[str] | None = None,
    *,
    order: Order | None = None,
    checked: bool = True,
) -> Explanation:
    """The derivations of `parameters` (default: all that are trained).

    Any given number may be asked for: inputs and targets too.

    Raises: InputError for an unknown name; NumericError where a quantity or a
    derivative is not finite.
    """
    model = _model(model)
    chosen: Order = order or model.order
    names = _resolved(model, [parameters] if isinstance(parameters, str) else parameters)
    unrolled = model.unrolled
    node_of = {
        label: node
        for leaf in model.leaves
        for label, node in zip(leaf.labels, unrolled.entries[leaf.node], strict=True)
    }
    loss = unrolled.entries[model.loss][0]
    asked = [node_of[name] for name in names]
    # A sequential update needs the gradients of all parameters, even to explain one.
    others = model.trained if chosen == "sequential" and model.learning_rate is not None else ()
    chain = Chain(unrolled, loss, dict.fromkeys([*asked, *(node_of[name] for name in others)]))
    trace = _trace(model, chain)
    workings = Derivations(chain, trace)
    derivations = [workings.derive(node) for node in asked]
    shared = workings.shared(derivations)
    _raise_non_finite(shared, derivations)
    updates = (
        _updates(model, chain, trace, chosen, asked) if model.learning_rate is not None else {}
    )
    checks = _checks(model, derivations) if checked else {}
    return Explanation(
        model.title,
        loss.name or "",
        trace[loss],
        chosen,
        None if model.learning_rate is None else (model.learning_rate_name, model.learning_rate),
        model.conventions,
        tuple(
            dataclasses.replace(
                item,
                update=updates.get(item.parameter),
                checks=checks.get(item.parameter, {}),
            )
            for item in derivations
        ),
        tuple(shared),
    )


def _resolved(model: Model, parameters: Sequence[str] | None) -> list[str]:
    if not parameters:
        return list(model.trained)
    faults: list[Fault] = []
    names: dict[str, None] = {}
    for name in parameters:
        try:
            names[model.resolve(name)] = None
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError(*faults)
    return list(names)


def _trace(model: Model, chain: Chain) -> Trace:
    """The numbers of the forward pass and of every derivative. Raises: NumericError."""
    values = reference.run([chain.loss], reference.leaf_values(model))
    _raise_non_finite_quantity(model, values)
    uses = [use for group in chain.uses.values() for use in group]
    derivatives = [
        *chain.adjoint.values(),
        *(derivative for _, derivative in uses),
        *(chain.share(*use) for use in uses),
    ]
    return Trace(reference.run(derivatives, values))


def _raise_non_finite_quantity(model: Model, values: Mapping[Node, float]) -> None:
    trace = Trace(values)
    nodes = quantities(model.unrolled, [model.loss])
    error = non_finite([Line(node.name or "", node, trace) for node in nodes])
    if error is not None:
        raise error


def _check_forward(model: Model) -> None:
    """Raises: NumericError naming the first quantity of a small model that is not finite.

    A large one is judged by its loss, when it is run.
    """
    if reference.takes(model):
        loss = model.unrolled.entries[model.loss][0]
        _raise_non_finite_quantity(model, reference.run([loss], reference.leaf_values(model)))


def _raise_non_finite(shared: Sequence[Line], derivations: Sequence[Derivation]) -> None:
    lines = list(shared)
    for item in derivations:
        lines.extend(item.factors)
        if item.result is not None:
            lines.append(item.result)
    error = non_finite(lines)
    if error is not None:
        raise error


def _updates(
    model: Model, chain: Chain, trace: Trace, order: Order, asked: Sequence[Node]
) -> dict[str, Update]:
    """One step on each asked parameter that is trained."""
    from chainrule.engines.descent import scalar_descent
    from chainrule.train.steps import needed_rate

    rate = needed_rate(model)
    symbol = chain.op.variable(model.learning_rate_name)
    trained = set(model.trained)
    parameters = [node for node in chain.wrt if node.name in trained]
    descent = scalar_descent(chain, parameters, symbol, order)
    gradients, changed = descent.update({**trace.values, symbol: rate})
    updates = {}
    for node in asked:
        if node in changed:
            name = node.name or ""
            updates[name] = Update(
                name,
                f"d{chain.loss.name}_d{name}",
                model.learning_rate_name,
                trace[node],
                rate,
                gradients[node],
                changed[node],
                descent.updated_before(node),
            )
    return updates


def _checks(model: Model, derivations: Sequence[Derivation]) -> dict[str, dict[str, object]]:
    """The independent derivatives of each derivation's gradient, by parameter."""
    from chainrule.verify.report import as_json, check_gradient

    gradient = {item.parameter: item.gradient for item in derivations}
    report = check_gradient(model, gradient, list(gradient), MOST_CHECKED)
    checks: dict[str, dict[str, object]] = {}
    for item in report.entries:
        fields = as_json(item)
        del fields["parameter"], fields["gradient"]
        checks[item.parameter] = fields
    if report.directions:
        verdict = "agrees" if report.passed else "disagrees"
        for name in gradient:
            checks.setdefault(name, {"method": "random directions", "verdict": verdict})
    return checks


def step(
    model: Model | Expression,
    steps: int = 1,
    *,
    order: Order | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Steps:
    """`steps` steps of gradient descent (see `train.steps.take_steps`)."""
    from chainrule.train.steps import take_steps

    model = _model(model)
    _check_forward(model)
    try:
        return take_steps(model, steps, order, progress)
    except NumericError:
        stable = model.in_stable_form()  # an output may round to 0 or 1 on the way
        if stable is None:
            raise
        return take_steps(stable, steps, order, progress)


def check(model: Model | Expression) -> Report:
    """Every derivative of the trained parameters against independent ones.

    Raises: NumericError where the loss or a derivative is not finite.
    """
    from chainrule.engines.gradient import gradient
    from chainrule.verify.report import check_gradient

    model = _model(model)
    _check_forward(model)
    found = gradient(model)
    for name, value in found.entries.items():
        if not math.isfinite(value):
            raise NumericError(
                Fault(
                    "NumericError",
                    f"the derivative by {name} is {value}",
                    needs="finite numbers",
                    hint=f"`chainrule explain` of {name} names the first factor that is not",
                )
            )
    return check_gradient(model, found.entries, model.trained)


def updated_text(taken: Steps) -> str:
    """The updated model as text, in the format that it came in.

    Raises: InputError for a model that did not come from a file.
    """
    model = taken.model
    if model.rewrite is None:
        raise InputError(
            Fault(
                "OptionError",
                "the model was not read from a file, so it has no format to be written in",
                needs="a model from a TOML, JSON or equations file",
            )
        )
    return model.rewrite(model.numbers)
