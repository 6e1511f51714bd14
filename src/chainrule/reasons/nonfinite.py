"""Where the first number that is not finite is born, in the values or in the adjoints."""

from __future__ import annotations

from typing import Any

from chainrule.explanation.why import SHOWN, Born
from chainrule.graph.node import Node, inside, topological
from chainrule.primitives import Pointwise
from chainrule.reasons.blocked import Stops
from chainrule.reasons.places import Places

__all__ = ["born"]


def born(stops: Stops, places: Places, largest: float | None) -> Born | None:
    """The first birth of a number that is not finite: of a value that the loss needs, or else
    of an adjoint, from the loss on.

    Values above `largest` are those that overflow in the framework's narrower format.
    """
    import numpy

    values = stops.values
    loss = stops.model.loss
    if largest is not None:
        for node in topological([loss]):
            if node.inputs and values[node].dtype != bool:
                over = numpy.abs(values[node]) > largest
                if over.any() and not numpy.isinf(values[node]).any():
                    return _born(stops, places, node, over, largest=largest)
    if not numpy.isfinite(values[loss]):
        node, entries = _first_value(stops)
        return _born(stops, places, node, entries)
    for node in reversed(stops.order):
        for use in stops.users[node]:
            if numpy.isfinite(stops.adjoints[use]).all() and not _finite(stops, node):
                strange = ~numpy.isfinite(stops.adjoints[node])
                return _born_backward(stops, places, use, node, strange)
    return None


def _finite(stops: Stops, node: Node) -> bool:
    import numpy

    return bool(numpy.isfinite(stops.adjoints[node]).all())


def _first_value(stops: Stops) -> tuple[Node, Any]:
    """The first step that the loss's number comes from and that makes what its operands are not.

    An infinity from finite numbers is born there; so is NaN from others that are not NaN,
    unless those infinities were born before.
    """
    import numpy

    values = stops.values
    strange: dict[Node, Any] = {}
    reached = {stops.model.loss}
    order = topological([stops.model.loss])
    for node in reversed(order):
        if node in reached and values[node].dtype != bool:
            own = ~numpy.isfinite(values[node])
            if own.any():
                strange[node] = own
                reached.update(node.inputs)
    births = [
        node
        for node in order
        if node in strange and node.inputs and not any(item in strange for item in node.inputs)
    ]
    if not births:  # infinities were given, as a mask has them
        births = [
            node
            for node in order
            if node in strange
            and node.inputs
            and numpy.isnan(values[node]).any()
            and not any(numpy.isnan(values[item]).any() for item in node.inputs)
        ]
    first = births[0] if births else next(iter(strange))
    if births and numpy.isnan(values[first]).any():
        return first, numpy.isnan(values[first])
    return first, strange[first]


def _born(
    stops: Stops, places: Places, node: Node, entries: Any, largest: float | None = None
) -> Born:
    import numpy

    shown = _whole(stops, node)
    if shown is not node and shown.shape:
        entries = ~numpy.isfinite(stops.values[shown])
    flat = int(numpy.flatnonzero(entries)[0])
    spot = places.spot(shown, entries, "value", stops.values[shown], cause="not finite")
    value = float(numpy.ravel(stops.values[shown])[flat])
    return Born(spot, False, value, _operands(stops, places, shown, flat), largest)


def _whole(stops: Stops, node: Node) -> Node:
    """The composite within which a step stands, where it is read as one."""
    for item in topological([stops.model.loss]):
        is_step = item.fold is not None and item.fold.composite.pullback is not None
        if is_step and node in inside(item):
            return item
    return node


def _born_backward(stops: Stops, places: Places, use: Node, node: Node, entries: Any) -> Born:
    import numpy

    flat = int(numpy.flatnonzero(entries)[0])
    spot = places.spot(node, entries, "derivative", stops.adjoints[node], use, "not finite")
    value = float(numpy.ravel(stops.adjoints[node])[flat])
    operands = list(_operands(stops, places, use, flat)) if use.shape == node.shape else []
    if use.shape == node.shape:
        adjoint = float(numpy.ravel(stops.adjoints[use])[flat])
        name = f"∂{stops.model.loss.name}/∂{places.label(use, flat)}"
        operands.append((name, adjoint))
    return Born(spot, True, value, tuple(operands))


def _operands(stops: Stops, places: Places, node: Node, flat: int) -> tuple[tuple[str, float], ...]:
    """The numbers that a pointwise step was made of at one entry."""
    import numpy

    if not isinstance(node.primitive, Pointwise) or node.fold is not None:
        return ()
    found = []
    for name, item in zip(node.primitive.operands, node.inputs, strict=True):
        if stops.values[item].dtype != bool and item.shape == node.shape:
            number = float(numpy.ravel(stops.values[item])[flat])
            own = item in stops.model.labels
            found.append((places.label(item, flat) if own else name, number))
    return tuple(found[:SHOWN])
