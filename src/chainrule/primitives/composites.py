"""Composites: functions written in primitives, read as one factor until opened.

Each works on the last axis of its operands unless it says otherwise.  `name` is called
with every step inside that deserves a name of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.primitives.record import Composite

__all__ = ["COMPOSITES"]

Name = Callable[[str, Any], Any]


def _unnamed(name: str, node: Any) -> Any:
    return node


def _last(x: Any) -> int:
    return len(x.shape) - 1


def _along_last(op: Any, x: Any, row: Any) -> Any:
    """`row`, which lacks the last axis, repeated along it."""
    return op.broadcast(op.reshape(row, (*row.shape, 1)), x.shape)


def _powers(op: Any, x: Any, name: Name) -> tuple[Any, Any, Any]:
    """`x` less its largest entry, the exponentials of that, their sum: none can overflow."""
    largest = name("max", op.max(x, _last(x)))
    shifted = name("shifted", op.sub(x, _along_last(op, x, op.stop(largest))))
    powers = name("exp", op.exp(shifted))
    return shifted, powers, name("sum", op.sum(powers, _last(x)))


def _softmax(op: Any, x: Any, name: Name = _unnamed) -> Any:
    _, powers, total = _powers(op, x, name)
    return op.div(powers, _along_last(op, x, total))


def _softmax_jacobian(
    op: Any, y: Sequence[Any], i: int, x: Sequence[Any]
) -> tuple[Sequence[Any], ...]:
    return (
        [
            op.mul(y[i], op.sub(1.0, y[i])) if k == i else op.mul(op.neg(y[i]), y[k])
            for k in range(len(x))
        ],
    )


def _softmax_pullback(op: Any, g: Any, y: Any, x: Any) -> tuple[Any]:
    return (op.mul(y, op.sub(g, _along_last(op, x, op.sum(op.mul(g, y), _last(x))))),)


def _log_softmax(op: Any, x: Any, name: Name = _unnamed) -> Any:
    shifted, _, total = _powers(op, x, name)
    return op.sub(shifted, _along_last(op, x, name("logsum", op.log(total))))


def _log_softmax_jacobian(
    op: Any, y: Sequence[Any], i: int, x: Sequence[Any]
) -> tuple[Sequence[Any], ...]:
    return ([op.sub(1.0, op.exp(y[k])) if k == i else op.neg(op.exp(y[k])) for k in range(len(x))],)


def _log_softmax_pullback(op: Any, g: Any, y: Any, x: Any) -> tuple[Any]:
    return (op.sub(g, op.mul(_along_last(op, x, op.sum(g, _last(x))), op.exp(y))),)


def _row_log_softmax(op: Any, x: Sequence[Any]) -> list[Any]:
    """Log-softmax of one row of scalars, step for step as the unrolled form has it."""
    largest = functools.reduce(op.maximum, x)
    shifted = [op.sub(entry, op.stop(largest)) for entry in x]
    total = functools.reduce(op.add, [op.exp(entry) for entry in shifted])
    return [op.sub(entry, op.log(total)) for entry in shifted]


def _categorical_from_logits(op: Any, t: Any, x: Any, name: Name = _unnamed) -> Any:
    logarithms = name("logp", _log_softmax(op, x, name))
    return op.neg(op.sum(op.mul(t, logarithms), _last(x)))


def _categorical_from_logits_jacobian(
    op: Any, y: Sequence[Any], i: int, t: Sequence[Any], x: Sequence[Any]
) -> tuple[Sequence[Any], ...]:
    logarithms = _row_log_softmax(op, x)
    total = functools.reduce(op.add, t)
    return (
        [op.neg(entry) for entry in logarithms],
        [
            op.sub(op.mul(op.exp(entry), total), target)
            for entry, target in zip(logarithms, t, strict=True)
        ],
    )


def _categorical_from_logits_pullback(op: Any, g: Any, y: Any, t: Any, x: Any) -> tuple[Any, Any]:
    shares = _along_last(op, x, g)
    total = _along_last(op, x, op.sum(t, _last(t)))
    return (
        op.mul(shares, op.neg(op.composite("log_softmax", x))),
        op.mul(shares, op.sub(op.mul(total, op.composite("softmax", x)), t)),
    )


def _mean(op: Any, x: Any) -> Any:
    return op.div(op.sum(x), float(math.prod(x.shape)))


def _centred(op: Any, x: Any, axes: tuple[int, ...], epsilon: Any) -> tuple[Any, Any]:
    """`x` less its mean along `axes`, and its standard deviation there."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))

    def mean(entries: Any) -> Any:
        total = op.sum(entries, axes)
        count = math.prod(x.shape) // max(1, math.prod(total.shape))
        return op.reshape(op.div(total, float(count)), kept)

    centred = op.sub(x, mean(x))
    return centred, op.sqrt(op.add(mean(op.pow(centred, 2.0)), epsilon))


