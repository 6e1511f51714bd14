"""ResNet-18.

Source: He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition, table 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two convolutions and a way round them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (n, inputs, h, w), the result (n, outputs, h / stride, w / stride)."""
        around = x if self.downsample is None else self.downsample(x)
        through = self.relu(self.bn1(self.conv1(x)))
        through = self.bn2(self.conv2(through))
        return self.relu(through + around)


class ResNet18(nn.Module):
    """A stem, four stages of two blocks, the mean over each channel, a linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(width, width, 1)
        self.layer2 = self._stage(width, 2 * width, 2)
        self.layer3 = self._stage(2 * width, 4 * width, 2)
        self.layer4 = self._stage(4 * width, 8 * width, 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width, classes)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (n, 3, h, w), the result (n, classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def build(width: int = 64, classes: int = 1000) -> nn.Module:
    """ResNet-18 with `width` channels in its first stage, in evaluation mode."""
    torch.manual_seed(0)
    return ResNet18(width, classes).eval()


def example(size: int = 224, **sizes: int) -> tuple[nn.Module, tuple[Any, ...], Any, Any]:
    """The module, its arguments, a loss, and targets."""
    module = build(**sizes)
    x = torch.randn(1, 3, size, size)
    return module, (x,), functional.cross_entropy, torch.tensor([1])
