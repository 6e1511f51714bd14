"""Every linear or selecting primitive as index arithmetic, written apart from its record.

`CASES[name]` draws operand shapes and attributes, `TERMS[name]` gives, for every
entry of the result in row-major order, the products of operand entries that are
added: tuples of (operand, flat index).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

Shape = tuple[int, ...]
Terms = list[list[tuple[tuple[int, int], ...]]]
Case = tuple[tuple[Shape, ...], dict[str, Any]]

SIZES = st.integers(1, 3)
SHAPES = st.lists(SIZES, min_size=0, max_size=4).map(tuple)


def places(shape: Shape) -> list[tuple[int, ...]]:
    """Every index of an array, row-major."""
    return list(itertools.product(*(range(size) for size in shape)))


def flat(index: Sequence[int], shape: Shape) -> int:
    """The place of an entry in row-major order."""
    place = 0
    for position, size in zip(index, shape, strict=True):
        assert 0 <= position < size
        place = place * size + position
    return place


def slid(
    whole: Shape,
    size: Shape,
    stride: Shape,
    dilation: Shape,
    padding: tuple[tuple[int, int], ...],
) -> Shape:
    """How many windows lie wholly within each padded axis: counted."""
    return tuple(
        sum(
            start + (own - 1) * apart < length + before + after
            for start in range(0, length + before + after, step)
        )
        for length, own, step, apart, (before, after) in zip(
            whole, size, stride, dilation, padding, strict=True
        )
    )


# ------------------------------------------------------------------------ the cases


@st.composite
def _matmul(draw: Any) -> Case:
    i, j, k = (draw(SIZES) for _ in range(3))
    return ((i, k), (k, j)), {}


@st.composite
def _batch_matmul(draw: Any) -> Case:
    n, i, j, k = (draw(SIZES) for _ in range(4))
    return ((n, i, k), (n, k, j)), {}


@st.composite
def _linear(draw: Any) -> Case:
    n, j, k = (draw(SIZES) for _ in range(3))
    return ((n, k), (j, k)), {}


@st.composite
def _reduction(draw: Any) -> Case:
    shape = draw(SHAPES.filter(bool))
    axes = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    return (shape,), {"axes": tuple(sorted(axes))}


@st.composite
def _broadcast(draw: Any) -> Case:
    shape = draw(SHAPES)
    kept = draw(st.integers(0, len(shape)))
    operand = tuple(draw(st.sampled_from([1, size])) for size in shape[len(shape) - kept :])
    return (operand,), {"shape": shape}


@st.composite
def _reshape(draw: Any) -> Case:
    shape = draw(SHAPES)
    factors = draw(st.permutations([size for size in shape if size > 1]))
    ones = draw(st.integers(0, 2))
    cut = draw(st.integers(0, len(factors)))
    merged = (*factors[:cut], *((math.prod(factors[cut:]),) if cut < len(factors) else ()))
    return (shape,), {"shape": (1,) * ones + merged}


@st.composite
def _transpose(draw: Any) -> Case:
    shape = draw(SHAPES)
    return (shape,), {"permutation": tuple(draw(st.permutations(range(len(shape)))))}


@st.composite
def _window(draw: Any) -> tuple[Shape, Shape, Shape, Shape]:
    """A small shape, and where it lies in a large one: start and step on each axis."""
    small = draw(SHAPES)
    start = tuple(draw(st.integers(0, 2)) for _ in small)
    step = tuple(draw(st.integers(1, 3)) for _ in small)
    large = tuple(
        first + (size - 1) * stride + 1 + draw(st.integers(0, 2))
        for size, first, stride in zip(small, start, step, strict=True)
    )
    return small, start, step, large


_slice = _window().map(lambda w: ((w[3],), {"start": w[1], "step": w[2], "shape": w[0]}))
_pad = _window().map(lambda w: ((w[0],), {"start": w[1], "step": w[2], "shape": w[3]}))


@st.composite
def _concat(draw: Any) -> Case:
    shape = draw(SHAPES.filter(bool))
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(SIZES, min_size=1, max_size=3))
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes), {"axis": axis}


@st.composite
def _take(draw: Any) -> Case:
    shape = draw(SHAPES.filter(bool))
    axis = draw(st.integers(0, len(shape) - 1))
    indices = draw(st.lists(st.integers(0, shape[axis] - 1), max_size=4))
    return (shape,), {"indices": tuple(indices), "axis": axis}


@st.composite
def _scatter_add(draw: Any) -> Case:
    (shape,), attributes = draw(_take())
    axis, size = attributes["axis"], len(attributes["indices"])
    return ((*shape[:axis], size, *shape[axis + 1 :]),), {**attributes, "size": shape[axis]}


@st.composite
def _flip(draw: Any) -> Case:
    shape = draw(SHAPES)
    return (shape,), {"axes": tuple(axis for axis in range(len(shape)) if draw(st.booleans()))}


@st.composite
def _cumsum(draw: Any) -> Case:
    shape = draw(SHAPES.filter(bool))
    return (shape,), {"axis": draw(st.integers(0, len(shape) - 1))}


@st.composite
def _sliding(draw: Any, least: int) -> tuple[Shape, Shape, dict[str, Any]]:
    """Axes that windows slide along, the size of a window, and how they slide."""
    rank = draw(st.integers(least, 2))
    size, stride, dilation = (tuple(draw(st.integers(1, 2)) for _ in range(rank)) for _ in range(3))
    padding = tuple((draw(st.integers(-1, 2)), draw(st.integers(-1, 2))) for _ in range(rank))
    whole = tuple(
        max(1, (own - 1) * apart + 1 - before - after + draw(st.integers(0, 2)))
        for own, apart, (before, after) in zip(size, dilation, padding, strict=True)
    )
    return whole, size, {"stride": stride, "dilation": dilation, "padding": padding}


@st.composite
def _windows(draw: Any) -> Case:
    whole, size, sliding = draw(_sliding(0))
    lead = draw(st.lists(SIZES, max_size=1).map(tuple))
    return (lead + whole,), {"size": size, **sliding}


@st.composite
def _overlap_add(draw: Any) -> Case:
    (shape,), attributes = draw(_windows())
    size = attributes.pop("size")
    lead = len(shape) - len(size)
    counts = slid(shape[lead:], size, **attributes)
    return (shape[:lead] + counts + size,), {**attributes, "shape": shape}


@st.composite
def _convolution(draw: Any) -> Case:
    whole, size, sliding = draw(_sliding(1))
    examples, groups, width, outs = (draw(st.integers(1, 2)) for _ in range(4))
    x, w = (examples, groups * width, *whole), (groups * outs, width, *size)
    return (x, w), {**sliding, "groups": groups}


BILINEAR = ("matmul", "batch_matmul", "linear", "convolution")
"""The products of two operands."""

CASES: Mapping[str, st.SearchStrategy[Case]] = {
    "matmul": _matmul(),
    "batch_matmul": _batch_matmul(),
    "linear": _linear(),
    "sum": _reduction(),
    "cumsum": _cumsum(),
    "broadcast": _broadcast(),
    "reshape": _reshape(),
    "transpose": _transpose(),
    "flip": _flip(),
    "slice": _slice,
    "pad": _pad,
    "concat": _concat(),
    "take": _take(),
    "scatter_add": _scatter_add(),
    "windows": _windows(),
    "overlap_add": _overlap_add(),
    "convolution": _convolution(),
    "max": _reduction(),
    "first_max": _reduction(),
}

# ------------------------------------------------------------------------ the terms


def _matmul_terms(shapes: Sequence[Shape]) -> Terms:
    (rows, inner), (_, columns) = shapes
    return [
        [((0, i * inner + k), (1, k * columns + j)) for k in range(inner)]
        for i in range(rows)
        for j in range(columns)
    ]


def _batch_matmul_terms(shapes: Sequence[Shape]) -> Terms:
    (count, rows, inner), (_, _, columns) = shapes
    return [
        [
            ((0, (n * rows + i) * inner + k), (1, (n * inner + k) * columns + j))
            for k in range(inner)
        ]
        for n in range(count)
        for i in range(rows)
        for j in range(columns)
    ]


def _linear_terms(shapes: Sequence[Shape]) -> Terms:
    (rows, inner), (units, _) = shapes
    return [
        [((1, j * inner + k), (0, n * inner + k)) for k in range(inner)]
        for n in range(rows)
        for j in range(units)
    ]


def _sum_terms(shapes: Sequence[Shape], axes: Shape) -> Terms:
    (shape,) = shapes
    kept = [size for axis, size in enumerate(shape) if axis not in axes]
    terms: dict[tuple[int, ...], list[Any]] = {index: [] for index in places(tuple(kept))}
    for index in places(shape):
        outer = tuple(position for axis, position in enumerate(index) if axis not in axes)
        terms[outer].append(((0, flat(index, shape)),))
    return list(terms.values())


def _cumsum_terms(shapes: Sequence[Shape], axis: int) -> Terms:
    (shape,) = shapes
    return [
        [
            ((0, flat((*index[:axis], k, *index[axis + 1 :]), shape)),)
            for k in range(index[axis] + 1)
        ]
        for index in places(shape)
    ]


def _broadcast_terms(shapes: Sequence[Shape], shape: Shape) -> Terms:
    (operand,) = shapes
    skipped = len(shape) - len(operand)
    return [
        [((0, flat([min(p, s - 1) for p, s in zip(i[skipped:], operand, strict=True)], operand)),)]
        for i in places(shape)
    ]


def _reshape_terms(shapes: Sequence[Shape], shape: Shape) -> Terms:
    return [[((0, place),)] for place in range(math.prod(shape))]


def _transpose_terms(shapes: Sequence[Shape], permutation: Shape) -> Terms:
    (operand,) = shapes
    shape = tuple(operand[axis] for axis in permutation)
    return [
        [((0, flat([index[permutation.index(axis)] for axis in range(len(shape))], operand)),)]
        for index in places(shape)
    ]


def _flip_terms(shapes: Sequence[Shape], axes: Shape) -> Terms:
    (shape,) = shapes

    def turned(index: Shape) -> Shape:
        return tuple(
            size - 1 - at if axis in axes else at
            for axis, (at, size) in enumerate(zip(index, shape, strict=True))
        )

    return [[((0, flat(turned(index), shape)),)] for index in places(shape)]


def _take_terms(shapes: Sequence[Shape], indices: Shape, axis: int) -> Terms:
    (shape,) = shapes
    taken = (*shape[:axis], len(indices), *shape[axis + 1 :])
    return [
        [((0, flat((*at[:axis], indices[at[axis]], *at[axis + 1 :]), shape)),)]
        for at in places(taken)
    ]


def _scatter_add_terms(shapes: Sequence[Shape], indices: Shape, axis: int, size: int) -> Terms:
    (shape,) = shapes
    return [
        [
            ((0, flat((*at[:axis], number, *at[axis + 1 :]), shape)),)
            for number, index in enumerate(indices)
            if index == at[axis]
        ]
        for at in places((*shape[:axis], size, *shape[axis + 1 :]))
    ]


def _slice_terms(shapes: Sequence[Shape], start: Shape, step: Shape, shape: Shape) -> Terms:
    (operand,) = shapes
    return [
        [((0, flat([f + p * s for f, p, s in zip(start, i, step, strict=True)], operand)),)]
        for i in places(shape)
    ]


def _pad_terms(shapes: Sequence[Shape], start: Shape, step: Shape, shape: Shape) -> Terms:
    (operand,) = shapes
    placed = {
        tuple(f + p * s for f, p, s in zip(start, index, step, strict=True)): place
        for place, index in enumerate(places(operand))
    }
    return [[((0, placed[index]),)] if index in placed else [] for index in places(shape)]


def _concat_terms(shapes: Sequence[Shape], axis: int) -> Terms:
    ends = list(itertools.accumulate(shape[axis] for shape in shapes))
    whole = (*shapes[0][:axis], ends[-1], *shapes[0][axis + 1 :])
    terms: Terms = []
    for index in places(whole):
        part = next(number for number, end in enumerate(ends) if index[axis] < end)
        before = ends[part] - shapes[part][axis]
        own = (*index[:axis], index[axis] - before, *index[axis + 1 :])
        terms.append([((part, flat(own, shapes[part])),)])
    return terms


def _entry(
    window: Shape,
    inside: Shape,
    whole: Shape,
    stride: Shape,
    dilation: Shape,
    padding: tuple[tuple[int, int], ...],
) -> Shape | None:
    """Where an entry of a window lies in the array; None beside it."""
    found = tuple(
        i * step + p * apart - before
        for i, p, step, apart, (before, _) in zip(
            window, inside, stride, dilation, padding, strict=True
        )
    )
    fits = all(0 <= at < size for at, size in zip(found, whole, strict=True))
    return found if fits else None


def _windows_terms(shapes: Sequence[Shape], size: Shape, **sliding: Any) -> Terms:
    (shape,) = shapes
    lead = len(shape) - len(size)
    counts = slid(shape[lead:], size, **sliding)
    terms: Terms = []
    for index in places(shape[:lead] + counts + size):
        window, inside = index[lead : len(shape)], index[len(shape) :]
        at = _entry(window, inside, shape[lead:], **sliding)
        terms.append([] if at is None else [((0, flat(index[:lead] + at, shape)),)])
    return terms


def _overlap_add_terms(shapes: Sequence[Shape], shape: Shape, **sliding: Any) -> Terms:
    (windows,) = shapes
    terms: Terms = [[] for _ in places(shape)]
    size = windows[len(shape) :]
    moved = _windows_terms([shape], size, **sliding)
    by_inside = sorted(enumerate(moved), key=lambda each: each[0] % math.prod(size))
    for place, row in by_inside:
        for ((_, own),) in row:
            terms[own].append(((0, place),))
    return terms


def _convolution_terms(shapes: Sequence[Shape], groups: int, **sliding: Any) -> Terms:
    x, w = shapes
    counts = slid(x[2:], w[2:], **sliding)
    terms: Terms = []
    for n, o, *window in places((x[0], w[0], *counts)):
        first = o * groups // w[0] * w[1]
        own = []
        for c, *inside in places(w[1:]):
            at = _entry(tuple(window), tuple(inside), x[2:], **sliding)
            if at is not None:
                own.append(((0, flat((n, first + c, *at), x)), (1, flat((o, c, *inside), w))))
        terms.append(own)
    return terms


TERMS: Mapping[str, Callable[..., Terms]] = {
    "matmul": _matmul_terms,
    "batch_matmul": _batch_matmul_terms,
    "linear": _linear_terms,
    "sum": _sum_terms,
    "cumsum": _cumsum_terms,
    "broadcast": _broadcast_terms,
    "reshape": _reshape_terms,
    "transpose": _transpose_terms,
    "flip": _flip_terms,
    "slice": _slice_terms,
    "pad": _pad_terms,
    "concat": _concat_terms,
    "take": _take_terms,
    "scatter_add": _scatter_add_terms,
    "windows": _windows_terms,
    "overlap_add": _overlap_add_terms,
    "convolution": _convolution_terms,
}


def selected(shape: Shape, axes: Shape, values: Sequence[float]) -> list[int]:
    """For each entry of a maximum over `axes`: the first largest entry, in row-major order."""
    return [
        max((place for ((_, place),) in row), key=lambda place: (values[place], -place))
        for row in _sum_terms([shape], axes)
    ]
