"""The 2-3-2 network as a lesson writes it: one number at a time, `np.exp` and all."""

from __future__ import annotations

from typing import Any

import numpy as np
from works import Work


def takes(work: Work) -> bool:
    return work.is_seed


def prepare(work: Work) -> Lesson:
    return Lesson(work)


def sigmoid(z: Any) -> Any:
    return 1.0 / (1 + np.exp(-z))


class Lesson:
    def __init__(self, work: Work) -> None:
        self.x = work.inputs.ravel().tolist()
        self.y = work.targets.ravel().tolist()
        self.alpha = work.rate
        hidden, output = work.weights
        self.w = [*hidden.ravel().tolist(), *output.T.ravel().tolist()]
        self.b = [work.biases[0].tolist()[0], work.biases[1].tolist()[0]]

    def run(self, epochs: int) -> None:
        x, y, b, alpha = self.x, self.y, self.b, self.alpha
        w = self.w
        for _ in range(epochs):
            h1 = sigmoid(w[0] * x[0] + w[1] * x[1] + b[0])
            h2 = sigmoid(w[2] * x[0] + w[3] * x[1] + b[0])
            h3 = sigmoid(w[4] * x[0] + w[5] * x[1] + b[0])
            o1 = sigmoid(w[6] * h1 + w[8] * h2 + w[10] * h3 + b[1])
            o2 = sigmoid(w[7] * h1 + w[9] * h2 + w[11] * h3 + b[1])
            d1 = -(y[0] - o1) * o1 * (1 - o1)
            d2 = -(y[1] - o2) * o2 * (1 - o2)
            e1 = (d1 * w[6] + d2 * w[7]) * h1 * (1 - h1)
            e2 = (d1 * w[8] + d2 * w[9]) * h2 * (1 - h2)
            e3 = (d1 * w[10] + d2 * w[11]) * h3 * (1 - h3)
            gradient = [
                *(e1 * x[0], e1 * x[1], e2 * x[0], e2 * x[1], e3 * x[0], e3 * x[1]),
                *(d1 * h1, d2 * h1, d1 * h2, d2 * h2, d1 * h3, d2 * h3),
            ]
            w = [old - alpha * slope for old, slope in zip(w, gradient, strict=True)]
        self.w = w

    def parameters(self) -> list[Any]:
        w = np.array(self.w)
        hidden, output = w[:6].reshape(3, 2), w[6:].reshape(3, 2).T
        return [hidden, np.full(3, self.b[0]), output, np.full(2, self.b[1])]
