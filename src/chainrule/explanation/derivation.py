"""A derivation as data: one parameter's gradient, factor by factor, with its numbers.

It reads a chain (the graph of derivatives) and a trace (the numbers of one run)
and says what was computed; it computes nothing itself.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chainrule.differentiate.chain import Chain
from chainrule.graph.formulas import formula_of, reference
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.trace import Trace
from chainrule.mime import Displayed
from chainrule.primitives import VARIABLE, Formula, Pointwise
from chainrule.primitives.python import python, python_number
from chainrule.primitives.record import evaluate

__all__ = [
    "Contribution",
    "Derivation",
    "Derivations",
    "Factor",
    "Line",
    "Reason",
    "Update",
    "partial",
]

Reason = Literal["not connected", "masked", "at a kink", "saturated", "zero factor", "cancelled"]
"""What a zero gradient means, or what is remarkable about a factor."""

SATURATED_BELOW = 1e-10
"""A slope of a saturating step below this is called saturated."""


@dataclass(frozen=True)
class Line:
    """One line of working: a symbol, its formula, the numbers put in, the value."""

    symbol: str
    node: Node
    trace: Trace
    by_name: bool = field(default=False, kw_only=True)
    """Whether a named node is referred to, rather than worked out."""

    @property
    def value(self) -> float:
        """The number that was computed."""
        return self.trace[self.node]

    @functools.cached_property
    def tree(self) -> Formula:
        """The formula."""
        return reference(self.node) if self.by_name else formula_of(self.node)

    @functools.cached_property
    def formula(self) -> str:
        """The formula in Python's notation."""
        return python(self.tree)

    @property
    def numbers(self) -> Mapping[str, float]:
        """The numbers of all quantities, by name."""
        return self.trace.by_name

    @functools.cached_property
    def substituted(self) -> str:
        """The formula with the numbers put in."""
        return python(self.tree, self.numbers)


@dataclass(frozen=True)
class Factor(Line):
    """One factor of the chain: ∂(`over`)/∂(`by`).

    `quantity` is the one whose formula was differentiated, None for a sum over
    paths or a shared adjoint.  `reason` says what is remarkable about the factor
    when it is (nearly) zero.
    """

    over: str = ""
    by: str = ""
    quantity: Line | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class Contribution:
    """The share of a gradient that passes through one quantity."""

    through: str
    factors: tuple[Factor, ...]
    product: Line

    @property
    def value(self) -> float:
        """The share's number."""
        return self.product.value


@dataclass(frozen=True, slots=True)
class Update:
    """One step of gradient descent on the parameter.

    `gradient` is the one that the step used: in a sequential update it is
    computed with the parameters that were updated before, named in `after`.
    """

    parameter: str
    gradient_name: str
    rate_name: str
    old: float
    rate: float
    gradient: float
    new: float
    after: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        """`w7 - η*dE_dw7`."""
        return f"{self.parameter} - {self.rate_name}*{self.gradient_name}"

    @property
    def substituted(self) -> str:
        """The formula with the numbers put in."""
        rate, gradient = python_number(self.rate), python_number(self.gradient)
        if gradient.startswith("-"):
            gradient = f"({gradient})"
        return f"{python_number(self.old)} - {rate}*{gradient}"


@dataclass(frozen=True)
class Derivation(Displayed):
    """The derivative of the loss by one parameter.

    `factors`, multiplied from left to right, are the gradient; where more than
    one path leads to the loss, the first factor is the sum of `contributions`.
    `result` is the gradient as one formula.
    """

    loss: str
    parameter: str
    gradient: float
    factors: tuple[Factor, ...]
    contributions: tuple[Contribution, ...]
    result: Line | None
    reason: Reason | None
    update: Update | None = None
    checks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        """`∂E/∂w7`."""
        return partial(self.loss, self.parameter)


def partial(over: str, by: str) -> str:
    """The symbol of a derivative."""
    return f"∂{over}/∂{by}"


