"""chainrule's reference engine: Python's floats, by the program that `chainrule source` prints."""

from __future__ import annotations

from typing import Any

import numpy as np
from works import Work

from chainrule.engines.printed import Printed
from chainrule.engines.run import Task
from peers.model import model, tables


def takes(work: Work) -> bool:
    return work.weights[0].size < 100


def prepare(work: Work) -> Scalars:
    return Scalars(work)


class Scalars:
    def __init__(self, work: Work) -> None:
        self.model = model(work)
        data = tables(self.model)
        self.steps = Printed(Task(self.model, work.rate, data=data))
        rows = (array.reshape(-1, array.shape[2]) for array in (work.inputs, work.targets))
        self.data = dict(zip(data, rows, strict=True))

    def run(self, epochs: int) -> None:
        self.steps.epochs(self.data, epochs)

    def parameters(self) -> list[Any]:
        return [
            np.reshape(self.steps.read(leaf.node), leaf.node.shape)
            for leaf in self.model.leaves
            if leaf.role == "parameter"
        ]
