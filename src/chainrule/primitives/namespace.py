"""Which library's functions an array is worked on with.

Kernels are written once; NumPy's arrays and those of other libraries that keep to the
Python array API standard pass through the same ones.
"""

from __future__ import annotations

from typing import Any

__all__ = ["namespace"]


def namespace(*arrays: Any) -> Any:
    """The module that the first array to name one names as its own, else NumPy.

    Source: Consortium for Python Data API Standards (2021), array API, `__array_namespace__`.
    """
    for array in arrays:
        own = getattr(array, "__array_namespace__", None)
        if own is not None:
            return own()
    import numpy

    return numpy
