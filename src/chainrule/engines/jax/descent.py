"""Steps of gradient descent as one compiled function: `lax.scan` over the steps.

What is compiled is the same descent on the same graph that the NumPy engine
interprets.  Numbers are float64 or float32; the former is switched on for as long
as the engine is at work, and nowhere else.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy
from jax import lax
from jax import numpy as jnp

from chainrule.engines.descent import array_descent
from chainrule.engines.jax.devices import Devices
from chainrule.engines.jax.program import program
from chainrule.engines.numpy import leaf_arrays
from chainrule.errors import Fault, InputError
from chainrule.graph.build import Builder
from chainrule.graph.model import Model
from chainrule.graph.node import Node

__all__ = ["DType", "JaxDescent", "Ran"]

DType = Literal["float64", "float32"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did: the losses on the way, and the trained leaves after it.

    Shapes: losses (steps + 1,), the last after the last step; of epochs
    (epochs, batches), each before its step.
    """

    losses: Any
    parameters: dict[Node, Any]


class JaxDescent:
    """Steps of gradient descent on `model`, compiled when they are first run.

    `devices`, where they are given, share the rows of the inputs and targets among
    them; without, everything is where JAX puts it.  Raises: InputError where the
    rows cannot be shared evenly.
    """

    def __init__(
        self,
        model: Model,
        rate: float,
        order: str = "simultaneous",
        dtype: DType = "float64",
        devices: Devices | None = None,
    ) -> None:
        self._dtype = dtype
        self._devices = devices
        symbol = Builder().variable(model.learning_rate_name)
        self._values = {**leaf_arrays(model), symbol: rate}
        self._trained = [leaf.node for leaf in model.leaves if leaf.trained]
        self._tables = [
            leaf.node
            for role in ("input", "target")
            for leaf in model.leaves
            if leaf.role == role and len(leaf.node.shape) == 2
        ]
        self._fixed = [node for node in self._values if node not in {*self._trained, *self._tables}]
        if devices is not None:
            _check_shared(self._tables, devices.count)
        with self._precision():
            self._descent = array_descent(
                model, symbol, order, functools.partial(program, dtype=dtype)
            )
            self._steps = self._compiled(self._run_steps)
            self._epochs = self._compiled(self._run_epochs)
            self._parameters = [self._placed(self._values[node]) for node in self._trained]

    def run(self, count: int) -> Ran:
        """`count` steps, each on all rows; the next run goes on from where this one ends."""
        with self._precision():
            tables = [self._placed(self._values[node], shared=0) for node in self._tables]
            return self._ran(self._steps(self._parameters, tables, self._given, count=count))

    def run_epochs(self, inputs: Any, targets: Any, count: int = 1) -> Ran:
        """`count` times through data, a step for as many rows as the model has examples.

        What is left of the rows after the last whole batch is not used.

        Shapes: inputs (n, i), targets (n, o), for a model of inputs (b, i) and
        targets (b, o).  Raises: InputError where they have others.
        """
        data = _batches(self._tables, [inputs, targets])
        with self._precision():
            batches = [self._placed(array, shared=1) for array in data]
            return self._ran(self._epochs(self._parameters, batches, self._given, count=count))

    # ------------------------------------------------------------------- what is traced

    def _step(self, parameters: Any, tables: Any, given: Any) -> tuple[Any, Any]:
        """One step: the new parameters, and the loss before it."""
        loss, _, changed = self._descent.step(self._leaves(parameters, tables, given))
        return [changed[node] for node in self._trained], loss

    def _leaves(self, parameters: Any, tables: Any, given: Any) -> dict[Node, Any]:
        nodes = [*self._trained, *self._tables, *self._fixed]
        return dict(zip(nodes, [*parameters, *tables, *given], strict=True))

    def _run_steps(self, parameters: Any, tables: Any, given: Any, count: int) -> tuple[Any, Any]:
        def one(parameters: Any, _: None) -> tuple[Any, Any]:
            return self._step(parameters, tables, given)

        parameters, losses = lax.scan(one, parameters, length=count)
        last = self._descent.evaluate(self._leaves(parameters, tables, given))
        return parameters, jnp.append(losses, last)

    def _run_epochs(self, parameters: Any, batches: Any, given: Any, count: int) -> tuple[Any, Any]:
        def one(parameters: Any, tables: Any) -> tuple[Any, Any]:
            return self._step(parameters, tables, given)

        def epoch(parameters: Any, _: None) -> tuple[Any, Any]:
            return lax.scan(one, parameters, batches)

        return lax.scan(epoch, parameters, length=count)

    # ------------------------------------------------------------------ around the trace

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        """float64 where it is asked for, and float32 that is no less, as long as this lasts."""
        # GPUs and TPUs multiply matrices of float32 with fewer digits unless they are told.
        with jax.enable_x64(self._dtype == "float64"), jax.default_matmul_precision("highest"):
            yield

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        where = None if self._devices is None else self._devices.whole
        compiled: Callable[..., Any] = jax.jit(
            function, static_argnames="count", out_shardings=where
        )
        return compiled

    @functools.cached_property
    def _given(self) -> list[Any]:
        return [self._placed(self._values[node]) for node in self._fixed]

    def _placed(self, array: Any, shared: int | None = None) -> Any:
        """The array on the devices, in rows along the axis `shared` or as a whole on each."""
        typed = numpy.asarray(array, self._dtype)
        return jnp.asarray(typed) if self._devices is None else self._devices.place(typed, shared)

    def _ran(self, result: tuple[list[Any], Any]) -> Ran:
        self._parameters, losses = result
        found = {
            node: numpy.asarray(array, "float64")
            for node, array in zip(self._trained, self._parameters, strict=True)
        }
        return Ran(numpy.asarray(losses, "float64"), found)


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


def _batches(tables: Sequence[Node], data: Sequence[Any]) -> list[Any]:
    """The data cut into the batches that the model's tables hold.

    Shapes: of each, (batches, b, columns).
    """
    if len(tables) != len(data):
        what = f"the model has {len(tables)} tables of examples"
        raise InputError(
            Fault("ShapeError", what, needs="one of inputs and one of targets, for data to go into")
        )
    arrays = [numpy.asarray(array) for array in data]
    found = " and ".join(str(array.shape) for array in arrays)
    wanted = " and ".join(f"(n, {table.shape[1]})" for table in tables)
    rows = {len(array) for array in arrays}
    columns = [array.shape[1:] for array in arrays]
    if len(rows) != 1 or columns != [table.shape[1:] for table in tables]:
        raise InputError(
            Fault("ShapeError", f"data of shapes {found}", needs=f"inputs and targets {wanted}")
        )
    batch = tables[0].shape[0]
    count = min(rows) // batch
    if not count:
        raise InputError(
            Fault(
                "ShapeError",
                f"data of shapes {found} are less than one batch",
                needs=f"at least {batch} rows",
            )
        )
    return [array[: count * batch].reshape(count, batch, *array.shape[1:]) for array in arrays]
