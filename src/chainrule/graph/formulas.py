"""From nodes to formulas: the expression of a quantity in the quantities it is made of."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.graph.node import Node
from chainrule.primitives import CONSTANT, Apply, Formula, Number, Symbol

__all__ = ["formula_of", "reference"]


Called = Callable[[Node], str | None]
"""What a node is called in a formula; one that is called None is written out."""


def _own_name(node: Node) -> str | None:
    return node.name


def reference(node: Node, called: Called = _own_name) -> Formula:
    """`node` as it stands inside another formula: its name, its number, or written out."""
    name = called(node)
    return formula_of(node, called) if name is None else Symbol(name)


def formula_of(node: Node, called: Called = _own_name) -> Formula:
    """The formula that computes `node`; what is not called by a name is written out.

    `stop` is a matter of differentiation, not of value, and is not written.
    """
    if node.primitive is CONSTANT:
        return Number(node.attributes["value"])
    if not node.inputs:
        name = called(node)
        assert name is not None
        return Symbol(name)
    # A long sum or product leans to the left: walk down it instead of recursing.
    spine = [node]
    while (first := spine[-1].inputs[0]).inputs and called(first) is None:
        spine.append(first)
    formula: Formula | None = None
    for step in reversed(spine):
        left = reference(step.inputs[0], called) if formula is None else formula
        if step.primitive.name == "stop":
            formula = left
        else:
            rest = (reference(item, called) for item in step.inputs[1:])
            formula = Apply(step.primitive.name, (left, *rest))
    assert formula is not None
    return formula
