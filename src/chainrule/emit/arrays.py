"""A whole run of steps on arrays, as the text of one function, from its plan.

    run(first, count, rate, blas, data ..., given ..., losses)

Of `count` steps it takes those from number `first` on.  `data` hold one row for each
example, in batches one after another; a step takes the next batch, and after the last the
first again.  The parameters among `given` are changed in place; a single number is an array
of one.  `losses`, one longer than `count`, gets the loss before each step and after the last
one.  `blas` is the address of the matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.emit.expressions import FUNCTIONS
from chainrule.emit.plan import PANEL, Columns, Lines, Loop, Matrix, Plan, Product, Step, Turn

__all__ = ["array_run", "calls_blas"]


def array_run(plan: Plan, real: str) -> str:
    """The source of `run` in numbers of the NumPy type `real`."""
    return "\n".join(_source(plan, real)) + "\n"


def calls_blas(plan: Plan) -> bool:
    """Whether a product is so large that it is called."""
    return not all(item.is_tiled for item in plan.products)


def _source(plan: Plan, real: str) -> Iterator[str]:
    yield f"from math import {', '.join(FUNCTIONS)}"
    yield ""
    yield "import numpy"
    yield f"from numpy import {real} as real"
    if plan.products:
        yield ""
        yield f"N, T = {ord('N')}, {ord('T')}  # how BLAS calls a matrix and its transpose"
    yield ""
    yield ""
    data = [f"all_{name}" for name in plan.data]
    scalars = [f"at_{name}" for name in plan.scalars]
    arguments = ["first", "count", "rate", "blas", *data, *plan.given, *scalars, "losses"]
    yield f"def run({', '.join(arguments)}):"
    for name in plan.scalars:
        yield f"    {name} = at_{name}[0]"
    for name, own, (rows, columns) in plan.turned:
        yield f"    {own} = numpy.empty({rows, columns}, real)"
        yield from _turn(Turn(own, name, (rows, columns)), "    ")
    for buffer in plan.buffers:
        yield f"    {buffer.name} = numpy.empty({buffer.shape}, real)"
    if terms := [item.sizes[2] for item in plan.products if item.is_tiled]:
        yield f"    panel = numpy.empty({max(terms)} * {PANEL}, real)"
    if plan.data:
        yield f"    batches = len({data[0]}) // {plan.batch}"
    yield "    for step in range(first, count + 1):"
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
    for name, own, (rows, columns) in plan.turned:
        if name in plan.parameters:
            yield from _turn(Turn(name, own, (columns, rows)), "    ")


def _step(step: Step) -> Iterator[str]:
    if isinstance(step, Product):
        yield f"        # {step}"
        yield f"        {_tiled(step) if step.is_tiled else _called(step)}"
    elif isinstance(step, Turn):
        yield from _turn(step, "        ")
    elif isinstance(step, Lines):
        yield from (f"        {line}" for line in step.lines)
    else:
        yield from _loop(step)


def _turn(step: Turn, indent: str) -> Iterator[str]:
    rows, columns = step.shape
    yield f"{indent}for i in range({rows}):"
    yield f"{indent}    for j in range({columns}):"
    yield f"{indent}        {step.result}[i, j] = {step.source}[j, i]"


def _loop(step: Loop) -> Iterator[str]:
    yield f"        for i in range({step.rows}):"
    for part in step.body:
        if isinstance(part, Columns):
            yield f"            for j in range({part.width}):"
            yield from (f"                {line}" for line in part.lines)
        else:
            yield f"            {part}"


# ------------------------------------------------------------------------------- products


def _tiled(product: Product) -> str:
    """Compiled in place."""
    m, n, k = product.sizes
    scale = "" if product.scale is None else f", {product.scale}"
    left = f"{_flag(product.left)}, {product.left.name}"
    return f"multiply({m}, {n}, {k}, {left}, {product.right.name}, {product.result}, panel{scale})"


def _called(product: Product) -> str:
    """By BLAS, which has columns where we have rows: resultᵀ = rightᵀ · leftᵀ."""
    m, n, k = product.sizes
    flags = f"{_flag(product.right)}, {_flag(product.left)}"
    scale = "real(1.0)" if product.scale is None else product.scale
    keep = "real(0.0)" if product.scale is None else "real(1.0)"
    right = f"{product.right.name}, {k if product.right.transposed else n}"
    left = f"{product.left.name}, {m if product.left.transposed else k}"
    return (
        f"gemm(blas, {flags}, {n}, {m}, {k}, "
        f"{scale}, {right}, {left}, {keep}, {product.result}, {n})"
    )


def _flag(item: Matrix) -> str:
    return "T" if item.transposed else "N"
