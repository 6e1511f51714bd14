"""The sum over all paths to the loss of their sizes, by one pass over absolute values.

The size of a path is the absolute value of the product of its local derivatives.  The sums
grow with every step that adds: each array is kept with a power of two of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule.differentiate.pullbacks import Pullback
from chainrule.engines import numpy as arrays
from chainrule.graph.node import Node
from chainrule.primitives import Pointwise

if TYPE_CHECKING:
    from chainrule.engines.backward import Backward

__all__ = ["Paths"]


class Paths:
    """For the entries of a run's quantities: the sum of the sizes of all paths to the loss."""

    def __init__(self, backward: Backward) -> None:
        self.backward = backward
        self._scaled: dict[Node, tuple[Any, int]] = {}
        self._room: dict[Any, Any] = {}

    def at(self, node: Node, flats: Any) -> Any:
        """The sums of the entries `flats` of a quantity, in double precision."""
        from chainrule.engines.backward import entries

        array, exponent = self._of(node)
        return entries(array, flats) * _power(exponent)

    def _of(self, node: Node) -> tuple[Any, int]:
        """The sums of a whole quantity: an array times a power of two."""
        import numpy

        pullbacks, known = self.backward.pullbacks, self._scaled
        if node not in known:
            known[pullbacks.loss] = (numpy.ones((), self.backward.model.dtype), 0)
            missing = [item for item in pullbacks.towards(node) if item not in known]
            with numpy.errstate(all="ignore"):
                for item in (*missing, node):
                    if item not in known:
                        known[item] = self._sum(item)
        return known[node]

    def _sum(self, node: Node) -> tuple[Any, int]:
        import numpy

        parts = [
            (self._share(use, node, self._scaled[use][0]), self._scaled[use][1])
            for use in self.backward.pullbacks.users(node)
            if use in self._scaled
        ]
        if not parts:
            return numpy.zeros(node.shape, self.backward.model.dtype), 0
        highest = max(exponent for _, exponent in parts)
        total, *others = (
            array if exponent == highest else array * _power(exponent - highest, array.dtype)
            for array, exponent in parts
        )
        for array in others:
            total = total + array
        largest = float(numpy.max(total, initial=0.0))
        shift = math.frexp(largest)[1] if math.isfinite(largest) else 0
        return total * _power(-shift, total.dtype), highest + shift

    def _share(self, use: Node, operand: Node, paths: Any) -> Any:
        """The share of one operand in what a quantity hands back, of absolute values."""
        pullback = self.backward.prepared(use)
        found = self._beside(pullback, operand)
        found[pullback.seed] = paths
        steps = pullback.steps[operand]
        for node in steps:
            if isinstance(node.primitive, Pointwise):
                found[node] = self._bent(node, found, {*steps, pullback.seed})
            else:
                operands = (found[item] for item in node.inputs)
                found[node] = arrays.kernel_of(node.primitive)(*operands, **node.attributes)
        return found[pullback.shares[operand]]

    def _bent(self, node: Node, found: Mapping[Node, Any], moved: set[Node]) -> Any:
        from chainrule.engines.backward import slopes

        # The built-in abs leaves a Python number one, which takes the type of the array.
        parts = [
            abs(slope) * found[item] for item, slope in slopes(node, self.backward.values, moved)
        ]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _beside(self, pullback: Pullback, operand: Node) -> dict[Node, Any]:
        """The absolute values of what linear steps take beside the adjoint."""
        beside: dict[Node, Any] = {}
        for node in pullback.steps[operand]:
            if not isinstance(node.primitive, Pointwise):
                for item in node.inputs:
                    if item in self.backward.values and item not in beside:
                        beside[item] = self._absolute(self.backward.values[item], len(beside))
        return beside

    def _absolute(self, array: Any, number: int) -> Any:
        """The absolute values, in room that is used again: that of fresh memory is most of it."""
        import numpy

        key = (array.shape, array.strides, array.dtype, number)
        if key not in self._room:
            self._room[key] = numpy.empty_like(array)
        return numpy.abs(array, out=self._room[key])


def _power(exponent: int, dtype: Any = float) -> Any:
    """Two to that power, in the type; 0 or infinity beyond it."""
    import numpy

    with numpy.errstate(all="ignore"):
        return numpy.ldexp(numpy.dtype(dtype).type(1.0), exponent)
