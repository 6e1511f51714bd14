"""Steps of gradient descent as one compiled function, a loop over steps or batches.

What is compiled is the same descent on the same graph that the NumPy engine
interprets.  Numbers are float64 or float32; the former is switched on for as long
as the engine is at work, and nowhere else.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy
from jax import lax
from jax import numpy as jnp

from chainrule.engines.descent import array_descent
from chainrule.engines.jax.program import program
from chainrule.engines.numpy import leaf_arrays, number
from chainrule.engines.run import Run, Task, array_name
from chainrule.errors import Fault, InputError
from chainrule.graph.build import Builder
from chainrule.graph.node import Node

__all__ = ["JaxRun"]

MOST = 100_000
"""Steps in one call: as many losses are held on the device."""

LONGEST = 3_000_000_000
"""Scalar steps in one call, so that an interruption is heard."""


class JaxRun(Run):
    """Steps of gradient descent, compiled when they are first taken.

    The task's `devices`, where they are given, share the rows of the inputs and targets
    among them; without, everything is where JAX puts it.  Raises: InputError where the
    rows cannot be shared evenly.
    """

    def __init__(self, task: Task) -> None:
        model = task.model
        self.most = max(1, min(MOST, LONGEST // model.scalar_size))
        symbol = Builder().variable(model.learning_rate_name)
        values = {**leaf_arrays(model, task.dtype), symbol: number(task.rate, task.dtype)}
        trained = [leaf.node for leaf in model.leaves if leaf.trained]
        super().__init__(values, trained, array_name(model))
        self._task = task
        self._tables = [
            leaf.node
            for role in ("input", "target")
            for leaf in model.leaves
            if leaf.role == role and len(leaf.node.shape) == 2
        ]
        if task.devices is not None:
            _check_shared(self._tables, task.devices.count)
        self._moved: dict[Node, tuple[Any, jax.Array]] = {}
        self._longest = 0
        self._run_steps = self._compiled(self._steps, "size")
        self._run_epochs = self._compiled(self._epochs, "count")
        self._run_forward = self._compiled(self._evaluate)
        self._run_backward = self._compiled(self._differentiate)
        with self._precision():
            make = functools.partial(program, dtype=task.dtype)
            self._descent = array_descent(model, symbol, task.order, make)

    def advance(self, count: int) -> list[float]:
        """`count` steps, at most `most`; the loss before each, if it is wanted."""
        with self._precision():
            # A loop whose length is known runs faster; calls of all other lengths share one.
            self._longest = max(self._longest, count)
            other = None if count == self._longest else count
            changed, losses = self._run_steps(self._leaves, other, size=self._longest)
            self._keep(changed)
            found: list[float] = numpy.asarray(losses)[:count].tolist()
        return found

    def epochs(self, data: Mapping[Node, Any], count: int) -> list[float]:
        """`count` times through data, which is moved to the devices once."""
        with self._precision():
            batches = [
                self._placed(array.reshape(-1, *leaf.shape), shared=1)
                for leaf, array in data.items()
            ]
            changed, losses = self._run_epochs(self._leaves, batches, count=count)
            self._keep(changed)
            found: list[float] = numpy.ravel(losses).tolist()
        return found

    def loss(self) -> float:
        """The loss of the numbers as they are."""
        with self._precision():
            return float(self._run_forward(self._leaves))

    def gradients(self) -> Mapping[Node, Any]:
        """The gradients that the next step will use."""
        with self._precision():
            found = self._run_backward(self._leaves)
            return dict(zip(self.parameters, map(numpy.asarray, found), strict=True))

    # ------------------------------------------------------------------- what is traced

    def _named(self, leaves: Sequence[Any]) -> dict[Node, Any]:
        return dict(zip(self.values, leaves, strict=True))

    def _evaluate(self, leaves: Sequence[Any]) -> Any:
        return self._descent.evaluate(self._named(leaves))

    def _differentiate(self, leaves: Sequence[Any]) -> list[Any]:
        _, gradients, _ = self._descent.step(self._named(leaves))
        return [gradients[node] for node in self.parameters]

    def _step(self, leaves: Mapping[Node, Any], parameters: Sequence[Any]) -> tuple[Any, Any]:
        """One step: the new parameters, and the loss before it, if it is wanted."""
        known = {**leaves, **dict(zip(self.parameters, parameters, strict=True))}
        loss, _, changed = self._descent.step(known)
        return [changed[node] for node in self.parameters], loss if self._task.losses else ()

    def _steps(self, leaves: Sequence[Any], count: Any, size: int) -> tuple[Any, Any]:
        named, wanted = self._named(leaves), self._task.losses

        def one(place: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
            parameters, losses = state
            parameters, loss = self._step(named, parameters)
            if wanted:
                losses = lax.dynamic_update_index_in_dim(losses, loss, place, 0)
            return parameters, losses

        parameters = [named[node] for node in self.parameters]
        losses = jnp.zeros(size if wanted else 0, self._task.dtype)
        length = size if count is None else count
        found: tuple[Any, Any] = lax.fori_loop(0, length, one, (parameters, losses))
        return found

    def _epochs(self, leaves: Sequence[Any], batches: Sequence[Any], count: int) -> Any:
        named = self._named(leaves)

        def one(parameters: Any, tables: Any) -> tuple[Any, Any]:
            known = {**named, **dict(zip(self._task.data, tables, strict=True))}
            return self._step(known, parameters)

        def epoch(parameters: Any, _: None) -> tuple[Any, Any]:
            return lax.scan(one, parameters, batches)

        return lax.scan(epoch, [named[node] for node in self.parameters], length=count)

    # ------------------------------------------------------------------ around the trace

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        """float64 where it is asked for, and float32 that is no less, as long as this lasts."""
        # GPUs and TPUs multiply matrices of float32 with fewer digits unless they are told.
        double = self._task.dtype == "float64"
        with jax.enable_x64(double), jax.default_matmul_precision("highest"):
            yield

    def _compiled(self, function: Callable[..., Any], *static: str) -> Callable[..., Any]:
        """The function, compiled when it is called for the first time."""
        where = None if self._task.devices is None else self._task.devices.whole
        compiled: Callable[..., Any] = jax.jit(
            function, static_argnames=static, out_shardings=where
        )
        return compiled

    @property
    def _leaves(self) -> list[jax.Array]:
        return [self._on_device(node) for node in self.values]

    def _on_device(self, node: Node) -> jax.Array:
        """A leaf's numbers, which are moved only when they are others than before."""
        value = self.values[node]
        known, array = self._moved.get(node, (None, None))
        if array is None or known is not value:
            array = self._placed(value, shared=0 if node in self._tables else None)
            self._moved[node] = value, array
        return array

    def _placed(self, array: Any, shared: int | None = None) -> jax.Array:
        """The array on the devices, in rows along the axis `shared` or as a whole on each."""
        typed = numpy.asarray(array, self._task.dtype)
        devices = self._task.devices
        return jnp.asarray(typed) if devices is None else devices.place(typed, shared)

    def _keep(self, parameters: Sequence[jax.Array]) -> None:
        for node, array in zip(self.parameters, parameters, strict=True):
            self.values[node] = numpy.asarray(array)
            self._moved[node] = self.values[node], array


def _check_shared(tables: Sequence[Node], devices: int) -> None:
    for table in tables:
        if table.shape[0] % devices:
            raise InputError(
                Fault(
                    "ShapeError",
                    f"{table.shape[0]} examples do not share evenly among {devices} devices",
                    needs=f"a multiple of {devices} examples",
                )
            )
