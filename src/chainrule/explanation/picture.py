"""What a picture of a network shows: its units in columns, and what leads from one to another.

It is read off the scalar graph: a weighted term of a sum is an edge with a weight, a
quantity and the activation of it alone are one unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chainrule.explanation.values import parts_of_loss
from chainrule.graph.model import Model
from chainrule.graph.node import Node
from chainrule.graph.passes.unroll import Unrolled
from chainrule.graph.trace import Trace
from chainrule.primitives.pointwise import ACTIVATIONS

__all__ = ["Edge", "Picture", "Unit", "picture_of"]

TALLEST = 8
"""Units of a column that are all shown; of more, the first and the last."""

MOST_WEIGHTS = 24
"""Weights that are written beside their edges."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A circle: a quantity's name and number.

    `role` is input, target, bias, hidden, output or loss; `bias` is a parameter that
    is added here and nowhere else; `omitted` counts the units that an ellipsis stands for.
    """

    name: str
    value: float
    role: str
    bias: tuple[str, float] | None = None
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one unit to another, with the weight on it where there is one."""

    source: str
    target: str
    weight: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Columns of units from the inputs to the loss, and the edges between them."""

    columns: tuple[tuple[Unit, ...], ...]
    edges: tuple[Edge, ...]
    rounded: frozenset[str] = frozenset()
    """The names whose numbers are rounded."""


def picture_of(model: Model, unrolled: Unrolled, trace: Trace) -> Picture:
    """The picture of a network; of a batch, its first example."""
    return _Painter(model, unrolled, trace).picture()


class _Painter:
    def __init__(self, model: Model, unrolled: Unrolled, trace: Trace) -> None:
        self.unrolled = unrolled
        self.trace = trace
        self.loss = unrolled.at[model.loss][0]
        self.role_of = {
            entry: leaf.role
            for leaf in model.leaves
            for entry in unrolled.at.get(leaf.node, {}).values()
        }
        self.hidden = _later_examples(model, unrolled)
        self.operands: dict[Node, list[Node]] = {}
        self._walk()
        self.users: dict[Node, list[Node]] = {}
        for node, operands in self.operands.items():
            for operand in operands:
                self.users.setdefault(operand, []).append(node)
        self.head = {node: self._head(node) for node in self.operands}
        self.losses = parts_of_loss(model, unrolled)

    def picture(self) -> Picture:
        merged = {head for node, head in self.head.items() if head is not node}
        computed = [node for node in self.operands if node not in merged]
        edges: dict[tuple[Node, Node], Node | None] = {}
        biases: dict[Node, list[Node]] = {}
        for node in computed:
            for source, weight in self._incoming(self.head[node]):
                if source is None:
                    assert weight is not None
                    biases.setdefault(weight, []).append(node)
                elif edges.get((source, node)) is None:
                    edges[source, node] = weight
        own = {users[0]: bias for bias, users in biases.items() if len(users) == 1}
        for bias, users in biases.items():
            if len(users) > 1:
                edges.update({(bias, node): None for node in users})
        columns = self._columns(computed, [source for source, _ in edges], list(edges))
        shown = {node for column in columns for node in column[0]}
        kept = {ends: weight for ends, weight in edges.items() if shown.issuperset(ends)}
        labelled = sum(weight is not None for weight in kept.values()) <= MOST_WEIGHTS
        return Picture(
            tuple(self._column(nodes, omitted, own) for nodes, omitted in columns),
            tuple(
                Edge(source.name or "", target.name or "", self._number(weight, labelled))
                for (source, target), weight in kept.items()
            ),
        )

    # -------------------------------------------------------------------- the graph

    def _walk(self) -> None:
        """The quantities that the loss needs and what is in their formulas, loss last."""
        stack: list[tuple[Node, bool]] = [(self.loss, False)]
        while stack:
            node, ready = stack.pop()
            if node in self.operands or not node.inputs:
                continue
            found = [item for item in self._named_operands(node) if item not in self.hidden]
            if ready:
                self.operands[node] = found
            else:
                stack.append((node, True))
                stack += [(item, False) for item in reversed(found)]

    def _named_operands(self, node: Node) -> list[Node]:
        fold = self.unrolled.folds.get(node)
        if fold is not None:
            entries = [entry for row in fold.operands for entry in row]
            if all(entry.name is not None or not entry.inputs for entry in entries):
                return [entry for entry in entries if entry.name is not None]
        return list(dict.fromkeys(_named_within(node)))

    def _head(self, node: Node) -> Node:
        """The quantity that the unit's edges lead to: the net input, where there is one."""
        operands = self.operands[node]
        if node.primitive.name not in ACTIVATIONS or len(operands) != 1:
            return node
        (net,) = operands
        return net if net.inputs and len(self.users[net]) == 1 else node

    def _incoming(self, head: Node) -> Iterator[tuple[Node | None, Node | None]]:
        """(source, weight) pairs; a parameter that is added by itself has no source."""
        operands = self.operands[head]
        if set(operands) != set(_named_within(head)) - self.hidden:  # a folded composite
            yield from ((operand, None) for operand in operands)
            return
        for term in _terms(head):
            whole = term.name is not None and term is not head
            named = [term] if whole else list(dict.fromkeys(_named_within(term)))
            named = [item for item in named if item not in self.hidden]
            parameters = [item for item in named if self._is_parameter(item)]
            others = [item for item in named if not self._is_parameter(item)]
            if not others:
                yield from ((None, item) for item in parameters)
            elif len(parameters) == 1 and len(others) == 1:
                yield others[0], parameters[0]
            else:
                yield from ((item, None) for item in named)

    def _is_parameter(self, node: Node) -> bool:
        return self.role_of.get(node) in ("parameter", "constant")

    # ------------------------------------------------------------------ the columns

    def _columns(
        self, computed: list[Node], sources: list[Node], edges: list[tuple[Node, Node]]
    ) -> list[tuple[list[Node], int]]:
        """The units of each column and how many more there are, inputs first."""
        incoming: dict[Node, list[Node]] = {}
        for source, target in edges:
            incoming.setdefault(target, []).append(source)
        place: dict[Node, int] = {}
        for node in computed:
            place[node] = 1 + max(
                (place.get(item, 0) for item in incoming.get(node, ())), default=0
            )
        for leaf in dict.fromkeys(item for item in sources if not item.inputs):
            place[leaf] = min(place[target] for source, target in edges if source is leaf) - 1
        columns: list[list[Node]] = [[] for _ in range(max(place.values(), default=0) + 1)]
        for node, column in sorted(place.items(), key=lambda item: self._rank(item[0])):
            columns[column].append(node)
        return [_shortened(column) for column in columns if column]

    def _rank(self, node: Node) -> int:
        """Within a column: inputs and computed units, targets, biases."""
        role = self.role_of.get(node)
        return 2 if self._is_parameter(node) else int(role == "target")

    def _column(
        self, nodes: list[Node], omitted: int, own: Mapping[Node, Node]
    ) -> tuple[Unit, ...]:
        units = [
            Unit(node.name or "", self.trace[node], self._role(node), self._number(own.get(node)))
            for node in nodes
        ]
        if omitted:
            units.insert(-1, Unit("", 0.0, "omitted", omitted=omitted))
        return tuple(units)

    def _number(self, node: Node | None, wanted: bool = True) -> tuple[str, float] | None:
        return None if node is None or not wanted else (node.name or "", self.trace[node])

    def _role(self, node: Node) -> str:
        role = self.role_of.get(node)
        if role is not None:
            return "bias" if role in ("parameter", "constant") else role
        if node.name in self.losses:
            return "loss"
        compared = any(user.name in self.losses for user in self.users[node])
        return "output" if compared else "hidden"