def _layer_norm(op: Any, x: Any, scale: Any, shift: Any, epsilon: Any) -> Any:
    centred, deviation = _centred(op, x, (_last(x),), epsilon)
    return op.add(op.mul(op.div(centred, deviation), scale), shift)


def _by_channel(op: Any, x: Any, row: Any) -> Any:
    """One number for each channel of `x`, in an array that is broadcast to it."""
    return op.reshape(row, (*row.shape, *(1 for _ in x.shape[2:])))


# What there is of a channel alone is worked out first: a product and a sum for each entry.


def _batch_norm(op: Any, x: Any, scale: Any, shift: Any, epsilon: Any) -> Any:
    axes = tuple(axis for axis in range(len(x.shape)) if axis != 1)
    centred, deviation = _centred(op, x, axes, epsilon)
    factor = op.div(_by_channel(op, x, scale), deviation)
    return op.add(op.mul(centred, factor), _by_channel(op, x, shift))


def _batch_norm_fixed(
    op: Any, x: Any, mean: Any, variance: Any, scale: Any, shift: Any, epsilon: Any
) -> Any:
    factor = op.div(scale, op.sqrt(op.add(variance, epsilon)))
    offset = op.sub(shift, op.mul(mean, factor))
    return op.add(op.mul(x, _by_channel(op, x, factor)), _by_channel(op, x, offset))


