"""JAX at its best: all steps of all epochs in one compiled scan."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax
from works import Work

from peers.jax_step import Steps, takes

__all__ = ["prepare", "takes"]


def prepare(work: Work) -> Scan:
    return Scan(work)


class Scan(Steps):
    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.epochs = jax.jit(self.scan, static_argnames="count")

    def run(self, epochs: int) -> None:
        with self.precision():
            self.layers = self.epochs(self.layers, self.inputs, self.targets, count=epochs)
            jax.block_until_ready(self.layers)

    def scan(self, layers: Any, inputs: Any, targets: Any, count: int) -> Any:
        def epoch(layers: Any, _: None) -> Any:
            return lax.scan(one, layers, (inputs, targets))

        def one(layers: Any, batch: Any) -> Any:
            return self.step(layers, *batch), None

        return lax.scan(epoch, layers, length=count)[0]
