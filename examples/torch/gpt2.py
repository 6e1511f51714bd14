"""GPT-2.

Source: Radford, Wu, Child, Luan, Amodei, Sutskever (2019), Language models are unsupervised
multitask learners, 2.3.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Causal self-attention; `fused` in one operation, else spelt out."""

    mask: Tensor

    def __init__(self, width: int, heads: int, context: int, fused: bool) -> None:
        super().__init__()
        self.heads = heads
        self.fused = fused
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.register_buffer("mask", torch.ones(context, context).tril() == 0, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (n, t, width), and so the result."""
        n, t, width = x.shape
        parts = self.c_attn(x).split(width, dim=2)
        q, k, v = (part.view(n, t, self.heads, -1).transpose(1, 2) for part in parts)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
            scores = scores.masked_fill(self.mask[:t, :t], -math.inf)
            mixed = functional.softmax(scores, dim=3) @ v
        return self.c_proj(mixed.transpose(1, 2).reshape(n, t, width))


class Block(nn.Module):
    """Attention and a small perceptron, each added to what came in."""

    def __init__(self, width: int, heads: int, context: int, fused: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, context, fused)
        self.ln_2 = nn.LayerNorm(width)
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (n, t, width), and so the result."""
        x = x + self.attn(self.ln_1(x))
        hidden = functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
        return x + self.c_proj(hidden)


class GPT2(nn.Module):
    """Token and position embeddings, blocks, and the token embedding again as the last layer."""

    def __init__(
        self, width: int, layers: int, heads: int, words: int, context: int, fused: bool
    ) -> None:
        super().__init__()
        self.wte = nn.Embedding(words, width)
        self.wpe = nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads, context, fused) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, words, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Shapes: tokens (n, t), the result (n, t, words)."""
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


def build(
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    words: int = 50257,
    context: int = 1024,
    *,
    fused: bool = True,
) -> nn.Module:
    """GPT-2; the smallest of the paper by default. Weights are drawn as there."""
    torch.manual_seed(0)
    module = GPT2(width, layers, heads, words, context, fused)
    for parameter in module.parameters():
        if parameter.dim() == 2:
            nn.init.normal_(parameter, std=0.02)
    return module


def next_word(output: Tensor, targets: Tensor) -> Tensor:
    """The mean cross-entropy of the next word."""
    return functional.cross_entropy(output.flatten(0, 1), targets.flatten())


def example(tokens: int = 64, **sizes: Any) -> tuple[nn.Module, tuple[Any, ...], Any, Any]:
    """The module, its arguments, a loss, and targets."""
    module = build(**sizes)
    words = module.wte.num_embeddings
    text = torch.randint(words, (1, tokens + 1))
    return module, (text[:, :-1],), next_word, text[:, 1:]
