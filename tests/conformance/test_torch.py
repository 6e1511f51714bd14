"""Random networks built a second time in PyTorch, float64, differentiated by autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from helpers.budget import budgeted
from helpers.networks import ALL_ACTIVATIONS, ALL_LOSSES, Description, describe, network

from chainrule import api
from chainrule.engines import gradient
from chainrule.graph.model import Model

COUNT = 300
SEEDS = range(10_000, 10_000 + budgeted(COUNT))
FEWEST = 200

every_network = pytest.mark.parametrize("seed", SEEDS)

ACTIVATIONS: dict[str, Callable[[torch.Tensor, Description], torch.Tensor]] = {
    "sigmoid": lambda z, layer: torch.sigmoid(z),
    "tanh": lambda z, layer: torch.tanh(z),
    "relu": lambda z, layer: F.relu(z),
    "leaky_relu": lambda z, layer: F.leaky_relu(z, layer.get("negative_slope", 0.01)),
    "elu": lambda z, layer: F.elu(z, layer.get("alpha", 1.0)),
    "softplus": lambda z, layer: F.softplus(z, threshold=500.0),
    "gelu": lambda z, layer: F.gelu(z),
    "silu": lambda z, layer: F.silu(z),
    "softmax": lambda z, layer: F.softmax(z, dim=1),
    "log_softmax": lambda z, layer: F.log_softmax(z, dim=1),
    "sin": lambda z, layer: torch.sin(z),
    "exp": lambda z, layer: torch.exp(z),
    "identity": lambda z, layer: z,
}
Loss = Callable[[torch.Tensor, torch.Tensor, Description], torch.Tensor]
LOSSES: dict[str, Loss] = {
    "half_squared_error": lambda y, t, net: 0.5 * F.mse_loss(y, t, reduction="none").sum(1),
    "squared_error": lambda y, t, net: F.mse_loss(y, t, reduction="none").sum(1),
    "mean_squared_error": lambda y, t, net: F.mse_loss(y, t, reduction="none").mean(1),
    "absolute_error": lambda y, t, net: F.l1_loss(y, t, reduction="none").sum(1),
    "mean_absolute_error": lambda y, t, net: F.l1_loss(y, t, reduction="none").mean(1),
    "huber": lambda y, t, net: F.huber_loss(
        y, t, reduction="none", delta=net.get("huber_delta", 1.0)
    ).sum(1),
    "binary_cross_entropy": lambda y, t, net: F.binary_cross_entropy(y, t, reduction="none").sum(1),
    "binary_cross_entropy_from_logits": lambda y, t, net: F.binary_cross_entropy_with_logits(
        y, t, reduction="none"
    ).sum(1),
    "categorical_cross_entropy": lambda y, t, net: -(torch.xlogy(t, y)).sum(1),
    "categorical_cross_entropy_from_logits": lambda y, t, net: F.cross_entropy(
        y, t, reduction="none"
    ),
}
"""One loss per example."""


@dataclass
class Layer:
    """One layer's tensors, and what it computed."""

    described: Description
    weight: torch.Tensor
    bias: torch.Tensor | None
    operand: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    net: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    out: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def sign(self) -> float:
        return -1.0 if "thresholds" in self.described else 1.0

    @property
    def trained(self) -> list[torch.Tensor]:
        tensors = []
        if self.described.get("train_weights", True):
            tensors.append(self.weight)
        if self.bias is not None and self.described.get("train_biases", True):
            tensors.append(self.bias)
        return tensors

    def run(self, x: torch.Tensor) -> torch.Tensor:
        self.operand = x
        shift = 0.0 if self.bias is None else self.sign * self.bias
        self.net = x @ self.weight.T + shift
        self.out = ACTIVATIONS[self.described["activation"]](self.net, self.described)
        return self.out


def tensor(numbers: Any) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


def rows(given: Any, batch: bool) -> torch.Tensor:
    """Inputs or targets in one of their four forms, one row per example."""
    columns = list(given.values()) if isinstance(given, dict) else None
    if batch:
        return tensor(given).detach() if columns is None else tensor(columns).detach().T
    return tensor([given if columns is None else columns]).detach()


