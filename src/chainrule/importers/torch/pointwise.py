"""Operations that bend each number by itself, and those that compare and choose.

At a kink the slope is the one that PyTorch takes; where a primitive's is another, the
operation is made of `where`.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule.graph.build import Operand
from chainrule.graph.node import Node
from chainrule.importers.torch.table import Step, UnsupportedError, operation

__all__: list[str] = []

GELU_TANH = "0.5 * z * (1 + tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))"


def _as_it_is(primitive: str, *names: str) -> None:
    """An operation that is a primitive."""

    def build(at: Step, *operands: Any) -> Node:
        return at.op.apply(primitive, *map(at.number, operands))

    operation(*names, steps=primitive)(build)


for _name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "erf", "abs", "neg"):
    _as_it_is(_name, _name)
for _name in ("sigmoid", "tanh", "relu", "silu"):
    _as_it_is(_name, _name)
_as_it_is("mul", "mul.Tensor", "mul.Scalar")
_as_it_is("pow", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
for _name, _primitive in (
    ("lt", "less"),
    ("le", "less_equal"),
    ("gt", "greater"),
    ("ge", "greater_equal"),
    ("eq", "equal"),
    ("ne", "not_equal"),
):
    _as_it_is(_primitive, f"{_name}.Tensor", f"{_name}.Scalar")


# -------------------------------------------------------------------------- arithmetic


def _scaled(at: Step, b: Any, alpha: float) -> Operand:
    return at.number(b) if alpha == 1 else at.op.mul(alpha, at.number(b))


@operation("add.Tensor", "add.Scalar", steps="add")
def _add(at: Step, a: Any, b: Any, alpha: float = 1) -> Node:
    return at.op.add(at.number(a), _scaled(at, b, alpha))


@operation("sub.Tensor", "sub.Scalar", steps="sub")
def _sub(at: Step, a: Any, b: Any, alpha: float = 1) -> Node:
    return at.op.sub(at.number(a), _scaled(at, b, alpha))


@operation("rsub.Tensor", "rsub.Scalar", steps="sub")
def _rsub(at: Step, a: Any, b: Any, alpha: float = 1) -> Node:
    return at.op.sub(at.number(b), _scaled(at, a, alpha))


@operation("div.Tensor", "div.Scalar", steps="div", note="without a rounding mode")
def _div(at: Step, a: Any, b: Any) -> Node:
    return at.op.div(at.number(a), at.number(b))


@operation("reciprocal", steps="div")
def _reciprocal(at: Step, x: Any) -> Node:
    return at.op.div(1.0, x)


@operation("rsqrt", steps="sqrt, div")
def _rsqrt(at: Step, x: Any) -> Node:
    return at.op.div(1.0, at.op.sqrt(x))


@operation("log2", steps="log, div")
def _log2(at: Step, x: Any) -> Node:
    return at.op.div(at.op.log(x), math.log(2.0))


@operation("sign", "sgn", steps="greater, less, where", note="slope 0")
def _sign(at: Step, x: Any) -> Node:
    op = at.op
    return op.where(op.greater(x, 0.0), 1.0, op.where(op.less(x, 0.0), -1.0, 0.0))


# ------------------------------------------------------------------------- activations


@operation("leaky_relu", steps="leaky_relu")
def _leaky_relu(at: Step, z: Any, slope: float = 0.01) -> Node:
    return at.op.leaky_relu(z, slope)


@operation("elu", steps="elu, mul", note="`selu` and `celu` are forms of it")
def _elu(at: Step, z: Any, alpha: float = 1.0, scale: float = 1.0, inner: float = 1.0) -> Node:
    op = at.op
    if inner == 1:
        return op.mul(scale, op.elu(z, alpha))
    bent = op.mul(alpha, op.expm1(op.mul(inner, op.minimum(z, 0.0))))
    return op.mul(scale, op.where(op.greater(z, 0.0), z, bent))


@operation("gelu", steps="gelu", note="with `approximate='tanh'` its formula in tanh")
def _gelu(at: Step, z: Any, approximate: str = "none") -> Node:
    return at.op.gelu(z) if approximate == "none" else at.op.lower(GELU_TANH, {"z": z})


@operation("softplus", steps="softplus, where", note="the identity above the threshold")
def _softplus(at: Step, z: Any, beta: float = 1, threshold: float = 20) -> Node:
    op = at.op
    scaled = op.mul(beta, z)
    return op.where(op.greater(scaled, threshold), z, op.div(op.softplus(scaled), beta))


@operation("log_sigmoid_forward", steps="softplus, neg")
def _log_sigmoid(at: Step, z: Any) -> Any:
    return at.op.neg(at.op.softplus(at.op.neg(z))), None


def _between(at: Step, z: Node, low: float, high: float, inside: Node) -> Node:
    """0 slope at both ends, as PyTorch has it for the `hard` activations."""
    op = at.op
    upper = op.where(op.greater_equal(z, high), high, inside)
    return op.where(op.less_equal(z, low), low, upper)


@operation("hardtanh", steps="less_equal, greater_equal, where", note="`relu6` is a form of it")
def _hardtanh(at: Step, z: Any, low: float = -1, high: float = 1) -> Node:
    return _between(at, z, low, high, z)


@operation("hardsigmoid", steps="less_equal, greater_equal, where, div")
def _hardsigmoid(at: Step, z: Any) -> Node:
    return at.op.div(_between(at, at.op.add(z, 3.0), 0.0, 6.0, at.op.add(z, 3.0)), 6.0)


@operation("hardswish", steps="less_equal, greater_equal, where, mul")
def _hardswish(at: Step, z: Any) -> Node:
    op = at.op
    inside = op.div(op.mul(z, op.add(z, 3.0)), 6.0)
    return op.where(op.less_equal(z, -3.0), 0.0, op.where(op.greater_equal(z, 3.0), z, inside))


# ------------------------------------------------------------------- choices and bounds


@operation(
    *("clamp", "clamp.Tensor", "clamp_min", "clamp_min.Tensor"),
    steps="maximum, minimum",
    note="slope 1 at the bounds",
)
def _clamp(at: Step, x: Any, low: Any = None, high: Any = None) -> Node:
    low_held = at.number(x) if low is None else at.op.maximum(at.number(x), at.number(low))
    clamped = low_held if high is None else at.op.minimum(low_held, at.number(high))
    return at.node(clamped)


@operation("clamp_max", "clamp_max.Tensor", steps="minimum", note="slope 1 at the bound")
def _clamp_max(at: Step, x: Any, high: Any) -> Node:
    return at.op.minimum(at.number(x), at.number(high))


def _larger(at: Step, primitive: str, a: Any, b: Any) -> Node:
    op = at.op
    a, b = at.number(a), at.number(b)
    shared = op.mul(0.5, op.add(a, b))
    return op.where(op.equal(a, b), shared, op.apply(primitive, a, b))


@operation("maximum", steps="maximum, equal, where", note="equal operands share the slope")
def _maximum(at: Step, a: Any, b: Any) -> Node:
    return _larger(at, "maximum", a, b)


@operation("minimum", steps="minimum, equal, where", note="equal operands share the slope")
def _minimum(at: Step, a: Any, b: Any) -> Node:
    return _larger(at, "minimum", a, b)


@operation("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar", steps="where")
def _where(at: Step, condition: Any, a: Any, b: Any) -> Node:
    return _chosen(at, condition, a, b)


def _chosen(at: Step, condition: Any, a: Any, b: Any) -> Node:
    """`a` where the condition holds; one that is the same everywhere leaves no step."""
    import torch

    op = at.op
    if isinstance(condition, torch.Tensor) and condition.all() == condition.any():
        return op.broadcast(at.node(a if condition.all() else b), at.shape)
    if tuple(condition.shape) != at.shape:  # numbers are broadcast, truth values are not
        condition = op.broadcast(at.node(condition), at.shape)
    return op.where(at.condition(condition), at.number(a), at.number(b))


@operation("masked_fill.Scalar", "masked_fill.Tensor", steps="where")
def _masked_fill(at: Step, x: Any, mask: Any, value: Any) -> Node:
    return _chosen(at, mask, value, x)


@operation("logical_and", "bitwise_and.Tensor", steps="mul, not_equal", note="of truth values")
def _and(at: Step, a: Any, b: Any) -> Node:
    return at.op.not_equal(at.op.mul(at.number(a), at.number(b)), 0.0)


@operation("logical_or", "bitwise_or.Tensor", steps="maximum, not_equal", note="of truth values")
def _or(at: Step, a: Any, b: Any) -> Node:
    a, b = (at.number(at.condition(item)) for item in (a, b))
    return at.op.not_equal(at.op.maximum(a, b), 0.0)


@operation("logical_xor", "bitwise_xor.Tensor", steps="not_equal", note="of truth values")
def _xor(at: Step, a: Any, b: Any) -> Node:
    a, b = (at.number(at.condition(item)) for item in (a, b))
    return at.op.not_equal(a, b)


@operation("logical_not", "bitwise_not", steps="equal", note="of truth values")
def _not(at: Step, a: Any) -> Node:
    return at.op.equal(at.number(a), 0.0)


# ------------------------------------------------------------------- what changes nothing


@operation(
    *("clone", "alias", "lift_fresh_copy"),
    steps="none",
    note="the same numbers",
    moves=True,
)
def _same(at: Step, x: Any, **_: Any) -> Any:
    return x


@operation(
    "_to_copy",
    steps="none",
    note="between floating types, and from truth values; a rounding on the way is left out",
    moves=True,
)
def _converted(at: Step, x: Any, **named: Any) -> Any:
    import torch

    for kind in named.values():
        if isinstance(kind, torch.dtype) and not kind.is_floating_point:
            if kind == torch.bool:
                return at.condition(x)
            raise UnsupportedError(f"a conversion to {kind}", "whole numbers known beforehand")
    return at.number(x)


@operation("native_dropout", steps="mul", note="by a constant that is drawn once, from the seed")
def _native_dropout(at: Step, x: Any, p: float, train: bool | None) -> Any:
    import torch

    if train is False or p == 0:
        return x, None
    mask = at.draw(lambda: torch.native_dropout(torch.ones(at.shape), p, True)[0])
    return at.op.mul(x, at.constant("mask", mask)), None


@operation("detach", steps="stop", note="also what `torch.no_grad` hands out", moves=True)
def _detach(at: Step, x: Any) -> Node:
    return at.op.stop(at.number(x))
