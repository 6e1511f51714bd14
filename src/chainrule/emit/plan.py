"""What a step of gradient descent on arrays consists of: buffers, products, loops.

A plan is data.  Its text, `emit.arrays`, is what an engine compiles; a test, or a person,
can see in it what is written where, and that nothing is written that nobody reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "PANEL",
    "TILED",
    "Buffer",
    "Columns",
    "Lines",
    "Loop",
    "Matrix",
    "Plan",
    "Product",
    "Step",
    "Turn",
]

TILED = 16_000_000
"""Multiplications up to which a product is compiled in place; larger ones are called."""

PANEL = 32
"""Columns of a right operand that a tile is wide at the most, on any machine."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array that is allocated once for the whole run."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operand of a product: an array by its name, as it lies in memory or transposed."""

    name: str
    transposed: bool

    @property
    def turned(self) -> Matrix:
        """The operand transposed."""
        return Matrix(self.name, not self.transposed)

    def __str__(self) -> str:
        return f"{self.name}ᵀ" if self.transposed else self.name


@dataclass(frozen=True, slots=True)
class Product:
    """`result = left · right`, or, with a `scale`, `result = result + scale · left · right`.

    `sizes` are (m, n, k).

    Shapes: left (m, k), right (k, n), result (m, n).
    """

    result: str
    left: Matrix
    right: Matrix
    sizes: tuple[int, int, int]
    scale: str | None = None

    @property
    def is_tiled(self) -> bool:
        """Whether it is compiled in place, which needs a right operand that is not transposed."""
        return math.prod(self.sizes) <= TILED

    def __str__(self) -> str:
        product = f"{self.left} · {self.right}"
        return (
            f"{self.result} = {product}"
            if self.scale is None
            else (f"{self.result} = {self.result} + ({self.scale}) · {product}")
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """`result = sourceᵀ`, entry by entry.

    Shapes: result (rows, columns), source (columns, rows).
    """

    result: str
    source: str
    shape: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.result} = {self.source}ᵀ"


@dataclass(frozen=True, slots=True)
class Columns:
    """Lines for every column `j` of a row."""

    width: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that are run once: scalars, and sums set to their start."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """For every row `i`: lines, and loops over its columns."""

    rows: int
    body: tuple[str | Columns, ...]


Step = Product | Turn | Lines | Loop


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of gradient descent.

    `data` are the arrays that hold a batch in each step's rows, `given` the other arrays,
    `scalars` the numbers among them, `parameters` those of both that are updated.
    `turned` are those of `given` that are kept transposed for the whole run, each with
    its name and shape as such.  `forward` ends with `loss`, where it is asked for.
    """

    batch: int
    data: tuple[str, ...]
    given: tuple[str, ...]
    scalars: tuple[str, ...]
    parameters: tuple[str, ...]
    turned: tuple[tuple[str, str, tuple[int, int]], ...]
    buffers: tuple[Buffer, ...]
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]
    loss: str | None

    @property
    def products(self) -> list[Product]:
        """All products of a step."""
        return [step for step in (*self.forward, *self.backward) if isinstance(step, Product)]

    def __str__(self) -> str:
        """The plan in a few lines."""
        shown = [f"{item.name} {item.shape}" for item in self.buffers]
        turned = [f"{own} = {name}ᵀ" for name, own, _ in self.turned]
        return "\n".join(
            [f"buffers: {', '.join(shown)}", *turned, *_shown(self.forward), *_shown(self.backward)]
        )


def _shown(steps: tuple[Step, ...]) -> list[str]:
    found = []
    for step in steps:
        if isinstance(step, Product | Turn):
            found.append(str(step))
        elif isinstance(step, Lines):
            found.extend(step.lines)
        else:
            widths = [str(part.width) for part in step.body if isinstance(part, Columns)]
            inner = f", columns {', '.join(widths)}" if widths else ""
            found.append(f"loop over {step.rows} rows{inner}")
    return found
