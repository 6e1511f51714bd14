"""A derivation as data: one parameter's gradient, factor by factor, with its numbers.

It reads a chain (the graph of derivatives) and a trace (the numbers of one run)
and says what was computed; it computes nothing itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chainrule.differentiate.chain import Chain
from chainrule.explanation.formulas import formula_of, reference
from chainrule.explanation.printers.python import python, python_number
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.trace import Trace
from chainrule.primitives import Formula, Pointwise

__all__ = [
    "Contribution",
    "Derivation",
    "Factor",
    "Line",
    "Reason",
    "Update",
    "derive",
    "opened",
]

Reason = Literal["not connected", "masked", "saturated", "zero factor", "cancelled"]
"""What a zero (or a nearly dead) gradient means."""

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

    @property
    def formula(self) -> str:
        """The formula in Python's notation."""
        return python(self.tree)

    @property
    def numbers(self) -> Mapping[str, float]:
        """The numbers of all quantities, by name."""
        return self.trace.by_name

    @property
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
class Derivation:
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


def derive(chain: Chain, trace: Trace, parameter: Node) -> Derivation:
    """The derivation of one scalar leaf, without its update and checks."""
    loss, name = chain.loss.name, parameter.name
    assert loss is not None
    assert name is not None
    if parameter not in chain.adjoint:
        return Derivation(loss, name, 0.0, (), (), None, "not connected")
    adjoint = chain.adjoint[parameter]
    factors: list[Factor] = []
    at = parameter
    while at is not chain.loss and len(chain.uses[at]) == 1:
        ((use, derivative),) = chain.uses[at]
        factors.append(_factor(chain, trace, use, at, derivative))
        at = use
    contributions: tuple[Contribution, ...] = ()
    if at is not chain.loss:
        contributions = tuple(
            _contribution(chain, trace, use, at, derivative) for use, derivative in chain.uses[at]
        )
        assert at.name is not None
        factors.append(
            Factor(partial(loss, at.name), chain.adjoint[at], trace, over=loss, by=at.name)
        )
    factors = _without_leading_ones(list(reversed(factors)), loss)
    result = Line(partial(loss, name), adjoint, trace)
    gradient = trace[adjoint]
    reason = _reason(chain, trace, parameter, factors)
    return Derivation(loss, name, gradient, tuple(factors), contributions, result, reason)


def _factor(chain: Chain, trace: Trace, over: Node, by: Node, derivative: Node) -> Factor:
    assert over.name is not None
    assert by.name is not None
    return Factor(
        partial(over.name, by.name),
        derivative,
        trace,
        over=over.name,
        by=by.name,
        quantity=Line(over.name, over, trace),
        reason=_factor_reason(chain, over, trace[derivative]),
        by_name=True,
    )


def _contribution(
    chain: Chain, trace: Trace, use: Node, at: Node, derivative: Node
) -> Contribution:
    loss = chain.loss.name or ""
    assert use.name is not None
    local = _factor(chain, trace, use, at, derivative)
    factors = [local]
    if use is not chain.loss and constant_value(chain.adjoint[use]) != 1:
        symbol = partial(loss, use.name)
        factors.insert(
            0, Factor(symbol, chain.adjoint[use], trace, over=loss, by=use.name, by_name=True)
        )
    symbol = " · ".join(factor.symbol for factor in factors)
    product = Line(symbol, chain.share(use, derivative), trace, by_name=True)
    return Contribution(use.name, tuple(factors), product)


def _without_leading_ones(factors: list[Factor], loss: str) -> list[Factor]:
    """∂E/∂E_o1 = 1 is not written: the next factor's numerator becomes the loss."""
    while len(factors) > 1 and constant_value(factors[0].node) == 1:
        following = factors[1]
        factors = [
            Factor(
                partial(loss, following.by),
                following.node,
                following.trace,
                over=loss,
                by=following.by,
                quantity=following.quantity,
                reason=following.reason,
                by_name=following.by_name,
            ),
            *factors[2:],
        ]
    return factors


def _factor_reason(chain: Chain, over: Node, value: float) -> Reason | None:
    """Why a local derivative is (nearly) zero: the kind of step that it belongs to."""
    record = over.primitive
    if not isinstance(record, Pointwise):
        return None
    fold = chain.folds.get(over)
    if record.saturates or (fold is not None and fold.composite.saturates):
        return "saturated" if abs(value) < SATURATED_BELOW else None
    if value == 0 and (record.kink is not None or record.name == "where"):
        return "masked"
    return None


def _reason(chain: Chain, trace: Trace, parameter: Node, factors: list[Factor]) -> Reason | None:
    """What a zero gradient means, or that its chain passes a saturated step.

    The steps towards the loss are searched breadth first, through those whose
    share is zero, for the nearest one that says why.
    """
    saturated = any(factor.reason == "saturated" for factor in factors)
    if trace[chain.adjoint[parameter]] != 0:
        return "saturated" if saturated else None
    reached = [parameter]
    seen = {parameter}
    for at in reached:
        shares = [trace[chain.share(use, local)] for use, local in chain.uses.get(at, ())]
        if any(share != 0 for share in shares):
            return "cancelled"
        for use, local in chain.uses.get(at, ()):
            reason = _factor_reason(chain, use, trace[local])
            if reason is not None:
                return reason
            if use not in seen:
                seen.add(use)
                reached.append(use)
    return "zero factor"


def opened(chain: Chain, trace: Trace, derivations: list[Derivation]) -> list[Line]:
    """The shared δ's that the derivations refer to, and those that these refer to, once each.

    They come in the order in which reverse mode computes them: from the loss on.
    """
    roots: list[Node] = []
    for derivation in derivations:
        if derivation.result is not None:
            roots.append(derivation.result.node)
    own = {derivation.result.node for derivation in derivations if derivation.result is not None}
    lines = []
    for node in topological(roots):
        quantity = chain.quantity_of.get(node)
        if node.name is None or quantity is None or quantity.name is None:
            continue
        if node in own and quantity.primitive.name == "variable":
            continue
        assert chain.loss.name is not None
        lines.append(Line(partial(chain.loss.name, quantity.name), node, trace))
    return lines
