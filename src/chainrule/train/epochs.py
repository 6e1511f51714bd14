"""Gradient descent by minibatches: steps over data that the model itself does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chainrule.engines import numba
from chainrule.engines.run import on_arrays
from chainrule.errors import Fault, InputError
from chainrule.graph.model import LeafValue, Model
from chainrule.train.steps import needed_rate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Epochs", "take_epochs"]


@dataclass(frozen=True)
class Epochs:
    """What some epochs did.

    `losses` holds the loss of each batch before its step, or nothing where it was not
    asked for; `model` has the new parameters; `engine` took the steps because of `reason`.
    """

    model: Model
    losses: tuple[float, ...]
    engine: str
    reason: str


def take_epochs(
    model: Model,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int = 1,
    seed: int | None = None,
    engine: Literal["auto", "numpy", "numba"] = "auto",
    real: numba.Real = "float64",
    losses: bool = True,
    fast: bool = False,
) -> Epochs:
    """Simultaneous steps over batches as large as the model's own examples.

    The rows are taken in their order, or, with a `seed`, shuffled anew for each epoch;
    those left over at the end, fewer than a batch, are left out.  With `fast` the compiler
    may add sums in any order.

    Shapes: inputs (N, inputs), targets (N, outputs).

    Raises: InputError where the arrays do not fit the model, or it has no learning rate.
    """
    import numpy

    leaves = [_only(model, "input"), _only(model, "target")]
    batch = leaves[0].node.shape[0]
    arrays = [numpy.ascontiguousarray(given, real) for given in (inputs, targets)]
    for leaf, array in zip(leaves, arrays, strict=True):
        _check_shape(leaf, array, len(arrays[0]))
    batches = len(arrays[0]) // batch
    run = on_arrays(model, needed_rate(model), "simultaneous")
    data = [leaf.node for leaf in leaves]
    compiled, reason = None, "as asked"
    if engine != "numpy":
        try:
            numba.check_installed()
            compiled = numba.ArrayRun(run, data, real, losses, fast)
        except numba.UnplannedError as refusal:
            reason = str(refusal)
    order = None if seed is None else numpy.random.default_rng(seed)
    found: list[float] = []
    for _ in range(epochs if batches else 0):
        if order is not None:
            rows = order.permutation(len(arrays[0]))
            taken = [array[rows] for array in arrays]
        else:
            taken = arrays
        if compiled is not None:
            run.values.update(zip(data, taken, strict=True))
            found += compiled.take(batches, run.values)[:-1].tolist()
            continue
        for start in range(0, batches * batch, batch):
            parts = (array[start : start + batch] for array in taken)
            run.values.update(zip(data, parts, strict=True))
            found += run.advance(1)
    changed = {
        number: run.values[leaf.node].ravel().tolist()
        for number, leaf in enumerate(model.leaves)
        if leaf.trained
    }
    name = "numpy" if compiled is None else "numba"
    return Epochs(model.with_leaves(changed), tuple(found) if losses else (), name, reason)


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