def _attention(op: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    rank = len(k.shape)
    turned = op.transpose(k, (*range(rank - 2), rank - 1, rank - 2))
    scores = op.div(op.matmul(q, turned), math.sqrt(q.shape[-1]))
    return op.matmul(op.composite("softmax", op.add(scores, mask)), v)


def _binary_cross_entropy(op: Any, t: Any, y: Any) -> Any:
    return op.add(
        op.cross_entropy_term(t, y), op.cross_entropy_term(op.sub(1.0, t), op.sub(1.0, y))
    )


SOFTMAX = Composite(
    "softmax",
    ("x",),
    define=_softmax,
    jacobian=_softmax_jacobian,
    pullback=_softmax_pullback,
    notation="softmax(x)",
    formula="∂y[i]/∂x[k] = y[i] · ([i = k] − y[k])",
    source="Bridle (1990), NIPS; shifted by max x, which cancels",
    saturates=True,
)
LOG_SOFTMAX = Composite(
    "log_softmax",
    ("x",),
    define=_log_softmax,
    jacobian=_log_softmax_jacobian,
    pullback=_log_softmax_pullback,
    notation="ln softmax(x)",
    formula="∂y[i]/∂x[k] = [i = k] − exp(y[k])",
    source="The logarithm of softmax, without forming its quotient",
)
MEAN = Composite(
    "mean",
    ("x",),
    define=_mean,
    notation="mean x",
    formula="∂y/∂x[k] = 1/n",
    source="Any first course in statistics",
)

# ---------------------------------------------------------------- layers, of whole arrays

LAYER_NORM = Composite(
    "layer_norm",
    ("x", "scale", "shift", "epsilon"),
    define=_layer_norm,
    notation="(x − mean x) / √(var x + ε) · γ + β",
    formula="∂E/∂x = (γ g − mean(γ g) − x̂ mean(γ g x̂)) / √(var x + ε)",
    source="Ba, Kiros, Hinton (2016), Layer normalization, eq. 3; along the last axis",
    layer=True,
)
BATCH_NORM = Composite(
    "batch_norm",
    ("x", "scale", "shift", "epsilon"),
    define=_batch_norm,
    notation="(x − mean x) / √(var x + ε) · γ + β",
    formula="∂E/∂x = (γ g − mean(γ g) − x̂ mean(γ g x̂)) / √(var x + ε)",
    source="Ioffe and Szegedy (2015), Algorithm 1; along all axes but the second, the channels",
    layer=True,
)
BATCH_NORM_FIXED = Composite(
    "batch_norm_fixed",
    ("x", "mean", "variance", "scale", "shift", "epsilon"),
    define=_batch_norm_fixed,
    notation="(x − μ) · γ / √(σ² + ε) + β",
    formula="∂y/∂x = γ / √(σ² + ε)",
    source="Ioffe and Szegedy (2015), Algorithm 2; the mean and variance of training",
    layer=True,
)
ATTENTION = Composite(
    "attention",
    ("q", "k", "v", "mask"),
    define=_attention,
    notation="softmax(q kᵀ / √d + mask) v",
    formula="∂E/∂s = p · (g vᵀ − ∑ p g vᵀ), p = softmax(s)",
    source="Vaswani et al. (2017), Attention is all you need, eq. 1; −∞ in the mask hides a key",
    layer=True,
)

# ------------------------------------------------------------------ losses, of one entry

HALF_SQUARED_ERROR = Composite(
    "half_squared_error",
    ("t", "y"),
    define=lambda op, t, y: op.mul(0.5, op.pow(op.sub(t, y), 2.0)),
    notation="½ (t − y)²",
    formula="∂E/∂y = −(t − y)",
    source="Rumelhart, Hinton, Williams (1986), eq. 3",
)
SQUARED_ERROR = Composite(
    "squared_error",
    ("t", "y"),
    define=lambda op, t, y: op.pow(op.sub(t, y), 2.0),
    notation="(t − y)²",
    formula="∂E/∂y = −2 (t − y)",
    source="Legendre (1805), Nouvelles méthodes",
)
ABSOLUTE_ERROR = Composite(
    "absolute_error",
    ("t", "y"),
    define=lambda op, t, y: op.abs(op.sub(t, y)),
    notation="|t − y|",
    formula="∂E/∂y = −sign(t − y)",
    source="Laplace (1774)",
)
HUBER = Composite(
    "huber",
    ("t", "y", "delta"),
    define=lambda op, t, y, delta: op.huber(op.sub(t, y), delta),
    notation="huber(t − y, δ)",
    formula="∂E/∂y = −(t − y) within δ, −δ sign(t − y) beyond",
    source="Huber (1964), Annals of Mathematical Statistics 35",
)
BINARY_CROSS_ENTROPY = Composite(
    "binary_cross_entropy",
    ("t", "y"),
    define=_binary_cross_entropy,
    notation="−t ln y − (1 − t) ln(1 − y)",
    formula="∂E/∂y = −t/y + (1 − t)/(1 − y)",
    source="Good (1952), Journal of the Royal Statistical Society B 14",
)
BINARY_CROSS_ENTROPY_FROM_LOGITS = Composite(
    "binary_cross_entropy_from_logits",
    ("t", "z"),
    define=lambda op, t, z: op.cross_entropy_logit(t, z),
    notation="−t ln σ(z) − (1 − t) ln(1 − σ(z))",
    formula="∂E/∂z = σ(z) − t",
    source="The same loss of σ(z), in a form that cannot overflow",
)
CATEGORICAL_CROSS_ENTROPY = Composite(
    "categorical_cross_entropy",
    ("t", "y"),
    define=lambda op, t, y: op.cross_entropy_term(t, y),
    notation="−t ln y",
    formula="∂E/∂y = −t/y",
    source="Good (1952), Journal of the Royal Statistical Society B 14",
)

# ----------------------------------------------------------------- losses, of one example

CATEGORICAL_CROSS_ENTROPY_FROM_LOGITS = Composite(
    "categorical_cross_entropy_from_logits",
    ("t", "x"),
    define=_categorical_from_logits,
    jacobian=_categorical_from_logits_jacobian,
    pullback=_categorical_from_logits_pullback,
    notation="−∑ t ln softmax(x)",
    formula="∂E/∂x[k] = softmax(x)[k] · ∑t − t[k]",
    source="The same loss of softmax(x), in a form that cannot overflow",
)

# ---------------------------------------------------------------------------- penalties

L2_PENALTY = Composite(
    "l2_penalty",
    ("w", "strength"),
    define=lambda op, w, strength: op.mul(op.mul(0.5, strength), op.sum(op.pow(w, 2.0))),
    notation="½ λ ∑ w²",
    formula="∂E/∂w = λ w",
    source="Hoerl and Kennard (1970), Technometrics 12",
)
L1_PENALTY = Composite(
    "l1_penalty",
    ("w", "strength"),
    define=lambda op, w, strength: op.mul(strength, op.sum(op.abs(w))),
    notation="λ ∑ |w|",
    formula="∂E/∂w = λ sign(w)",
    source="Tibshirani (1996), Journal of the Royal Statistical Society B 58",
)

COMPOSITES = {
    record.name: record
    for record in (
        SOFTMAX,
        LOG_SOFTMAX,
        MEAN,
        LAYER_NORM,
        BATCH_NORM,
        BATCH_NORM_FIXED,
        ATTENTION,
        HALF_SQUARED_ERROR,
        SQUARED_ERROR,
        ABSOLUTE_ERROR,
        HUBER,
        BINARY_CROSS_ENTROPY,
        BINARY_CROSS_ENTROPY_FROM_LOGITS,
        CATEGORICAL_CROSS_ENTROPY,
        CATEGORICAL_CROSS_ENTROPY_FROM_LOGITS,
        L2_PENALTY,
        L1_PENALTY,
    )
}
"""Every composite by its name."""
