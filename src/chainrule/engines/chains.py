"""The path from an entry to the loss with the largest product of local derivatives.

A search by products (max-times): the entries that are reached are taken in the order of the
graph, each with the largest product that leads to it, and of each quantity those that promise
most are followed.  No path is enumerated.

Source: Bellman (1958), On a routing problem, for the largest product of a graph without cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.engines.backward import Backward
from chainrule.graph.node import Node

__all__ = ["FOLLOWED", "Step", "largest_chain"]

FOLLOWED = 2
"""Entries of each quantity from which the search goes on."""


@dataclass(frozen=True, slots=True)
class Step:
    """An entry on the way, the local derivative that led there, and the product so far."""

    node: Node
    flat: int
    slope: float
    product: float
    before: Step | None


def largest_chain(
    backward: Backward, node: Node, flat: int, followed: int = FOLLOWED
) -> tuple[list[Step], bool]:
    """The steps from the entry `flat` of a quantity to the loss, and whether none is larger.

    Where more than `followed` entries of a quantity are reached, the search goes on from those
    whose product, times the sum of the sizes of all paths that go on from there, is largest.
    """
    import numpy

    pullbacks = backward.pullbacks
    reached: dict[Node, dict[int, Step]] = {node: {flat: Step(node, flat, 1.0, 1.0, None)}}
    is_largest = True
    for item in (node, *reversed(pullbacks.towards(node))):
        steps = list(reached.get(item, {}).values())
        if item is pullbacks.loss or not steps:
            continue
        sizes = backward.paths.at(item, numpy.array([step.flat for step in steps]))
        promise = numpy.abs([step.product for step in steps]) * sizes
        is_largest = is_largest and len(steps) <= followed
        for place in numpy.argsort(-promise, kind="stable")[:followed].tolist():
            step = steps[place]
            for use in pullbacks.users(item):
                reading, slopes = backward.read(use, item, step.flat)
                own = reached.setdefault(use, {})
                ahead = numpy.abs(slopes) * backward.paths.at(use, reading.found)
                best = numpy.argsort(-ahead, kind="stable")[:followed]
                is_largest = is_largest and len(ahead) <= followed
                for target, slope in zip(
                    reading.found[best].tolist(), slopes[best].tolist(), strict=True
                ):
                    product = step.product * slope
                    if target not in own or abs(product) > abs(own[target].product):
                        own[target] = Step(use, target, slope, product, step)
    last: Step | None = reached.get(pullbacks.loss, {}).get(0)
    chain: list[Step] = []
    while last is not None and last.before is not None:
        chain.append(last)
        last = last.before
    return chain[::-1], is_largest
