"""Arrays with the digits of the reference engine, bit for bit.

Where IEEE arithmetic leaves no choice, NumPy's step on arrays and Python's on floats
are the same; sums are added in the order of their terms; everything else is worked
out entry by entry, as the reference engine does.  It gives the numbers of quantities
that are not spelt out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.engines.numpy import ArrayProgram
from chainrule.engines.program import Kernel
from chainrule.graph.node import Node
from chainrule.primitives import REGISTRY, Linear, Pointwise, Primitive, Select
from chainrule.primitives.linear import in_rows

__all__ = ["run"]

EXACT = frozenset(
    (
        *("add", "sub", "mul", "div", "neg", "sqrt", "abs", "where", "maximum", "minimum", "stop"),
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
    )
)
"""The steps that IEEE 754 settles to the last bit."""


def run(outputs: Iterable[Node], given: Mapping[Node, Any]) -> dict[Node, Any]:
    """One run of an array graph."""
    import numpy

    return ArrayProgram(outputs, _kernel, numpy.float64).run(given)


def _kernel(primitive: Primitive) -> Kernel:
    if isinstance(primitive, Pointwise):
        return primitive.array_kernel if primitive.name in EXACT else _entrywise(primitive)
    if isinstance(primitive, Select):
        return _pairwise(primitive.pairwise) if primitive.pairwise else primitive.kernel
    assert isinstance(primitive, Linear)
    return primitive.in_order or primitive.kernel


def _entrywise(record: Pointwise) -> Kernel:
    def kernel(*arrays: Any) -> Any:
        import numpy

        columns = [array.ravel().tolist() for array in map(numpy.asarray, arrays)]
        entries = map(record.scalar_kernel, *columns)
        return numpy.fromiter(entries, float).reshape(numpy.shape(arrays[0]))

    return kernel


def _pairwise(name: str) -> Kernel:
    record = REGISTRY[name]
    assert isinstance(record, Pointwise)

    def kernel(x: Any, axes: tuple[int, ...]) -> Any:
        rows = in_rows(x, axes)
        found = rows[..., 0]
        for place in range(1, rows.shape[-1]):
            found = record.array_kernel(found, rows[..., place])
        return found

    return kernel
