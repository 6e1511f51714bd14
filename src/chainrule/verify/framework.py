"""The gradient of the framework that a model came from, beside chainrule's own."""

from __future__ import annotations

from typing import Any

from chainrule.graph.model import Model
from chainrule.graph.node import Node

__all__ = ["FrameworkCheck"]

AGREES = {"float32": 1e-4, "float64": 1e-9}
"""How far a gradient may be from the framework's own, relative to the largest of its tensor."""


class FrameworkCheck:
    """Compares entries of trained parameters; each tensor's gradient is asked for once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._trained = {leaf.node for leaf in model.leaves if leaf.trained}
        self._own: dict[Node, Any] = {}

    def of(self, node: Node, flat: int, gradient: float) -> dict[str, Any]:
        """The framework's derivative by that entry, and whether `gradient` agrees.

        Nothing of what is no trained parameter, or where no framework is known.
        """
        framework = self.model.framework
        if framework is None or node not in self._trained:
            return {}
        import numpy

        if node not in self._own:
            self._own[node] = framework.gradient(node.name or "").reshape(-1)
        value = float(self._own[node][flat])
        allowed = AGREES[self.model.dtype] * float(numpy.abs(self._own[node]).max())
        same = value == gradient or (value != value and gradient != gradient)  # NaN is NaN
        return {
            "framework": framework.name,
            "version": framework.version,
            "value": value,
            "verdict": "agrees" if same or abs(value - gradient) <= allowed else "disagrees",
        }
