"""The linear primitives, and those that select: index formula, terms, transpose.

A transpose is written in primitives through `op`, the builder that the caller
passes in, so that an adjoint is an ordinary node and can be differentiated
again.  The property tests compare every transpose with the terms.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

from chainrule.primitives.index import (
    all_positions,
    contraction,
    moved,
    position,
    positions,
    row_major,
    unravelled,
)
from chainrule.primitives.namespace import namespace
from chainrule.primitives.record import Attributes, Linear, Reads, Rows, Select, Shape, Term

__all__: list[str] = []

Axes = tuple[int, ...]


def normal_axes(axes: Axes, rank: int) -> Axes:
    """Axes counted from the front, sorted. Raises: ValueError outside the rank."""
    counted = tuple(sorted(axis + rank if axis < 0 else axis for axis in axes))
    if len(set(counted)) != len(counted) or any(not 0 <= axis < rank for axis in counted):
        raise ValueError(f"axes {axes} do not fit {rank} axes")
    return counted


def _without(shape: Shape, axes: Axes) -> Shape:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _of_axes(shape: Shape, axes: Axes) -> Shape:
    """The shape. Raises: ValueError where it lacks one of the axes, counted from the front."""
    if any(not 0 <= axis < len(shape) for axis in axes):
        raise ValueError(f"axes {axes} do not fit {len(shape)} axes")
    return shape


def _kept(shape: Shape, axes: Axes) -> Shape:
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def _spread(op: Any, g: Any, shape: Shape, axes: Axes) -> Any:
    """`g`, which lacks `axes`, repeated along them to `shape`."""
    return op.broadcast(op.reshape(g, _kept(shape, axes)), shape)


# ------------------------------------------------------------------- contractions


def _contracts(name: str, operands: tuple[str, ...], index: str, **rest: Any) -> None:
    """A record whose shape and terms follow from its index formula."""
    rule = contraction(index, operands)
    Linear(
        name,
        operands,
        index,
        shape=rule.shape,
        terms=rule.terms,
        in_order=rule.in_order,
        reads=rule.reads,
        **rest,
    )


_contracts(
    "matmul",
    ("a", "b"),
    "y[i, j] = sum(k, a[i, k] * b[k, j])",
    kernel=lambda a, b: a @ b,
    transpose=lambda op, g, a, b: (
        op.matmul(g, op.transpose(b)),
        op.matmul(op.transpose(a), g),
    ),
    notation="A B",
    source="Petersen and Pedersen (2012), The Matrix Cookbook, 2.4",
)

_contracts(
    "batch_matmul",
    ("a", "b"),
    "y[n, i, j] = sum(k, a[n, i, k] * b[n, k, j])",
    kernel=lambda a, b: a @ b,
    transpose=lambda op, g, a, b: (
        op.matmul(g, op.transpose(b, (0, 2, 1))),
        op.matmul(op.transpose(a, (0, 2, 1)), g),
    ),
    notation="Aₙ Bₙ",
    source="Petersen and Pedersen (2012), The Matrix Cookbook, 2.4, once for each n",
)

_contracts(
    "linear",
    ("x", "w"),
    "y[n, j] = sum(k, w[j, k] * x[n, k])",
    kernel=lambda x, w: x @ w.T,
    transpose=lambda op, g, x, w: (op.matmul(g, w), op.matmul(op.transpose(g), x)),
    notation="x Wᵀ",
    source="One row of weights a unit; Rumelhart, Hinton, Williams (1986), eq. 1",
)

# ------------------------------------------------------------ sums and their transpose


def _sum_kernel(x: Any, axes: Axes) -> Any:
    return namespace(x).sum(x, axis=axes)


Sizes = tuple[list[int], list[int]]


def _summed(shape: Shape, axes: Axes) -> tuple[Sizes, Sizes]:
    """Of a reduction over `axes`: sizes and strides in `shape` of what is kept, and of the rest."""
    strides = row_major(shape)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    outer, inner = (
        ([shape[axis] for axis in own], [strides[axis] for axis in own]) for own in (kept, axes)
    )
    return outer, inner


def sum_terms(shapes: Sequence[Shape], attributes: Attributes) -> Rows:
    """The entries that each entry of a reduction over `axes` is made of."""
    outer, inner = _summed(shapes[0], attributes["axes"])
    steps = positions(*inner)

    def row(entry: int) -> list[Term]:
        start = position(entry, *outer)
        return [((0, start + step),) for step in steps]

    return Rows(math.prod(outer[0]), row)


def _sum_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    import numpy

    outer, inner = _summed(shapes[0], attributes["axes"])
    steps = all_positions(*inner)
    source = numpy.add.outer(position(places, *outer), steps).ravel()
    return [(numpy.repeat(numpy.arange(len(places)), len(steps)), ((0, source),))]


def in_rows(x: Any, axes: Axes) -> Any:
    """The array with `axes` as one axis at its end: one row for each entry of a reduction."""
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    moved = x.transpose(kept + axes)
    return moved.reshape((*moved.shape[: len(kept)], -1))


def _sum_in_order(x: Any, axes: Axes) -> Any:
    import numpy

    # Of running sums the last is the whole; numpy.sum adds in pairs.
    return numpy.add.accumulate(in_rows(x, axes), axis=-1)[..., -1]


Linear(
    "sum",
    ("x",),
    index="y[i] = sum(k, x[i, k])",
    shape=lambda x, axes: _without(x, axes),
    kernel=_sum_kernel,
    terms=sum_terms,
    in_order=_sum_in_order,
    reads=_sum_reads,
    transpose=lambda op, g, x, axes: (_spread(op, g, x.shape, axes),),
    notation="∑ x",
    source="The transpose of a sum repeats",
)


def _cumsum_terms(shapes: Sequence[Shape], attributes: Attributes) -> Rows:
    (shape,), axis = shapes, attributes["axis"]
    step = row_major(shape)[axis]

    def row(entry: int) -> list[Term]:
        count = entry // step % shape[axis]
        return [((0, entry - back * step),) for back in range(count, -1, -1)]

    return Rows(math.prod(shape), row)


def _cumsum_transpose(op: Any, g: Any, x: Any, axis: int) -> tuple[Any]:
    return (op.flip(op.cumsum(op.flip(g, (axis,)), axis), (axis,)),)


Linear(
    "cumsum",
    ("x",),
    index="y[i] = sum(k <= i, x[k])",
    shape=lambda x, axis: _of_axes(x, (axis,)),
    kernel=lambda x, axis: namespace(x).cumsum(x, axis=axis),
    terms=_cumsum_terms,
    transpose=_cumsum_transpose,
    notation="∑ x, so far",
    source="Blelloch (1990), Prefix sums and their applications, 1",
)


def _broadcast_kernel(x: Any, shape: Shape) -> Any:
    return namespace(x).broadcast_to(x, shape)


def _broadcast_shape(x: Shape, shape: Shape) -> Shape:
    aligned = (1,) * (len(shape) - len(x)) + x
    if len(x) > len(shape) or any(a not in (1, b) for a, b in zip(aligned, shape, strict=True)):
        raise ValueError(f"shape {x} does not stretch to {shape}")
    return shape


def _repeating(x: Shape, shape: Shape) -> list[int]:
    """How far one step on each axis of `shape` moves in an array `x` that is repeated to it."""
    aligned = (1,) * (len(shape) - len(x)) + x
    return [
        stride if own == size else 0
        for own, size, stride in zip(aligned, shape, row_major(aligned), strict=True)
    ]


def _broadcast_terms(shapes: Sequence[Shape], attributes: Attributes) -> Rows:
    shape = attributes["shape"]
    strides = _repeating(shapes[0], shape)
    return Rows(math.prod(shape), lambda entry: [((0, position(entry, shape, strides)),)])


def _broadcast_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    shape = attributes["shape"]
    return moved(position(places, shape, _repeating(shapes[0], shape)))


def _broadcast_transpose(op: Any, g: Any, x: Any, shape: Shape) -> tuple[Any]:
    aligned = (1,) * (len(shape) - len(x.shape)) + x.shape
    axes = tuple(
        axis for axis, (a, b) in enumerate(zip(aligned, shape, strict=True)) if a == 1 and b != 1
    )
    return (op.reshape(op.sum(g, axes), x.shape),)


Linear(
    "broadcast",
    ("x",),
    index="y[i, k] = x[i]",
    shape=_broadcast_shape,
    kernel=_broadcast_kernel,
    transpose=_broadcast_transpose,
    terms=_broadcast_terms,
    reads=_broadcast_reads,
    notation="x, repeated",
    source="The transpose of repeating is a sum",
)

# ------------------------------------------------------------------ moving entries


def _reshape_shape(x: Shape, shape: Shape) -> Shape:
    if math.prod(x) != math.prod(shape):
        raise ValueError(f"{x} has {math.prod(x)} entries, {shape} has {math.prod(shape)}")
    return shape


Linear(
    "reshape",
    ("x",),
    index="y[row-major] = x[row-major]",
    shape=_reshape_shape,
    kernel=lambda x, shape: x.reshape(shape),
    terms=lambda shapes, attributes: Rows(math.prod(shapes[0]), lambda entry: [((0, entry),)]),
    reads=lambda places, shapes, attributes: moved(places),
    transpose=lambda op, g, x, shape: (op.reshape(g, x.shape),),
    notation="x, reshaped",
    source="Entries keep their row-major order",
)


def _inverse(permutation: Axes) -> Axes:
    return tuple(permutation.index(axis) for axis in range(len(permutation)))


def _transpose_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    (x,), permutation = shapes, attributes["permutation"]
    strides = row_major(x)
    sizes, turned = [x[axis] for axis in permutation], [strides[axis] for axis in permutation]
    return moved(position(places, sizes, turned))


def _flip_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    (x,), axes = shapes, attributes["axes"]
    steps = list(enumerate(row_major(x)))
    last = sum((x[axis] - 1) * step for axis, step in steps if axis in axes)
    return moved(
        last + position(places, x, [-step if axis in axes else step for axis, step in steps])
    )


Linear(
    "transpose",
    ("x",),
    index="y[j, i] = x[i, j]",
    shape=lambda x, permutation: tuple(x[axis] for axis in permutation),
    kernel=lambda x, permutation: x.transpose(permutation),
    transpose=lambda op, g, x, permutation: (op.transpose(g, _inverse(permutation)),),
    reads=_transpose_reads,
    notation="xᵀ",
    source="A permutation's transpose is its inverse",
)
Linear(
    "flip",
    ("x",),
    index="y[i] = x[size - 1 - i]",
    shape=lambda x, axes: _of_axes(x, axes),
    kernel=lambda x, axes: namespace(x).flip(x, axis=axes),
    transpose=lambda op, g, x, axes: (op.flip(g, axes),),
    reads=_flip_reads,
    notation="x, reversed",
    source="Turned round twice is as it was",
)


def _selected(start: Axes, step: Axes, shape: Shape) -> tuple[slice, ...]:
    return tuple(
        slice(first, first + (size - 1) * stride + 1 if size else first, stride)
        for first, stride, size in zip(start, step, shape, strict=True)
    )


def _slice_shape(x: Shape, start: Axes, step: Axes, shape: Shape) -> Shape:
    for size, first, stride, count in zip(x, start, step, shape, strict=True):
        if first < 0 or stride < 1 or (count and first + (count - 1) * stride >= size):
            raise ValueError(f"entries {first}, step {stride}, {count} of them, leave {x}")
    return shape


def _pad_kernel(x: Any, start: Axes, step: Axes, shape: Shape) -> Any:
    import numpy

    result = numpy.zeros(shape, dtype=x.dtype)
    result[_selected(start, step, x.shape)] = x
    return result


def _slice_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    strides = row_major(shapes[0])
    steps = [own * step for own, step in zip(strides, attributes["step"], strict=True)]
    first = sum(own * start for own, start in zip(strides, attributes["start"], strict=True))
    return moved(first + position(places, attributes["shape"], steps))


def _pad_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    import numpy

    source, inside = places * 0, places >= 0
    axes = zip(
        unravelled(places, attributes["shape"]),
        attributes["start"],
        attributes["step"],
        shapes[0],
        row_major(shapes[0]),
        strict=True,
    )
    for index, start, step, size, stride in axes:
        at, rest = numpy.divmod(index - start, step)
        inside = inside & (rest == 0) & (at >= 0) & (at < size)
        source = source + at * stride
    return moved(source, inside)


Linear(
    "slice",
    ("x",),
    index="y[i] = x[i * step + start]",
    shape=_slice_shape,
    kernel=lambda x, start, step, shape: x[_selected(start, step, shape)],
    transpose=lambda op, g, x, start, step, shape: (op.pad(g, start, step, x.shape),),
    reads=_slice_reads,
    notation="x[start::step]",
    source="The transpose of a slice pads with zeros",
)
Linear(
    "pad",
    ("x",),
    index="y[i * step + start] = x[i]",
    shape=lambda x, start, step, shape: shape,
    kernel=_pad_kernel,
    transpose=lambda op, g, x, start, step, shape: (op.slice(g, start, step, x.shape),),
    reads=_pad_reads,
    notation="x, padded with 0",
    source="The transpose of padding is a slice",
)


def _concat_shape(*shapes: Shape, axis: int) -> Shape:
    first = shapes[0]
    for shape in shapes:
        if len(shape) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(shape, first, strict=True)) if i != axis
        ):
            raise ValueError(f"shapes differ off axis {axis}: {' and '.join(map(str, shapes))}")
    total = sum(shape[axis] for shape in shapes)
    return (*first[:axis], total, *first[axis + 1 :])


def _concat_kernel(*arrays: Any, axis: int) -> Any:
    return namespace(*arrays).concatenate(arrays, axis=axis)


def _concat_transpose(op: Any, g: Any, *operands: Any, axis: int) -> tuple[Any, ...]:
    pieces = []
    offset = 0
    for operand in operands:
        start = tuple(offset if i == axis else 0 for i in range(len(operand.shape)))
        pieces.append(op.slice(g, start, (1,) * len(operand.shape), operand.shape))
        offset += operand.shape[axis]
    return tuple(pieces)


def _concat_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    import numpy

    axis = attributes["axis"]
    rest = math.prod(shapes[0][axis + 1 :])
    outer, inner = numpy.divmod(places, rest * sum(shape[axis] for shape in shapes))
    found: list[Reads] = []
    start = 0
    for operand, shape in enumerate(shapes):
        width = shape[axis] * rest
        (rows,) = numpy.nonzero((inner >= start) & (inner < start + width))
        found.append((rows, ((operand, outer[rows] * width + inner[rows] - start),)))
        start += width
    return found


Linear(
    "concat",
    ("x", "..."),
    index="y[i] = x[i], then the next operand's",
    shape=_concat_shape,
    kernel=_concat_kernel,
    transpose=_concat_transpose,
    reads=_concat_reads,
    notation="[x, ...]",
    source="The transpose of joining is cutting apart",
)

# ------------------------------------------------------------------------ selection


SHORT = 64
"""So many entries of each row, at most, are reduced one after another over all rows at once."""


def _columns(x: Any, axes: Axes) -> list[Any] | None:
    """The first entries of all rows along `axes`, then the second ones, and so on.

    None where the rows are long, or few, or not NumPy's, whose own reductions are slow where
    they are short: those of a pool.
    """
    import numpy

    sizes = [x.shape[axis] for axis in axes]
    if namespace(x) is not numpy or not 0 < math.prod(sizes) <= min(SHORT, x.size // SHORT):
        return None
    moved = numpy.moveaxis(x, axes, range(len(axes)))
    return [moved[at] for at in itertools.product(*map(range, sizes))]


def _max_kernel(x: Any, axes: Axes) -> Any:
    xp = namespace(x)
    if xp.iscomplexobj(x):
        return xp.sum(xp.where(first_max_kernel(x, axes), x, 0), axis=axes)
    columns = _columns(x, axes)
    return xp.max(x, axis=axes) if columns is None else functools.reduce(xp.maximum, columns)


def first_max_kernel(x: Any, axes: Axes) -> Any:
    """1 at the first entry, in row-major order, that is the largest along `axes`; else 0."""
    xp = namespace(x)
    real = xp.real(x)
    columns = _columns(real, axes)
    if columns is not None:
        return _marked(real, columns, axes)
    front = tuple(axis for axis in range(real.ndim) if axis not in axes) + tuple(axes)
    moved = real.transpose(front)
    rows = moved.reshape(-1, math.prod(real.shape[axis] for axis in axes))
    chosen = xp.arange(rows.shape[1]) == xp.argmax(rows, axis=1)[:, None]
    return chosen.astype(real.dtype).reshape(moved.shape).transpose(_inverse(front))


def _marked(x: Any, columns: list[Any], axes: Axes) -> Any:
    """The same, column by column."""
    import numpy

    largest = functools.reduce(numpy.maximum, columns)
    has_nan = bool((largest != largest).any())
    marks: Any = numpy.empty((len(columns), *largest.shape), x.dtype)
    taken = numpy.zeros(largest.shape, bool)
    for column, mark in zip(columns, marks, strict=True):
        found = column == largest
        if has_nan:
            found |= column != column
        numpy.greater(found, taken, out=found)
        mark[...] = found
        taken |= found
    split = marks.reshape(*(x.shape[axis] for axis in axes), *largest.shape)
    return numpy.moveaxis(split, range(len(axes)), axes)


Select(
    "max",
    ("x",),
    index="y[i] = max(k, x[i, k])",
    shape=lambda x, axes: _without(x, axes),
    kernel=_max_kernel,
    transpose=lambda op, g, y, x, axes: (
        op.mul(_spread(op, g, x.shape, axes), op.first_max(x, axes)),
    ),
    notation="max x",
    source="The entry that was taken, differentiated",
    pairwise="maximum",
    at_tie="the first entry in row-major order takes the whole slope",
)
Select(
    "first_max",
    ("x",),
    index="y[i, k] = 1 where x[i, k] is the first largest along k, else 0",
    shape=lambda x, axes: x,
    kernel=first_max_kernel,
    transpose=lambda op, g, y, x, axes: (None,),
    notation="[x is the largest]",
    source="Constant between ties, so that its slope is 0",
    pairwise="",
    at_tie="the first entry in row-major order",
)
