"""HIPS autograd: NumPy code, differentiated as it runs."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
from autograd import grad
from works import Work


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Traced:
    return Traced(work)


class Traced:
    def __init__(self, work: Work) -> None:
        self.work = work
        self.layers = list(zip(*work.copies(), strict=True))
        self.gradient = grad(self.loss)

    def run(self, epochs: int) -> None:
        rate = self.work.rate
        for _ in range(epochs):
            for x, t in zip(self.work.inputs, self.work.targets, strict=True):
                for (w, b), (dw, db) in zip(
                    self.layers, self.gradient(self.layers, x, t), strict=True
                ):
                    w -= rate * dw
                    if not self.work.is_seed:
                        b -= rate * db

    def loss(self, layers: Any, x: Any, t: Any) -> Any:
        *hidden, (w, b) = layers
        for weights, biases in hidden:
            net = anp.dot(x, weights.T) + biases
            x = 1 / (1 + anp.exp(-net)) if self.work.is_seed else anp.maximum(net, 0)
        net = anp.dot(x, w.T) + b
        if self.work.is_seed:
            return 0.5 * anp.sum((t - 1 / (1 + anp.exp(-net))) ** 2)
        net = net - anp.max(net, axis=1, keepdims=True)
        logarithms = net - anp.log(anp.sum(anp.exp(net), axis=1, keepdims=True))
        return -anp.sum(t * logarithms) / len(x)

    def parameters(self) -> list[Any]:
        return [array for pair in self.layers for array in pair]
