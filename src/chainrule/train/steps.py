"""Steps of gradient descent on a model, with the loss followed on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainrule.engines.choice import EngineName, prepare
from chainrule.engines.run import DType, Run, Task
from chainrule.errors import Fault, InputError, NumericError
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node
from chainrule.mime import Displayed
from chainrule.train.history import MOST_FOLLOWED, History, Read, Recorder, steepest

if TYPE_CHECKING:
    from chainrule.engines.jax.devices import Devices

__all__ = ["STEP_SCHEMA", "Steps", "check_finite", "needed_rate", "take_steps", "trained"]

STEP_SCHEMA = "chainrule.step/1"


@dataclass(frozen=True)
class Steps(Displayed):
    """What some steps did.

    `losses` holds the loss before each step and after the last one; `model` has
    the new parameters; `history`, where it was asked for, has those on the way;
    `reason` says why `engine` ran them, with numbers of the type `dtype`.
    """

    model: Model
    before: Model
    order: Order
    losses: tuple[float, ...]
    engine: str
    history: History | None = None
    reason: str = ""
    dtype: DType = "float64"

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
            **({} if self.dtype == "float64" else {"dtype": self.dtype}),
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
    dtype: DType = "float64",
    devices: Devices | None = None,
) -> Steps:
    """`count` steps of gradient descent, by `engine` or the one that suits model and count.

    `progress(step, loss)` is called before each step.  With `follow` the
    parameters are followed on the way.  `devices` share the examples among them, by the
    JAX engine.  Raises: InputError without a learning rate or without trained parameters,
    and for what `engine` cannot do; NumericError when the loss or a parameter stops being
    finite.
    """
    rate = needed_rate(model)
    chosen: Order = order or model.order
    if not model.trained:
        raise InputError(
            Fault("ValueError", "no parameter is trained", needs="at least one to update")
        )
    task = Task(model, rate, chosen, dtype, count, devices=devices)
    start = prepare(engine, task)
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
    return Steps(
        trained(model, run),
        model,
        chosen,
        tuple(losses),
        start.engine,
        None if recorder is None else recorder.history(),
        start.reason,
        dtype,
    )


def _advance(run: Run, count: int, done: int) -> list[float]:
    """The loss before each of `count` steps.

    Where numbers stop being finite, the steps are taken again by halves, to say where.
    """
    before = dict(run.values)
    losses = run.advance(count)
    changed = {node: run.values[node] for node in run.parameters}
    if count > 1 and not all(map(_is_finite, [sum(losses), *changed.values()])):
        run.values.update(before)
        half = count // 2
        return _advance(run, half, done) + _advance(run, count - half, done + half)
    check_finite(f"step {done + count}", losses[-1], changed, run.name_of)
    return losses


def _recorder(model: Model, run: Run, count: int) -> Recorder:
    names: Sequence[str] = model.trained
    total = len(names)
    if total > MOST_FOLLOWED:
        names = steepest(names, _reader(model, names, run)(run.gradients()))
    return Recorder(names, total, count, _reader(model, names, run))


def _reader(model: Model, names: Sequence[str], run: Run) -> Read:
    """What looks `names` up among the values of a run."""
    entries = [model.entry_of[name] for name in names]
    places = [(model.leaves[leaf].node, flat) for leaf, flat in entries]
    if run.entries is not None:
        nodes = [run.entries[leaf][flat] for leaf, flat in places]
        return lambda values: [values[node] for node in nodes]
    return lambda values: [float(values[leaf].ravel()[flat]) for leaf, flat in places]


def check_finite(
    when: str, loss: float | None, changed: Mapping[Node, Any], name_of: Callable[[Node], str]
) -> None:
    """Raises: NumericError naming the loss, or the first of `changed`, that is not finite.

    The loss is None where it was not worked out.
    """
    broken = None if loss is None or math.isfinite(loss) else "the loss"
    for node, value in changed.items():
        if broken is None and not _is_finite(value):
            broken = name_of(node)
    if broken is not None:
        known = "" if loss is None else f" (loss {loss})"
        raise NumericError(
            Fault(
                "NumericError",
                f"{when}: {broken} is no longer a finite number{known}",
                needs="finite numbers at every step",
                hint="a smaller learning rate: --set learning_rate=...",
            )
        )


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    import numpy

    return bool(numpy.isfinite(value).all())


def trained(model: Model, run: Run) -> Model:
    """The model with the parameters that the run has come to."""
    return model.with_leaves(
        {number: run.read(leaf.node) for number, leaf in enumerate(model.leaves) if leaf.trained}
    )
