"""When the steps of an array graph are computed, and which of them share a loop.

Every step gets a phase.  Within one, products come first, then scalars, then loops over
rows; steps whose entries depend on no other row share a loop.  A row may need several
passes over its columns: a softmax needs its largest entry before its sum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from chainrule.emit.layout import MOVES, UnplannedError, View, view
from chainrule.graph.node import Node, topological
from chainrule.primitives import CONSTANT, VARIABLE, Pointwise

__all__ = ["PRODUCTS", "REDUCTIONS", "Place", "Schedule"]

PRODUCTS = ("linear", "matmul")
REDUCTIONS = ("sum", "max")


@dataclass(slots=True)
class Place:
    """Phase, rows and columns of the loops (0: none), pass over the columns, and who reads it."""

    phase: int
    rows: int
    columns: int
    level: int = 0
    uses: list[Node] = field(default_factory=list)


class Schedule:
    """The places of all steps that `outputs` and `updated` need.

    `updated` has, for the node of a parameter's new value, the parameter: these come in the
    `last` phase.  `kept` are computed before it.

    Raises: UnplannedError for a step that is not known.
    """

    def __init__(
        self, outputs: Iterable[Node], updated: Mapping[Node, Node], kept: Collection[Node]
    ) -> None:
        self.updated, self.kept = updated, set(kept)
        self._parameters = set(updated.values())
        self.order = [node for node in topological([*outputs, *updated, *kept]) if _is_step(node)]
        self.reads = {node: [view(item) for item in node.inputs] for node in self.order}
        self.place = {node: self._first_place(node) for node in self.order}
        for node in self.order:
            for read in self.reads[node]:
                if read.base in self.place:
                    self.place[read.base].uses.append(node)
        for node in self.order:
            self.place[node].phase = max(
                (self._ready(node, read) for read in self.reads[node]), default=0
            )
        self.last = 1 + max((place.phase for place in self.place.values()), default=0)
        for node in updated:
            self.place[node].phase = self.last
        for node in reversed(self.order):
            moves = isinstance(node.primitive, Pointwise) or self.is_row_reduction(node)
            if moves and node not in (*self.kept, *updated):
                self._sink(node)
        for node in self.order:
            self.place[node].level = max(
                (
                    self.place[read.base].level + self.is_row_reduction(read.base)
                    for read in self.reads[node]
                    if self.shares_loop(node, read)
                ),
                default=0,
            )
        for node in reversed(self.order):
            if isinstance(node.primitive, Pointwise) and not self.needs_array(node):
                self._sink_in_row(node)

    def _first_place(self, node: Node) -> Place:
        shape = node.inputs[0].shape if node.primitive.name in REDUCTIONS else node.shape
        return Place(
            phase=0,
            rows=0 if node.primitive.name in PRODUCTS or not shape else shape[0],
            columns=shape[1] if len(shape) == 2 and shape[1] != 1 else 0,
        )

    def gathers(self, node: Node) -> bool:
        """Whether it is a sum over all rows, known when the loop has ended."""
        return node.primitive.name in REDUCTIONS and 0 in node.attributes["axes"]

    def is_row_reduction(self, node: Node) -> bool:
        """Whether it is a sum over the columns of a row, known after a pass over them."""
        reduces = node.primitive.name in REDUCTIONS and not self.gathers(node)
        return reduces and self.place[node].columns > 0

    def _is_local(self, node: Node, read: View) -> bool:
        """Whether it reads what the same row of the same loop can have computed."""
        base = read.base
        mine, its = self.place[node], self.place[base]
        if not mine.rows or mine.rows != its.rows or self.gathers(base):
            return False
        if mine.rows > 1 and read.axes[0] != 0:
            return False
        wide = len(base.shape) == 2 and base.shape[1] > 1
        return not wide or (read.axes[1] == 1 and mine.columns == base.shape[1])

    def shares_loop(self, node: Node, read: View) -> bool:
        """Whether it reads what the same row of the same loop has computed."""
        its = self.place.get(read.base)
        return (
            its is not None and its.phase == self.place[node].phase and self._is_local(node, read)
        )

    def _ready(self, node: Node, read: View) -> int:
        """The first phase in which `node` can read that."""
        its = self.place.get(read.base)
        if its is None:
            return 0
        return its.phase + (its.rows > 0 and not self._is_local(node, read))

    def _sink(self, node: Node) -> None:
        """Compute it where it is first used, if all its uses are later."""
        own = self.place[node]
        first = [
            self.place[use].phase - (self._ready(use, read) - own.phase)
            for use in own.uses
            for read in self.reads[use]
            if read.base is node
        ]
        if first:
            # In the last phase a parameter may already have its new value.
            stale = any(read.base in self._parameters for read in self.reads[node])
            own.phase = max(own.phase, min(*first, self.last - stale))

    def _sink_in_row(self, node: Node) -> None:
        """The same for the passes over the columns of a row."""
        own = self.place[node]
        levels = [self.place[use].level for use in own.uses]
        if own.columns and levels:
            own.level = max(own.level, min(levels))

    def needs_array(self, node: Node) -> bool:
        """Whether another loop or a product reads it, so that all its entries are kept."""
        if node.primitive.name in PRODUCTS or node in self.kept or self.gathers(node):
            return bool(node.shape)
        return bool(node.shape) and any(
            read.base is node and not self.shares_loop(use, read)
            for use in self.place[node].uses
            for read in self.reads[use]
        )

    def needs_row(self, node: Node) -> bool:
        """Whether a later pass over the columns reads it."""
        own = self.place[node]
        return (
            node.primitive.name not in REDUCTIONS
            and own.columns > 0
            and any(
                self.place[use].level != own.level
                for use in own.uses
                if self.place[use].phase == own.phase
            )
        )


def _is_step(node: Node) -> bool:
    """Whether the node is computed, rather than given or only moved."""
    name = node.primitive.name
    if node.primitive in (CONSTANT, VARIABLE) or name in MOVES:
        return False
    reduces = name in REDUCTIONS and len(node.inputs[0].shape) <= 2
    if len(node.shape) > 2 or not (
        isinstance(node.primitive, Pointwise) or name in PRODUCTS or reduces
    ):
        raise UnplannedError(f"{name} of shape {node.shape}")
    return True
