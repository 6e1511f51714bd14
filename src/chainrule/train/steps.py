"""Steps of gradient descent on a model, with the loss followed on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.engines.choice import EngineName, prepare
from chainrule.engines.run import Run
from chainrule.errors import Fault, InputError, NumericError
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node
from chainrule.mime import Displayed
from chainrule.train.history import MOST_FOLLOWED, History, Read, Recorder, steepest

__all__ = ["STEP_SCHEMA", "Steps", "check_finite", "needed_rate", "take_steps"]

STEP_SCHEMA = "chainrule.step/1"


@dataclass(frozen=True)
class Steps(Displayed):
    """What some steps did.

    `losses` holds the loss before each step and after the last one; `model` has
    the new parameters; `history`, where it was asked for, has those on the way;
    `reason` says why `engine` ran them.
    """

    model: Model
    before: Model
    order: Order
    losses: tuple[float, ...]
    engine: str
    history: History | None = None
    reason: str = ""

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
    engine: EngineName = "auto",
) -> Steps:
    """`count` steps of gradient descent, by `engine` or the one that suits model and count.

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
    start = prepare(engine, model, rate, chosen, count)
    run = start.run
    recorder = _recorder(model, run, count) if follow else None
    stride = 1 if progress is not None else run.most if recorder is None else recorder.stride
    losses: list[float] = []
    while len(losses) < count:
        if recorder is not None:
            recorder.record(len(losses), run.values)
        found = _advance(run, min(stride, run.most, count - len(losses)), len(losses))
        if progress is not None:
            progress(len(losses), found[0])
        losses += found
    losses.append(run.loss())
    check_finite(f"after step {count}", losses[-1], {}, run.name_of)
    if recorder is not None:
        recorder.record(count, run.values)
    changed_leaves = _collected(model, run)
    return Steps(
        model.with_leaves(changed_leaves),
        model,
        chosen,
        tuple(losses),
        start.engine,
        None if recorder is None else recorder.history(),
        start.reason,
    )


def _advance(run: Run, count: int, done: int) -> list[float]:
    """The loss before each of `count` steps.

    Where numbers stop being finite, the steps are taken again one by one, to say where.
    """
    before = dict(run.values)
    losses = run.advance(count)
    changed = {node: run.values[node] for node in run.parameters}
    if count > 1 and not all(map(_is_finite, [sum(losses), *changed.values()])):
        run.values.update(before)
        return [loss for step in range(count) for loss in _advance(run, 1, done + step)]
    check_finite(f"step {done + count}", losses[-1], changed, run.name_of)
    return losses


def _recorder(model: Model, run: Run, count: int) -> Recorder:
    names: Sequence[str] = model.trained
    total = len(names)
    if total > MOST_FOLLOWED:
        names = steepest(names, _reader(model, names, run.scalar)(run.gradients()))
    return Recorder(names, total, count, _reader(model, names, run.scalar))


def _reader(model: Model, names: Sequence[str], scalar: bool) -> Read:
    """What looks `names` up among the values of a run."""
    entries = [model.entry_of[name] for name in names]
    places = [(model.leaves[leaf].node, flat) for leaf, flat in entries]
    if scalar:
        nodes = [model.unrolled.entries[leaf][flat] for leaf, flat in places]
        return lambda values: [values[node] for node in nodes]
    return lambda values: [float(values[leaf].ravel()[flat]) for leaf, flat in places]


def check_finite(
    when: str, loss: float, changed: Mapping[Node, Any], name_of: Callable[[Node], str]
) -> None:
    """Raises: NumericError naming the loss, or the first of `changed`, that is not finite."""
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


def _collected(model: Model, run: Run) -> dict[int, list[float]]:
    """The new numbers of the trained leaves, by the leaf's place in the model."""
    changed = {}
    for number, leaf in enumerate(model.leaves):
        if not leaf.trained:
            continue
        if run.scalar:
            changed[number] = [run.values[node] for node in model.unrolled.entries[leaf.node]]
        else:
            changed[number] = run.values[leaf.node].ravel().tolist()
    return changed