class Twin:
    """A description as PyTorch runs it."""

    def __init__(self, description: Description) -> None:
        self.description = description
        first = description["inputs"]
        first = next(iter(first.values())) if isinstance(first, dict) else first[0]
        self.batch = isinstance(first, list)
        self.layers = []
        for layer in description["layers"]:
            bias = layer.get("biases", layer.get("thresholds"))
            self.layers.append(
                Layer(layer, tensor(layer["weights"]), None if bias is None else tensor(bias))
            )

    def loss(self) -> torch.Tensor:
        description = self.description
        x = rows(description["inputs"], self.batch)
        for layer in self.layers:
            x = layer.run(x)
        targets = rows(description["targets"], self.batch)
        targets = targets[:, self.target_order()]
        per_example = LOSSES[description["loss"]](x, targets, description)
        total = per_example.sum()
        if self.batch and description.get("reduction", "mean") == "mean":
            total = total / len(per_example)
        return total + self.penalty([layer.weight for layer in self.layers])

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        l1, l2 = self.description.get("l1", 0.0), self.description.get("l2", 0.0)
        total = torch.zeros((), dtype=torch.float64)
        for weight in weights:
            total = total + 0.5 * l2 * (weight**2).sum() + l1 * weight.abs().sum()
        return total

    def target_order(self) -> list[int]:
        """Named targets come in the order of the named units."""
        targets, units = self.description["targets"], self.description["layers"][-1]["units"]
        if isinstance(targets, dict) and isinstance(units, list):
            return [list(targets).index(unit) for unit in units]
        return list(range(self.layers[-1].weight.shape[0]))

    @property
    def trained(self) -> list[torch.Tensor]:
        return [each for layer in self.layers for each in layer.trained]


def grouped(model: Model, entries: dict[str, float]) -> list[torch.Tensor]:
    """The numbers of each trained tensor, in the order of the model."""
    return [
        torch.tensor([entries[label] for label in leaf.labels], dtype=torch.float64)
        for leaf in model.leaves
        if leaf.trained
    ]


