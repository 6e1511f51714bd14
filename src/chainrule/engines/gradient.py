"""The gradient of a model's loss, by the engine that its size calls for."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.differentiate.chain import Chain
from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.graph.build import Builder
from chainrule.graph.model import Model

__all__ = ["Gradient", "gradient"]


@dataclass(frozen=True, slots=True)
class Gradient:
    """The loss and its derivative by every trained entry, by name."""

    loss: float
    entries: dict[str, float]
    engine: str


def gradient(model: Model) -> Gradient:
    """The gradient at the model's numbers.

    A trained entry that the loss does not depend on has the derivative 0.
    """
    return (_scalar if reference.takes(model) else _arrays)(model)


def _scalar(model: Model) -> Gradient:
    entries = model.unrolled.entries
    loss = entries[model.loss][0]
    trained = [node for leaf in model.leaves if leaf.trained for node in entries[leaf.node]]
    chain = Chain(model.unrolled, loss, trained)
    values = reference.run([loss, *chain.adjoint.values()], reference.leaf_values(model))
    found = {
        node.name or "": values[chain.adjoint[node]] if node in chain.adjoint else 0.0
        for node in trained
    }
    return Gradient(values[loss], found, "reference")


def _arrays(model: Model) -> Gradient:
    op = Builder()
    leaves = [leaf for leaf in model.leaves if leaf.trained]
    adjoints = reverse(op, model.loss, [leaf.node for leaf in leaves])
    program = arrays.program([model.loss, *adjoints.values()])
    values = program.results(arrays.leaf_arrays(model))
    found: dict[str, float] = {}
    for leaf in leaves:
        adjoint = adjoints.get(leaf.node)
        flat = [0.0] * len(leaf.values) if adjoint is None else values[adjoint].ravel().tolist()
        found.update(zip(leaf.labels, flat, strict=True))
    return Gradient(float(values[model.loss]), found, "numpy")
