"""Small real models in plain PyTorch, shared by the cases of `why_cases.py`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mlp(nn.Module):
    """Two hidden layers: fc1, relu1, fc2, relu2, fc3; or tanh1, gelu1, ... after `act`."""

    def __init__(self, act: type[nn.Module] = nn.ReLU, *, outputs: int = 2) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.first = act.__name__.lower().rstrip("6") + "1"
        self.add_module(self.first, act())
        self.fc2 = nn.Linear(8, 6)
        self.second = act.__name__.lower().rstrip("6") + "2"
        self.add_module(self.second, act())
        self.fc3 = nn.Linear(6, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.get_submodule(self.first)(self.fc1(x))
        x = self.get_submodule(self.second)(self.fc2(x))
        return self.fc3(x)


class Deep(nn.Module):
    """A stack of `depth` equally wide layers, each followed by the activation."""

    def __init__(self, depth: int, act: type[nn.Module], *, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.act = act()
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.act(layer(x))
        return self.head(x)


class ConvNet(nn.Module):
    """Convolution, optional batch normalisation, ReLU, pool, convolution, ReLU, classifier."""

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4) if norm else nn.Identity()
        self.relu1 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(4, 4, 3)
        self.relu2 = nn.ReLU()
        self.fc = nn.Linear(16, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool(self.relu1(self.bn(self.conv1(image))))
        x = self.relu2(self.conv2(x))
        return self.fc(x.flatten(1))


class ConvBlock(nn.Module):
    """The residual block of ResNet: relu(x + bn2(conv2(relu(bn1(conv1(x))))))."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu2(x + self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))


class SmallResNet(nn.Module):
    """A stem, one residual block, an average pool, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.block = ConvBlock()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 3)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.pool(self.block(self.stem(image))).flatten(1))


class ResidualMlp(nn.Module):
    """`blocks` times x + fc2(relu(fc1(norm(x)))), as deep transformers have it."""

    def __init__(self, blocks: int, *, width: int = 8) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc2(self.relu(self.fc1(self.norm(x))))


class Attention(nn.Module):
    """One head; `closed` says which pairs (query, key) the query must not see."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.softmax = nn.Softmax(dim=-1)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, closed: Tensor | None = None) -> Tensor:
        scores = self.query(x) @ self.key(memory).mT / math.sqrt(x.shape[-1])
        if closed is not None:
            scores = scores.masked_fill(closed, -math.inf)
        return self.out(self.softmax(scores) @ self.value(memory))


class Gpt(nn.Module):
    """One block of a causal transformer over 12 tokens and at most 6 positions."""

    closed: Tensor

    def __init__(self, *, width: int = 8) -> None:
        super().__init__()
        self.tokens = nn.Embedding(12, width)
        self.positions = nn.Embedding(6, width)
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 2 * width)
        self.gelu = nn.GELU()
        self.fc2 = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 12)
        self.register_buffer("closed", torch.ones(6, 6, dtype=torch.bool).triu(1))

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.tokens(tokens) + self.positions.weight[:length]
        normal = self.norm1(x)
        x = x + self.attn(normal, normal, self.closed[:length, :length])
        x = x + self.fc2(self.gelu(self.fc1(self.norm2(x))))
        return self.head(x)


class FusedGpt(nn.Module):
    """The attention of PyTorch itself, with two heads."""

    def __init__(self, *, width: int = 8) -> None:
        super().__init__()
        self.tokens = nn.Embedding(12, width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.head = nn.Linear(width, 12)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens)
        examples, length, width = x.shape
        parts = self.project(x).view(examples, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(*parts, is_causal=True)
        return self.head(x + self.out(seen.transpose(1, 2).reshape(examples, length, width)))


class Reader(nn.Module):
    """A query reads a memory of 5 positions, of which the `padded` ones are closed to it."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(5, 8)
        self.attn = Attention()
        self.fc = nn.Linear(8, 2)

    def forward(self, query: Tensor, memory: Tensor, padded: Tensor) -> Tensor:
        memory = memory + self.positions.weight
        return self.fc(self.attn(query, memory, padded.unsqueeze(1)).squeeze(1))


class Unrolled(nn.Module):
    """An RNN written as a loop: state = act(inputs(embedding) + hidden(state))."""

    def __init__(self, act: type[nn.Module], *, width: int = 6) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, width)
        self.inputs = nn.Linear(width, width)
        self.hidden = nn.Linear(width, width)
        self.act = act()
        self.head = nn.Linear(width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.inputs(self.embed(tokens))
        state = torch.zeros_like(x[:, 0])
        for time in range(tokens.shape[1]):
            state = self.act(x[:, time] + self.hidden(state))
        return self.head(state)


class Recurrent(nn.Module):
    """An embedding, one of PyTorch's recurrent layers, a classifier of the last state."""

    def __init__(self, kind: type[nn.RNNBase] = nn.RNN, **options: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.rnn = kind(4, 5, batch_first=True, **options)
        self.fc = nn.Linear(5 * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(tokens))
        return self.fc(states[:, -1])


class Bag(nn.Module):
    """The mean of the tokens' embeddings, then a classifier."""

    def __init__(self, padding: int | None = None) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4, padding_idx=padding)
        self.fc = nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.embed(tokens).mean(1))


class MaxOverTime(nn.Module):
    """A text classifier: each feature of the text is the largest over its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.pool = nn.MaxPool1d(6)
        self.fc = nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.pool(self.embed(tokens).mT).squeeze(-1))


class TwoHeads(nn.Module):
    """A shared trunk with a main and an auxiliary output."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 8)
        self.relu1 = nn.ReLU()
        self.main = nn.Linear(8, 2)
        self.aux = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.relu1(self.fc1(x))
        return self.main(x), self.aux(x)


class Mean(nn.Module):
    """The mean of the outputs, where the output is a loss already."""

    def forward(self, output: Tensor) -> Tensor:
        return output.mean()


class WithLoss(nn.Module):
    """A model and its loss as one module: what is exported and imported."""

    def __init__(self, model: nn.Module, loss: nn.Module, *, targets: bool) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.targets = targets

    def forward(self, *given: Tensor) -> Tensor:
        if self.targets:
            return self.loss(self.model(*given[:-1]), given[-1])
        return self.loss(self.model(*given))
