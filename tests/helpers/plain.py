"""What is shown, evaluated by Python alone: no part of chainrule takes part."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

FUNCTIONS = {
    name: getattr(math, name)
    for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf", "log1p", "expm1")
} | {"max": max, "min": min, "abs": abs}


class Names:
    """Values by the names that they are shown under, brackets and dots allowed."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self.safe = {name: f"v{number}_" for number, name in enumerate(values)}
        self.namespace = {self.safe[name]: float(value) for name, value in values.items()}
        longest_first = sorted(values, key=len, reverse=True)
        self.pattern = re.compile(
            r"(?<![\w.\]])(" + "|".join(map(re.escape, longest_first)) + r")(?![\w\[(])"
        )

    def value(self, formula: str) -> Any:
        """`formula` with the names standing for their values."""
        translated = self.pattern.sub(lambda found: self.safe[found[1]], formula)
        return eval(translated, {"__builtins__": {}}, FUNCTIONS | self.namespace)


def plain(text: str) -> Any:
    """A text of numbers, evaluated."""
    return eval(text, {"__builtins__": {}}, FUNCTIONS)