def _named_within(node: Node) -> Iterator[Node]:
    """The quantities in a formula, in the order in which they stand there."""
    stack = list(reversed(node.inputs))
    while stack:
        item = stack.pop()
        if item.name is not None:
            yield item
        else:
            stack += reversed(item.inputs)


def _terms(node: Node) -> list[Node]:
    """The terms of the sum that a quantity is, in their order; itself, if it is none."""
    terms: list[Node] = []
    at = node
    while at.primitive.name in ("add", "sub") and (at is node or at.name is None):
        terms.append(at.inputs[1])
        at = at.inputs[0]
    return [at, *reversed(terms)]


def _later_examples(model: Model, unrolled: Unrolled) -> set[Node]:
    """The quantities of all examples of a batch but the first."""
    examples = model.examples
    later: set[Node] = set()
    parameters = {leaf.node for leaf in model.leaves if leaf.role == "parameter"}
    for node in model.nodes:
        if node.shape[:1] == (examples,) and node not in parameters and node in model.labels:
            first = math.prod(node.shape) // examples
            entries = unrolled.at.get(node, {})
            later.update(entry for flat, entry in entries.items() if flat >= first)
    return later


def _shortened(column: list[Node]) -> tuple[list[Node], int]:
    if len(column) <= TALLEST:
        return column, 0
    return [*column[: TALLEST // 2], column[-1]], len(column) - TALLEST // 2 - 1
