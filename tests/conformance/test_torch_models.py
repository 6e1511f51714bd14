"""Whole models of PyTorch: the loss and every gradient are PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.torch_models import example, gradients, judged
from torch import nn

from chainrule.importers.torch import from_torch

SMALL_GPT2 = {"tokens": 5, "width": 8, "layers": 2, "heads": 2, "words": 11, "context": 8}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("mlp", {}),
    "lenet": ("lenet", {}),
    "resnet18": ("resnet18", {"size": 32, "width": 2, "classes": 5}),
    "gpt2": ("gpt2", SMALL_GPT2),
    "gpt2 spelt out": ("gpt2", {**SMALL_GPT2, "fused": False}),
    "lstm": ("lstm", {}),
}
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
every_model = pytest.mark.parametrize("name", MODELS)


def prepared(name: str, dtype: torch.dtype) -> tuple[nn.Module, tuple[Any, ...], Any, Any]:
    file, sizes = MODELS[name]
    module, args, loss, targets = example(file).example(**sizes)
    args = tuple(item.to(dtype) if item.is_floating_point() else item for item in args)
    return module.to(dtype), args, loss, targets


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@every_model
def test_an_example(name: str, dtype: torch.dtype) -> None:
    module, args, loss, targets = prepared(name, dtype)
    model = from_torch(module, args, loss=loss, targets=targets)
    assert model.dtype == str(dtype).removeprefix("torch.")
    found, _ = gradients(model)
    assert found == pytest.approx(loss(module(*args), targets).item(), rel=TOLERANCE[dtype])
    judged(model, TOLERANCE[dtype])


def test_batch_norm_in_training_mode_leaves_the_statistics_alone() -> None:
    module, args, loss, _ = prepared("resnet18", torch.float64)
    module.train()
    args = (torch.randn(3, 3, 32, 32).double(),)
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    model = from_torch(module, args, loss=loss, targets=torch.tensor([0, 4, 2]))
    judged(model, 1e-9)
    assert all(torch.equal(buffer, before[name]) for name, buffer in module.named_buffers())
    assert not [leaf for leaf in model.leaves if leaf.role == "constant"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_becomes_single(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).to(dtype)
    model = from_torch(module, torch.randn(2, 4).to(dtype), loss=lambda out: out.float().sum())
    assert model.dtype == "float32"
    judged(model, 2e-2)


class Regularised(nn.Module):
    """Batch norm and every kind of dropout, in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 8, bias=False)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.channels = nn.Dropout1d(0.4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.norm(self.fc(x)))
        rows = self.channels(x[:, :, None])[:, :, 0].unsqueeze(1)
        mixed = nn.functional.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.3)
        return mixed + torch.randn_like(mixed) * rows


def test_what_was_drawn_is_drawn_once() -> None:
    module = Regularised().double()
    x = torch.randn(5, 6).double()

    def model(seed: int) -> Any:
        return from_torch(module, x, loss=lambda out: out.square().mean(), seed=seed)

    state = torch.random.get_rng_state()
    first, again, other = model(1), model(1), model(2)
    assert torch.equal(state, torch.random.get_rng_state())
    judged(first, 1e-9)
    assert gradients(first)[0] == gradients(again)[0] != gradients(other)[0]
    (mask,) = [leaf for leaf in first.leaves if leaf.node.name == "drop.mask"]
    assert mask.role == "constant"
    assert set(mask.values.tolist()) == {0.0, 2.0}
    assert first.framework is not None
    assert first.framework.gradient("drop.mask").shape == (5, 8)
