"""Index formulas: a contraction as one writes it on the blackboard.

`y[i, j] = sum(k, a[i, k] * b[k, j])` is the matrix product.  From that text
follow its shape, the terms of every entry and their order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.primitives.record import Attributes, Shape, Term

__all__ = ["Contraction", "contraction"]

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

    def terms(self, shapes: Sequence[Shape], attributes: Attributes) -> list[list[Term]]:
        """For each entry of the result, row-major: its products in the order of the sum."""
        sizes = self.sizes(shapes)
        outer = list(zip(*(self._offsets(self.result, i, sizes) for i in self._each), strict=True))
        inner = list(zip(*(self._offsets(self.summed, i, sizes) for i in self._each), strict=True))
        operands = [operand for operand, _ in self.factors]
        return [
            [
                tuple(
                    (operand, base + step)
                    for operand, base, step in zip(operands, bases, steps, strict=True)
                )
                for steps in inner
            ]
            for bases in outer
        ]

    @property
    def _each(self) -> range:
        return range(len(self.factors))

    def _offsets(self, over: tuple[str, ...], factor: int, sizes: dict[str, int]) -> list[int]:
        """What each value of the indices `over` adds to the factor's flat position."""
        subscripts = self.factors[factor][1]
        offsets = [0]
        for index in over:
            stride = 0
            if index in subscripts:
                later = subscripts[subscripts.index(index) + 1 :]
                stride = math.prod(sizes[name] for name in later)
            offsets = [base + value * stride for base in offsets for value in range(sizes[index])]
        return offsets


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
