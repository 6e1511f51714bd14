"""Windows that slide along the last axes of an array, and what is made of them: convolution.

Window `i` begins at `i * stride - padding` and takes every `dilation`-th entry; what lies
beside the array is 0.  `padding` is how much is put before and after each axis; less than
nothing cuts off.  A pool is a reduction over windows, and both transposes of a convolution
are convolutions, so that an adjoint is an ordinary node at any order.

Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

from chainrule.primitives.index import moved, row_major, unravelled
from chainrule.primitives.record import Attributes, Linear, Reads, Rows, Shape, Term

__all__: list[str] = []

Axes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]


def _counts(sizes: Shape, size: Shape, stride: Axes, dilation: Axes, padding: Padding) -> Shape:
    """How many windows fit on each axis. Raises: ValueError where none does."""
    counts = []
    for whole, own, step, apart, (before, after) in zip(
        sizes, size, stride, dilation, padding, strict=True
    ):
        if own < 1 or step < 1 or apart < 1:
            raise ValueError(f"size {size}, stride {stride}, dilation {dilation}: at least 1 each")
        left = whole + before + after - (own - 1) * apart - 1
        if left < 0:
            raise ValueError(
                f"a window of {(own - 1) * apart + 1} does not fit"
                f" {whole} entries with {before} before and {after} after"
            )
        counts.append(left // step + 1)
    return tuple(counts)


def _rank(x: Shape, **attributes: Sequence[Any]) -> int:
    """On how many axes windows slide. Raises: ValueError where attributes do not say one each."""
    ranks = {len(attribute) for attribute in attributes.values()}
    (rank, *others) = ranks
    if others or rank > len(x):
        said = ", ".join(f"{name} {tuple(value)}" for name, value in attributes.items())
        raise ValueError(f"{said}: one for each of the last axes of {x}")
    return rank


def _padded(x: Any, padding: Padding) -> Any:
    """The last axes with zeros before and after; less than none cuts off."""
    import numpy

    lead = x.ndim - len(padding)
    sizes = [*x.shape[:lead]]
    sources: list[Any] = []
    targets: list[Any] = []
    for whole, (before, after) in zip(x.shape[lead:], padding, strict=True):
        start, stop = max(0, -before), min(whole, whole + after)
        sizes.append(whole + before + after)
        sources.append(slice(start, max(start, stop)))
        targets.append(slice(start + before, max(start, stop) + before))
    if all(side <= 0 for pair in padding for side in pair):
        return x[(..., *sources)]
    result: Any = numpy.zeros(sizes, x.dtype)
    result[(..., *targets)] = x[(..., *sources)]
    return result


# -------------------------------------------------------------------------- windows


def _windows_shape(x: Shape, size: Shape, stride: Axes, dilation: Axes, padding: Padding) -> Shape:
    rank = _rank(x, size=size, stride=stride, dilation=dilation, padding=padding)
    lead = len(x) - rank
    return x[:lead] + _counts(x[lead:], size, stride, dilation, padding) + size


def _windows_kernel(x: Any, size: Shape, stride: Axes, dilation: Axes, padding: Padding) -> Any:
    import numpy

    spans = [(own - 1) * apart + 1 for own, apart in zip(size, dilation, strict=True)]
    axes = tuple(range(x.ndim - len(size), x.ndim))
    view: Any = numpy.lib.stride_tricks.sliding_window_view(_padded(x, padding), spans, axes)
    return view[(..., *(slice(None, None, step) for step in (*stride, *dilation)))]


def _windows_transpose(
    op: Any, g: Any, x: Any, size: Shape, stride: Axes, dilation: Axes, padding: Padding
) -> tuple[Any]:
    return (op.overlap_add(g, stride, dilation, padding, x.shape),)


def _windows_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    (x,), size = shapes, attributes["size"]
    lead = len(x) - len(size)
    index = unravelled(places, _windows_shape(x, **attributes))
    strides = row_major(x)
    source, inside = places * 0, places >= 0
    for own, stride in zip(index[:lead], strides[:lead], strict=True):
        source = source + own * stride
    sliding = zip(attributes["stride"], attributes["dilation"], attributes["padding"], strict=True)
    for axis, (step, apart, (before, _)) in enumerate(sliding, start=lead):
        at = index[axis] * step + index[axis + len(size)] * apart - before
        inside = inside & (at >= 0) & (at < x[axis])
        source = source + at * strides[axis]
    return moved(source, inside)


def _overlap_shape(x: Shape, stride: Axes, dilation: Axes, padding: Padding, shape: Shape) -> Shape:
    rank = _rank(shape, stride=stride, dilation=dilation, padding=padding)
    if len(x) != len(shape) + rank:
        raise ValueError(f"{x} are no windows of {shape}: needs {len(shape) + rank} axes")
    expected = _windows_shape(shape, x[len(shape) :], stride, dilation, padding)
    if x != expected:
        raise ValueError(f"{x} are no windows of {shape}: those are {expected}")
    return shape


def _overlap_kernel(
    x: Any, stride: Axes, dilation: Axes, padding: Padding, shape: Shape, start: float = 0.0
) -> Any:
    import numpy

    rank, lead = len(stride), len(shape) - len(stride)
    counts, size = x.shape[lead : lead + rank], x.shape[lead + rank :]
    offsets = list(itertools.product(*map(range, size)))
    if math.prod(counts) < math.prod(size):
        # Fewer windows than places in one: window by window, from the last to the first,
        # which is the same order for each sum.
        first, second = range(lead, lead + rank), range(lead + rank, lead + 2 * rank)
        x = x.transpose(*range(lead), *second, *first)
        offsets = list(itertools.product(*map(range, counts)))[::-1]
        counts, stride, dilation = size, dilation, stride
    padded = [
        whole + before + after for whole, (before, after) in zip(shape[lead:], padding, strict=True)
    ]
    total: Any = numpy.full((*shape[:lead], *padded), start, x.dtype)
    for at in offsets:
        starts = [own * apart for own, apart in zip(at, dilation, strict=True)]
        places = [
            slice(first, first + (count - 1) * step + 1, step)
            for first, count, step in zip(starts, counts, stride, strict=True)
        ]
        total[(..., *places)] += x[(..., *at)]
    return _padded(total, tuple((-before, -after) for before, after in padding))


def _overlap_in_order(x: Any, **attributes: Any) -> Any:
    import numpy

    # -0.0 is what can be added to without a trace, to a sum of nothing but -0.0 too.
    covered = _overlap_kernel(numpy.ones_like(x), **attributes) > 0
    return numpy.where(covered, _overlap_kernel(x, **attributes, start=-0.0), 0.0)


def _covering(
    whole: int, count: int, own: int, step: int, apart: int, before: int
) -> list[list[tuple[int, int]]]:
    """For each entry of an axis: the windows that cover it, and which of theirs it is."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(whole)]
    for p, i in itertools.product(range(own), range(count)):
        at = i * step + p * apart - before
        if 0 <= at < whole:
            found[at].append((i, p))
    return found


