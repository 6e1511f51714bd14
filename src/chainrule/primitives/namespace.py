"""Which library's functions an array is worked on with.

Kernels are written once; NumPy's arrays and those of other libraries that keep to the
Python array API standard pass through the same ones.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["namespace"]


def namespace(*arrays: Any) -> Any:
    """The module that the first array to name one names as its own, else NumPy.

    Source: Consortium for Python Data API Standards (2021), array API, `__array_namespace__`.
    """
    for array in arrays:
        own = _own(type(array))  # type: ignore[arg-type]  # types are hashable
        if own is not None:
            return own(array)
    import numpy

    return numpy


@functools.cache
def _own(kind: type) -> Callable[[Any], Any] | None:
    """How arrays of a type name their module; asked once a type, and every step asks."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.ndarray):
        return lambda array: numpy
    return getattr(kind, "__array_namespace__", None)
