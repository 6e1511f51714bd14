"""Gradient descent by minibatches: steps over data that the model itself does not hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainrule.engines.choice import EngineName, prepare
from chainrule.engines.run import DType, Run, Task
from chainrule.errors import Fault, InputError
from chainrule.graph.model import LeafValue, Model
from chainrule.train.steps import check_finite, needed_rate, trained

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from chainrule.engines.jax.devices import Devices

__all__ = ["Epochs", "take_epochs"]


@dataclass(frozen=True)
class Epochs:
    """What some epochs did.

    `losses` holds the loss of each batch before its step, or nothing where it was not
    asked for; `model` has the new parameters; `engine` took the steps because of `reason`,
    with numbers of the type `dtype`.
    """

    model: Model
    losses: tuple[float, ...]
    engine: str
    reason: str
    dtype: DType = "float64"


def take_epochs(
    model: Model,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int = 1,
    seed: int | None = None,
    engine: EngineName = "auto",
    dtype: DType = "float64",
    losses: bool = True,
    fast: bool = False,
    devices: Devices | None = None,
) -> Epochs:
    """Simultaneous steps over batches as large as the model's own examples.

    The rows are taken in their order, or, with a `seed`, shuffled anew for each epoch;
    those left over at the end, fewer than a batch, are left out.  With `fast` the compiler
    may add sums in any order; `devices` share the rows of each batch, by the JAX engine.

    Shapes: inputs (N, inputs), targets (N, outputs).

    Raises: InputError where the arrays do not fit the model, or it has no learning rate;
    NumericError when the loss or a parameter stops being finite.
    """
    import numpy

    leaves = [_only(model, "input"), _only(model, "target")]
    arrays = [numpy.asarray(given) for given in (inputs, targets)]
    for leaf, array in zip(leaves, arrays, strict=True):
        _check_shape(leaf, array, len(arrays[0]))
    batch = leaves[0].node.shape[0]
    batches = len(arrays[0]) // batch
    data = [leaf.node for leaf in leaves]
    task = Task(
        model,
        needed_rate(model),
        dtype=dtype,
        count=batches * epochs,
        data=tuple(data),
        losses=losses,
        fast=fast,
        devices=devices,
    )
    start = prepare(engine, task)
    arrays = [numpy.ascontiguousarray(array, dtype) for array in arrays]
    run = start.run
    chance = None if seed is None else numpy.random.default_rng(seed)
    found: list[float] = []
    # Rows that stay where they are can be handed over once.
    rounds = [epochs] if chance is None else [1] * epochs
    for number in rounds if batches else ():
        rows = slice(None) if chance is None else chance.permutation(len(arrays[0]))
        taken = (array[rows][: batches * batch] for array in arrays)
        done = len(found)
        found += run.epochs(dict(zip(data, taken, strict=True)), number)
        _check_finite(run, found[done:], done, batches)
    return Epochs(
        trained(model, run), tuple(found) if losses else (), start.engine, start.reason, dtype
    )


def _check_finite(run: Run, losses: Sequence[float], done: int, batches: int) -> None:
    """Raises: NumericError for the first loss or, at the end, parameter that is not finite."""
    for number, loss in enumerate(losses, start=done):
        if not math.isfinite(loss):
            epoch, batch = divmod(number, batches)
            check_finite(f"epoch {epoch + 1}, batch {batch + 1}", loss, {}, run.name_of)
    changed = {node: run.values[node] for node in run.parameters}
    check_finite("after these epochs", losses[-1] if losses else None, changed, run.name_of)


def _only(model: Model, role: str) -> LeafValue:
    """The one leaf of that role, with a row for each example."""
    found = [leaf for leaf in model.leaves if leaf.role == role]
    if len(found) != 1 or len(found[0].node.shape) != 2:
        shapes = ", ".join(str(leaf.node.shape) for leaf in found)
        raise InputError(
            Fault(
                "ShapeError",
                f"the model has {len(found)} arrays of {role}s: {shapes or 'none'}",
                needs="one, with a row for each example of a batch",
            )
        )
    return found[0]


def _check_shape(leaf: LeafValue, array: Any, rows: int) -> None:
    width = leaf.node.shape[1]
    if array.shape != (rows, width):
        raise InputError(
            Fault(
                "ShapeError",
                f"the {leaf.role}s have the shape {array.shape}",
                needs=f"({rows}, {width}): a row for each example",
            )
        )
