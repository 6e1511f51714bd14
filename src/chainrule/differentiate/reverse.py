"""Reverse mode, graph to graph: adjoints are ordinary nodes.

The chain rule, once: walking from the output to the inputs, each step passes to
each operand its own adjoint times the slope (pointwise) or through the transpose
(linear).  Contributions to one adjoint are added in the order in which the
steps that use the operand stand in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Set

from chainrule.graph.build import Builder
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.prune import depending
from chainrule.primitives import Linear, Pointwise, Select

__all__ = ["contributions", "reverse", "times"]


def times(op: Builder, left: Node, right: Node) -> Node:
    """A product of derivatives, multiplied out from left to right, as it is read.

    δ · (out · (1 − out)) becomes δ · out · (1 − out), and g · (1/3) becomes g/3.
    """
    if constant_value(left) == 1 and left.shape == right.shape:
        return right
    if right.name is None and right.primitive.name in ("mul", "div"):
        first, second = right.inputs
        return op.apply(right.primitive.name, times(op, left, first), second)
    return op.apply("mul", left, right)


def contributions(
    op: Builder, node: Node, adjoint: Node, folded: bool = False
) -> list[tuple[Node, Node]]:
    """What one step hands back: (operand, its share of the adjoint) pairs.

    With `folded`, the result of a composite that knows how hands back to its operands.
    """
    pullback = node.fold.composite.pullback if folded and node.fold is not None else None
    if node.fold is not None and pullback is not None:
        operands = node.fold.operands
        return list(zip(operands, pullback(op, adjoint, node, *operands), strict=True))
    primitive = node.primitive
    if isinstance(primitive, Pointwise):
        environment = dict(zip(primitive.operands, node.inputs, strict=True), y=node)
        return [
            (operand, times(op, adjoint, op.lower(slope, environment)))
            for operand, slope in zip(node.inputs, primitive.slopes, strict=True)
            if slope is not None
        ]
    if isinstance(primitive, Linear):
        shares = primitive.transpose(op, adjoint, *node.inputs, **node.attributes)
    elif isinstance(primitive, Select):
        shares = primitive.transpose(op, adjoint, node, *node.inputs, **node.attributes)
    else:
        return []
    return [
        (operand, share)
        for operand, share in zip(node.inputs, shares, strict=True)
        if share is not None
    ]


def reverse(
    op: Builder,
    output: Node,
    wrt: Collection[Node],
    seed: Node | None = None,
    stop: Callable[[Node], bool] | None = None,
    folded: bool = False,
    opened: Container[Node] = (),
) -> dict[Node, Node]:
    """The adjoint of each of `wrt` that `output` depends on.

    `seed` is the adjoint of `output` (ones by default, which is the gradient of
    a scalar).  Nodes for which `stop` holds are taken as given.  With `folded`,
    composites are differentiated as one step, not in the steps that they are made of; those in
    `opened` are not.

    Shapes: each adjoint has the shape of its node.
    """
    wanted = wrt if isinstance(wrt, Set) else set(wrt)

    def given(node: Node) -> bool:
        return stop is not None and node is not output and stop(node)

    order = topological([output], given)
    reaches = depending(order, wanted, given)
    shares: dict[Node, list[Node]] = {
        output: [op.broadcast(op.constant(1.0), output.shape) if seed is None else seed]
    }
    found: dict[Node, Node] = {}
    for node in reversed(order):
        if node not in shares or node not in reaches:
            continue
        adjoint = _ordered_sum(op, shares.pop(node))
        if node in wanted:
            found[node] = adjoint
        if given(node):
            continue
        parts: dict[Node, list[Node]] = {}
        for operand, share in contributions(op, node, adjoint, folded and node not in opened):
            if operand in reaches:
                parts.setdefault(operand, []).append(share)
        for operand, own in parts.items():
            shares[operand] = own + shares.get(operand, [])
    return found


def _ordered_sum(op: Builder, parts: list[Node]) -> Node:
    total = parts[0]
    for part in parts[1:]:
        total = op.add(total, part)
    return total
