"""JAX as it is used: the gradient of a loss, one jitted step, called for each batch."""

from __future__ import annotations

from typing import Any

import jax
from jax import numpy as jnp
from works import Work


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Steps:
    return Steps(work)


class Steps:
    def __init__(self, work: Work) -> None:
        self.work = work
        with self.precision():
            self.inputs, self.targets = jnp.asarray(work.inputs), jnp.asarray(work.targets)
            self.batches = list(zip(self.inputs, self.targets, strict=True))
            pairs = zip(work.weights, work.biases, strict=True)
            self.layers = [(jnp.asarray(w), jnp.asarray(b)) for w, b in pairs]
            self.jitted = jax.jit(self.step)

    def precision(self) -> Any:
        return jax.enable_x64(self.work.dtype == "float64")

    def run(self, epochs: int) -> None:
        with self.precision():
            for _ in range(epochs):
                for x, t in self.batches:
                    self.layers = self.jitted(self.layers, x, t)
            jax.block_until_ready(self.layers)

    def step(self, layers: Any, x: Any, t: Any) -> Any:
        gradient = jax.grad(self.loss)(layers, x, t)
        rate = self.work.rate
        return [
            (w - rate * dw, b if self.work.is_seed else b - rate * db)
            for (w, b), (dw, db) in zip(layers, gradient, strict=True)
        ]

    def loss(self, layers: Any, x: Any, t: Any) -> Any:
        bend = jax.nn.sigmoid if self.work.is_seed else jax.nn.relu
        *hidden, (w, b) = layers
        for weights, biases in hidden:
            x = bend(x @ weights.T + biases)
        net = x @ w.T + b
        if self.work.is_seed:
            return 0.5 * jnp.sum((t - jax.nn.sigmoid(net)) ** 2)
        return -jnp.mean(jnp.sum(t * jax.nn.log_softmax(net), axis=1))

    def parameters(self) -> list[Any]:
        return [array for pair in self.layers for array in pair]
