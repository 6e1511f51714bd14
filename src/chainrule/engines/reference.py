"""The reference engine: a scalar graph run by Python floats, in the order it is printed.

It judges the other engines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.engines.program import Kernel, Program
from chainrule.graph.model import Model
from chainrule.graph.node import Node
from chainrule.primitives import Pointwise, Primitive

__all__ = ["leaf_values", "program", "run", "takes"]

LIMIT = 20_000
"""Scalar steps up to which a model is run here; a larger one is run by NumPy."""


def takes(model: Model) -> bool:
    """Whether the model is small enough for this engine to be the one that runs it."""
    return model.scalar_size <= LIMIT


def _kernel(primitive: Primitive) -> Kernel:
    assert isinstance(primitive, Pointwise), f"{primitive.name} is not a scalar step"
    return primitive.scalar_kernel


def program(outputs: Iterable[Node], given: Iterable[Node] = ()) -> Program:
    """A scalar graph, ready to run many times."""
    return Program(outputs, _kernel, given=given)


def run(outputs: Iterable[Node], given: Mapping[Node, Any]) -> dict[Node, Any]:
    """One run of a scalar graph, beyond the nodes that are given."""
    return program(outputs, given).run(given)


def leaf_values(model: Model) -> dict[Node, float]:
    """The numbers of the scalar leaves of the unrolled model."""
    entries = model.unrolled.entries
    return {
        node: float(value)
        for leaf in model.leaves
        for node, value in zip(entries[leaf.node], map(float, leaf.values), strict=True)
    }
