"""chainrule's JAX engine: the data of an epoch handed over, and the run compiled as a whole."""

from __future__ import annotations

from typing import Any

from works import Work

from chainrule.engines.jax.descent import JaxRun
from chainrule.engines.run import Task
from peers.model import model, parameters, tables


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Compiled:
    return Compiled(work)


class Compiled:
    def __init__(self, work: Work) -> None:
        self.model = model(work)
        data = tables(self.model)
        self.steps = JaxRun(Task(self.model, work.rate, dtype=work.dtype, data=data))
        rows = (array.reshape(-1, array.shape[2]) for array in (work.inputs, work.targets))
        self.data = dict(zip(data, rows, strict=True))

    def run(self, epochs: int) -> None:
        self.steps.epochs(self.data, epochs)

    def parameters(self) -> list[Any]:
        return parameters(self.model, self.steps.values)
