"""A perceptron with two hidden layers."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn


def build(widths: tuple[int, ...] = (4, 8, 8, 3)) -> nn.Module:
    """Linear layers of these widths with a tanh after each but the last."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def example() -> tuple[nn.Module, tuple[Any, ...], Any, Any]:
    """The module, its arguments, a loss, and targets."""
    module = build()
    x = torch.randn(5, 4)
    return module, (x,), nn.functional.cross_entropy, torch.tensor([0, 2, 1, 1, 0])
