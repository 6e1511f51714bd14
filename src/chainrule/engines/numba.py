"""The numba engine: one emitted function for a whole run of steps, compiled.

A tiny model is spelt out, and has the digits of the reference engine but for squares, which
are products here; a larger one is planned as products and loops on arrays.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.emit.arrays import array_run, calls_blas
from chainrule.emit.layout import UnplannedError
from chainrule.emit.planner import Roles, make_plan
from chainrule.emit.unrolled import unrolled_run
from chainrule.engines.run import DType, Interpreted, Task, on_arrays, on_scalars
from chainrule.graph.build import Builder
from chainrule.graph.node import Node

__all__ = ["ArrayRun", "ScalarRun", "UnplannedError", "prepare"]

SPELT_OUT = 400
"""Scalar steps up to which a model is spelt out: beyond, compiling takes long."""

TRIED = 20
"""Steps of which the first show how many threads are faster."""

ALL = os.cpu_count() or 1
"""As many threads as there are processors."""

MOST = 100_000
"""Steps in one call, so that losses need little memory and an interruption is heard."""


def prepare(task: Task) -> ScalarRun | _Arrays:
    """Steps of a model by compiled code, whose `source` can be read without numba.

    Raises: UnplannedError with the reason why this engine cannot take them.
    """
    model, rate, order = task.model, task.rate, task.order
    if model.scalar_size <= SPELT_OUT and task.dtype == "float64" and not task.data:
        return ScalarRun(on_scalars(model, rate, order))
    if order == "sequential":
        kind = "of a model of this size" if model.scalar_size > SPELT_OUT else "in float32"
        raise UnplannedError(f"numba takes simultaneous steps {kind}")
    return _Arrays(task)


class ScalarRun(Interpreted):
    """A tiny model, spelt out."""

    most = MOST

    def __init__(self, run: Interpreted) -> None:
        super().__init__(run.descent, run.values, run.name_of, run.entries)
        stages = [
            dict(zip(stage.parameters, stage.updated, strict=True)) for stage in run.descent.stages
        ]
        self.source = unrolled_run(run.descent.loss, list(run.values), stages)

    @functools.cached_property
    def _run(self) -> Callable[..., None]:
        from chainrule.engines.compiled import compiled

        return compiled(self.source, "void(int64, float64[::1], float64[::1])")

    @functools.cached_property
    def _losses(self) -> Any:
        """Room that is asked of the system once."""
        import numpy

        return numpy.empty(self.most + 1)

    def advance(self, count: int) -> list[float]:
        """`count` steps; the loss before each."""
        found: list[float] = self.take(count)[:-1].tolist()
        return found

    def take(self, count: int) -> Any:
        """At most `most` steps; the loss before each and after the last, until the next call.

        Shapes: the losses (count + 1,).
        """
        import numpy

        numbers = numpy.fromiter(self.values.values(), float)
        losses = self._losses[: count + 1]
        self._run(count, numbers, losses)
        self.values.update(zip(self.values, numbers.tolist(), strict=True))
        return losses


class _Arrays(Interpreted):
    """A larger model, or one that takes batches, as products and loops."""

    most = MOST

    def __init__(self, task: Task) -> None:
        run = on_arrays(task.model, task.rate, task.order, task.dtype)
        super().__init__(run.descent, run.values, run.name_of)
        self._compiled = ArrayRun(run, task.data, task.dtype, task.losses, task.fast)
        self._losses = task.losses
        self.source = self._compiled.source

    def advance(self, count: int) -> list[float]:
        """`count` steps; the loss before each."""
        for node in self.parameters:
            self.values[node] = self.values[node].copy()
        found: list[float] = self._compiled.take(count, self.values)[:-1].tolist()
        return found

    def epochs(self, data: Mapping[Node, Any], count: int) -> list[float]:
        """`count` times through data; the loss before each step."""
        values = {**self.values, **data}
        batch = next(iter(data)).shape[0]
        batches = min(map(len, data.values())) // batch
        losses: list[float] = []
        at_once = max(1, self.most // batches)
        for done in range(0, count, at_once):
            found = self._compiled.take(batches * min(at_once, count - done), values)
            losses += found[:-1].tolist() if self._losses else []
        return losses


class ArrayRun:
    """The compiled steps of a model of arrays, in numbers of one type.

    `data` are the leaves that hold batches, one after another.  Without `losses` none is
    computed; with `fast`, sums may be added in any order.

    Raises: UnplannedError for a graph with a step that is not known.
    """

    def __init__(
        self,
        run: Interpreted,
        data: Sequence[Node],
        real: DType = "float64",
        losses: bool = True,
        fast: bool = False,
    ) -> None:
        descent = run.descent
        self._rate = descent.rate
        given = [node for node in run.values if node not in (*data, descent.rate)]
        self._arguments = [
            *data,
            *(node for node in given if node.shape),
            *(node for node in given if not node.shape),
        ]
        batch = data[0].shape[0] if data else 1
        roles = Roles(batch, data, given, descent.rate)
        self.plan = make_plan(Builder(), descent.loss, descent.gradients, roles, losses)
        self.source = array_run(self.plan, real)
        self._calls_blas = calls_blas(self.plan)
        self._threads: int | None = None
        self._parameters = frozenset(run.parameters)
        self._real, self._fast = real, fast

    def take(self, count: int, values: Mapping[Node, Any]) -> Any:
        """`count` steps that change `values` in place; the loss before each and after the last.

        Each takes the next batch of the data, and after the last the first again.

        Shapes: as in the graph; data with any number of batches; the losses (count + 1,).
        """
        import numpy

        arrays = [
            numpy.atleast_1d(numpy.ascontiguousarray(values[node], self._real))
            for node in self._arguments
        ]
        losses = numpy.full(count + 1, numpy.nan, self._real)
        rate = numpy.dtype(self._real).type(values[self._rate])

        def until(step: int, first: int = 0) -> None:
            self._run(first, step, rate, self._blas, *arrays, losses)

        if self._calls_blas:
            self._by_threads(count, until)
        else:
            until(count)
        for node, array in zip(self._arguments, arrays, strict=True):
            if node in self._parameters and array is not values[node]:
                values[node][...] = array.reshape(node.shape)
        return losses

    def _by_threads(self, count: int, until: Callable[[int, int], None]) -> None:
        """All steps on one thread, or on all where these turned out faster.

        Where other programs keep the processor busy, several threads wait for each other.
        """
        _ = self._run, self._blas  # these load the library
        limit = _controller().limit
        done = 0
        if self._threads is None and count >= TRIED:
            seconds: dict[int, list[float]] = {1: [], ALL: []}
            for threads in (1, ALL, 1, ALL, ALL):
                start = time.perf_counter()
                with limit(limits=threads, user_api="blas"):
                    until(done + 1, done)
                seconds[threads].append(time.perf_counter() - start)
                done += 1
            self._threads = ALL if max(seconds[ALL]) < 0.8 * min(seconds[1]) else 1
        with limit(limits=self._threads or 1, user_api="blas"):
            until(count, done)

    @functools.cached_property
    def _blas(self) -> int:
        """Where the matrix product begins in memory; 0 where it is not called."""
        if not self._calls_blas:
            return 0
        from chainrule.engines.blas import address

        return address(self._real)

    @functools.cached_property
    def _run(self) -> Callable[..., None]:
        from chainrule.engines.compiled import compiled

        kinds = [f"{self._real}[{':, ' * (len(node.shape) - 1)}::1]" for node in self._arguments]
        signature = (
            f"void(int64, int64, {self._real}, int64, {', '.join(kinds)}, {self._real}[::1])"
        )
        return compiled(self.source, signature, self._fast)


@functools.cache
def _controller() -> Any:
    """What sets the threads of the libraries that are loaded; finding them takes long."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
