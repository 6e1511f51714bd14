"""PyTorch as it is used: autograd, and `torch.optim.SGD`."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from works import Work


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Eager:
    return Eager(work)


class Eager:
    def __init__(self, work: Work) -> None:
        self.is_seed = work.is_seed
        self.data = list(
            zip(torch.from_numpy(work.inputs), torch.from_numpy(work.targets), strict=True)
        )
        weights, biases = work.copies()
        self.weights = [torch.from_numpy(w).requires_grad_() for w in weights]
        self.biases = [torch.from_numpy(b).requires_grad_(not work.is_seed) for b in biases]
        trained = [p for p in (*self.weights, *self.biases) if p.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=work.rate)

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            for x, t in self.data:
                self.optimizer.zero_grad()
                self.loss(x, t).backward()
                self.optimizer.step()

    def loss(self, x: Any, t: Any) -> Any:
        bend = torch.sigmoid if self.is_seed else torch.relu
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for w, b in hidden:
            x = bend(functional.linear(x, w, b))
        net = functional.linear(x, *last)
        if self.is_seed:
            return 0.5 * ((t - torch.sigmoid(net)) ** 2).sum()
        return functional.cross_entropy(net, t)

    def parameters(self) -> list[Any]:
        pairs = zip(self.weights, self.biases, strict=True)
        return [array.detach().numpy() for pair in pairs for array in pair]
