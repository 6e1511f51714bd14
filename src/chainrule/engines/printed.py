"""The reference engine's steps: the program that `chainrule source` prints, run.

What one reads is what runs: `chainrule source MODEL --what step`, called once a step.  Its
digits are those of the interpreted graph, which takes over where a program is too long to be
written, or is not worth it for the few steps that are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.emit.python import PythonSource
from chainrule.emit.straight_line import LIMIT, straight_line
from chainrule.engines import reference
from chainrule.engines.run import Interpreted, Run, Task, on_scalars
from chainrule.graph.node import Node

__all__ = ["Printed", "prepare"]

WORTH_PRINTING = 100
"""Scalar steps of a model up to which its program is written, for each step to be taken."""


def prepare(task: Task) -> Run:
    """Steps of a model by Python's floats."""
    size = task.model.scalar_size
    if size > LIMIT or size > WORTH_PRINTING * task.count:
        return on_scalars(task.model, task.rate, task.order)
    return Printed(task)


class Printed(Run):
    """Steps taken by the printed program: `source` is its text."""

    most = 1000

    def __init__(self, task: Task) -> None:
        model = task.model
        entries = model.unrolled.entries
        leaves = [node for leaf in model.leaves for node in entries[leaf.node]]
        trained = [node for leaf in model.leaves if leaf.trained for node in entries[leaf.node]]
        rate = model.unrolled.op.variable(model.learning_rate_name)
        values: dict[Node, Any] = {**reference.leaf_values(model), rate: task.rate}
        super().__init__(values, trained, lambda node: node.name or "", entries)
        self._task = task
        program = straight_line(model, "step", task.order)
        language = PythonSource(program)
        self.source = language.source()
        own = language.identifiers
        # Of what is given, the learning rate is the last: its name may have been changed.
        self._given = {node: own[node.name or ""] for node in leaves}
        self._given[rate] = own[program.given[-1][0]]
        self._trained = {node: own[node.name or ""] for node in trained}
        self._loss = own[program.results[0][0]]

    @functools.cached_property
    def _step(self) -> Callable[..., dict[str, float]]:
        space: dict[str, Any] = {"__name__": "chainrule_step"}
        # This package wrote the text; a user's names are in it as identifiers and remarks only.
        exec(compile(self.source, "<chainrule step>", "exec"), space)
        step: Callable[..., dict[str, float]] = space["step"]
        return step

    def advance(self, count: int) -> list[float]:
        """`count` steps; the loss before each."""
        numbers = self._numbers()
        losses = [self._take(numbers) for _ in range(count)]
        self._keep(numbers)
        return losses

    def epochs(self, data: Mapping[Node, Any], count: int) -> list[float]:
        """`count` times through data, a step for each batch; the loss before each."""
        assert self.entries is not None
        numbers, losses = self._numbers(), []
        named = [
            (array.reshape(-1, *leaf.shape), [self._given[node] for node in self.entries[leaf]])
            for leaf, array in data.items()
        ]
        for _ in range(count):
            for place in range(len(named[0][0])):
                for batches, names in named:
                    numbers.update(zip(names, batches[place].ravel().tolist(), strict=True))
                losses.append(self._take(numbers))
        self._keep(numbers)
        return losses

    def loss(self) -> float:
        """The loss of the numbers as they are."""
        return self._step(**self._numbers())[self._loss]

    def gradients(self) -> Mapping[Node, Any]:
        """The gradients that the next step will use."""
        run = self._interpreted
        numbers = dict(zip(run.values, self.values.values(), strict=True))
        return run.descent.step(numbers)[1]

    @functools.cached_property
    def _interpreted(self) -> Interpreted:
        return on_scalars(self._task.model, self._task.rate, self._task.order)

    def _numbers(self) -> dict[str, float]:
        """What the program is given, by its own names."""
        return {name: self.values[node] for node, name in self._given.items()}

    def _take(self, numbers: dict[str, float]) -> float:
        """One step, which puts the new parameters into `numbers`; the loss before it."""
        found = self._step(**numbers)
        loss = found.pop(self._loss)
        numbers.update(found)
        return loss

    def _keep(self, numbers: Mapping[str, float]) -> None:
        self.values.update((node, numbers[name]) for node, name in self._trained.items())
