"""NumPy by hand: forward, backward and update on whole arrays, nothing allocated on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from works import Work


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Arrays:
    return Arrays(work)


class Arrays:
    def __init__(self, work: Work) -> None:
        self.work = work
        self.rate = np.dtype(work.dtype).type(work.rate)
        self.weights, self.biases = work.copies()
        self.gradients = [np.empty_like(w) for w in self.weights]
        self.sums = [np.empty_like(b) for b in self.biases]
        self.out = [np.empty((work.batch, len(w)), work.dtype) for w in self.weights]
        self.deltas = [np.empty_like(out) for out in self.out]
        self.slopes = [np.empty_like(out) for out in self.out]
        self.row = np.empty((work.batch, 1), work.dtype)
        self.step = self.seed_step if work.is_seed else self.classifier_step

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            for x, t in zip(self.work.inputs, self.work.targets, strict=True):
                self.step(x, t)

    def forward(self, x: Any, place: int) -> Any:
        """The net inputs of a layer."""
        net = np.matmul(x, self.weights[place].T, out=self.out[place])
        net += self.biases[place]
        return net

    def classifier_step(self, x: Any, t: Any) -> None:
        last = len(self.weights) - 1
        left = x
        for place in range(last):
            net = self.forward(left, place)
            left = np.maximum(net, 0, out=net)
        net = self.forward(left, last)
        net -= np.max(net, axis=1, keepdims=True, out=self.row)
        np.exp(net, out=net)
        net /= np.sum(net, axis=1, keepdims=True, out=self.row)
        delta = np.subtract(net, t, out=self.deltas[last])
        delta /= len(x)
        self.backward(x, self.relu_slope)

    def relu_slope(self, place: int) -> Any:
        return np.greater(self.out[place], 0, out=self.slopes[place])

    def seed_step(self, x: Any, t: Any) -> None:
        left = x
        for place in range(len(self.weights)):
            left = self.sigmoid(self.forward(left, place))
        delta = np.subtract(left, t, out=self.deltas[-1])
        delta *= self.sigmoid_slope(len(self.weights) - 1)
        self.backward(x, self.sigmoid_slope)

    def sigmoid(self, net: Any) -> Any:
        np.negative(net, out=net)
        np.exp(net, out=net)
        net += 1
        return np.divide(1, net, out=net)

    def sigmoid_slope(self, place: int) -> Any:
        out, slope = self.out[place], self.slopes[place]
        np.subtract(1, out, out=slope)
        slope *= out
        return slope

    def backward(self, x: Any, slope_of: Any) -> None:
        for place in reversed(range(len(self.weights))):
            delta, w, gradient = self.deltas[place], self.weights[place], self.gradients[place]
            np.matmul(delta.T, self.out[place - 1] if place else x, out=gradient)
            if place:
                np.matmul(delta, w, out=self.deltas[place - 1])
                self.deltas[place - 1] *= slope_of(place - 1)
            gradient *= self.rate
            w -= gradient
            if not self.work.is_seed:
                total = np.sum(delta, axis=0, out=self.sums[place])
                total *= self.rate
                self.biases[place] -= total

    def parameters(self) -> list[Any]:
        return [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]
