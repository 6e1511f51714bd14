"""chainrule's reference engine: Python's floats, one scalar step after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from works import Work

from chainrule.differentiate.chain import Chain
from chainrule.engines import reference
from chainrule.engines.descent import scalar_descent
from peers.model import model, tables


def takes(work: Work) -> bool:
    return work.weights[0].size < 100


def prepare(work: Work) -> Scalars:
    return Scalars(work)


class Scalars:
    def __init__(self, work: Work) -> None:
        self.model = made = model(work)
        unrolled = made.unrolled
        trained = [n for leaf in made.leaves if leaf.trained for n in unrolled.entries[leaf.node]]
        chain = Chain(unrolled, unrolled.entries[made.loss][0], trained)
        rate = unrolled.op.variable("rate")
        self.descent = scalar_descent(chain, trained, rate, "simultaneous")
        self.values: dict[Any, Any] = {**reference.leaf_values(made), rate: work.rate}
        self.nodes = [node for table in tables(made) for node in unrolled.entries[table]]
        self.batches = [
            [*x.ravel().tolist(), *t.ravel().tolist()]
            for x, t in zip(work.inputs, work.targets, strict=True)
        ]

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            for batch in self.batches:
                self.values.update(zip(self.nodes, batch, strict=True))
                _, _, changed = self.descent.step(self.values)
                self.values.update(changed)

    def parameters(self) -> list[Any]:
        entries = self.model.unrolled.entries
        return [
            np.array([self.values[node] for node in entries[leaf.node]]).reshape(leaf.node.shape)
            for leaf in self.model.leaves
            if leaf.role == "parameter"
        ]