def _overlap_terms(shapes: Sequence[Shape], attributes: Attributes) -> Rows:
    (x,), shape = shapes, attributes["shape"]
    stride, dilation, padding = (attributes[name] for name in ("stride", "dilation", "padding"))
    rank, lead = len(stride), len(shape) - len(stride)
    counts, size = x[lead : lead + rank], x[lead + rank :]
    starts = [before for before, _ in padding]
    axes = list(map(_covering, shape[lead:], counts, size, stride, dilation, starts))
    steps, own = row_major(x), row_major(shape)

    def row(entry: int) -> list[Term]:
        index = [entry // step % whole for step, whole in zip(own, shape, strict=True)]
        covering = [axis[at] for axis, at in zip(axes, index[lead:], strict=True)]
        return [
            ((0, sum(map(operator.mul, steps, (*index[:lead], *_turned(pairs))))),)
            for pairs in itertools.product(*covering)
        ]

    return Rows(math.prod(shape), row)


def _turned(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """All windows' numbers, then all places in them."""
    return [pair[side] for side in (0, 1) for pair in pairs]


def _overlap_transpose(
    op: Any, g: Any, x: Any, stride: Axes, dilation: Axes, padding: Padding, shape: Shape
) -> tuple[Any]:
    return (op.windows(g, x.shape[len(shape) :], stride, dilation, padding),)


Linear(
    "windows",
    ("x",),
    index="y[n, i, p] = x[n, i * stride + p * dilation - padding]",
    shape=_windows_shape,
    kernel=_windows_kernel,
    transpose=_windows_transpose,
    reads=_windows_reads,
    notation="x, in windows",
    source="Dumoulin and Visin (2016), A guide to convolution arithmetic, 2 and 3",
)
Linear(
    "overlap_add",
    ("x",),
    index="y[n, h] = sum(i, p, x[n, i, p]) where i * stride + p * dilation - padding = h",
    shape=_overlap_shape,
    kernel=_overlap_kernel,
    terms=_overlap_terms,
    in_order=_overlap_in_order,
    transpose=_overlap_transpose,
    notation="windows x, added up",
    source="The transpose of taking windows adds them where they lay",
)

# ---------------------------------------------------------------------- convolution


def _convolution_shape(
    x: Shape, w: Shape, stride: Axes, padding: Padding, dilation: Axes, groups: int
) -> Shape:
    if len(x) != len(w) or len(x) < 3:
        raise ValueError(f"x {x} and w {w}: x (n, c, ...) and w (o, c, ...) of equal rank")
    if groups < 1 or x[1] != w[1] * groups or w[0] % groups:
        raise ValueError(
            f"{x[1]} channels in x, {w[1]} in w, {w[0]} out, {groups} groups:"
            " those of x are those of w for each group, and groups divide those out"
        )
    size = w[2:]
    _rank(size, size=size, stride=stride, padding=padding, dilation=dilation)
    return (x[0], w[0], *_counts(x[2:], size, stride, dilation, padding))


def _convolution_kernel(
    x: Any, w: Any, stride: Axes, padding: Padding, dilation: Axes, groups: int
) -> Any:
    """One matrix product for each group, of the windows as columns (im2col).

    Source: Chellapilla, Puri, Simard (2006), High performance convolutional neural networks
    for document processing, 3.
    """
    windows = _windows_kernel(x, w.shape[2:], stride, dilation, padding)
    count, rank, width = len(x), len(stride), w.shape[1]
    places = windows.shape[2 : 2 + rank]
    windows = windows.reshape(count, groups, width, *windows.shape[2:])
    outer, inner = (0, *range(3, 3 + rank)), (2, *range(3 + rank, 3 + 2 * rank))
    size, whole = math.prod(w.shape[1:]), count * math.prod(places)
    # The columns are copied; with the longer axes last, in fewer and longer runs.
    if math.prod(places) >= math.prod(w.shape[2:]):
        columns = windows.transpose(1, *inner, *outer).reshape(groups, size, whole)
    else:
        columns = windows.transpose(1, *outer, *inner).reshape(groups, whole, size)
        columns = columns.swapaxes(1, 2)
    product = w.reshape(groups, -1, size) @ columns
    return product.reshape(len(w), count, *places).swapaxes(0, 1)


def _convolution_in_order(
    x: Any, w: Any, stride: Axes, padding: Padding, dilation: Axes, groups: int
) -> Any:
    import numpy

    size, outs = w.shape[2:], len(w) // groups
    around = (size, stride, dilation, padding)
    windows = _windows_kernel(x, *around)
    windows = windows.reshape(len(x), groups, -1, *windows.shape[2:])
    inside = _windows_kernel(numpy.ones(x.shape[2:]), *around) > 0
    places = inside.shape[: len(size)]
    rows = w.reshape(groups, outs, *w.shape[1:], *(1 for _ in size))
    # -0.0 is what can be added to without a trace, to a sum of nothing but -0.0 too.
    total = numpy.full((len(x), groups, outs, *places), -0.0)
    for c, *at in itertools.product(*map(range, w.shape[1:])):
        product = windows[(slice(None), slice(None), None, c, ..., *at)] * rows[:, :, c, *at]
        total += numpy.where(inside[(..., *at)], product, -0.0)
    covered = inside.any(tuple(range(len(size), 2 * len(size)))) & (w.shape[1] > 0)
    return numpy.where(covered, total, 0.0).reshape(len(x), len(w), *places)


def _convolution_terms(shapes: Sequence[Shape], attributes: Attributes) -> Rows:
    import numpy

    x, w = shapes
    shape = _convolution_shape(x, w, **attributes)
    stride, padding, dilation = (attributes[name] for name in ("stride", "padding", "dilation"))
    # The places of one channel of one example, from 1; 0 is the zero of padding.
    plane, inside = math.prod(x[2:]), math.prod(w[2:])
    numbered = numpy.arange(1, plane + 1).reshape(x[2:])
    windows = _windows_kernel(numbered, w[2:], stride, dilation, padding)
    outs = w[0] // attributes["groups"]

    def row(entry: int) -> list[Term]:
        n, o, *at = (int(place) for place in numpy.unravel_index(entry, shape))
        places = windows[tuple(at)].ravel().tolist()
        first = n * x[1] + o // outs * w[1]
        return [
            (
                (0, (first + c) * plane + place - 1),
                (1, (o * w[1] + c) * inside + number),
            )
            for c in range(w[1])
            for number, place in enumerate(places)
            if place
        ]

    return Rows(math.prod(shape), row)


def _convolution_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    import numpy

    x, w = shapes
    n, o, *at = unravelled(places, _convolution_shape(x, w, **attributes))
    stride, padding, dilation = (attributes[name] for name in ("stride", "padding", "dilation"))
    plane, inside = math.prod(x[2:]), math.prod(w[2:])
    numbered = numpy.arange(1, plane + 1).reshape(x[2:])  # 0 is the zero of padding
    windows = _windows_kernel(numbered, w[2:], stride, dilation, padding)
    covered = windows[tuple(at)].reshape(len(places), 1, inside)
    channels = numpy.arange(w[1])[:, None]
    first = n * x[1] + o // (w[0] // attributes["groups"]) * w[1]
    of_x = (first[:, None, None] + channels) * plane + covered - 1
    of_w = (o[:, None, None] * w[1] + channels) * inside + numpy.arange(inside)
    rows, *rest = numpy.nonzero(numpy.broadcast_to(covered > 0, of_x.shape))
    return [(rows, ((0, of_x[(rows, *rest)]), (1, of_w[(rows, *rest)])))]


def _convolution_transpose(
    op: Any,
    g: Any,
    x: Any,
    w: Any,
    stride: Axes,
    padding: Padding,
    dilation: Axes,
    groups: int,
) -> tuple[Any, Any]:
    """For x: each entry of `g` with its filter, a window, added up where the windows lay (col2im).

    For w: the convolution of `x` with `g`, examples in the place of channels, stride and
    dilation changed over.

    Source: Dumoulin and Visin (2016), 4.
    """
    sizes, (count, outs, *places), (_, width, *size) = x.shape[2:], g.shape, w.shape
    filters = op.reshape(w, (groups, outs // groups, math.prod((width, *size))))
    columns = op.reshape(_swapped(op, g), (groups, outs // groups, count * math.prod(places)))
    product = op.matmul(op.transpose(filters, (0, 2, 1)), columns)
    rank = len(size)
    by_group = op.reshape(product, (groups * width, *size, count, *places))
    inner, outer = range(1, 1 + rank), range(2 + rank, 2 + 2 * rank)
    windows = op.transpose(by_group, (1 + rank, 0, *outer, *inner))
    of_x = op.overlap_add(windows, stride, dilation, padding, x.shape)
    spans = [(own - 1) * apart for own, apart in zip(size, dilation, strict=True)]
    reach = [(number - 1) * step + 1 for number, step in zip(places, stride, strict=True)]
    within = tuple(
        (before, span + own - whole - before)
        for span, (before, _), whole, own in zip(spans, padding, sizes, reach, strict=True)
    )
    of_w = op.convolution(
        _swapped(op, x, groups), _swapped(op, g), dilation, within, stride, groups
    )
    return of_x, _swapped(op, of_w)


def _swapped(op: Any, x: Any, groups: int = 1) -> Any:
    """Examples and channels changed over; groups of channels stay beside the channels."""
    first, second, *rest = x.shape
    apart = op.reshape(x, (first, groups, second // groups, *rest))
    turned = op.transpose(apart, (2, 1, 0, *range(3, 3 + len(rest))))
    return op.reshape(turned, (second // groups, groups * first, *rest))


Linear(
    "convolution",
    ("x", "w"),
    index="y[n, o, i, j] = sum(c, p, q, x[n, c, i*s + p*d - pad, j*s + q*d - pad] * w[o, c, p, q])",
    shape=_convolution_shape,
    kernel=_convolution_kernel,
    terms=_convolution_terms,
    in_order=_convolution_in_order,
    transpose=_convolution_transpose,
    reads=_convolution_reads,
    notation="x ∗ W",
    source="Dumoulin and Visin (2016), A guide to convolution arithmetic, 2 to 5",
)
