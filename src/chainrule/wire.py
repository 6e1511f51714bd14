"""Numbers as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["number", "plain"]


def number(value: float) -> float | str:
    """A finite number as it is; "nan", "inf" and "-inf" as strings, which JSON lacks otherwise."""
    return float(value) if math.isfinite(value) else str(float(value))


def plain(value: Any) -> Any:
    """Lists, tuples and dictionaries with every number in them made so."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return number(value) if isinstance(value, float) else value
