"""How large the adjoint is after each layer, on the way from the loss to a parameter."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from chainrule.explanation.why import Cause, Layer
from chainrule.graph.labels import Labels
from chainrule.graph.node import Node
from chainrule.reasons.walk import Walk

__all__ = ["EXPLODED", "VANISHED", "change", "family", "layers", "steepest"]

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
    cuts = _cuts(walk, leaf)
    sizes = [_size(walk, node) for node in cuts]
    found: list[Layer] = []
    for number, node in enumerate(cuts):
        size, after = sizes[number], sizes[number + 1 : number + 2]
        module = None if node.origin is None else node.origin.module
        factor = after[0] / size if after and size else None
        found.append(Layer(_name(walk.stops.model.labels[node]), module, size, factor))
    return tuple(found)


def _cuts(walk: Walk, leaf: Node) -> list[Node]:
    """The quantities that every way from the first use of the leaf passes, from the loss on."""
    stops = walk.stops
    uses = (use for use in stops.order if use in stops.users[leaf])
    on_the_way = _between(walk, next((use for use in uses if walk.reached[use].any()), None))
    place = {node: number for number, node in enumerate(on_the_way)}
    farthest = 0
    cuts: list[Node] = []
    for node in on_the_way:
        if place[node] >= farthest and node in stops.model.labels:
            cuts.append(node)
        farthest = max([farthest, *(place[use] for use in stops.users[node] if use in place)])
    return cuts[::-1]


def _between(walk: Walk, first: Node | None) -> list[Node]:
    """The nodes from `first` to the loss that the walk reached, operands first."""
    met = {first}
    found = []
    for node in walk.stops.order:
        if node in met and walk.reached.get(node) is not None and walk.reached[node].any():
            found.append(node)
            met.update(walk.stops.users[node])
    return found


def _size(walk: Walk, node: Node) -> float:
    import numpy

    adjoint = walk.stops.adjoints[node][walk.reached[node]].astype(float)
    return float(numpy.linalg.norm(adjoint))


def _name(labels: Sequence[str]) -> str:
    if isinstance(labels, Labels):
        return labels.name
    return ", ".join([*labels[:2], *["…"][: len(labels) > 2]])


def family(module: str | None) -> str:
    """The modules that repeat one another: `layers` for `layers.3`."""
    parts = (module or "").split(".")
    while parts and parts[-1].isdecimal():
        parts.pop()
    return ".".join(parts)


def change(walk: Walk, leaf: Node) -> tuple[Cause, float] | None:
    """Whether the adjoint vanishes or explodes, and to which share of its size.

    Of a leaf with several uses that one counts at which most arrives, with its way to the loss.
    """
    place = {node: number for number, node in enumerate(walk.stops.order)}
    uses = [use for use in walk.stops.users[leaf] if walk.reached[use].any()]
    if not uses:
        return None
    use = max(uses, key=lambda item: _size(walk, item))
    arrived = _size(walk, use)
    sizes = [_size(walk, node) for node in _cuts(walk, leaf) if place[node] >= place[use]]
    if sizes and arrived < VANISHED * max(sizes):
        return "vanishing", arrived / max(sizes)
    if sizes and arrived > EXPLODED * min(sizes):
        return "exploding", arrived / min(sizes)
    return None


def steepest(table: tuple[Layer, ...]) -> str:
    """The family of modules through which the size changes most, all together."""
    total: dict[str, float] = defaultdict(float)
    for layer in table:
        if layer.factor:
            total[family(layer.module)] += math.log(layer.factor)
    down = sum(total.values()) < 0
    return min(total, key=total.__getitem__) if down else max(total, key=total.__getitem__)
