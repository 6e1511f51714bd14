"""The interface of an engine: a task, and a run of it that takes steps of gradient descent."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chainrule.differentiate.chain import Chain
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.engines.descent import Descent, array_descent, scalar_descent
from chainrule.graph.build import Builder
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node

if TYPE_CHECKING:
    from chainrule.engines.jax.devices import Devices

__all__ = ["DType", "Interpreted", "Run", "Task", "array_name", "on_arrays", "on_scalars"]

DType = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True)
class Task:
    """The steps that an engine is asked for.

    `count` is how many there will be, about.  `data` are the leaves that batches are put
    into, inputs before targets.  Without `losses` none need be worked out; with `fast`,
    sums may be added in any order; `devices` share the examples.
    """

    model: Model
    rate: float
    order: Order = "simultaneous"
    dtype: DType = "float64"
    count: int = 1
    data: tuple[Node, ...] = ()
    losses: bool = True
    fast: bool = False
    devices: Devices | None = None


class Run:
    """Gradient descent that goes on from where it is; an engine says how.

    `values` are the numbers of the leaves and of the learning rate: arrays, or, where
    there are `entries`, those of the scalars that each leaf is made of.  `parameters` are
    what steps change.  `most` is how many steps one call should take.
    """

    most = 1

    def __init__(
        self,
        values: dict[Node, Any],
        parameters: Sequence[Node],
        name_of: Callable[[Node], str],
        entries: Mapping[Node, Sequence[Node]] | None = None,
    ) -> None:
        self.values, self.parameters = values, list(parameters)
        self.name_of, self.entries = name_of, entries

    def advance(self, count: int) -> list[float]:
        """`count` steps; the loss before each."""
        raise NotImplementedError

    def loss(self) -> float:
        """The loss of the numbers as they are."""
        raise NotImplementedError

    def gradients(self) -> Mapping[Node, Any]:
        """The gradients that the next step will use."""
        raise NotImplementedError

    def epochs(self, data: Mapping[Node, Any], count: int) -> list[float]:
        """`count` times through data, a step for each batch; the loss before each.

        Shapes: for each leaf of the task's data, whole batches of its rows, one after
        another.
        """
        losses: list[float] = []
        rows = min(map(len, data.values()))
        batch = next(iter(data)).shape[0]
        for _ in range(count):
            for start in range(0, rows, batch):
                for leaf, array in data.items():
                    self._put(leaf, array[start : start + batch])
                losses += self.advance(1)
        return losses

    def read(self, leaf: Node) -> list[float]:
        """The numbers of a leaf, row-major."""
        if self.entries is not None:
            return [self.values[entry] for entry in self.entries[leaf]]
        found: list[float] = self.values[leaf].ravel().tolist()
        return found

    def _put(self, leaf: Node, array: Any) -> None:
        if self.entries is None:
            self.values[leaf] = array
        else:
            self.values.update(zip(self.entries[leaf], array.ravel().tolist(), strict=True))


class Interpreted(Run):
    """Steps taken one by one, by the programs of `descent`."""

    def __init__(
        self,
        descent: Descent,
        values: dict[Node, Any],
        name_of: Callable[[Node], str],
        entries: Mapping[Node, Sequence[Node]] | None = None,
    ) -> None:
        super().__init__(values, list(descent.gradients), name_of, entries)
        self.descent = descent

    def advance(self, count: int) -> list[float]:
        """`count` steps; the loss before each."""
        losses = []
        for _ in range(count):
            loss, _, changed = self.descent.step(self.values)
            losses.append(float(loss))
            self.values.update(changed)
        return losses

    def loss(self) -> float:
        """The loss of the numbers as they are."""
        return float(self.descent.evaluate(self.values))

    def gradients(self) -> Mapping[Node, Any]:
        """The gradients that the next step will use."""
        return self.descent.step(self.values)[1]


def on_scalars(model: Model, rate: float, order: Order) -> Interpreted:
    """By the reference engine, one scalar step after another."""
    entries = model.unrolled.entries
    parameters = [node for leaf in model.leaves if leaf.trained for node in entries[leaf.node]]
    chain = Chain(model.unrolled, entries[model.loss][0], parameters)
    symbol = model.unrolled.op.variable(model.learning_rate_name)
    values: dict[Node, Any] = {**reference.leaf_values(model), symbol: rate}
    descent = scalar_descent(chain, parameters, symbol, order)
    return Interpreted(descent, values, lambda node: node.name or "", entries)


def on_arrays(model: Model, rate: float, order: Order, dtype: DType = "float64") -> Interpreted:
    """By the NumPy engine."""
    symbol = Builder().variable(model.learning_rate_name)
    values = {**arrays.leaf_arrays(model, dtype), symbol: arrays.number(rate, dtype)}
    make = functools.partial(arrays.program, dtype=dtype)
    descent = array_descent(model, symbol, order, make)
    return Interpreted(descent, values, array_name(model))


def array_name(model: Model) -> Callable[[Node], str]:
    """What an array of parameters is called in a message: by its first entry."""
    names = {
        leaf.node: leaf.labels[0] if len(leaf.labels) == 1 else f"{leaf.labels[0]}, ..."
        for leaf in model.leaves
    }
    return names.__getitem__
