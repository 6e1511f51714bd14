"""Recognise a named function in the steps that spell it out, without changing a digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.graph.node import Node
from chainrule.graph.passes.fold import constant_value
from chainrule.primitives import Pointwise

if TYPE_CHECKING:
    from chainrule.graph.build import Builder

__all__ = ["recognise"]


def recognise(op: Builder, primitive: Pointwise, inputs: tuple[Node, ...]) -> Node | None:
    """`sigmoid(z)` for `1 / (1 + exp(-z))`, else None.

    The record of sigmoid is evaluated in just that way, and the order of the two
    summands does not change a sum.
    """
    if primitive.name != "div" or constant_value(inputs[0]) != 1:
        return None
    denominator = inputs[1]
    if denominator.primitive.name != "add" or denominator.name is not None:
        return None
    for one, power in (denominator.inputs, denominator.inputs[::-1]):
        if constant_value(one) != 1 or power.primitive.name != "exp" or power.name is not None:
            continue
        opposite = _opposite(op, power.inputs[0])
        if opposite is not None:
            return op.sigmoid(opposite)
    return None


def _opposite(op: Builder, node: Node) -> Node | None:
    """`z` where `node` spells out -z, as `-z` or as a product with a negative number."""
    if node.name is not None:
        return None
    if node.primitive.name == "neg":
        return node.inputs[0]
    if node.primitive.name == "mul":
        factor = constant_value(node.inputs[0])
        if factor is not None and factor < 0:
            return op.mul(-factor, node.inputs[1])
    return None
