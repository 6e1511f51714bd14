"""The matrix product of BLAS, as a step that numba compiles into a call."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

__all__ = ["address", "gemm"]


def address(real: str) -> int:
    """Where the product in `float32` or `float64` begins in memory, in this process."""
    name = {"float32": "sgemm", "float64": "dgemm"}[real]
    return int(get_cython_function_address("scipy.linalg.cython_blas", name))


@intrinsic
def gemm(
    typing: Any,
    blas: Any,
    left_flag: Any,
    right_flag: Any,
    m: Any,
    n: Any,
    k: Any,
    scale: Any,
    left: Any,
    left_width: Any,
    right: Any,
    right_width: Any,
    keep: Any,
    result: Any,
    result_width: Any,
) -> Any:
    """result = scale · left · right + keep · result, by columns; flags are "N" or "T".

    Source: Dongarra, Du Croz, Hammarling, Duff (1990), ACM TOMS 16.
    """
    real = result.dtype
    size = types.int64
    signature = types.void(
        types.int64,
        *(size, size, size, size, size),
        *(real, left, size, right, size),
        *(real, result, size),
    )

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = []
        for number, (kind, value) in enumerate(zip(signature.args[1:], arguments[1:], strict=True)):
            if isinstance(kind, types.Array):
                data = context.make_array(kind)(context, builder, value).data
                places.append(builder.bitcast(data, ir.IntType(8).as_pointer()))
                continue
            if kind == size:
                value = builder.trunc(value, ir.IntType(8 if number < 2 else 32))
            place = cgutils.alloca_once_value(builder, value)
            places.append(builder.bitcast(place, ir.IntType(8).as_pointer()))
        kind = ir.FunctionType(ir.VoidType(), [item.type for item in places])
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(function, places)
        return context.get_dummy_value()

    return signature, code
