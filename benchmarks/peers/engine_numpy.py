"""chainrule's NumPy engine.  It works in float64, whatever the data are."""

from __future__ import annotations

from typing import Any

from works import Work

from chainrule.engines.descent import array_descent
from chainrule.engines.numpy import leaf_arrays
from chainrule.graph.build import Builder
from peers.model import model, parameters, tables


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Interpreted:
    return Interpreted(work)


class Interpreted:
    def __init__(self, work: Work) -> None:
        self.model = model(work)
        rate = Builder().variable("rate")
        self.descent = array_descent(self.model, rate, "simultaneous")
        self.values: dict[Any, Any] = {**leaf_arrays(self.model), rate: work.rate}
        self.tables = tables(self.model)
        self.batches = list(zip(work.inputs.astype(float), work.targets.astype(float), strict=True))

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            for batch in self.batches:
                self.values.update(zip(self.tables, batch, strict=True))
                _, _, changed = self.descent.step(self.values)
                self.values.update(changed)

    def parameters(self) -> list[Any]:
        return parameters(self.model, self.values)
