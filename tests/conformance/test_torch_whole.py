"""Models in the size that people have: the gradient by every parameter, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.torch_models import example

import chainrule as cr
from chainrule.engines.backward import Backward

GPT2, RESNET18 = example("gpt2"), example("resnet18")
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
"""Of a gradient, relative to the largest entry of its tensor."""

LONG = pytest.mark.long
WHOLE: list[Any] = [
    pytest.param(RESNET18, {}, torch.float32, False, id="resnet18"),
    pytest.param(GPT2, {}, torch.float32, False, id="gpt2"),
    # In single precision a unit beside its kink may fall to either side, in PyTorch as here.
    pytest.param(RESNET18, {}, torch.float64, True, id="resnet18-training", marks=LONG),
    pytest.param(RESNET18, {}, torch.float64, False, id="resnet18-double", marks=LONG),
    pytest.param(GPT2, {"fused": False}, torch.float32, False, id="gpt2-spelt-out", marks=LONG),
    pytest.param(GPT2, {}, torch.float64, False, id="gpt2-double", marks=LONG),
]


@pytest.mark.parametrize(("file", "sizes", "dtype", "training"), WHOLE)
def test_every_parameter(file: Any, sizes: Any, dtype: torch.dtype, training: bool) -> None:
    module, args, loss, targets = file.example(**sizes)
    module.to(dtype).train(training)
    args = tuple(item.to(dtype) if item.is_floating_point() else item for item in args)
    model = cr.from_torch(module, args, loss=loss, targets=targets)
    value = loss(module(*args), targets)
    value.backward()
    own = {name: item.grad.numpy() for name, item in module.named_parameters()}
    run = Backward(model)
    assert run.loss == pytest.approx(value.item(), rel=TOLERANCE[dtype])
    trained = [leaf.node for leaf in model.leaves if leaf.trained]
    assert {node.name for node in trained} == own.keys()
    for node in trained:
        expected = own[node.name or ""]
        missed = np.abs(run.adjoint(node) - expected).max()
        assert missed <= TOLERANCE[dtype] * np.abs(expected).max(), node.name
