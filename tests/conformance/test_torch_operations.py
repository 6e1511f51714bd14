"""Every operation of PyTorch that the importer knows, with its attributes, against PyTorch.

Each is followed once and judged twice: at numbers apart, and at whole numbers, where there are
ties and kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers.torch_models import gradients, judged
from torch import Tensor, nn
from torch.nn import functional

from chainrule.importers.torch import from_torch

Function = Callable[..., Any]
TOKENS = torch.tensor([[3, 1, 0], [0, 3, 4]])
LABELS = torch.tensor([2, 0, 1, 2])
MASK = torch.tensor([[True, False, True], [False, True, True]])


class Cell(nn.Module):
    """Functions of the same parameters."""

    def __init__(self, functions: Sequence[Function], shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.functions = functions
        self.x = nn.ParameterList(torch.empty(shape, dtype=torch.float64) for shape in shapes)

    def forward(self) -> list[Tensor]:
        return [function(*self.x) for function in self.functions]


def weighted(outputs: list[Tensor]) -> Tensor:
    """One number that every entry of the outputs has its own share in."""
    total = torch.zeros((), dtype=torch.float64)
    for output in outputs:
        weights = torch.sin(torch.arange(1, output.numel() + 1, dtype=torch.float64))
        total = total + (output.reshape(-1) * weights).sum()
    return total


APART, WHOLE, POSITIVE, SHARES = "apart", "whole", "positive", "shares"


def numbers(kind: str, shape: tuple[int, ...], chance: Any) -> Any:
    if kind == WHOLE:
        return chance.integers(-3, 4, shape) * 1.0
    if kind == POSITIVE:
        return chance.uniform(0.2, 3.0, shape)
    if kind == SHARES:
        return chance.uniform(0.05, 0.95, shape)
    return chance.normal(size=shape)


def agree(
    functions: Sequence[Function],
    *shapes: tuple[int, ...],
    kinds: Sequence[str] = (APART, WHOLE),
) -> None:
    cell = Cell(functions, shapes)
    chance = np.random.default_rng(0)
    model = None
    for kind in kinds:
        for parameter in cell.x:
            parameter.data.copy_(torch.tensor(numbers(kind, tuple(parameter.shape), chance)))
        if model is None:
            model = from_torch(cell, (), loss=weighted)
        loss, _ = gradients(model)
        assert loss == pytest.approx(weighted(cell()).item(), rel=1e-12, abs=1e-12)
        judged(model, 1e-9)


F = functional
ONE: dict[str, list[Function]] = {
    "arithmetic": [
        lambda x: x + 2,
        lambda x: torch.add(x, x * 3, alpha=0.5),
        lambda x: 1 - x,
        lambda x: torch.sub(x, 2.0, alpha=3),
        lambda x: x / 7,
        lambda x: -x * x,
        lambda x: x * torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64),
        lambda x: x * torch.arange(4),
        lambda x: x**2 + x**3,
    ],
    "exponentials": [
        torch.exp,
        torch.expm1,
        torch.sin,
        torch.cos,
        torch.erf,
        lambda x: 2.0**x,
        torch.sigmoid,
        torch.tanh,
    ],
    "rectifiers": [
        F.relu,
        torch.abs,
        torch.sign,
        torch.sgn,
        F.leaky_relu,
        lambda x: F.leaky_relu(x, 0.3),
        F.relu6,
        F.hardtanh,
        lambda x: F.hardtanh(x, -2.0, 1.0),
        F.hardsigmoid,
        F.hardswish,
        lambda x: F.threshold(x, 1.0, 0.5),
    ],
    "smooth activations": [
        F.gelu,
        lambda x: F.gelu(x, approximate="tanh"),
        F.silu,
        F.mish,
        F.softplus,
        lambda x: F.softplus(x, beta=2.0, threshold=1.5),
        F.elu,
        lambda x: F.elu(x, 0.5),
        F.selu,
        lambda x: F.celu(x, 2.0),
        F.logsigmoid,
        F.softsign,
        F.tanhshrink,
    ],
    "bounds": [
        lambda x: x.clamp(-1, 1),
        lambda x: x.clamp(min=-1.0),
        lambda x: x.clamp(max=2.0),
        lambda x: torch.clamp_min(x, 0.0),
        lambda x: torch.clamp_max(x, 0.0),
        lambda x: torch.clamp_max(x, torch.tensor(1.0).double()),
        lambda x: x.clamp(torch.full((4,), -1.0).double(), torch.full((4,), 2.0).double()),
    ],
    "choices": [
        lambda x: torch.where(x > 0, x, 2 * x),
        lambda x: torch.where(x >= 1, x, 0.0),
        lambda x: x.masked_fill(x < 0, 0.5),
        lambda x: x * (x != 0),
        lambda x: x * ((x > -1) & (x <= 1)),
        lambda x: x * ((x > 1) | (x < -1)),
        lambda x: x * ~(x == 1),
        lambda x: x * ((x > 0) ^ (x > 1)).double(),
        lambda x: x * torch.logical_and(x > 0, x < 2),
        lambda x: x * torch.logical_or(x > 1, x < x.mean()),
        lambda x: x * torch.logical_xor(x >= x.detach(), x <= x[0]),
        lambda x: x * torch.logical_not(x == x[0]),
        lambda x: x * (x != x[0]),
        lambda x: x.masked_fill(x > 1, torch.tensor(2.0).double()),
        lambda x: x.masked_fill(torch.eye(4, dtype=torch.bool)[:3], -5.0),
    ],
    "sums": [
        torch.sum,
        lambda x: x.sum(0),
        lambda x: x.sum((0, 1), keepdim=True),
        torch.mean,
        lambda x: x.mean(-1, keepdim=True),
        lambda x: x.mean((0,)),
        lambda x: x.cumsum(1),
        lambda x: x.var(1),
        lambda x: x.var((0, 1), correction=0, keepdim=True),
        lambda x: x.var(),
        lambda x: torch.var_mean(x, 1)[0] + torch.var_mean(x, 1)[1],
        lambda x: x.norm(),
        lambda x: torch.linalg.vector_norm(x, 1, dim=1),
        lambda x: torch.linalg.vector_norm(x * 0, dim=1),
        lambda x: torch.logsumexp(x, 1),
        lambda x: torch.logsumexp(x, (0, 1), keepdim=True),
    ],
    "largest": [
        torch.amax,
        torch.max,
        torch.min,
        lambda x: x.amax(1),
        lambda x: x.amin(0, keepdim=True),
        lambda x: x.max(1).values,
        lambda x: x.min(0, keepdim=True).values,
    ],
    "softmax": [
        lambda x: x.softmax(1),
        lambda x: x.softmax(0),
        lambda x: x.log_softmax(-1),
        lambda x: x.log_softmax(0),
        lambda x: x[0].softmax(0),
    ],
    "shapes": [
        lambda x: x.view(2, 6),
        lambda x: x.flatten(),
        lambda x: x.reshape(2, 2, 3).permute(2, 0, 1),
        lambda x: x.T,
        lambda x: x.t().contiguous(),
        lambda x: x.unsqueeze(1).expand(3, 5, 4),
        lambda x: x[None].squeeze(0),
        lambda x: x.transpose(0, -1),
        lambda x: x.unflatten(1, (2, 2)),
        lambda x: x.flip(0),
        lambda x: x.roll(1, 0),
        lambda x: x.repeat(2, 1),
        lambda x: x.repeat_interleave(2, 1),
        lambda x: x.diagonal(),
        lambda x: x.unfold(1, 2, 1),
        lambda x: x.clone() + x.double(),
        lambda x: x.reshape(1, 3, 1, 4).squeeze(),
        lambda x: x.t().contiguous().flatten(),
        lambda x: x.as_strided((2, 2), (1, 3), 1),
        lambda x: F.dropout(x, 0.5, training=False) + F.dropout1d(x, training=False),
        lambda x: +x,
    ],
    "cuts": [
        lambda x: x[1],
        lambda x: x[:, -1],
        lambda x: x[1:, ::2],
        lambda x: x[-2:],
        lambda x: x.narrow(1, 1, 2),
        lambda x: x.tensor_split(2, 1)[1],
        lambda x: torch.cat([part * n for n, part in enumerate(x.split(3, 1), 1)], 1),
        lambda x: x.split([1, 3], 1)[1],
        lambda x: x.chunk(2, 1)[1],
        lambda x: torch.stack([part * n for n, part in enumerate(x.unbind(0), 1)], -1),
        lambda x: torch.cat([x, x * 2], -1),
        lambda x: x.tril() + x.triu(1),
        lambda x: F.pad(x, (1, 2)),
        lambda x: F.pad(x, (1, 0, 0, 2), value=3.0),
        lambda x: F.pad(x, (-1, 2)),
        lambda x: F.pad(x[None], (1, 1), mode="reflect"),
    ],
    "look-ups": [
        lambda x: x[torch.tensor([2, 0, 2])],
        lambda x: x[:, torch.tensor([3, -1])],
        lambda x: x[torch.tensor([2, 0]), torch.tensor([1, 1])],
        lambda x: x[torch.tensor([[2, 0], [1, 1]])],
        lambda x: x.index_select(1, torch.tensor([1, 1, 0])),
        lambda x: x.gather(1, torch.tensor([[0, 3], [1, 1], [2, 0]])),
        lambda x: F.one_hot(torch.tensor([0, 2, 1]), 4) * x,
        lambda x: F.interpolate(x[None], 8, mode="nearest"),
    ],
    "writing": [
        lambda x: written(x),
        lambda x: x.scatter(1, torch.tensor([[0], [1], [2]]), 2.0),
        lambda x: x.scatter(1, torch.tensor([[0], [1], [2]]), x[:, :1] * 3),
        lambda x: x.scatter_add(0, torch.tensor([[0, 1, 1, 2], [2, 2, 0, 0]]), x[:2] * 2),
        lambda x: x.index_add(1, torch.tensor([0, 0]), x[:, :2], alpha=2.0),
        lambda x: torch.diagonal_scatter(x, x[0, :3]),
    ],
    "held constant": [
        lambda x: x * x.detach(),
        lambda x: x * without_gradient(x),
    ],
    "losses": [
        lambda x: F.cross_entropy(x.T, LABELS),
        lambda x: F.cross_entropy(x.T, LABELS, reduction="sum"),
        lambda x: F.cross_entropy(x.T, LABELS, reduction="none"),
        lambda x: F.cross_entropy(x.T, LABELS, ignore_index=0),
        lambda x: F.cross_entropy(x.T, LABELS, ignore_index=0, reduction="none"),
        lambda x: F.cross_entropy(x.T, LABELS, torch.tensor([1.0, 2.0, 0.5]).double()),
        lambda x: F.cross_entropy(x.T, LABELS, label_smoothing=0.1),
        lambda x: F.cross_entropy(x.T, torch.softmax(torch.eye(4, 3).double(), 1)),
        lambda x: F.cross_entropy(x[0], torch.tensor(2)),
        lambda x: F.cross_entropy(
            x.T.reshape(1, 2, 2, 3).permute(0, 3, 1, 2), LABELS[None].view(1, 2, 2)
        ),
        lambda x: F.nll_loss(x.T, LABELS),
    ],
}


def written(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 0] = y[:, 1] * 2
    y[0, 1:3] = 1.0
    y[torch.tensor([1, 2]), torch.tensor([3, 3])] = y[0, :2].clone()
    y += x
    return y


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.exp(x)


@pytest.mark.parametrize("name", ONE)
def test_of_one_operand(name: str) -> None:
    agree(ONE[name], (3, 4))


def test_of_positive_numbers() -> None:
    functions = [torch.log, torch.log2, torch.log1p, torch.sqrt, torch.rsqrt, torch.reciprocal]
    more = [lambda x: x**0.5, lambda x: x**x, lambda x: x**-1.5, lambda x: x.std(1)]
    agree([*functions, *more], (3, 4), kinds=[POSITIVE])


TWO: list[Function] = [
    lambda a, b: a + b,
    lambda a, b: torch.maximum(a, b),
    lambda a, b: torch.minimum(a, b),
    lambda a, b: torch.where(a > b, a, b),
    lambda a, b: F.mse_loss(a, b.expand(3, 4)),
    lambda a, b: F.mse_loss(a, b.expand(3, 4), reduction="none"),
    lambda a, b: F.l1_loss(a, b.expand(3, 4), reduction="sum"),
    lambda a, b: F.huber_loss(a, b.expand(3, 4), delta=2.0),
    lambda a, b: F.smooth_l1_loss(a, b.expand(3, 4), beta=0.5),
    lambda a, b: F.smooth_l1_loss(a, b.expand(3, 4), beta=0.0),
    lambda a, b: torch.lerp(a, b, 0.3),
    lambda a, b: torch.addcmul(a, b, b, value=2.0),
    lambda a, b: torch.cosine_similarity(a, b + 5),
    lambda a, b: torch.outer(a[0], b),
    lambda a, b: a @ b,
    lambda a, b: torch.dot(a[0], b),
]


def test_of_two_operands() -> None:
    agree(TWO, (3, 4), (4,))


def test_binary_cross_entropy() -> None:
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0]).double()
    agree(
        [
            lambda y, t: F.binary_cross_entropy(y, t),
            lambda y, t: F.binary_cross_entropy(y, t.detach(), weight, reduction="sum"),
            lambda y, t: F.binary_cross_entropy_with_logits(y, t),
            lambda y, t: F.binary_cross_entropy_with_logits(y * 9, t, weight, reduction="none"),
            lambda y, t: F.binary_cross_entropy_with_logits(y - 2, t, pos_weight=weight),
        ],
        (3, 4),
        (3, 4),
        kinds=[SHARES],
    )


def test_products() -> None:
    agree(
        [
            lambda a, b, c, d: a @ b,
            lambda a, b, c, d: torch.matmul(a[0], b[0]),
            lambda a, b, c, d: torch.bmm(a, b),
            lambda a, b, c, d: torch.baddbmm(c, a, b, beta=0.5, alpha=2.0),
            lambda a, b, c, d: torch.addmm(c[0], a[0], b[0]),
            lambda a, b, c, d: torch.einsum("nij,njk->ik", a, b),
            lambda a, b, c, d: torch.einsum("nij,nij->n", a, a),
            lambda a, b, c, d: F.linear(a, d),
            lambda a, b, c, d: F.linear(a[0], d, c[0, 0]),
            lambda a, b, c, d: F.linear(a[0, 0], d, c[0, 0]),
            lambda a, b, c, d: torch.mv(a[0], d[0]),
            lambda a, b, c, d: torch.mm(a[0], b[0]),
            lambda a, b, c, d: torch.addmv(c[0, :, 0], a[0], d[0]),
        ],
        (2, 3, 4),
        (2, 4, 5),
        (2, 3, 5),
        (5, 4),
    )


def test_convolutions() -> None:
    agree(
        [
            lambda x, w, v, b: F.conv2d(x, w),
            lambda x, w, v, b: F.conv2d(x, w, b, stride=2, padding=1),
            lambda x, w, v, b: F.conv2d(x, w, b, padding=(2, 1), dilation=(2, 1)),
            lambda x, w, v, b: F.conv2d(x, w, padding="same"),
            lambda x, w, v, b: F.conv2d(x, w[:, :2], groups=2),
            lambda x, w, v, b: F.conv2d(x[0], w, b),
            lambda x, w, v, b: F.conv1d(x[:, :, 0], v, stride=2, padding=2),
            lambda x, w, v, b: F.conv3d(x[:, None], w[:, None, :, :, :]),
            lambda x, w, v, b: F.conv_transpose2d(x, w),
            lambda x, w, v, b: F.conv_transpose2d(
                x, w, b, stride=(2, 3), padding=1, output_padding=1
            ),
            lambda x, w, v, b: F.conv_transpose2d(x, w[:, :3], groups=2, dilation=2),
            lambda x, w, v, b: F.conv_transpose1d(x[:, :, 0], v, stride=2),
        ],
        (2, 4, 5, 6),
        (4, 4, 3, 2),
        (4, 4, 3),
        (4,),
    )


def test_pools() -> None:
    agree(
        [
            lambda x: F.max_pool2d(x, 2),
            lambda x: F.max_pool2d(x, 3, 2, 1),
            lambda x: F.max_pool2d(x, (2, 3), (1, 2), (1, 0), (2, 1)),
            lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
            lambda x: F.max_pool2d(x[0], 2),
            lambda x: F.max_pool1d(x[0], 2),
            lambda x: F.max_pool1d(x[0], 3, 2, 1),
            lambda x: F.avg_pool2d(x, 2),
            lambda x: F.avg_pool2d(x, 3, 2, 1),
            lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            lambda x: F.avg_pool2d(x, 2, 2, ceil_mode=True),
            lambda x: F.avg_pool2d(x, 3, 2, 1, True),
            lambda x: F.avg_pool2d(x, 2, divisor_override=3),
            lambda x: F.avg_pool1d(x[0], 2, 1),
            lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
            lambda x: F.max_pool3d(x, 2),
            lambda x: F.avg_pool3d(x, 2),
            lambda x: F.adaptive_avg_pool2d(x, 1),
            lambda x: F.adaptive_avg_pool2d(x, (1, 7)),
            lambda x: F.adaptive_avg_pool2d(x, (2, 3)),
            lambda x: F.adaptive_avg_pool1d(x[0], 3),
        ],
        (2, 3, 5, 7),
    )


def test_normalisation() -> None:
    mean, variance = torch.tensor([0.5, -1.0]).double(), torch.tensor([0.3, 2.0]).double()
    agree(
        [
            lambda x, w, b: F.layer_norm(x, (4,), w, b),
            lambda x, w, b: F.layer_norm(x, (4,)),
            lambda x, w, b: F.layer_norm(x, (3, 4), None, None, 1e-3),
            lambda x, w, b: F.batch_norm(x, mean, variance, w[:2], b[:2]),
            lambda x, w, b: F.batch_norm(x, mean, variance, eps=0.1),
            lambda x, w, b: F.batch_norm(x, None, None, w[:2], b[:2], training=True),
            lambda x, w, b: F.batch_norm(x, mean.clone(), variance.clone(), training=True),
            lambda x, w, b: F.group_norm(x, 1, w[:2], b[:2]),
            lambda x, w, b: F.instance_norm(x),
            lambda x, w, b: F.rms_norm(x, (4,), w),
            lambda x, w, b: F.normalize(x, dim=1),
        ],
        (3, 2, 3, 4),
        (4,),
        (4,),
        kinds=[APART],
    )


def test_attention() -> None:
    attention = F.scaled_dot_product_attention
    causal = torch.ones(4, 4).tril().bool()
    agree(
        [
            lambda q, k, v, m: attention(q, k, v),
            lambda q, k, v, m: attention(q, k, v, is_causal=True),
            lambda q, k, v, m: attention(q, k, v, causal),
            lambda q, k, v, m: attention(q, k, v, m),
            lambda q, k, v, m: attention(q, k, v, scale=0.3),
            lambda q, k, v, m: attention(q, k, v, m > -0.5),
            lambda q, k, v, m: attention(q, k[:, :1], v[:, :1], enable_gqa=True),
            lambda q, k, v, m: F.multi_head_attention_forward(
                *(q[0].transpose(0, 1), k[0].transpose(0, 1), v[0].transpose(0, 1)),
                *(3, 1, torch.ones(9, 3).double(), None, None, None, False, 0.0),
                *(torch.eye(3).double(), None),
            )[0],
        ],
        (1, 2, 4, 3),
        (1, 2, 4, 3),
        (1, 2, 4, 3),
        (4, 4),
        kinds=[APART],
    )


@pytest.mark.parametrize("padding", [None, 0, 3])
def test_embedding_and_its_padding(padding: int | None) -> None:
    agree(
        [
            lambda table: F.embedding(TOKENS, table, padding_idx=padding),
            lambda table: F.embedding(torch.tensor(2), table),
        ],
        (5, 2),
    )


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True, "num_layers": 2}, {"bidirectional": True, "bias": False}]
)
def test_recurrent_layers(kind: type[nn.Module], options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    module = kind(3, 2, **options).double()
    x = torch.randn(2, 3, 3).double()
    model = from_torch(module, x, loss=lambda output: (output[0] ** 2).sum() + output[1][0].sum())
    judged(model, 1e-9)


def test_operations_that_a_module_seldom_calls_itself() -> None:
    aten = torch.ops.aten
    mean, variance = torch.zeros(4).double(), torch.ones(4).double()
    agree(
        [
            lambda x: aten._softmax(x, 1, False),
            lambda x: aten._log_softmax(x, 1, False),
            lambda x: aten._safe_softmax(x, 1),
            lambda x: aten._adaptive_avg_pool2d(x[None], [1, 2]),
            lambda x: aten.native_layer_norm(x, [4], None, None, 1e-5)[0],
            lambda x: aten._native_batch_norm_legit_no_training(
                x, None, None, mean, variance, 0.1, 1e-5
            )[0],
            lambda x: aten.rsub(x, x.exp()),
        ],
        (3, 4),
        kinds=[APART],
    )
