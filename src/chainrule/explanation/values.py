"""The values of every quantity of a model, each with its formula: the forward pass."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.errors import Fault, NumericError
from chainrule.explanation.derivation import SATURATED_BELOW, Line
from chainrule.graph.model import Convention, Model
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.prune import depending
from chainrule.graph.passes.unroll import Unrolled, quantities
from chainrule.graph.trace import Trace
from chainrule.mime import Displayed
from chainrule.primitives import Pointwise
from chainrule.primitives.record import evaluate

__all__ = [
    "Values",
    "is_saturated",
    "non_finite",
    "parts_of_loss",
    "raise_non_finite",
    "values_of",
]


@dataclass(frozen=True)
class Values(Displayed):
    """What a model computes: `given` leaves by role, then every quantity in order.

    `saturated` names the quantities whose step has all but lost its slope.
    """

    title: str
    loss: str
    given: tuple[tuple[str, str, float], ...]
    lines: tuple[Line, ...]
    saturated: tuple[str, ...]
    conventions: tuple[Convention, ...]

    @property
    def numbers(self) -> dict[str, float]:
        """Every number by its name, given and computed."""
        own = {line.symbol: line.value for line in self.lines}
        return {name: value for name, _, value in self.given} | own


def values_of(model: Model, unrolled: Unrolled, nodes: list[Node], trace: Trace) -> Values:
    """The forward pass of a model, as far as it is spelt out in the quantities `nodes`."""
    loss = unrolled.at[model.loss][0].name or ""
    lines = tuple(Line(node.name or "", node, trace) for node in nodes)
    given = tuple(
        (label, leaf.role, value) for leaf in model.leaves for label, value in leaf.entries
    )
    saturated = tuple(node.name or "" for node in nodes if is_saturated(unrolled, node, trace))
    return Values(model.title, loss, given, lines, saturated, model.conventions)


def parts_of_loss(model: Model, unrolled: Unrolled) -> frozenset[str]:
    """The quantities that compare outputs with targets, down to the loss itself."""
    loss = unrolled.at[model.loss][0]
    order = topological([loss])
    targets = {
        entry
        for leaf in model.leaves
        if leaf.role == "target"
        for entry in unrolled.at.get(leaf.node, {}).values()
    }
    return frozenset(
        node.name
        for node in depending(order, targets, lambda node: False) | {loss}
        if node.name is not None and node.inputs
    )


def is_saturated(unrolled: Unrolled, node: Node, trace: Trace) -> bool:
    """Whether the step that gives `node` has a slope below `SATURATED_BELOW`."""
    fold = unrolled.folds.get(node)
    if fold is not None and fold.composite.saturates:
        return bool(trace[node] * (1 - trace[node]) < SATURATED_BELOW)
    record = node.primitive
    if not isinstance(record, Pointwise) or not record.saturates:
        return False
    place = record.operands.index("z") if "z" in record.operands else 0
    slope = record.slopes[place]
    assert slope is not None
    numbers = {name: trace[item] for name, item in zip(record.operands, node.inputs, strict=True)}
    at = numbers | {"y": trace[node]}
    return bool(abs(evaluate(slope, at)) < SATURATED_BELOW)


def non_finite(lines: list[Line]) -> NumericError | None:
    """The error that names the first line of working that is not a finite number."""
    for line in lines:
        if line.value - line.value != 0:  # NaN or infinity
            origin = line.node.origin
            return NumericError(
                Fault(
                    "NumericError",
                    f"{line.symbol} is {line.value}: {line.formula} = {line.substituted}",
                    origin.place if origin else None,
                    origin.line if origin else None,
                    needs="finite numbers all the way; this is the first that is not",
                    hint=_HINTS.get(_culprit(line.formula)),
                )
            )
    return None


def raise_non_finite(unrolled: Unrolled, loss: Node, trace: Trace) -> None:
    """Raises: NumericError naming the first quantity on the way to `loss` that is not finite."""
    nodes = [node for node in quantities(unrolled, [loss]) if node in trace.values]
    error = non_finite([Line(node.name or "", node, trace) for node in nodes])
    if error is not None:
        raise error


_HINTS = {
    "log": "keep the logarithm's argument above 0; where it is a probability that rounds to 0, "
    "a loss `... from logits` stays finite",
    "exp": "an exponential overflowed: smaller weights, or inputs nearer to 0",
}


def _culprit(formula: str) -> str:
    return next((name for name in _HINTS if f"{name}(" in formula), "")
