"""LeNet-5 with max pools and rectifiers.

Source: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to document
recognition, figure 2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class LeNet(nn.Module):
    """Two convolutions, three linear layers."""

    def __init__(self, channels: tuple[int, int], widths: tuple[int, int], size: int) -> None:
        super().__init__()
        first, second = channels
        self.conv1 = nn.Conv2d(1, first, 5, padding=2)
        self.conv2 = nn.Conv2d(first, second, 5)
        self.fc1 = nn.Linear(second * (size // 4 - 2) ** 2, widths[0])
        self.fc2 = nn.Linear(widths[0], widths[1])
        self.fc3 = nn.Linear(widths[1], 10)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (n, 1, size, size), the result (n, 10)."""
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = functional.relu(self.fc1(x))
        x = functional.relu(self.fc2(x))
        return self.fc3(x)


def build(
    channels: tuple[int, int] = (6, 16), widths: tuple[int, int] = (120, 84), size: int = 28
) -> nn.Module:
    """LeNet-5 for images of `size` times `size`."""
    torch.manual_seed(0)
    return LeNet(channels, widths, size)


def example() -> tuple[nn.Module, tuple[Any, ...], Any, Any]:
    """The module, its arguments, a loss, and targets."""
    module = build()
    x = torch.randn(2, 1, 28, 28)
    return module, (x,), functional.cross_entropy, torch.tensor([3, 7])
