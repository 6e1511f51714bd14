"""Random networks as descriptions: every activation, loss and option, each by turns."""

from __future__ import annotations

import random
from typing import Any

from chainrule.frontends.network import build_network, network_from_data
from chainrule.frontends.network.words import ACTIVATIONS, LOSSES
from chainrule.graph.model import Model

ALL_LOSSES = tuple(dict.fromkeys(LOSSES.values()))
ALL_ACTIVATIONS = tuple(dict.fromkeys(ACTIVATIONS.values()))
PROBABILITIES = ("sigmoid", "softmax")
"""Output activations whose values are probabilities, which a cross-entropy takes."""

Description = dict[str, Any]


def network(description: Description) -> Model:
    """The model of a description."""
    return build_network(network_from_data(description))


def describe(seed: int) -> Description:
    """Network number `seed`: its loss and activations go round, the rest is drawn."""
    return _Drawing(seed).description()


class _Drawing:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.loss = ALL_LOSSES[seed % len(ALL_LOSSES)]
        self.batch = self.chance.random() < 0.4
        self.examples = self.chance.randint(1, 4) if self.batch else 1
        depth = self.chance.choice([1, 2, 2, 2, 3, 3, 4, 5])
        widest = 6 if depth <= 3 else 4
        self.widths = [self.chance.randint(1, widest) for _ in range(depth + 1)]
        if "categorical" in self.loss:
            self.widths[-1] = max(2, self.widths[-1])

    def maybe(self, probability: float) -> bool:
        return self.chance.random() < probability

    def number(self, scale: float = 1.0) -> float:
        """Few digits, as a person writes, or all of them."""
        value = self.chance.uniform(-scale, scale)
        return round(value, 2) or 0.5 if self.maybe(0.5) else value

    def description(self) -> Description:
        chance = self.chance
        layers = [self.layer(index) for index in range(len(self.widths) - 1)]
        steep = any(layer["activation"] == "exp" for layer in layers)
        described: Description = {
            "loss": self.loss,
            "learning_rate": 0.001 if steep else chance.choice([0.1, 0.05, 0.01]),
            "inputs": self.rows([f"i{i + 1}" for i in range(self.widths[0])], self.inputs()),
            "targets": self.rows(self.output_names(layers[-1]), self.targets(layers[-1])),
            "layers": layers,
        }
        if self.maybe(0.4):
            described["order"] = chance.choice(["sequential", "simultaneous"])
        if self.batch and self.maybe(0.6):
            described["reduction"] = chance.choice(["mean", "sum"])
        if self.loss == "huber" and self.maybe(0.7):
            described["huber_delta"] = chance.choice([0.1, 0.5, 2.0])
        for penalty in ("l1", "l2"):
            if self.maybe(0.2):
                described[penalty] = chance.choice([0.01, 0.5, 0.003])
        return described

    # ------------------------------------------------------------------------ layers

    def layer(self, index: int) -> Description:
        inputs, units = self.widths[index], self.widths[index + 1]
        last = index == len(self.widths) - 2
        layer: Description = {"activation": self.activation(index, last)}
        scale = 1.5 / inputs**0.5
        layer["weights"] = [[self.number(scale) for _ in range(inputs)] for _ in range(units)]
        layer["units"] = units
        if self.maybe(0.3):
            layer["units"] = [f"u{index}{'abcdef'[unit]}" for unit in range(units)]
        if self.maybe(0.3):
            layer["name"] = "output" if last else f"hidden{index}"
        if self.maybe(0.3):
            layer["weight_names"] = [
                [f"v{index}_{unit}{source}" for source in range(inputs)] for unit in range(units)
            ]
        self.biases(layer, index, units)
        if self.maybe(0.15) and index:
            layer["train_weights"] = False
        if layer["activation"] == "leaky_relu" and self.maybe(0.7):
            layer["negative_slope"] = self.chance.choice([0.2, 0.05])
        if layer["activation"] == "elu" and self.maybe(0.7):
            layer["alpha"] = self.chance.choice([0.5, 1.3])
        return layer

    def activation(self, index: int, last: bool) -> str:
        if last and self.loss.endswith("_from_logits"):
            return "identity"
        if last and "cross_entropy" in self.loss:
            # The softmax of one unit is 1, which is no probability to be wrong about.
            return PROBABILITIES[self.seed // len(ALL_LOSSES) % 2 if self.widths[-1] > 1 else 0]
        return ALL_ACTIVATIONS[(self.seed // 3 + 5 * index) % len(ALL_ACTIVATIONS)]

    def biases(self, layer: Description, index: int, units: int) -> None:
        if self.maybe(0.2):
            return
        key = "thresholds" if self.maybe(0.25) else "biases"
        if self.maybe(0.4):
            layer[key] = self.number()
            if self.maybe(0.5):
                layer["bias_names"] = f"b{index}"
        else:
            layer[key] = [self.number() for _ in range(units)]
            if self.maybe(0.3):
                layer["bias_names"] = [f"b{index}_{unit}" for unit in range(units)]
        if self.maybe(0.3):
            layer["train_biases"] = False

    # ---------------------------------------------------------------------- examples

    def inputs(self) -> list[list[float]]:
        return [[self.number(1.5) for _ in range(self.widths[0])] for _ in range(self.examples)]

    def targets(self, output: Description) -> list[list[float]]:
        units = self.widths[-1]
        return [self.target_row(units) for _ in range(self.examples)]

    def target_row(self, units: int) -> list[float]:
        if "categorical" in self.loss:
            if self.maybe(0.6):
                hot = self.chance.randrange(units)
                return [float(unit == hot) for unit in range(units)]
            shares = [self.chance.uniform(0.1, 1.0) for _ in range(units)]
            return [share / sum(shares) for share in shares]
        if "cross_entropy" in self.loss:
            return [self.chance.choice([0.0, 1.0, 0.25, 0.9]) for _ in range(units)]
        return [self.number() for _ in range(units)]

    def output_names(self, output: Description) -> list[str]:
        units = output["units"]
        return units if isinstance(units, list) else [f"y{i + 1}" for i in range(units)]

    def rows(self, names: list[str], rows: list[list[float]]) -> Any:
        """One of the four forms: a table or a list, of numbers or of lists."""
        if self.maybe(0.5):
            if self.batch:
                return {name: [row[i] for row in rows] for i, name in enumerate(names)}
            return dict(zip(names, rows[0], strict=True))
        return rows if self.batch else rows[0]
