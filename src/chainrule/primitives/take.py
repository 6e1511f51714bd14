"""Entries taken by their numbers along an axis: rows of an embedding, targets of a loss.

The numbers are part of the step, a tuple, and are checked when it is made.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from chainrule.primitives.index import moved, row_major
from chainrule.primitives.namespace import namespace
from chainrule.primitives.record import Attributes, Linear, Reads, Rows, Shape, Term

__all__: list[str] = []

Indices = tuple[int, ...]


def _resized(shape: Shape, axis: int, size: int) -> Shape:
    """The shape with another size of an axis. Raises: ValueError where it lacks the axis."""
    if not 0 <= axis < len(shape):
        raise ValueError(f"axis {axis} is none of {shape}")
    return (*shape[:axis], size, *shape[axis + 1 :])


def _check(indices: Indices, size: int) -> None:
    outside = [index for index in indices if not 0 <= index < size]
    if outside:
        raise ValueError(f"index {outside[0]} is none of 0 to {size - 1}")


def _take_shape(x: Shape, indices: Indices, axis: int) -> Shape:
    shape = _resized(x, axis, len(indices))
    _check(indices, x[axis])
    return shape


def _take_kernel(x: Any, indices: Indices, axis: int) -> Any:
    import numpy

    return namespace(x).take(x, numpy.array(indices, int), axis=axis)


def _scatter_shape(x: Shape, indices: Indices, axis: int, size: int) -> Shape:
    shape = _resized(x, axis, size)
    if len(indices) != x[axis]:
        raise ValueError(f"{len(indices)} indices for {x[axis]} entries along axis {axis} of {x}")
    _check(indices, size)
    return shape


def _scatter_kernel(x: Any, indices: Indices, axis: int, size: int, start: float = 0.0) -> Any:
    import numpy

    total: Any = numpy.full(_resized(x.shape, axis, size), start, x.dtype)
    rows, parts = numpy.moveaxis(total, axis, 0), numpy.moveaxis(x, axis, 0)
    numpy.add.at(rows, numpy.array(indices, int), parts)
    return total


def _scatter_in_order(x: Any, indices: Indices, axis: int, size: int) -> Any:
    import numpy

    # -0.0 is what can be added to without a trace, to a sum of nothing but -0.0 too.
    total = _scatter_kernel(x, indices, axis, size, start=-0.0)
    empty = numpy.bincount(numpy.array(indices, int), minlength=size) == 0
    numpy.moveaxis(total, axis, 0)[empty] = 0.0
    return total


def _scatter_terms(shapes: Sequence[Shape], attributes: Attributes) -> Rows:
    (x,), axis, size = shapes, attributes["axis"], attributes["size"]
    step = row_major(x)[axis]
    sources: dict[int, list[int]] = defaultdict(list)
    for number, index in enumerate(attributes["indices"]):
        sources[index].append(number)

    def row(entry: int) -> list[Term]:
        outer, inner = divmod(entry, size * step)
        index, rest = divmod(inner, step)
        return [
            ((0, (outer * x[axis] + number) * step + rest),) for number in sources.get(index, ())
        ]

    return Rows(math.prod(_resized(x, axis, size)), row)


def _take_reads(places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
    import numpy

    (x,), axis = shapes, attributes["axis"]
    indices = numpy.array(attributes["indices"], int)
    step = row_major(x)[axis]
    outer, inner = numpy.divmod(places, len(indices) * step)
    number, rest = numpy.divmod(inner, step)
    return moved((outer * x[axis] + indices[number]) * step + rest)


Linear(
    "take",
    ("x",),
    index="y[m, i] = x[index[m], i]",
    shape=_take_shape,
    kernel=_take_kernel,
    transpose=lambda op, g, x, indices, axis: (op.scatter_add(g, indices, axis, x.shape[axis]),),
    reads=_take_reads,
    notation="x[index]",
    source="Entries keep their values; one may be taken more than once",
)
Linear(
    "scatter_add",
    ("x",),
    index="y[k, i] = sum(m, x[m, i]) where index[m] = k",
    shape=_scatter_shape,
    kernel=_scatter_kernel,
    terms=_scatter_terms,
    in_order=_scatter_in_order,
    transpose=lambda op, g, x, indices, axis, size: (op.take(g, indices, axis),),
    notation="x, added up by index",
    source="The transpose of taking adds up what was taken more than once",
)
