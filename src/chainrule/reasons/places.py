"""Names for places: which quantity a step belongs to, and how some of its entries are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.explanation.why import SHOWN, Cause, Says, Spot
from chainrule.graph.labels import Labels
from chainrule.graph.model import Model
from chainrule.graph.node import Node, Origin, topological

__all__ = ["Places", "pattern"]

FEW = 3
"""Entries without an order that are written."""


class Places:
    """The quantity that each step of a model is part of."""

    def __init__(self, model: Model) -> None:
        self.labels = model.labels
        self._owners: dict[Node, Node] = {}
        self._names = {leaf.node: leaf.node.name or "" for leaf in model.leaves}
        for node in reversed(topological([model.loss])):
            self._owners.setdefault(node, node)
            for item in node.inputs:
                self._owners.setdefault(item, item if item in self.labels else self._owners[node])

    def owner(self, node: Node) -> Node:
        """The quantity in whose formula a step stands; a quantity is its own."""
        return node if node in self.labels else self._owners.get(node, node)

    def label(self, node: Node, flat: int) -> str:
        """The name of an entry of a step's result, by the quantity that it is part of."""
        owner = self.owner(node)
        names = self.labels.get(owner)
        if names is None:
            return node.primitive.name
        if node is not owner and node.shape != owner.shape:
            index = Labels("", node.shape)[flat] if node.shape else ""
            return f"{_base(names)}{index}"
        return str(names[flat])

    def spot(
        self,
        node: Node,
        entries: Any,
        says: Says = "value",
        numbers: Any = None,
        at: Node | None = None,
        cause: Cause | None = None,
    ) -> Spot:
        """A place of a step, at those of its entries that are True; `numbers` are its size.

        `at` is the step that is named, where that is another one.
        """
        import numpy

        step = at or node
        places = numpy.flatnonzero(entries)
        names = self.labels.get(self.owner(node), (node.primitive.name,))
        if isinstance(names, Labels):
            quantity, written = names.name, pattern(places, node.shape)
        else:
            shown = [self.label(node, int(place)) for place in places[:SHOWN]]
            quantity = ", ".join([*shown, *["…"][: len(places) > SHOWN]])
            written = ""
        first = () if numbers is None else places[:SHOWN].tolist()
        origin = step.origin or self.owner(step).origin
        record = step.fold.composite.name if step.fold is not None else step.primitive.name
        module = None if origin is None else origin.module
        if not node.inputs and module is None and node.name:
            module = node.name.rpartition(".")[0] or None
        return Spot(
            quantity,
            record,
            module,
            _line(origin),
            node.shape,
            places,
            written,
            says,
            tuple((self.label(node, flat), float(numpy.ravel(numbers)[flat])) for flat in first),
            cause,
        )


def _line(origin: Origin | None) -> str | None:
    if origin is None or not origin.place:
        return None
    return origin.place if origin.line is None else f"{origin.place}:{origin.line}"


def _base(names: Sequence[str]) -> str:
    return names.name if isinstance(names, Labels) else names[0].partition("[")[0]


def pattern(places: Any, shape: tuple[int, ...]) -> str:
    """Some entries of an array as one index, `[3,:]`, `[0:2,1]`, or a few: `[0,1], [2,3], …`.

    `:` is a whole axis, `a:b` those from a to b - 1 as Python has it, `a|b` one or the other.
    """
    import numpy

    if not shape or not len(places):
        return ""
    axes = [numpy.unique(axis) for axis in numpy.unravel_index(places, shape)]
    written = [_axis(own, size) for own, size in zip(axes, shape, strict=True)]
    if numpy.prod([len(own) for own in axes]) == len(places) and None not in written:
        return f"[{','.join(map(str, written))}]"
    index = numpy.unravel_index(places[:FEW], shape)
    shown = ["[" + ",".join(map(str, entry)) + "]" for entry in zip(*map(list, index), strict=True)]
    return ", ".join([*shown, *["…"][: len(places) > FEW]])


def _axis(places: Any, size: int) -> str | None:
    """Some places of one axis, where they are few or next to each other."""
    if len(places) == size:
        return ":" if size > 1 else "0"
    first, last = int(places[0]), int(places[-1])
    if len(places) == 1:
        return str(first)
    if last - first + 1 == len(places):
        return f"{first}:{last + 1}"
    return "|".join(map(str, places)) if len(places) <= SHOWN else None
