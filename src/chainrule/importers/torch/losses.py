"""Operations that are losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule.graph.node import Node
from chainrule.importers.torch.table import Step, UnsupportedError, operation

__all__ = ["loss_by_name", "loss_names"]

_NAMES = {
    "cross_entropy": "cross_entropy",
    "nll": "nll_loss",
    "mse": "mse_loss",
    "l1": "l1_loss",
    "smooth_l1": "smooth_l1_loss",
    "huber": "huber_loss",
    "bce": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy_with_logits",
}
"""The losses that go by a name, and what PyTorch calls them."""

NONE, MEAN = 0, 1
"""How PyTorch numbers its reductions; 2 is the sum."""

SMALLEST = math.exp(-100.0)
"""PyTorch takes no logarithm in a binary cross-entropy to be less than −100."""


def loss_by_name(name: str) -> Callable[..., Any] | None:
    """The loss of that name, or None."""
    import torch

    own = _NAMES.get(name, name if name in _NAMES.values() else None)
    return None if own is None else getattr(torch.nn.functional, own)


def loss_names() -> list[str]:
    """The names that are known."""
    return list(_NAMES)


def _reduced(at: Step, parts: Node, reduction: int) -> Node:
    if reduction == NONE:
        return parts
    return at.op.composite("mean", parts) if reduction == MEAN else at.op.sum(parts)


@operation("mse_loss", steps="squared_error, mean")
def _mse(at: Step, y: Any, t: Any, reduction: int = MEAN) -> Node:
    return _reduced(at, at.op.composite("squared_error", at.number(t), y), reduction)


@operation("l1_loss", steps="absolute_error, mean")
def _l1(at: Step, y: Any, t: Any, reduction: int = MEAN) -> Node:
    return _reduced(at, at.op.composite("absolute_error", at.number(t), y), reduction)


@operation("huber_loss", steps="huber, mean")
def _huber(at: Step, y: Any, t: Any, reduction: int = MEAN, delta: float = 1.0) -> Node:
    return _reduced(at, at.op.composite("huber", at.number(t), y, delta), reduction)


@operation("smooth_l1_loss", steps="huber, div, mean")
def _smooth_l1(at: Step, y: Any, t: Any, reduction: int = MEAN, beta: float = 1.0) -> Node:
    if beta == 0:
        return _l1(at, y, t, reduction)
    parts = at.op.div(at.op.composite("huber", at.number(t), y, beta), beta)
    return _reduced(at, parts, reduction)


@operation(
    "binary_cross_entropy",
    steps="maximum, log, mul, mean",
    note="no logarithm is less than −100; beyond, the slope is 0",
)
def _binary_cross_entropy(
    at: Step, y: Any, t: Any, weight: Any = None, reduction: int = MEAN
) -> Node:
    op, t = at.op, at.number(t)
    one = op.mul(t, op.log(op.maximum(y, SMALLEST)))
    other = op.mul(op.sub(1.0, t), op.log(op.maximum(op.sub(1.0, y), SMALLEST)))
    parts = op.neg(op.add(one, other))
    return _reduced(at, parts if weight is None else op.mul(weight, parts), reduction)


@operation(
    "binary_cross_entropy_with_logits",
    steps="binary_cross_entropy_from_logits, mean",
    note="with `pos_weight`: softplus, mul, add",
)
def _from_logits(
    at: Step,
    z: Any,
    t: Any,
    weight: Any = None,
    positive: Any = None,
    reduction: int = MEAN,
) -> Node:
    op, t = at.op, at.number(t)
    if positive is None:
        parts = op.composite("binary_cross_entropy_from_logits", t, z)
    else:
        factor = op.add(op.mul(op.sub(positive, 1.0), t), 1.0)
        parts = op.add(op.mul(op.sub(1.0, t), z), op.mul(factor, op.softplus(op.neg(z))))
    return _reduced(at, parts if weight is None else op.mul(weight, parts), reduction)


@operation(
    *("nll_loss_forward", "nll_loss2d_forward"),
    steps="take, neg, mean",
    note="of integer targets; `ignore_index` is left out, `weight` multiplies",
)
def _nll(at: Step, x: Any, targets: Any, weight: Any, reduction: int, ignored: int) -> Any:
    """Shapes: x (n, c) or (n, c, ...), targets (n) or (n, ...)."""
    op = at.op
    if isinstance(targets, Node):
        raise UnsupportedError("targets that depend on the parameters", "known targets")
    moved = x if len(x.shape) < 3 else op.transpose(x, (0, *range(2, len(x.shape)), 1))
    width = x.shape[1] if len(x.shape) > 1 else x.shape[0]
    chosen = targets.flatten().tolist()
    kept = [row for row, target in enumerate(chosen) if target != ignored]
    flat = op.reshape(moved, (math.prod(x.shape),))
    taken = op.take(flat, [row * width + chosen[row] for row in kept], 0)
    parts = op.neg(taken)
    total_weight: Any = float(len(kept))
    if weight is not None:
        weights = op.take(weight, [chosen[row] for row in kept], 0)
        parts, total_weight = op.mul(weights, parts), op.sum(weights)
    if reduction == NONE:
        spread = parts if len(kept) == len(chosen) else op.scatter_add(parts, kept, 0, len(chosen))
        return op.reshape(spread, at.shape), None
    total = op.sum(parts)
    return (op.div(total, total_weight) if reduction == MEAN else total), None
