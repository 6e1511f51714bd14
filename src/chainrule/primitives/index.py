"""Index formulas: a contraction as one writes it on the blackboard.

`y[i, j] = sum(k, a[i, k] * b[k, j])` is the matrix product.  From that text
follow its shape, the terms of every entry and their order.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.primitives.record import Attributes, Reads, Rows, Shape, Term

__all__ = [
    "Contraction",
    "all_positions",
    "contraction",
    "moved",
    "position",
    "positions",
    "row_major",
    "unravelled",
]

_RESULT = re.compile(r"(\w+)\[([\w, ]+)\] = sum\(([\w, ]+), (.+)\)")
_FACTOR = re.compile(r"(\w+)\[([\w, ]+)\]")


@dataclass(frozen=True)
class Contraction:
    """`result = sum(summed, product of factors)`, every subscript a plain index."""

    result: tuple[str, ...]
    summed: tuple[str, ...]
    factors: tuple[tuple[int, tuple[str, ...]], ...]

    def sizes(self, shapes: Sequence[Shape]) -> dict[str, int]:
        """The range of each index. Raises: ValueError where two operands disagree."""
        sizes: dict[str, int] = {}
        for operand, subscripts in self.factors:
            if len(shapes[operand]) != len(subscripts):
                raise ValueError(f"needs {len(subscripts)} axes, not shape {shapes[operand]}")
            for index, size in zip(subscripts, shapes[operand], strict=True):
                if sizes.setdefault(index, size) != size:
                    raise ValueError(f"inner sizes differ: {' and '.join(map(str, shapes))}")
        return sizes

    def shape(self, *shapes: Shape) -> Shape:
        """The shape of the result."""
        sizes = self.sizes(shapes)
        return tuple(sizes[index] for index in self.result)

    def terms(self, shapes: Sequence[Shape], attributes: Attributes) -> Rows:
        """For each entry of the result, row-major: its products in the order of the sum."""
        sizes = self.sizes(shapes)
        operands = [operand for operand, _ in self.factors]
        outer = [self._strides(self.result, subscripts, sizes) for _, subscripts in self.factors]
        ranges = [sizes[index] for index in self.result]
        summed = [sizes[index] for index in self.summed]
        steps = [
            positions(summed, self._strides(self.summed, subscripts, sizes))
            for _, subscripts in self.factors
        ]

        def row(entry: int) -> list[Term]:
            columns = [
                [(operand, base + step) for step in own]
                for operand, base, own in zip(
                    operands, (position(entry, ranges, each) for each in outer), steps, strict=True
                )
            ]
            return list(zip(*columns, strict=True))

        return Rows(math.prod(ranges), row)

    def reads(self, places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
        """The same for the entries at `places`."""
        import numpy

        sizes = self.sizes(shapes)
        ranges = [sizes[index] for index in self.result]
        summed = [sizes[index] for index in self.summed]
        factors = []
        for operand, subscripts in self.factors:
            starts = position(places, ranges, self._strides(self.result, subscripts, sizes))
            steps = all_positions(summed, self._strides(self.summed, subscripts, sizes))
            factors.append((operand, numpy.add.outer(starts, steps).ravel()))
        return [(numpy.repeat(numpy.arange(len(places)), math.prod(summed)), tuple(factors))]

    def in_order(self, *arrays: Any) -> Any:
        """The contraction of NumPy arrays, each entry added in the order of its terms."""
        import numpy

        sizes = self.sizes([array.shape for array in arrays])
        total = numpy.zeros([sizes[index] for index in self.result])
        for number, values in enumerate(
            itertools.product(*(range(sizes[index]) for index in self.summed))
        ):
            at = dict(zip(self.summed, values, strict=True))
            parts = [self._part(arrays[operand], own, at) for operand, own in self.factors]
            product = functools.reduce(operator.mul, parts)
            total = total + product if number else numpy.broadcast_to(product, total.shape)
        return total

    def _part(self, array: Any, subscripts: tuple[str, ...], at: Mapping[str, int]) -> Any:
        """The factor where the summed indices are `at`, its axes laid along the result's."""
        chosen = array[tuple(at.get(index, slice(None)) for index in subscripts)]
        left = [index for index in subscripts if index not in at]
        ordered = chosen.transpose([left.index(index) for index in self.result if index in left])
        return ordered[tuple(slice(None) if index in left else None for index in self.result)]

    def _strides(
        self, over: tuple[str, ...], subscripts: tuple[str, ...], sizes: Mapping[str, int]
    ) -> list[int]:
        """How far one step of each index `over` moves in a factor's flat positions."""
        return [
            math.prod(sizes[name] for name in subscripts[subscripts.index(index) + 1 :])
            if index in subscripts
            else 0
            for index in over
        ]


def row_major(shape: Shape) -> list[int]:
    """How far one step on each axis moves in the flat positions of an array."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def position(flat: Any, sizes: Sequence[int], strides: Sequence[int]) -> Any:
    """Where the entry `flat`, row-major in `sizes`, lies in an array with these strides.

    Of an array of flat indices, where each lies.
    """
    found = flat * 0
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        flat, value = divmod(flat, size)
        found += value * stride
    return found


def positions(sizes: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The same for every entry."""
    found = [0]
    for size, stride in zip(sizes, strides, strict=True):
        found = [base + value * stride for base in found for value in range(size)]
    return found


def all_positions(sizes: Sequence[int], strides: Sequence[int]) -> Any:
    """The same as an array."""
    import numpy

    found = numpy.zeros(1, int)
    for size, stride in zip(sizes, strides, strict=True):
        found = numpy.add.outer(found, numpy.arange(size) * stride).ravel()
    return found


def unravelled(places: Any, shape: Shape) -> list[Any]:
    """The index on each axis of the entries at `places`, flat indices in `shape`."""
    found = []
    for size in reversed(shape):
        places, index = divmod(places, max(1, size))
        found.append(index)
    return found[::-1]


def moved(source: Any, inside: Any = None) -> list[Reads]:
    """The reads of a step whose entries are those of its one operand at `source`.

    Where a mask `inside` is given, the others are 0.
    """
    import numpy

    if inside is None:
        return [(numpy.arange(len(source)), ((0, source),))]
    (rows,) = numpy.nonzero(inside)
    return [(rows, ((0, source[rows]),))]


def contraction(text: str, operands: tuple[str, ...]) -> Contraction:
    """Read an index formula. Raises: ValueError when it is not a contraction."""
    found = _RESULT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a contraction")
    _, result, summed, product = found.groups()

    def split(indices: str) -> tuple[str, ...]:
        return tuple(index.strip() for index in indices.split(","))

    factors = tuple(
        (operands.index(name), split(indices)) for name, indices in _FACTOR.findall(product)
    )
    return Contraction(split(result), split(summed), factors)
