"""From nodes to formulas: the expression of a quantity in the quantities it is made of."""

from __future__ import annotations

from chainrule.graph.node import Node
from chainrule.primitives import CONSTANT, Apply, Formula, Number, Symbol

__all__ = ["formula_of", "reference"]


def reference(node: Node) -> Formula:
    """`node` as it stands inside another formula: its name, its number, or written out."""
    if node.name is not None:
        return Symbol(node.name)
    return formula_of(node)


def formula_of(node: Node) -> Formula:
    """The formula that computes `node`; what has no name is written out.

    `stop` is a matter of differentiation, not of value, and is not written.
    """
    if node.primitive is CONSTANT:
        return Number(node.attributes["value"])
    if not node.inputs:
        assert node.name is not None
        return Symbol(node.name)
    # A long sum or product leans to the left: walk down it instead of recursing.
    spine = [node]
    while spine[-1].inputs and spine[-1].inputs[0].name is None and spine[-1].inputs[0].inputs:
        spine.append(spine[-1].inputs[0])
    formula: Formula | None = None
    for step in reversed(spine):
        first = reference(step.inputs[0]) if formula is None else formula
        if step.primitive.name == "stop":
            formula = first
        else:
            rest = (reference(item) for item in step.inputs[1:])
            formula = Apply(step.primitive.name, (first, *rest))
    assert formula is not None
    return formula
