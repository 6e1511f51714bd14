"""How the entries of one array are read through steps that only move them."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.graph.node import Node

__all__ = ["MOVES", "UnplannedError", "View", "view"]

MOVES = ("broadcast", "reshape", "transpose")
"""Steps that are not computed: what reads their result reads their operand."""


class UnplannedError(Exception):
    """A step that a plan does not know; another engine runs the graph."""


@dataclass(frozen=True, slots=True)
class View:
    """An array `base` read through steps that move entries.

    `axes` has, for each axis of the base, the axis of the reader that runs along it, or
    None where the place is always 0.
    """

    base: Node
    axes: tuple[int | None, ...]


def view(node: Node) -> View:
    """What one reads that reads `node`.

    Raises: UnplannedError for a reshaping that is more than axes of one entry.
    """
    if node.primitive.name not in MOVES:
        axes = (axis if size != 1 else None for axis, size in enumerate(node.shape))
        return View(node, tuple(axes))
    (operand,) = node.inputs
    rank = len(operand.shape)
    moved: list[int | None]
    if node.primitive.name == "broadcast":
        moved = [axis + len(node.shape) - rank for axis in range(rank)]
    elif node.primitive.name == "transpose":
        moved = [node.attributes["permutation"].index(axis) for axis in range(rank)]
    else:
        mine = [axis for axis, size in enumerate(node.shape) if size != 1]
        its = [axis for axis, size in enumerate(operand.shape) if size != 1]
        if [node.shape[axis] for axis in mine] != [operand.shape[axis] for axis in its]:
            raise UnplannedError(f"reshape from {operand.shape} to {node.shape}")
        moved = [None] * rank
        for axis, place in zip(its, mine, strict=True):
            moved[axis] = place
    inner = view(operand)
    return View(inner.base, tuple(None if axis is None else moved[axis] for axis in inner.axes))
