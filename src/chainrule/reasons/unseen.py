"""A composite that does not see a change: what is added to all keys, or to a whole channel."""

from __future__ import annotations

from typing import Any

from chainrule.engines import numpy as arrays
from chainrule.graph.node import Node
from chainrule.primitives import Linear, Pointwise, Select
from chainrule.primitives.linear import first_max_kernel
from chainrule.reasons.blocked import CANCELLED_BELOW, Stops
from chainrule.reasons.flow import slopes

__all__ = ["unseen_by"]


def unseen_by(stops: Stops, leaf: Node, entries: Any) -> Node | None:
    """The first composite whose result does not change with `entries` of a leaf, but for rounding.

    The change is followed forward through every step, and beside it the sum of the sizes of
    its parts, which do not cancel.
    """
    import numpy

    start = entries.astype(float)
    changes: dict[Node, Any] = {leaf: start}
    sizes: dict[Node, Any] = {leaf: start}
    for node in stops.model.nodes:
        own = [item for item in dict.fromkeys(node.inputs) if item in changes]
        if not own or node.dtype == "bool" or node.primitive.name == "stop":
            continue
        with numpy.errstate(all="ignore"):
            changes[node], sizes[node] = _changed(stops, node, changes, sizes)
        unseen = numpy.abs(changes[node]) <= CANCELLED_BELOW * sizes[node]
        if node.fold is not None and sizes[node].any() and unseen.all():
            return node
    return None


def _changed(
    stops: Stops, node: Node, changes: dict[Node, Any], sizes: dict[Node, Any]
) -> tuple[Any, Any]:
    """How the result of a step changes, and the sizes of the parts of that."""
    import numpy

    record = node.primitive
    change: Any = numpy.zeros(node.shape)
    size: Any = numpy.zeros(node.shape)
    if isinstance(record, Pointwise):
        for item, _, slope in slopes(node, stops.values):
            if item in changes:
                change = change + slope * changes[item]
                size = size + numpy.abs(slope) * sizes[item]
    elif isinstance(record, Select):
        (item,) = node.inputs
        if record.name == "max":
            axes = node.attributes["axes"]
            taken = first_max_kernel(stops.values[item], axes)
            change = numpy.sum(changes[item] * taken, axis=axes)
            size = numpy.sum(sizes[item] * taken, axis=axes)
    else:
        assert isinstance(record, Linear)
        kernel = arrays.kernel_of(record)
        joins = record.name == "concat"  # its operands are not factors
        values = [stops.values[item] * (not joins) for item in node.inputs]
        for place, item in enumerate(node.inputs):
            if item in changes:
                given = [*values[:place], changes[item], *values[place + 1 :]]
                change = change + kernel(*given, **node.attributes)
                given = [numpy.abs(value) for value in values]
                given[place] = sizes[item]
                size = size + kernel(*given, **node.attributes)
    return change, size
