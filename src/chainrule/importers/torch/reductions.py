"""Operations that reduce along axes: sums and what is made of them, and the largest entry."""

from __future__ import annotations

import math
from typing import Any

from chainrule.graph.node import Node
from chainrule.importers.torch.table import Shape, Step, UnsupportedError, axis_of, operation

__all__: list[str] = []


def _axes(x: Node, dims: Any) -> Shape:
    """The axes that are meant, all of them by default."""
    rank = len(x.shape)
    if isinstance(dims, int):
        dims = (dims,)
    return tuple(sorted(axis_of(axis, rank) for axis in dims)) if dims else tuple(range(rank))


def _kept(x: Node, axes: Shape) -> Shape:
    return tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))


def _count(x: Node, axes: Shape) -> int:
    return math.prod(x.shape[axis] for axis in axes)


def _mean_of(at: Step, x: Node, axes: Shape) -> Node:
    return at.op.div(at.op.sum(x, axes), float(_count(x, axes)))


@operation("sum", "sum.dim_IntList", steps="sum")
def _sum(at: Step, x: Any, dims: Any = None, keep: bool = False, dtype: Any = None) -> Node:
    x = at.node(x)
    return at.op.reshape(at.op.sum(x, _axes(x, dims)), at.shape)


@operation("mean", "mean.dim", steps="sum, div")
def _mean(at: Step, x: Any, dims: Any = None, keep: bool = False, dtype: Any = None) -> Node:
    x = at.node(x)
    return at.op.reshape(_mean_of(at, x, _axes(x, dims)), at.shape)


@operation("cumsum", steps="cumsum")
def _cumsum(at: Step, x: Any, axis: int, dtype: Any = None) -> Node:
    return at.op.cumsum(at.node(x), axis)


def _variance(at: Step, x: Node, dims: Any, correction: float | None) -> tuple[Node, Node]:
    """The variance along axes, and the mean, both without these axes."""
    op, axes = at.op, _axes(x, dims)
    mean = _mean_of(at, x, axes)
    centred = op.sub(x, op.reshape(mean, _kept(x, axes)))
    free = _count(x, axes) - (1.0 if correction is None else float(correction))
    return op.div(op.sum(op.pow(centred, 2.0), axes), free), mean


@operation("var.correction", steps="sum, sub, pow, div")
def _var(at: Step, x: Any, dims: Any = None, correction: Any = None, **_: Any) -> Node:
    return at.op.reshape(_variance(at, x, dims, correction)[0], at.shape)


@operation("std.correction", steps="sum, sub, pow, div, sqrt")
def _std(at: Step, x: Any, dims: Any = None, correction: Any = None, **_: Any) -> Node:
    return at.op.reshape(at.op.sqrt(_variance(at, x, dims, correction)[0]), at.shape)


@operation("var_mean.correction", steps="sum, sub, pow, div")
def _var_mean(at: Step, x: Any, dims: Any = None, correction: Any = None, **_: Any) -> Any:
    return tuple(
        at.op.reshape(part, shape)
        for part, shape in zip(_variance(at, x, dims, correction), at.shapes, strict=True)
    )


@operation(
    "linalg_vector_norm",
    steps="pow, sum, sqrt, where",
    note="of order 1 or 2; slope 0 where the norm is 0",
)
def _norm(at: Step, x: Any, order: float = 2, dims: Any = None, *_: Any, **__: Any) -> Node:
    op, axes = at.op, _axes(x, dims)
    if order == 1:
        return op.reshape(op.sum(op.abs(x), axes), at.shape)
    if order != 2:
        raise UnsupportedError(f"a norm of order {order:g}", "order 1 or 2")
    total = op.sum(op.pow(x, 2.0), axes)
    is_zero = op.equal(total, 0.0)
    return op.reshape(op.where(is_zero, 0.0, op.sqrt(op.where(is_zero, 1.0, total))), at.shape)


# --------------------------------------------------------------------------- the largest


def _largest(at: Step, x: Node, dims: Any) -> Node:
    """The largest entry along axes; those that are equally large share the slope."""
    op, axes = at.op, _axes(x, dims)
    largest = op.stop(op.max(x, axes))
    is_largest = op.equal(x, op.broadcast(op.reshape(largest, _kept(x, axes)), x.shape))
    count = op.stop(op.sum(op.where(is_largest, 1.0, 0.0), axes))
    return op.reshape(op.div(op.sum(op.where(is_largest, x, 0.0), axes), count), at.shape)


SHARED = "entries that are equally large share the slope"


@operation("amax", "max", steps="max, equal, where, sum, div", note=SHARED)
def _amax(at: Step, x: Any, dims: Any = None, keep: bool = False) -> Node:
    return _largest(at, x, dims)


@operation("amin", "min", steps="neg, max, equal, where, sum, div", note=SHARED)
def _amin(at: Step, x: Any, dims: Any = None, keep: bool = False) -> Node:
    return at.op.neg(_largest(at, at.op.neg(x), dims))


@operation("max.dim", steps="max", note="the first of equal entries takes the slope; no indices")
def _max_along(at: Step, x: Any, axis: int, keep: bool = False) -> Any:
    return at.op.reshape(at.op.max(x, axis_of(axis, len(x.shape))), at.shape), None


@operation("min.dim", steps="neg, max", note="the first of equal entries takes the slope")
def _min_along(at: Step, x: Any, axis: int, keep: bool = False) -> Any:
    largest = at.op.max(at.op.neg(x), axis_of(axis, len(x.shape)))
    return at.op.reshape(at.op.neg(largest), at.shape), None


# ------------------------------------------------------------------------------ softmax


def _along_last(at: Step, x: Node, axis: int) -> tuple[Node, Shape]:
    """`x` with `axis` last, and the permutation that brings it there (and, twice, back)."""
    rank = len(x.shape)
    order = list(range(rank))
    chosen = axis_of(axis, rank)
    order[chosen], order[-1] = order[-1], order[chosen]
    moved = x if chosen == rank - 1 else at.op.transpose(x, tuple(order))
    return moved, tuple(order)


def _along(at: Step, composite: str, x: Node, axis: int) -> Node:
    moved, order = _along_last(at, x, axis)
    result = at.op.composite(composite, moved)
    return result if moved is x else at.op.transpose(result, order)


@operation("_softmax", "softmax.int", steps="softmax")
def _softmax(at: Step, x: Any, axis: int, *_: Any, **__: Any) -> Node:
    return _along(at, "softmax", x, axis)


@operation("_safe_softmax", steps="softmax", note="a row of nothing but −∞ gives NaN")
def _safe_softmax(at: Step, x: Any, axis: int, *_: Any, **__: Any) -> Node:
    return _along(at, "softmax", x, axis)


@operation("_log_softmax", "log_softmax.int", steps="log_softmax")
def _log_softmax(at: Step, x: Any, axis: int, *_: Any, **__: Any) -> Node:
    return _along(at, "log_softmax", x, axis)


@operation("logsumexp", steps="max, stop, sub, exp, sum, log, add")
def _logsumexp(at: Step, x: Any, dims: Any, keep: bool = False) -> Node:
    op, axes = at.op, _axes(x, dims)
    largest = op.stop(op.max(x, axes))
    powers = op.exp(op.sub(x, op.reshape(largest, _kept(x, axes))))
    return op.reshape(op.add(op.log(op.sum(powers, axes)), largest), at.shape)
