"""A classifier of sequences: embedding, LSTM, a linear layer on the last state.

Source: Hochreiter and Schmidhuber (1997), Long short-term memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Reads words, and says what kind of text they are."""

    def __init__(self, words: int, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Shapes: tokens (n, t), the result (n, classes)."""
        states, _ = self.lstm(self.embedding(tokens))
        return self.fc(states[:, -1])


def build(words: int = 20, width: int = 6, hidden: int = 8, classes: int = 3) -> nn.Module:
    """The classifier; word 0 is padding."""
    torch.manual_seed(0)
    return Classifier(words, width, hidden, classes)


def example() -> tuple[nn.Module, tuple[Any, ...], Any, Any]:
    """The module, its arguments, a loss, and targets."""
    module = build()
    tokens = torch.tensor([[0, 3, 5, 2], [7, 1, 1, 19]])
    return module, (tokens,), nn.functional.cross_entropy, torch.tensor([2, 0])
