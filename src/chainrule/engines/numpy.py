"""The NumPy engine: an array graph, interpreted.  Always there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.engines.program import Kernel, Program
from chainrule.graph.model import Model
from chainrule.graph.node import Node
from chainrule.primitives import Linear, Pointwise, Primitive, Select

__all__ = ["kernel_of", "leaf_arrays", "program", "run"]


def kernel_of(primitive: Primitive) -> Kernel:
    """What works the step on whole arrays."""
    if isinstance(primitive, Pointwise):
        return primitive.array_kernel
    assert isinstance(primitive, Linear | Select)
    return primitive.kernel


class ArrayProgram(Program):
    """Steps on arrays: NaN and infinity pass silently and are looked for later."""

    def run(self, given: Mapping[Node, Any]) -> dict[Node, Any]:
        """The values of all nodes, given those of the leaves, in the order of the run."""
        import numpy

        with numpy.errstate(all="ignore"):
            return super().run(given)


def program(outputs: Iterable[Node], given: Iterable[Node] = ()) -> Program:
    """An array graph, ready to run many times."""
    import numpy

    return ArrayProgram(outputs, kernel_of, numpy.float64, given)


def run(outputs: Iterable[Node], given: Mapping[Node, Any]) -> dict[Node, Any]:
    """One run of an array graph, beyond the nodes that are given."""
    return program(outputs, given).run(given)


def leaf_arrays(model: Model) -> dict[Node, Any]:
    """The numbers of the leaves, shaped."""
    import numpy

    return {
        leaf.node: numpy.array(leaf.values, dtype=float).reshape(leaf.node.shape)
        for leaf in model.leaves
    }
