"""chainrule's Numba engine: one emitted function for an epoch, or for all steps of the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from works import Work

from chainrule.engines import numba
from chainrule.engines.run import on_arrays, on_scalars
from peers.model import model, parameters, tables


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> SpeltOut | Planned:
    return SpeltOut(work) if work.is_seed else Planned(work)


class SpeltOut:
    def __init__(self, work: Work) -> None:
        self.model = model(work)
        self.steps = numba.ScalarRun(on_scalars(self.model, work.rate, "simultaneous"))

    def run(self, epochs: int) -> None:
        for done in range(0, epochs, self.steps.most):
            self.steps.take(min(self.steps.most, epochs - done))

    def parameters(self) -> list[Any]:
        entries, values = self.model.unrolled.entries, self.steps.values
        return [
            np.array([values[node] for node in entries[leaf.node]]).reshape(leaf.node.shape)
            for leaf in self.model.leaves
            if leaf.role == "parameter"
        ]


class Planned:
    def __init__(self, work: Work) -> None:
        self.model = model(work)
        self.batches = work.batches
        run = on_arrays(self.model, work.rate, "simultaneous")
        data = tables(self.model)
        self.steps = numba.ArrayRun(run, data, work.dtype, losses=False)
        self.values = {
            node: np.array(value, work.dtype) if node.shape else value
            for node, value in run.values.items()
        }
        rows = (array.reshape(-1, array.shape[2]) for array in (work.inputs, work.targets))
        self.values.update(zip(data, rows, strict=True))

    def run(self, epochs: int) -> None:
        self.steps.take(epochs * self.batches, self.values)

    def parameters(self) -> list[Any]:
        return parameters(self.model, self.values)
