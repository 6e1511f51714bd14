"""The chain rule between named quantities, the form in which people read it.

A scalar graph's quantities are its named nodes.  For each, its local derivatives
with respect to the quantities in its formula; then

    ∂E/∂q = Σ over the uses c of q:  ∂E/∂c · ∂c/∂q

in the order in which the uses stand.  The δ's are named nodes, shared, and no
path is ever enumerated.  A product is multiplied out from left to right, as it
is read: δ · out · (1 − out).
"""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.differentiate.reverse import reverse, times
from chainrule.graph.labels import Directory
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.unroll import Unrolled

__all__ = ["Chain"]


class Chain:
    """The derivatives of the scalar `loss` by the quantities between it and `wrt`.

    `uses[q]` lists the (quantity, local derivative) pairs in whose formula `q`
    stands; `adjoint[q]` is the node of ∂loss/∂q; `quantity_of` leads back from
    an adjoint's node; `forward` are the nodes of the loss itself.  A quantity that is
    missing does not reach the loss.
    """

    def __init__(self, unrolled: Unrolled, loss: Node, wrt: Iterable[Node]) -> None:
        self.op = unrolled.op.above()  # what is asked first does not change what comes later
        self.loss = loss
        self.uses: dict[Node, list[tuple[Node, Node]]] = {}
        self.adjoint: dict[Node, Node] = {}
        self.quantity_of: dict[Node, Node] = {}
        self.folds = unrolled.folds
        self._taken = Directory(unrolled.labels.items())
        self.wrt = tuple(wrt)
        order = topological([loss])
        self.forward = frozenset(order)
        quantities = [node for node in order if node.name is not None]
        self._asked = frozenset(self.wrt)
        self._reaches = set(self.wrt)
        operands: dict[Node, list[Node]] = {}
        for quantity in quantities:
            local = self._local_derivatives(quantity) if quantity.inputs else {}
            operands[quantity] = list(local)
            if local:
                self._reaches.add(quantity)
            for operand, derivative in local.items():
                self.uses.setdefault(operand, []).append((quantity, derivative))
        for quantity in reversed(quantities):
            if quantity is loss:
                self.adjoint[loss] = self.op.constant(1.0)
                continue
            # A quantity inside a folded composite has uses that do not reach the loss.
            uses = [use for use in self.uses.pop(quantity, ()) if use[0] in self.adjoint]
            if uses:
                self.uses[quantity] = uses
                self._add_adjoint(quantity, operands[quantity])

    # ---------------------------------------------------------- local derivatives

    def _local_derivatives(self, quantity: Node) -> dict[Node, Node]:
        """∂quantity/∂operand for each operand quantity that depends on `wrt`."""
        fold = self.folds.get(quantity)
        if fold is not None and all(
            entry.name is not None or constant_value(entry) is not None
            for row in fold.operands
            for entry in row
        ):
            return self._folded_derivatives(quantity)
        local = reverse(self.op, quantity, self._reaches, stop=_named)
        local.pop(quantity, None)  # where it is itself asked about
        return local

    def _folded_derivatives(self, quantity: Node) -> dict[Node, Node]:
        fold = self.folds[quantity]
        assert fold.composite.jacobian is not None
        rows = fold.composite.jacobian(self.op, fold.results, fold.place, *fold.operands)
        local: dict[Node, Node] = {}
        for operands, derivatives in zip(fold.operands, rows, strict=True):
            for operand, derivative in zip(operands, derivatives, strict=True):
                if operand in self._reaches:
                    known = local.get(operand)
                    local[operand] = derivative if known is None else self.op.add(known, derivative)
        return local

    # -------------------------------------------------------------------- adjoints

    def share(self, use: Node, derivative: Node) -> Node:
        """One summand of the chain rule: ∂loss/∂use · derivative, multiplied from the left."""
        return times(self.op, self.adjoint[use], derivative)

    def attach(self, leaf: Node, uses: list[tuple[Node, Node]]) -> None:
        """Add a leaf that stands in the formulas of quantities the loss was derived by."""
        connected = [use for use in uses if use[0] in self.adjoint]
        if connected:
            self.uses[leaf] = connected
            self._add_adjoint(leaf, [])

    def detach(self, leaf: Node) -> None:
        """Forget an attached leaf."""
        if self.uses.pop(leaf, None) is not None:
            self.quantity_of.pop(self.adjoint.pop(leaf), None)

    def _add_adjoint(self, quantity: Node, operands: list[Node]) -> None:
        """Name the sum over the uses, except where it is written out in the δ right below."""
        uses = self.uses[quantity]
        total = self.share(*uses[0])
        for use in uses[1:]:
            total = self.op.add(total, self.share(*use))
        assert quantity.name is not None
        is_net = quantity.name.startswith("net_")
        feeds_delta = (
            len(operands) == 1
            and (operands[0].name or "").startswith("net_")
            and quantity not in self._asked
        )
        if not feeds_delta:
            symbol = (
                "δ_" + quantity.name.removeprefix("net_")
                if is_net
                else f"d{self.loss.name}_d{quantity.name}"
            )
            while symbol in self._taken:
                symbol += "_"
            total = self.op.named(total, symbol)
        self.adjoint[quantity] = total
        self.quantity_of.setdefault(total, quantity)


def _named(node: Node) -> bool:
    return node.name is not None
