"""The NumPy engine: an array graph, interpreted.  Always there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.engines.program import Kernel, Program
from chainrule.errors import Fault, InputError
from chainrule.graph.model import Model
from chainrule.graph.node import Node
from chainrule.primitives import Linear, Pointwise, Primitive, Select

__all__ = ["kernel_of", "leaf_arrays", "number", "program", "run"]


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

    def results(self, given: Mapping[Node, Any]) -> dict[Node, Any]:
        """The values of the outputs alone; each other one is let go when it was last needed."""
        import numpy

        with numpy.errstate(all="ignore"):
            return super().results(given)


def program(
    outputs: Iterable[Node], given: Iterable[Node] = (), dtype: str = "float64"
) -> ArrayProgram:
    """An array graph, ready to run many times with numbers of the type `dtype`."""
    return ArrayProgram(outputs, kernel_of, lambda value: number(value, dtype), given)


def run(outputs: Iterable[Node], given: Mapping[Node, Any]) -> dict[Node, Any]:
    """One run of an array graph, beyond the nodes that are given."""
    return program(outputs, given).run(given)


def number(value: float, dtype: str) -> Any:
    """The number in that type; infinity where the type has none so large."""
    import numpy

    with numpy.errstate(over="ignore"):
        return numpy.dtype(dtype).type(value)


def leaf_arrays(model: Model, dtype: str = "float64") -> dict[Node, Any]:
    """The numbers of the leaves, shaped.

    Raises: InputError naming a number that the type `dtype` cannot hold.
    """
    import numpy

    found = {}
    for leaf in model.leaves:
        with numpy.errstate(over="ignore"):
            array = numpy.asarray(leaf.values, dtype)  # a large leaf's own numbers, not copied
        lost = numpy.zeros(0, bool)
        if dtype != "float64" and getattr(leaf.values, "dtype", None) != dtype:
            lost = ~numpy.isfinite(array) & numpy.isfinite(leaf.values)
        if lost.any():
            flat = int(numpy.argmax(lost))
            raise InputError(
                Fault(
                    "ValueError",
                    f"{leaf.labels[flat]} = {leaf.values[flat]} is too large for {dtype}",
                    needs=f"a number of at most {numpy.finfo(dtype).max:.2g}",
                    hint="float64",
                )
            )
        found[leaf.node] = array.reshape(leaf.node.shape)
    return found
