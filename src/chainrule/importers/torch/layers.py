"""Operations that are layers: products, convolutions, pools, normalisation, attention."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from chainrule.graph.node import Node
from chainrule.importers.torch.table import Shape, Step, UnsupportedError, operation

__all__: list[str] = []

# ------------------------------------------------------------------------------ products


@operation("linear", steps="linear, add")
def _linear(at: Step, x: Any, w: Any, b: Any = None) -> Node:
    op = at.op
    rows = op.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    product = op.reshape(op.linear(rows, w), at.shape)
    return product if b is None else op.add(product, b)


@operation("mm", "bmm", "matmul", "mv", "dot", steps="matmul")
def _matmul(at: Step, a: Any, b: Any) -> Node:
    return at.op.matmul(a, b)


def _times(at: Step, factor: float, x: Node) -> Node:
    return x if factor == 1 else at.op.mul(factor, x)


@operation("addmm", "baddbmm", "addmv", steps="matmul, add")
def _addmm(at: Step, x: Any, a: Any, b: Any, beta: float = 1, alpha: float = 1) -> Node:
    return at.op.add(_times(at, beta, x), _times(at, alpha, at.op.matmul(a, b)))


# --------------------------------------------------------------------------- convolution


def _each(values: int | Sequence[int], rank: int) -> Shape:
    """One number for each axis; a single one is meant for all."""
    if isinstance(values, int):
        values = (values,)
    return tuple(values) if len(values) == rank else tuple(values) * rank


@operation("convolution", steps="convolution, add", note="transposed: pad, flip, convolution")
def _convolution(
    at: Step,
    x: Any,
    w: Any,
    b: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Node:
    op, rank = at.op, len(x.shape) - 2
    stride, padding, dilation = (_each(item, rank) for item in (stride, padding, dilation))
    if transposed:
        x, w, around = _apart(at, x, w, stride, padding, dilation, output_padding, groups)
        stride = (1,) * rank
    else:
        around = tuple((own, own) for own in padding)
    result = op.convolution(x, w, stride, around, dilation, groups)
    return result if b is None else op.add(result, op.reshape(b, (*b.shape, *(1,) * rank)))


def _apart(
    at: Step,
    x: Node,
    w: Node,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    output_padding: Sequence[int],
    groups: int,
) -> tuple[Node, Node, tuple[tuple[int, int], ...]]:
    """The operands and the padding of the convolution that a transposed one is.

    Zeros stand between the entries of `x`, and `w` is turned round.

    Source: Dumoulin and Visin (2016), A guide to convolution arithmetic, 4.
    """
    op, rank = at.op, len(stride)
    sizes = [(size - 1) * step + 1 for size, step in zip(x.shape[2:], stride, strict=True)]
    spread = op.pad(x, (0,) * len(x.shape), (1, 1, *stride), (*x.shape[:2], *sizes))
    ins, outs, *size = w.shape
    split = op.reshape(op.flip(w, tuple(range(2, 2 + rank))), (groups, ins // groups, outs, *size))
    swapped = op.transpose(split, (0, 2, 1, *range(3, 3 + rank)))
    turned = op.reshape(swapped, (groups * outs, ins // groups, *size))
    reach = [(own - 1) * apart for own, apart in zip(size, dilation, strict=True)]
    around = tuple(
        (own - side, own - side + extra)
        for own, side, extra in zip(reach, padding, _each(output_padding, rank), strict=True)
    )
    return spread, turned, around


# --------------------------------------------------------------------------------- pools


def _around(
    at: Step, x: Node, size: Shape, stride: Shape, padding: Shape, dilation: Shape
) -> tuple[tuple[int, int], ...]:
    """How much lies before and after each axis, with what `ceil_mode` asks for at the end."""
    rank = len(size)
    around = []
    for whole, count, own, step, side, apart in zip(
        x.shape[-rank:], at.shape[-rank:], size, stride, padding, dilation, strict=True
    ):
        reach = (count - 1) * step + (own - 1) * apart + 1
        around.append((side, max(side, reach - whole - side)))
    return tuple(around)


@operation(
    *("max_pool2d", "max_pool2d_with_indices", "max_pool1d", "max_pool3d"),
    steps="concat, windows, max",
    note="the first of equal entries takes the slope; no indices",
)
def _max_pool(
    at: Step,
    x: Any,
    size: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    op, rank = at.op, len(size)
    size, padding, dilation = (_each(item, rank) for item in (size, padding, dilation))
    stride = _each(stride, rank) if stride else size
    around = _around(at, x, size, stride, padding, dilation)
    surrounded = op.surrounded(x, around, -math.inf)
    windows = op.windows(surrounded, size, stride, dilation, ((0, 0),) * rank)
    result = op.max(windows, tuple(range(-rank, 0)))
    return result if len(at.shapes) == 1 else (result, None)


@operation(
    *("avg_pool2d", "avg_pool1d", "avg_pool3d"),
    steps="windows, sum, div",
    note="windows of different counts: div by a constant",
)
def _avg_pool(
    at: Step,
    x: Any,
    size: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Node:
    import torch

    op, rank = at.op, len(size)
    size, padding = _each(size, rank), _each(padding, rank)
    stride = _each(stride, rank) if stride else size
    around = _around(at, x, size, stride, padding, (1,) * rank)
    windows = op.windows(x, size, stride, (1,) * rank, around)
    total = op.sum(windows, tuple(range(-rank, 0)))
    if divisor is not None:
        return op.div(total, float(divisor))
    counts = torch.ones(at.shape[-rank:])
    for axis in range(rank):
        count, step, own, side = at.shape[axis - rank], stride[axis], size[axis], padding[axis]
        low, high = 0, x.shape[axis - rank]
        if count_include_pad:
            low, high = -side, high + side
        lengths = torch.tensor(
            [
                min(start + own, high) - max(start, low)
                for start in range(-side, count * step - side, step)
            ]
        )
        counts = counts * lengths.reshape([-1 if other == axis else 1 for other in range(rank)])
    if bool((counts == counts.flatten()[0]).all()):
        return op.div(total, float(counts.flatten()[0]))
    return op.div(total, at.constant("count", counts))


@operation(
    *("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_avg_pool1d"),
    steps="reshape, sum, div",
    note="sizes that do not divide: slice, sum, div, concat",
)
def _adaptive_avg_pool(at: Step, x: Any, size: Any) -> Node:
    op, rank = at.op, len(size)
    sizes, counts = x.shape[-rank:], at.shape[-rank:]
    lead = x.shape[:-rank]
    if all(whole % count == 0 for whole, count in zip(sizes, counts, strict=True)):
        bins = [(count, whole // count) for whole, count in zip(sizes, counts, strict=True)]
        split = op.reshape(x, (*lead, *itertools.chain(*bins)))
        total = op.sum(split, tuple(len(lead) + 2 * axis + 1 for axis in range(rank)))
        return op.div(op.reshape(total, at.shape), float(math.prod(own for _, own in bins)))
    parts = []
    for places in itertools.product(*map(range, counts)):
        edges = [
            (place * whole // count, -((place + 1) * whole // -count))
            for place, whole, count in zip(places, sizes, counts, strict=True)
        ]
        shape = tuple(end - start for start, end in edges)
        start = (*(0 for _ in lead), *(first for first, _ in edges))
        part = op.slice(x, start, (1,) * len(x.shape), (*lead, *shape))
        mean = op.div(op.sum(part, tuple(range(-rank, 0))), float(math.prod(shape)))
        parts.append(op.reshape(mean, (*lead, 1)))
    return op.reshape(op.concat(*parts, axis=len(lead)), at.shape)


# ------------------------------------------------------------------------- normalisation


@operation("native_layer_norm", "layer_norm", steps="layer_norm")
def _layer_norm(
    at: Step, x: Any, shape: Sequence[int], scale: Any, shift: Any, epsilon: float, *_: Any
) -> Any:
    op, width = at.op, math.prod(shape)
    rows = op.reshape(x, (*x.shape[: len(x.shape) - len(shape)], width))
    scale, shift = (
        default if item is None else op.reshape(item, (width,))
        for item, default in ((scale, 1.0), (shift, 0.0))
    )
    result = op.reshape(op.composite("layer_norm", rows, scale, shift, epsilon), at.shape)
    return result if len(at.shapes) == 1 else (result, None, None)


@operation("native_group_norm", steps="layer_norm, mul, add", note="over each group of channels")
def _group_norm(
    at: Step,
    x: Any,
    scale: Any,
    shift: Any,
    count: int,
    channels: int,
    places: int,
    groups: int,
    epsilon: float,
) -> Any:
    op = at.op
    rows = op.reshape(x, (count, groups, channels // groups * places))
    result = op.reshape(op.composite("layer_norm", rows, 1.0, 0.0, epsilon), at.shape)
    along = (channels, *(1 for _ in at.shape[2:]))
    if scale is not None:
        result = op.mul(result, op.reshape(scale, along))
    if shift is not None:
        result = op.add(result, op.reshape(shift, along))
    return result, None, None


def _by_channel(at: Step, x: Node, scale: Any, shift: Any) -> tuple[Node, Node]:
    """Scale and shift, one number for each channel; 1 and 0 where there are none."""
    channels = (x.shape[1],)
    return tuple(  # type: ignore[return-value]
        at.op.broadcast(at.op.constant(default), channels) if item is None else item
        for item, default in ((scale, 1.0), (shift, 0.0))
    )


def _batch_norm_training(at: Step, x: Node, scale: Any, shift: Any, epsilon: float) -> Any:
    result = at.op.composite("batch_norm", x, *_by_channel(at, x, scale, shift), epsilon)
    return (result, *(None for _ in at.shapes[1:]))


@operation(
    "_native_batch_norm_legit_functional",
    steps="batch_norm",
    note="in training mode; the running statistics are not updated",
)
def _batch_norm(
    at: Step,
    x: Any,
    scale: Any,
    shift: Any,
    mean: Any,
    variance: Any,
    training: bool,
    momentum: float,
    epsilon: float,
) -> Any:
    if training:
        return _batch_norm_training(at, x, scale, shift, epsilon)
    return _batch_norm_fixed(at, x, scale, shift, mean, variance, momentum, epsilon)


@operation("_native_batch_norm_legit.no_stats", steps="batch_norm")
def _batch_norm_alone(
    at: Step, x: Any, scale: Any, shift: Any, training: bool, momentum: float, epsilon: float
) -> Any:
    return _batch_norm_training(at, x, scale, shift, epsilon)


@operation(
    "_native_batch_norm_legit_no_training",
    steps="batch_norm_fixed",
    note="the running statistics are constants",
)
def _batch_norm_fixed(
    at: Step,
    x: Any,
    scale: Any,
    shift: Any,
    mean: Any,
    variance: Any,
    momentum: float,
    epsilon: float,
) -> Any:
    scale, shift = _by_channel(at, x, scale, shift)
    result = at.op.composite("batch_norm_fixed", x, mean, variance, scale, shift, epsilon)
    return (result, *(None for _ in at.shapes[1:]))


# ----------------------------------------------------------------------------- attention


@operation(
    "scaled_dot_product_attention",
    steps="attention",
    note="a mask of truth values becomes one of 0 and −∞",
)
def _attention(
    at: Step,
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Node:
    import torch

    op = at.op
    if dropout:
        raise UnsupportedError("attention with dropout, undecomposed")
    if enable_gqa:
        k, v = (_repeated(at, item, q.shape[-3] // item.shape[-3]) for item in (k, v))
    if scale is not None:
        q = op.mul(q, scale * math.sqrt(q.shape[-1]))
    added: Any = 0.0
    if is_causal:
        rows, columns = q.shape[-2], k.shape[-2]
        hidden = torch.full((rows, columns), -math.inf).triu(1)
        added = at.shared("causal_mask", hidden)
    elif isinstance(mask, torch.Tensor):
        zeros = torch.zeros(mask.shape)
        added = at.constant("mask", zeros.masked_fill(mask.logical_not(), -math.inf))
    elif mask is not None:
        added = op.where(mask, 0.0, -math.inf) if mask.dtype == "bool" else mask
    return op.composite("attention", q, k, v, added)


def _repeated(at: Step, x: Node, times: int) -> Node:
    """Each head so many times: the heads of queries share those of keys and values."""
    *lead, heads, rows, width = x.shape
    apart = at.op.reshape(x, (*lead, heads, 1, rows, width))
    spread = at.op.broadcast(apart, (*lead, heads, times, rows, width))
    return at.op.reshape(spread, (*lead, heads * times, rows, width))
