"""Fold constants: rewrites that hold to the last digit, applied as nodes are made.

`0.5 * (2 * x)` becomes `x` because halving and doubling are exact; `3 * (x / 3)`
stays, because it is not.  A quotient of constants that is not exact (`1 / 3`)
stays as it was written, so that it is read as it was meant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chainrule.graph.node import Node
from chainrule.primitives import CONSTANT, Pointwise

if TYPE_CHECKING:
    from chainrule.graph.build import Builder

__all__ = ["constant_value", "fold_constants"]


def constant_value(node: Node) -> float | None:
    """The number that every entry of `node` is known to be, or None."""
    while node.primitive.name in ("broadcast", "reshape"):
        node = node.inputs[0]
    return node.attributes["value"] if node.primitive is CONSTANT else None


def _is_power_of_two(value: float) -> bool:
    return abs(math.frexp(value)[0]) == 0.5


def fold_constants(op: Builder, primitive: Pointwise, inputs: tuple[Node, ...]) -> Node | None:
    """A simpler node with the same digits, or None."""
    rule = _RULES.get(primitive.name)
    if rule is None:
        return None
    values = [constant_value(item) for item in inputs]
    if None not in values:
        known = [value for value in values if value is not None]
        if primitive.name == "div" and not _is_exact_quotient(*known):
            return None
        return op.broadcast(op.constant(primitive.scalar_kernel(*known)), inputs[0].shape)
    return rule(op, inputs, values)


def _is_exact_quotient(a: float, b: float) -> bool:
    return _is_power_of_two(b) or (b != 0 and math.fmod(a, b) == 0)


def _is_exact_product(a: float, b: float) -> bool:
    """Whether a * (b * x) is (a * b) * x: one of them only shifts the binary point, and not far."""
    return all(2.0**-64 <= abs(value) <= 2.0**64 for value in (a, b)) and (
        _is_power_of_two(a) or _is_power_of_two(b)
    )


def _neg(op: Builder, inputs: tuple[Node, ...], values: list[float | None]) -> Node | None:
    (a,) = inputs
    if a.name is not None:
        return None
    if a.primitive.name == "neg":
        return a.inputs[0]
    factor = constant_value(a.inputs[0]) if a.primitive.name == "mul" else None
    return None if factor is None else op.mul(op.constant(-factor), a.inputs[1])


def _mul(op: Builder, inputs: tuple[Node, ...], values: list[float | None]) -> Node | None:
    a, b = inputs
    for factor, other in ((values[0], b), (values[1], a)):
        if factor == 1:
            return other
        if factor == -1:
            return op.neg(other)
        if factor is not None and other.primitive.name == "mul" and other.name is None:
            inner = constant_value(other.inputs[0])
            if inner is not None and _is_exact_product(factor, inner):
                return op.mul(op.constant(factor * inner), other.inputs[1])
    return None


def _div(op: Builder, inputs: tuple[Node, ...], values: list[float | None]) -> Node | None:
    return inputs[0] if values[1] == 1 else None


def _pow(op: Builder, inputs: tuple[Node, ...], values: list[float | None]) -> Node | None:
    if values[1] == 1:
        return inputs[0]
    return op.broadcast(op.constant(1.0), inputs[0].shape) if values[1] == 0 else None


def _add(op: Builder, inputs: tuple[Node, ...], values: list[float | None]) -> Node | None:
    a, b = inputs
    return op.sub(a, b.inputs[0]) if b.primitive.name == "neg" and b.name is None else None


def _keep(op: Builder, inputs: tuple[Node, ...], values: list[float | None]) -> Node | None:
    return None


_RULES = {"neg": _neg, "mul": _mul, "div": _div, "pow": _pow, "add": _add, "sub": _keep}
