"""What each quantity of an array graph hands back: the chain rule between whole arrays.

It is the form that `chain` has for scalars.  Each quantity has a variable that stands for
its adjoint, and for each quantity in its formula a share, written in that variable:

    ∂E/∂q = Σ over the uses c of q:  share of q in c (∂E/∂c)

Nothing is worked out whole that nobody asks for: a share is a graph, of which a single
entry can be read as well.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from chainrule.differentiate.reverse import reverse
from chainrule.graph.build import Builder
from chainrule.graph.node import Node, inside, topological
from chainrule.graph.passes.prune import depending

__all__ = ["Pullback", "Pullbacks"]


@dataclass(frozen=True, eq=False)
class Pullback:
    """What one quantity hands back to those in its formula, in terms of its adjoint `seed`.

    `steps` are those between the adjoint and each share, inputs first, and `beside` the other
    nodes that they take their operands from.
    """

    seed: Node
    shares: dict[Node, Node]
    steps: dict[Node, list[Node]]
    beside: list[Node]


def _pullback(seed: Node, shares: dict[Node, Node], forward: Container[Node]) -> Pullback:
    steps = {}
    beside: dict[Node, None] = {}
    for operand, share in shares.items():
        order = topological([share], forward.__contains__)
        moved = depending(order, {seed}, forward.__contains__)
        steps[operand] = [node for node in order if node in moved and node is not seed]
        for node in steps[operand]:
            beside.update(dict.fromkeys(item for item in node.inputs if item not in moved))
    return Pullback(seed, shares, steps, list(beside))


class Pullbacks:
    """The pullbacks of the quantities of a loss, made when they are asked for.

    `order` are the quantities, leaves included, operands first; `operands` those in the
    formula of each; `uses` those in whose formulas each stands, in the order of the graph.
    """

    def __init__(self, loss: Node, quantities: Container[Node]) -> None:
        self.loss = loss
        self._op = Builder()
        self._quantities = quantities
        self._made: dict[Node, Pullback] = {}
        forward = topological([loss])
        self._forward = frozenset(forward)
        self._opened = {
            node for node in forward if any(step in quantities for step in inside(node))
        }
        self.order = [node for node in forward if node in quantities or node is loss]
        self.operands: dict[Node, list[Node]] = {}
        self.uses: dict[Node, list[Node]] = {node: [] for node in self.order}
        for node in self.order:
            found = topological([node], lambda item: item in self.uses and item is not node)  # noqa: B023
            self.operands[node] = [item for item in found if item in self.uses and item is not node]
            for item in self.operands[node]:
                self.uses[item].append(node)

    def is_quantity(self, node: Node) -> bool:
        """Whether the node has a name, and so an adjoint of its own."""
        return node in self._quantities

    def of(self, node: Node) -> Pullback:
        """What the quantity hands back; a composite as one step, if none inside is a quantity."""
        known = self._made.get(node)
        if known is None:
            seed = self._op.variable(f"∂{self.loss.name}/∂{node.name}", node.shape)
            wanted = set(self.operands[node])
            stop, opened = self.is_quantity, self._opened
            found = reverse(self._op, node, wanted, seed, stop, folded=True, opened=opened)
            shares = {item: found[item] for item in self.operands[node] if item in found}
            known = self._made[node] = _pullback(seed, shares, self._forward)
        return known

    def users(self, node: Node) -> list[Node]:
        """The quantities that hand something back to this one."""
        return [use for use in self.uses.get(node, ()) if node in self.of(use).shares]

    def towards(self, node: Node) -> list[Node]:
        """The quantities that lead from this one to the loss, the last of them first."""
        reached = {node}
        found = []
        for item in self.order:
            if not reached.isdisjoint(self.operands[item]) and not reached.isdisjoint(
                self.of(item).shares
            ):
                reached.add(item)
                found.append(item)
        return found[::-1]
