"""The work that is timed: a network, its starting weights, and data in batches.

Plain arrays, made from fixed seeds, so that every peer starts from the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Work:
    """An epoch is one step of gradient descent for each batch, in order.

    `seed` is a network of sigmoid units with half the squared error and biases that
    are held fixed; all others have ReLU units, softmax outputs, and the mean
    cross-entropy of a batch.

    Shapes: inputs (batches, b, i), targets (batches, b, o), weights (units, inputs of
    the layer), biases (units,).
    """

    name: str
    rate: float
    inputs: Any
    targets: Any
    weights: list[Any]
    biases: list[Any]

    @property
    def is_seed(self) -> bool:
        return self.name == "seed"

    @property
    def dtype(self) -> str:
        return str(self.inputs.dtype)

    @property
    def batches(self) -> int:
        return len(self.inputs)

    @property
    def batch(self) -> int:
        return int(self.inputs.shape[1])

    def copies(self) -> tuple[list[Any], list[Any]]:
        """Weights and biases that a peer may change."""
        return [w.copy() for w in self.weights], [b.copy() for b in self.biases]

    def save(self, file: Path) -> None:
        """Write the work down, for a process that is to load nothing but NumPy."""
        layers = {f"weights{n}": w for n, w in enumerate(self.weights)}
        layers |= {f"biases{n}": b for n, b in enumerate(self.biases)}
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez(file, **{k: v for k, v in own.items() if k not in ("weights", "biases")}, **layers)


def load(file: Path) -> Work:
    with np.load(file) as data:
        depth = sum(key.startswith("weights") for key in data)
        return Work(
            str(data["name"]),
            float(data["rate"]),
            data["inputs"],
            data["targets"],
            [data[f"weights{n}"] for n in range(depth)],
            [data[f"biases{n}"] for n in range(depth)],
        )


def seed() -> Work:
    return Work(
        "seed",
        0.5,
        np.array([[[5.0, 10.0]]]),
        np.array([[[0.01, 0.99]]]),
        [
            np.array([[0.1, 0.15], [0.2, 0.25], [0.3, 0.35]]),
            np.array([[0.4, 0.5, 0.6], [0.45, 0.55, 0.65]]),
        ],
        [np.full(3, 0.35), np.full(2, 0.65)],
    )


def classifier(*widths: int, batch: int, batches: int = 16) -> Work:
    chance = np.random.default_rng(widths)
    rows = batch * batches
    sizes = list(zip(widths[1:], widths[:-1], strict=True))
    weights = [chance.normal(0.0, (2 / inputs) ** 0.5, (units, inputs)) for units, inputs in sizes]
    inputs = chance.uniform(0.0, 1.0, (batches, batch, widths[0]))
    classes = chance.integers(0, widths[-1], rows).reshape(batches, batch)
    classes[0, : widths[-1]] = np.arange(widths[-1])  # each is there
    name = f"{'-'.join(map(str, widths))}, batch {batch}"
    return Work(
        name,
        0.05,
        inputs.astype(np.float32),
        np.eye(widths[-1], dtype=np.float32)[classes],
        [w.astype(np.float32) for w in weights],
        [np.zeros(units, np.float32) for units in widths[1:]],
    )


def all_works() -> list[Work]:
    return [
        seed(),
        classifier(4, 16, 3, batch=16),
        classifier(64, 32, 10, batch=32),
        classifier(64, 128, 10, batch=64),
        classifier(784, 128, 10, batch=32),
        classifier(784, 128, 10, batch=128),
        classifier(784, 512, 512, 10, batch=256, batches=4),
    ]
