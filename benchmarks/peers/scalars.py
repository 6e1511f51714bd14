"""micrograd: one Python object for each number; it lacks the exponential, which is added."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from micrograd.engine import Value
from works import Work


def takes(work: Work) -> bool:
    return work.is_seed


def prepare(work: Work) -> Scalars:
    return Scalars(work)


def exponential(a: Any) -> Any:
    result = Value(math.exp(a.data), (a,), "exp")

    def backward() -> None:
        a.grad += result.data * result.grad

    result._backward = backward
    return result


def sigmoid(z: Any) -> Any:
    return (1 + exponential(-z)) ** -1


class Scalars:
    def __init__(self, work: Work) -> None:
        self.inputs = work.inputs.ravel().tolist()
        self.targets = work.targets.ravel().tolist()
        self.rate = work.rate
        self.weights = [[[Value(x) for x in row] for row in w.tolist()] for w in work.weights]
        self.biases = work.biases

    def run(self, epochs: int) -> None:
        trained = [value for w in self.weights for row in w for value in row]
        for _ in range(epochs):
            x: Any = self.inputs
            for w, biases in zip(self.weights, self.biases, strict=True):
                x = [
                    sigmoid(sum((a * b for a, b in zip(row, x, strict=True)), float(bias)))
                    for row, bias in zip(w, biases, strict=True)
                ]
            errors = [(t - y) ** 2 for t, y in zip(self.targets, x, strict=True)]
            for value in trained:
                value.grad = 0
            (sum(errors) * 0.5).backward()
            for value in trained:
                value.data -= self.rate * value.grad

    def parameters(self) -> list[Any]:
        weights = [np.array([[value.data for value in row] for row in w]) for w in self.weights]
        return [array for pair in zip(weights, self.biases, strict=True) for array in pair]
