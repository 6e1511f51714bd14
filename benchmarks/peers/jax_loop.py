"""JAX at its best where an epoch is one step: all of them in one compiled `fori_loop`."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax
from works import Work

from peers.jax_step import Steps


def takes(work: Work) -> bool:
    return work.batches == 1


def prepare(work: Work) -> Loop:
    return Loop(work)


class Loop(Steps):
    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.loop = jax.jit(self.all_steps)

    def run(self, epochs: int) -> None:
        with self.precision():
            self.layers = self.loop(self.layers, self.inputs[0], self.targets[0], epochs)
            jax.block_until_ready(self.layers)

    def all_steps(self, layers: Any, x: Any, t: Any, count: Any) -> Any:
        return lax.fori_loop(0, count, lambda _, now: self.step(now, x, t), layers)
