"""A whole run of steps on arrays, as the text of one function, from its plan.

    run(count, rate, blas, data ..., given ..., losses)

`data` hold one row for each example, in batches one after another; a step takes the next
batch, and after the last the first again.  The parameters among `given` are changed in
place; a single number is an array of one.  `losses`, one longer than `count`, gets the loss
before each step and after the last one.  `blas` is the address of the matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from chainrule.emit.expressions import FUNCTIONS
from chainrule.emit.plan import Columns, Lines, Loop, Matrix, Plan, Product, Step

__all__ = ["SMALL", "array_run", "largest_call"]

SMALL = 300
"""Multiplications up to which a product is written as loops: a call would take longer."""


TERMS = 8
"""Terms of a sum that are written in one expression: a line that can still be read."""


def array_run(plan: Plan, real: str) -> str:
    """The source of `run` in numbers of the NumPy type `real`."""
    return "\n".join(_source(plan, real)) + "\n"


def largest_call(plan: Plan) -> int:
    """How many multiplications the largest product has that is not written as loops; or 0."""
    products = (step for step in (*plan.forward, *plan.backward) if isinstance(step, Product))
    return max((math.prod(item.sizes) for item in products if not _is_small(item)), default=0)


def _source(plan: Plan, real: str) -> Iterator[str]:
    yield f"from math import {', '.join(FUNCTIONS)}"
    yield ""
    yield "import numpy"
    yield f"from numpy import {real} as real"
    if largest_call(plan):
        yield ""
        yield f"N, T = {ord('N')}, {ord('T')}  # how BLAS calls a matrix and its transpose"
    yield ""
    yield ""
    data = [f"all_{name}" for name in plan.data]
    scalars = [f"at_{name}" for name in plan.scalars]
    arguments = ["count", "rate", "blas", *data, *plan.given, *scalars, "losses"]
    yield f"def run({', '.join(arguments)}):"
    for name in plan.scalars:
        yield f"    {name} = at_{name}[0]"
    for buffer in plan.buffers:
        yield f"    {buffer.name} = numpy.empty({buffer.shape}, real)"
    if plan.data:
        yield f"    batches = len({data[0]}) // {plan.batch}"
    yield "    for step in range(count + 1):"
    if plan.data:
        yield f"        start = step % batches * {plan.batch}"
        for name in plan.data:
            yield f"        {name} = all_{name}[start : start + {plan.batch}]"
    for step in plan.forward:
        yield from _step(step)
    if plan.loss is not None:
        yield f"        losses[step] = {plan.loss}"
    yield "        if step == count:"
    yield "            break"
    for step in plan.backward:
        yield from _step(step)
    for name in plan.scalars:
        if name in plan.parameters:
            yield f"    at_{name}[0] = {name}"


def _step(step: Step) -> Iterator[str]:
    if isinstance(step, Product):
        yield f"        # {step}"
        yield from (_written_out if _is_small(step) else _called)(step)
    elif isinstance(step, Lines):
        yield from (f"        {line}" for line in step.lines)
    else:
        yield from _loop(step)


def _loop(step: Loop) -> Iterator[str]:
    yield f"        for i in range({step.rows}):"
    for part in step.body:
        if isinstance(part, Columns):
            yield f"            for j in range({part.width}):"
            yield from (f"                {line}" for line in part.lines)
        else:
            yield f"            {part}"


# ------------------------------------------------------------------------------- products


def _is_small(product: Product) -> bool:
    return math.prod(product.sizes) <= SMALL


def _called(product: Product) -> Iterator[str]:
    """By BLAS, which has columns where we have rows: resultᵀ = rightᵀ · leftᵀ."""
    m, n, k = product.sizes
    flags = ", ".join(_flag(item) for item in (product.right, product.left))
    scale = "real(1.0)" if product.scale is None else product.scale
    keep = "real(0.0)" if product.scale is None else "real(1.0)"
    right = f"{product.right.name}, {k if product.right.transposed else n}"
    left = f"{product.left.name}, {m if product.left.transposed else k}"
    yield (
        f"        gemm(blas, {flags}, {n}, {m}, {k}, "
        f"{scale}, {right}, {left}, {keep}, {product.result}, {n})"
    )


def _flag(item: Matrix) -> str:
    return "T" if item.transposed else "N"


def _written_out(product: Product) -> Iterator[str]:
    m, n, k = product.sizes
    yield f"        for i in range({m}):"
    yield f"            for j in range({n}):"
    for start in range(0, k, TERMS):
        terms = " + ".join(
            f"{_at(product.left, 'i', place)} * {_at(product.right, place, 'j')}"
            for place in range(start, min(start + TERMS, k))
        )
        sign = "=" if start == 0 and product.scale is None else "+="
        entry = terms if product.scale is None else f"{product.scale} * ({terms})"
        yield f"                {product.result}[i, j] {sign} {entry}"


def _at(matrix: Matrix, row: object, column: object) -> str:
    """The text of one entry."""
    index = f"{column}, {row}" if matrix.transposed else f"{row}, {column}"
    return f"{matrix.name}[{index}]"
