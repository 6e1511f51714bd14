"""scikit-learn's MLPClassifier: `partial_fit`, an epoch each.

It does more than a step: it looks at the data and its classes each time, makes the
targets of the classes anew, and works the loss out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from works import Work


def takes(work: Work) -> bool:
    return not work.is_seed  # no sigmoid outputs with a squared error, no biases held fixed


def prepare(work: Work) -> Classifier:
    return Classifier(work)


class Classifier:
    def __init__(self, work: Work) -> None:
        self.inputs = work.inputs.reshape(-1, work.inputs.shape[2])
        self.classes = work.targets.argmax(axis=2).ravel()
        self.model = MLPClassifier(
            [len(w) for w in work.weights[:-1]],
            solver="sgd",
            momentum=0.0,
            alpha=0.0,
            learning_rate_init=work.rate,
            batch_size=work.batch,
            shuffle=False,
        )
        self.model.partial_fit(self.inputs, self.classes, classes=np.arange(work.targets.shape[2]))
        given = zip(work.weights, work.biases, strict=True)
        own = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        for (w, b), (coefficients, intercepts) in zip(given, own, strict=True):
            coefficients[:], intercepts[:] = w.T, b

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            self.model.partial_fit(self.inputs, self.classes)

    def parameters(self) -> list[Any]:
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [array for w, b in pairs for array in (w.T, b)]
