"""Emitted source run by Python itself, so that a test need not wait for a compiler."""

from __future__ import annotations

from typing import Any

import numpy

from chainrule.emit.plan import PANEL
from chainrule.engines.numba import ArrayRun


def gemm(
    blas: int,
    right_flag: int,
    left_flag: int,
    n: int,
    m: int,
    k: int,
    scale: float,
    right: Any,
    right_width: int,
    left: Any,
    left_width: int,
    keep: float,
    result: Any,
    result_width: int,
) -> None:
    """The product as `emit.arrays` calls it, on whole arrays, with the widths that fit them."""
    transposed = ord("T")
    assert right_width == (k if right_flag == transposed else n)
    assert left_width == (m if left_flag == transposed else k)
    assert result_width == n
    a = left.reshape(k, m).T if left_flag == transposed else left.reshape(m, k)
    b = right.reshape(n, k).T if right_flag == transposed else right.reshape(k, n)
    # By definition, what is multiplied by 0 is not read.
    result[...] = scale * (a @ b) + (keep * result if keep else 0)


def multiply(
    m: int,
    n: int,
    k: int,
    flag: int,
    left: Any,
    right: Any,
    result: Any,
    panel: Any,
    scale: float | None = None,
) -> None:
    """The product that is compiled in place, with all the room that it may need."""
    assert panel.size >= k * PANEL
    assert right.shape == (k, n)
    assert result.shape == (m, n)
    a = left.reshape(k, m).T if flag == ord("T") else left.reshape(m, k)
    result[...] = a @ right if scale is None else result + scale * (a @ right)


def python_run(source: str) -> Any:
    """The function `run` of emitted source."""
    namespace: dict[str, Any] = {"gemm": gemm, "multiply": multiply}
    exec(source, namespace)
    return namespace["run"]


def interpret(run: ArrayRun) -> ArrayRun:
    """The same steps, without a compiler and without BLAS."""
    function = python_run(run.source)

    def quiet(*arguments: Any) -> None:
        with numpy.errstate(all="ignore"):
            function(*arguments)

    run.__dict__.update(_run=quiet, _blas=0)
    return run