class Derivations:
    """Derivations from one chain and one trace; what they share is worked out once."""

    def __init__(self, chain: Chain, trace: Trace) -> None:
        assert chain.loss.name is not None
        self.chain = chain
        self.trace = trace
        self.loss = chain.loss.name
        self._sums: dict[Node, tuple[Factor, tuple[Contribution, ...]]] = {}
        self._locals: dict[tuple[Node, Node], Factor] = {}

    def derive(self, parameter: Node) -> Derivation:
        """The derivation of one scalar leaf, without its update and checks."""
        chain, name = self.chain, _name(parameter)
        if parameter not in chain.adjoint:
            return Derivation(self.loss, name, 0.0, (), (), None, "not connected")
        factors: list[Factor] = []
        contributions: tuple[Contribution, ...] = ()
        at = parameter
        while at is not chain.loss and len(chain.uses[at]) == 1:
            ((use, derivative),) = chain.uses[at]
            factors.append(self._local(use, at, derivative))
            at = use
        if at is not chain.loss:
            first, contributions = self._sum_over_uses(at)
            factors.append(first)
        ordered = self._without_leading_ones(factors[::-1])
        adjoint = chain.adjoint[parameter]
        result = Line(partial(self.loss, name), adjoint, self.trace)
        reason = self._reason(parameter, ordered)
        return Derivation(
            self.loss, name, self.trace[adjoint], tuple(ordered), contributions, result, reason
        )

    def shared(self, derivations: Sequence[Derivation]) -> list[Line]:
        """The δ's that the derivations refer to, and those that these refer to, once each.

        They come in the order in which reverse mode computes them: from the loss on.
        """
        results = [item.result.node for item in derivations if item.result is not None]
        own = set(results)
        return [
            line
            for line in self.adjoints(results)
            # A parameter's own gradient is its derivation's result.
            if line.node not in own or self.chain.quantity_of[line.node].primitive is not VARIABLE
        ]

    def adjoints(self, nodes: Iterable[Node]) -> list[Line]:
        """The named adjoints that `nodes` are made of, from the loss on."""
        lines = []
        for node in topological(nodes, self.chain.forward.__contains__):
            quantity = self.chain.quantity_of.get(node)
            if node.name is not None and quantity is not None:
                lines.append(Line(partial(self.loss, _name(quantity)), node, self.trace))
        return lines

    # ---------------------------------------------------------------------- factors

    def _local(self, over: Node, by: Node, derivative: Node) -> Factor:
        known = self._locals.get((over, by))
        if known is None:
            known = self._locals[over, by] = Factor(
                partial(_name(over), _name(by)),
                derivative,
                self.trace,
                over=_name(over),
                by=_name(by),
                quantity=Line(_name(over), over, self.trace),
                reason=self._factor_reason(over, self.trace[derivative]),
                by_name=True,
            )
        return known

    def _sum_over_uses(self, at: Node) -> tuple[Factor, tuple[Contribution, ...]]:
        """∂E/∂at where several quantities use `at`, and the share of each."""
        known = self._sums.get(at)
        if known is None:
            shares = tuple(self._contribution(use, at, local) for use, local in self.chain.uses[at])
            total = self._adjoint(at, by_name=False)
            known = self._sums[at] = (total, shares)
        return known

    def _adjoint(self, quantity: Node, by_name: bool) -> Factor:
        name = _name(quantity)
        return Factor(
            partial(self.loss, name),
            self.chain.adjoint[quantity],
            self.trace,
            over=self.loss,
            by=name,
            by_name=by_name,
        )

    def _contribution(self, use: Node, at: Node, derivative: Node) -> Contribution:
        factors = [self._local(use, at, derivative)]
        if constant_value(self.chain.adjoint[use]) != 1:
            factors.insert(0, self._adjoint(use, by_name=True))
        symbol = " · ".join(factor.symbol for factor in factors)
        product = Line(symbol, self.chain.share(use, derivative), self.trace, by_name=True)
        return Contribution(_name(use), tuple(factors), product)

    def _without_leading_ones(self, factors: list[Factor]) -> list[Factor]:
        """∂E/∂E_o1 = 1 is not written: the next factor's numerator becomes the loss."""
        while len(factors) > 1 and constant_value(factors[0].node) == 1:
            following = factors[1]
            merged = dataclasses.replace(
                following, symbol=partial(self.loss, following.by), over=self.loss
            )
            factors = [merged, *factors[2:]]
        return factors

    # ---------------------------------------------------------------------- reasons

    def _factor_reason(self, over: Node, value: float) -> Reason | None:
        """Why a local derivative is (nearly) zero: the kind of step that it belongs to."""
        record = over.primitive
        if not isinstance(record, Pointwise):
            return None
        if record.kink is not None:
            numbers = {
                operand: self.trace[item]
                for operand, item in zip(record.operands, over.inputs, strict=True)
            }
            if evaluate(record.kink, numbers) == 0:
                return "at a kink"
        fold = self.chain.folds.get(over)
        if record.saturates or (fold is not None and fold.composite.saturates):
            return "saturated" if abs(value) < SATURATED_BELOW else None
        if value == 0 and (record.kink is not None or record.name == "where"):
            return "masked"
        return None

    def _reason(self, parameter: Node, factors: list[Factor]) -> Reason | None:
        """What a zero gradient means, or that its chain passes a saturated step.

        The steps towards the loss are searched breadth first, through those whose
        own derivative is zero, for the nearest one that says why.
        """
        chain, trace = self.chain, self.trace
        if trace[chain.adjoint[parameter]] != 0:
            saturated = any(factor.reason == "saturated" for factor in factors)
            return "saturated" if saturated else None
        reached = [parameter]
        seen = {parameter}
        for at in reached:
            uses = chain.uses.get(at, [])
            if any(trace[chain.share(use, local)] != 0 for use, local in uses):
                return "cancelled"
            for use, local in uses:
                reason = self._factor_reason(use, trace[local])
                if reason is not None:
                    return reason
                if trace[chain.adjoint[use]] == 0 and use not in seen:
                    seen.add(use)
                    reached.append(use)
        return "zero factor"


def _name(node: Node) -> str:
    assert node.name is not None
    return node.name