def assert_close(got: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    assert got.numel() == expected.numel()
    scale = max(1e-3, float(expected.abs().max()))
    assert float((got - expected.reshape(-1)).abs().max()) <= tolerance * scale


def test_enough_networks_of_every_kind():
    descriptions = [describe(seed) for seed in SEEDS]
    assert len(descriptions) >= min(FEWEST, budgeted(FEWEST))
    assert set(ACTIVATIONS) == set(ALL_ACTIVATIONS)
    assert set(LOSSES) == set(ALL_LOSSES)
    used = {layer["activation"] for each in descriptions for layer in each["layers"]}
    assert used == set(ACTIVATIONS)
    assert {each["loss"] for each in descriptions} == set(LOSSES)
    assert sum(Twin(each).batch for each in descriptions) >= len(descriptions) // 4
    parameters = sum(each.numel() for seed in SEEDS for each in Twin(describe(seed)).trained)
    assert parameters >= 15 * len(descriptions)


@every_network
@pytest.mark.parametrize("engine", ["_scalar", "_arrays"])
def test_loss_and_gradient(seed: int, engine: str):
    description = describe(seed)
    twin, model = Twin(description), network(description)
    loss = twin.loss()
    found = getattr(gradient, engine)(model)
    assert found.loss == pytest.approx(loss.item(), rel=1e-12, abs=1e-12)
    expected = torch.autograd.grad(loss, twin.trained)
    got = grouped(model, found.entries)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert_close(ours, theirs, 1e-9)


@every_network
def test_derivatives_by_inputs_and_fixed_numbers(seed: int):
    """Whatever may be asked for, not only what is trained."""
    description = describe(seed)
    twin, model = Twin(description), network(description)
    x = tensor(rows(description["inputs"], twin.batch).tolist())
    out = x
    for layer in twin.layers:
        out = layer.run(out)
    targets = rows(description["targets"], twin.batch)[:, twin.target_order()]
    total = LOSSES[description["loss"]](out, targets, description).sum()
    if twin.batch and description.get("reduction", "mean") == "mean":
        total = total / len(x)
    expected = torch.autograd.grad(total, x)[0].reshape(-1)
    leaf = next(leaf for leaf in model.leaves if leaf.role == "input")
    found = api.explain(model, leaf.labels, checked=False)
    got = torch.tensor([item.gradient for item in found.derivations], dtype=torch.float64)
    assert_close(got, expected, 1e-9)


@every_network
def test_simultaneous_step(seed: int):
    description = describe(seed)
    twin, model = Twin(description), network(description)
    optimiser = torch.optim.SGD(twin.trained, lr=description["learning_rate"])
    for _ in range(3):
        optimiser.zero_grad()
        twin.loss().backward()
        optimiser.step()
    taken = api.step(model, 3, order="simultaneous")
    for ours, theirs in zip(grouped(model, taken.parameters), twin.trained, strict=True):
        assert_close(ours, theirs.detach(), 1e-9)
    assert taken.losses[-1] == pytest.approx(twin.loss().item(), rel=1e-9, abs=1e-12)


@every_network
def test_sequential_step(seed: int):
    """The layers from the last to the first; each δ goes back through the new weights."""
    description = describe(seed)
    twin, model = Twin(description), network(description)
    rate = description["learning_rate"]
    data_loss = twin.loss() - twin.penalty([layer.weight for layer in twin.layers])
    (adjoint,) = torch.autograd.grad(data_loss, twin.layers[-1].out, retain_graph=True)
    expected: list[torch.Tensor] = []
    for layer in reversed(twin.layers):
        (delta,) = (
            torch.autograd.grad(layer.out, layer.net, adjoint, retain_graph=True)
            if layer.out is not layer.net
            else (adjoint,)
        )
        (own,) = (
            torch.autograd.grad(twin.penalty([layer.weight]), layer.weight)
            if twin.description.get("l1") or twin.description.get("l2")
            else (torch.zeros_like(layer.weight),)
        )
        new = layer.weight.detach()
        updated = []
        if layer.described.get("train_weights", True):
            new = new - rate * (delta.T @ layer.operand.detach() + own)
            updated.append(new)
        if layer.bias is not None and layer.described.get("train_biases", True):
            slope = layer.sign * delta.sum(0)
            step = slope if layer.bias.ndim else slope.sum()
            updated.append(layer.bias.detach() - rate * step)
        expected = updated + expected
        adjoint = delta @ new
    taken = api.step(model, 1, order="sequential")
    for ours, theirs in zip(grouped(model, taken.parameters), expected, strict=True):
        assert_close(ours, theirs, 1e-9)


@pytest.mark.parametrize("weight", [5.0, 20.0, 40.0, 300.0, 900.0])
@pytest.mark.parametrize("target", [[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]], ids=str)
@pytest.mark.parametrize(
    ("activation", "loss", "stable"),
    [
        ("sigmoid", "binary_cross_entropy", "binary_cross_entropy_from_logits"),
        ("softmax", "categorical_cross_entropy", "categorical_cross_entropy_from_logits"),
    ],
)
def test_saturated_cross_entropy(
    activation: str, loss: str, stable: str, target: list[float], weight: float
):
    """Where an output rounds to 0 or 1, the loss and its gradient are those of the logits."""
    layer: Description = {
        "units": 2,
        "weights": [[weight, 1.0], [-weight, 0.5]],
        "biases": [0.1, -0.2],
    }
    description: Description = {
        "loss": loss,
        "learning_rate": 0.1,
        "inputs": [1.0, -0.5],
        "targets": target,
        "layers": [layer | {"activation": activation}],
    }
    twin = Twin(description | {"loss": stable, "layers": [layer | {"activation": "identity"}]})
    expected = twin.loss()
    explanation = api.explain(network(description))
    assert explanation.loss_value == pytest.approx(expected.item(), rel=1e-9, abs=1e-12)
    entries = {item.parameter: item.gradient for item in explanation.derivations}
    gradients = torch.autograd.grad(expected, twin.trained)
    for ours, theirs in zip(grouped(network(description), entries), gradients, strict=True):
        assert_close(ours, theirs, 1e-6)
    assert api.check(network(description)).passed
