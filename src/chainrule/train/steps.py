"""Steps of gradient descent on a model, with the loss followed on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.differentiate.chain import Chain
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.engines.descent import Descent, array_descent, scalar_descent
from chainrule.errors import Fault, InputError, NumericError
from chainrule.graph.build import Builder
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node
from chainrule.train.history import MOST_FOLLOWED, History, Read, Recorder, steepest

__all__ = ["STEP_SCHEMA", "Steps", "needed_rate", "take_steps"]

STEP_SCHEMA = "chainrule.step/1"


@dataclass(frozen=True)
class Steps:
    """What some steps did.

    `losses` holds the loss before each step and after the last one; `model` has
    the new parameters; `history`, where it was asked for, has those on the way.
    """

    model: Model
    before: Model
    order: Order
    losses: tuple[float, ...]
    engine: str
    history: History | None = None

    @property
    def count(self) -> int:
        """How many steps were taken."""
        return len(self.losses) - 1

    @property
    def parameters(self) -> dict[str, float]:
        """The trained parameters after the last step, by name."""
        return {
            name: value
            for leaf in self.model.leaves
            if leaf.trained
            for name, value in leaf.entries
        }

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.step/1`."""
        return {
            "schema": STEP_SCHEMA,
            "model": self.model.title,
            "steps": self.count,
            "order": self.order,
            "learning_rate": self.model.learning_rate,
            "engine": self.engine,
            "loss": {"before": self.losses[0], "after": self.losses[-1]},
            "parameters": self.parameters,
        }


def needed_rate(model: Model) -> float:
    """The learning rate. Raises: InputError when the model gives none."""
    if model.learning_rate is None:
        raise InputError(
            Fault(
                "ValueError",
                "the model gives no learning rate",
                needs="a number to multiply the gradient by",
                hint="learning_rate = 0.1 in the file, or --set learning_rate=0.1",
            )
        )
    return model.learning_rate


def take_steps(
    model: Model,
    count: int = 1,
    order: Order | None = None,
    progress: Callable[[int, float], None] | None = None,
    follow: bool = False,
) -> Steps:
    """`count` steps of gradient descent.

    `progress(step, loss)` is called before each step.  With `follow` the
    parameters are followed on the way.  Raises: InputError without a learning
    rate or without trained parameters; NumericError when the loss or a parameter
    stops being finite.
    """
    rate = needed_rate(model)
    chosen: Order = order or model.order
    if not model.trained:
        raise InputError(
            Fault("ValueError", "no parameter is trained", needs="at least one to update")
        )
    scalar = reference.takes(model)
    descent, values, name_of = (_scalar if scalar else _arrays)(model, rate, chosen)
    recorder = _recorder(model, descent, values, count, scalar) if follow else None
    losses: list[float] = []
    for number in range(count):
        if recorder is not None:
            recorder.record(number, values)
        loss, _, changed = descent.step(values)
        losses.append(float(loss))
        if progress is not None:
            progress(number, float(loss))
        values.update(changed)
        _check_finite(f"step {number + 1}", float(loss), changed, name_of)
    losses.append(float(descent.evaluate(values)))
    _check_finite(f"after step {count}", losses[-1], {}, name_of)
    if recorder is not None:
        recorder.record(count, values)
    changed_leaves = _collected(model, values, scalar)
    return Steps(
        model.with_leaves(changed_leaves),
        model,
        chosen,
        tuple(losses),
        "reference" if scalar else "numpy",
        None if recorder is None else recorder.history(),
    )


Prepared = tuple[Descent, dict[Node, Any], Callable[[Node], str]]


def _scalar(model: Model, rate: float, order: Order) -> Prepared:
    unrolled = model.unrolled
    parameters = [
        node for leaf in model.leaves if leaf.trained for node in unrolled.entries[leaf.node]
    ]
    chain = Chain(unrolled, unrolled.entries[model.loss][0], parameters)
    symbol = unrolled.op.variable(model.learning_rate_name)
    values: dict[Node, Any] = {**reference.leaf_values(model), symbol: rate}
    return scalar_descent(chain, parameters, symbol, order), values, lambda node: node.name or ""


def _arrays(model: Model, rate: float, order: Order) -> Prepared:
    symbol = Builder().variable(model.learning_rate_name)
    values = {**arrays.leaf_arrays(model), symbol: rate}
    names = {leaf.node: leaf.labels[0] for leaf in model.leaves}
    return array_descent(model, symbol, order), values, lambda node: f"{names[node]}, ..."


def _recorder(
    model: Model, descent: Descent, values: dict[Node, Any], count: int, scalar: bool
) -> Recorder:
    names: Sequence[str] = model.trained
    total = len(names)
    if total > MOST_FOLLOWED:
        _, gradients, _ = descent.step(values)
        names = steepest(names, _reader(model, names, scalar)(gradients))
    return Recorder(names, total, count, _reader(model, names, scalar))


def _reader(model: Model, names: Sequence[str], scalar: bool) -> Read:
    """What looks `names` up among the values of a run."""
    entries = [model.entry_of[name] for name in names]
    places = [(model.leaves[leaf].node, flat) for leaf, flat in entries]
    if scalar:
        nodes = [model.unrolled.entries[leaf][flat] for leaf, flat in places]
        return lambda values: [values[node] for node in nodes]
    return lambda values: [float(values[leaf].ravel()[flat]) for leaf, flat in places]


def _check_finite(
    when: str, loss: float, changed: Mapping[Node, Any], name_of: Callable[[Node], str]
) -> None:
    broken = None if math.isfinite(loss) else "the loss"
    for node, value in changed.items():
        if broken is None and not _is_finite(value):
            broken = name_of(node)
    if broken is not None:
        raise NumericError(
            Fault(
                "NumericError",
                f"{when}: {broken} is no longer a finite number (loss {loss})",
                needs="finite numbers at every step",
                hint="a smaller learning rate: --set learning_rate=...",
            )
        )


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    import numpy

    return bool(numpy.isfinite(value).all())


def _collected(model: Model, values: Mapping[Node, Any], scalar: bool) -> dict[int, list[float]]:
    """The new numbers of the trained leaves, by the leaf's place in the model."""
    changed = {}
    for number, leaf in enumerate(model.leaves):
        if not leaf.trained:
            continue
        if scalar:
            changed[number] = [values[node] for node in model.unrolled.entries[leaf.node]]
        else:
            changed[number] = values[leaf.node].ravel().tolist()
    return changed
