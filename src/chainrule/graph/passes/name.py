"""Name the quantities that a derivation will speak of.

A step that the user named keeps its name.  Beyond that: the operand of a named
activation is its net input (`net_o1` for `o1` or `out_o1`), and a step that is
used more than once, or that lies too deep inside an expression to be read, gets
a name of its own (`t1`, `t2`, ...).  What stays unnamed is written out inside
the formula of the quantity that it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from chainrule.graph.labels import Labels
from chainrule.graph.node import Node, inside, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.unroll import entry_labels
from chainrule.primitives import CONSTANT, VARIABLE, Linear
from chainrule.primitives.pointwise import ACTIVATIONS

__all__ = ["name_quantities", "net_name"]

DEEPEST = 12
"""Nesting beyond which an expression is given a name, so that it can be read."""

MOVES = (
    *("broadcast", "reshape", "transpose", "flip", "slice", "pad", "concat", "take", "windows"),
    "stop",
)
"""Steps whose result is the operand's entries, under the operand's names."""


_KIND = {
    "add": "sum",
    "sub": "sum",
    "mul": "product",
    "div": "product",
    "maximum": "maximum",
    "minimum": "minimum",
}
"""The steps that are written as one row, from left to right."""


def net_name(output: str) -> str:
    """The name of the net input of the unit whose output is called `output`."""
    return "net_" + output.removeprefix("out_")


def name_quantities(outputs: Iterable[Node]) -> dict[Node, Sequence[str]]:
    """The entry names of every node that is a quantity of its own."""
    order = topological(outputs)
    labels = {node: named for node in order if (named := entry_labels(node)) is not None}
    taken = {name for named in labels.values() for name in _bases(named)}
    for node in order:
        if node.primitive.name in ACTIVATIONS and node in labels:
            net = node.inputs[0]
            own = _net_labels(labels[node])
            if _can_be_named(net, labels) and taken.isdisjoint(_bases(own)):
                labels[net] = own
                taken.update(_bases(own))
    for node in order:
        if node.fold is not None and node.name is not None:
            _name_inside(node, labels, taken)
    uses = _uses(order, labels)
    depth: dict[Node, int] = {}
    count = 0
    for node in order:
        depth[node] = _depth(node, depth, labels)
        if not _can_be_named(node, labels) or (uses[node] < 2 and depth[node] <= DEEPEST):
            continue
        count += 1
        while f"t{count}" in taken:
            count += 1
        labels[node] = Labels(f"t{count}", node.shape)
        depth[node] = 0
    return labels


def _name_inside(node: Node, labels: dict[Node, Sequence[str]], taken: set[str]) -> None:
    """Name the steps of a composite after it: `norm.sqrt` of `norm`."""
    counts: Counter[str] = Counter()
    for step in inside(node):
        if not _can_be_named(step, labels):
            continue
        name = f"{node.name}.{step.primitive.name}"
        counts[name] += 1
        own = name if counts[name] == 1 else f"{name}_{counts[name] - 1}"
        if own not in taken:
            labels[step] = Labels(own, step.shape)
            taken.add(own)


def _net_labels(outputs: Sequence[str]) -> Sequence[str]:
    """The names of the net inputs of units whose outputs have these."""
    if isinstance(outputs, Labels):
        return outputs.renamed(net_name(outputs.name))
    return tuple(map(net_name, outputs))


def _bases(labels: Sequence[str]) -> Iterable[str]:
    """The names that the entries have without their numbers, which another array cannot have."""
    return (labels.name,) if isinstance(labels, Labels) else labels


def _can_be_named(node: Node, labels: Mapping[Node, Sequence[str]]) -> bool:
    return (
        node not in labels
        and node.primitive not in (CONSTANT, VARIABLE)
        and node.primitive.name not in MOVES
        and node.dtype != "bool"
        and constant_value(node) is None
    )


def _uses(order: list[Node], labels: Container[Node]) -> Counter[Node]:
    """How often the entries of each node are used, steps that only move them looked through.

    What moves them to a quantity of its own name is one use.
    """
    uses: Counter[Node] = Counter()
    for node in reversed(order):
        for item in node.inputs:
            if node.primitive.name in MOVES and node in labels:
                uses[item] += 1
            elif node.primitive.name in MOVES:
                repeats = node.primitive.name == "broadcast" and node.shape != item.shape
                uses[item] += max(uses[node], 2 if repeats else 0)
            elif isinstance(node.primitive, Linear) and node.primitive.name != "sum":
                uses[item] += 2
            else:
                uses[item] += 1
    return uses


def _depth(node: Node, depth: dict[Node, int], labels: Mapping[Node, Sequence[str]]) -> int:
    """Nesting above the named steps; a long sum or product, left to right, counts once."""
    if node in labels or not node.inputs:
        return 0
    deepest = 0
    for place, item in enumerate(node.inputs):
        continues = place == 0 and _KIND.get(item.primitive.name) == _KIND.get(
            node.primitive.name, "none"
        )
        deepest = max(deepest, depth[item] + (0 if continues else 1))
    return deepest
