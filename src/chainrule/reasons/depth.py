"""How large the adjoint is after each layer, on the way from the loss to a parameter."""

from __future__ import annotations

import math
from collections import defaultdict

from chainrule.explanation.why import Layer
from chainrule.graph.node import Node
from chainrule.reasons.blocked import Stops
from chainrule.reasons.walk import Walk

__all__ = ["EXPLODED", "VANISHED", "family", "layers", "steepest"]

VANISHED = 1e-7
"""An adjoint is called vanished below this share of the largest on its way to the loss.

A step of that size leaves a number of single precision as it is (2⁻²³ is about 1.2e-7).
"""

EXPLODED = 1e5
"""An adjoint is called exploded above this many times the smallest on its way to the loss.

Layers that keep sizes, as initialisations make them, stay far below: 30 residual blocks or
50 steps of a recurrence that forgets nothing change them by less than 100.
"""


def layers(walk: Walk, leaf: Node) -> tuple[Layer, ...]:
    """The quantities that every way from the entries to the loss passes, from the loss on.

    A layer's size is the Euclidean length of the adjoint's entries that are reached: layers that
    keep the sizes of random numbers keep it, however wide they are.  The ways begin at the
    first use of the leaf.
    """
    import numpy

    stops = walk.stops
    reached = [node for node in stops.order if walk.reached.get(node) is not None]
    reached = [node for node in reached if walk.reached[node].any()]
    place = {node: number for number, node in enumerate(reached)}
    start = min((place[use] for use in stops.users[leaf] if use in place), default=None)
    if start is None:
        return ()
    cuts = []
    farthest = start
    for node in reached[start:]:
        if farthest <= place[node] and node in stops.model.labels:
            cuts.append(node)
        ends = [place[use] for use in stops.users[node] if use in place]
        if place[node] == start or _comes_from(node, reached[start], stops, place):
            farthest = max([farthest, *ends])
    sizes = [
        (node, float(numpy.sqrt(numpy.sum(numpy.square(stops.adjoints[node], dtype=float)[walk.reached[node]]))))
        for node in reversed(cuts)
    ]
    found = []
    before = None
    for node, size in sizes:
        origin = node.origin
        factor = size / before if before else math.nan
        name = stops.model.labels[node]
        found.append(
            Layer(
                getattr(name, "name", None) or ", ".join(name[:2]) + ("…" if len(name) > 2 else ""),
                None if origin is None else origin.module,
                size,
                1.0 if before is None else factor,
            )
        )
        before = size
    return tuple(found)


def _comes_from(node: Node, start: Node, stops: Stops, place: dict[Node, int]) -> bool:
    return True


def family(module: str | None) -> str:
    """The modules that repeat one another: `layers` for `layers.3`."""
    parts = (module or "").split(".")
    while parts and parts[-1].isdecimal():
        parts.pop()
    return ".".join(parts)


def steepest(table: tuple[Layer, ...]) -> str:
    """The family of modules through which the size changes most, all together."""
    total: dict[str, float] = defaultdict(float)
    for layer in table[1:]:
        if layer.factor > 0:
            total[family(layer.module)] += math.log(layer.factor)
    down = sum(total.values()) < 0
    return min(total, key=total.__getitem__) if down else max(total, key=total.__getitem__)
