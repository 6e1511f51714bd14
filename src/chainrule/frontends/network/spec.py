"""The result of reading a description: names that are checked, numbers that are finite floats.

Numbers are plain tuples, so that a small file is read without importing NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

__all__ = ["InputsSpec", "LayerSpec", "Matrix", "NetworkSpec", "Row"]

Row = tuple[float, ...]
Matrix = tuple[Row, ...]


@dataclass(frozen=True)
class InputsSpec:
    """The input names and one row of numbers per example.

    Shapes: values (examples, inputs).
    """

    names: tuple[str, ...]
    values: Matrix


@dataclass(frozen=True)
class LayerSpec:
    """One fully connected layer: `activation(weights @ x + bias_sign * biases)`.

    Shapes: weights (units, inputs); biases (units,), or one number that the
    layer shares, or None.
    """

    name: str
    units: tuple[str, ...]
    activation: str
    activation_parameter: float | None
    weights: Matrix
    given_weight_names: tuple[str, ...] | None
    biases: Row | float | None
    bias_names: tuple[str, ...]
    bias_sign: Literal[1, -1]
    train_weights: bool
    train_biases: bool

    @property
    def biases_are_shared(self) -> bool:
        """Whether one number is the bias of every unit."""
        return isinstance(self.biases, float)

    @property
    def flat_biases(self) -> Row:
        """The biases one after another: none, one that is shared, or one per unit."""
        if self.biases is None:
            return ()
        return (self.biases,) if isinstance(self.biases, float) else self.biases

    @property
    def flat_weights(self) -> Row:
        """The weights row by row, in the order of `weight_names`."""
        return tuple(weight for row in self.weights for weight in row)

    @cached_property
    def weight_names(self) -> tuple[str, ...]:
        """One name per weight, row by row; made when first asked for, since they may be many."""
        if self.given_weight_names is not None:
            return self.given_weight_names
        return tuple(
            f"{self.name}.weight[{unit},{source}]"
            for unit, row in enumerate(self.weights)
            for source in range(len(row))
        )


@dataclass(frozen=True)
class NetworkSpec:
    """A validated description; every name is checked, every number a finite float.

    Shapes: inputs.values (examples, inputs), targets (examples, outputs), the
    columns of `targets` in the order of the output layer's units.
    """

    inputs: InputsSpec
    targets: Matrix
    batch: bool
    loss: str
    huber_delta: float
    reduction: str
    l1: float
    l2: float
    learning_rate: float | None
    order: str
    layers: tuple[LayerSpec, ...]
