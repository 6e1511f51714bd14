"""The functions that a file may call, as one table.

Each builds its result through the builder.  Lists are taken where a reduction
or a loss is meant; everything else asks for numbers or arrays.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from chainrule.frontends.equations.values import (
    Known,
    MisuseError,
    Value,
    array,
    condition,
    number,
    whole,
)
from chainrule.graph.build import Builder
from chainrule.graph.node import Node
from chainrule.primitives import REGISTRY, Composite
from chainrule.primitives.composites import COMPOSITES

__all__ = ["KNOWN", "METHODS", "NAMED_NUMBERS", "NOT_FINITE", "matmul"]

NAMED_NUMBERS = {"pi": math.pi, "e": math.e}
NOT_FINITE = ("inf", "Inf", "infty", "nan", "NaN")
METHODS = ("dot", "max", "mean", "min", "reshape", "sum", "transpose")
"""Known functions that may be called on an array: `x.reshape(2, 1)`."""

# ------------------------------------------------------------------------ entry by entry

_POINTWISE = (
    *("exp", "log", "sqrt", "abs", "sin", "cos", "erf", "log1p", "expm1"),
    *("sigmoid", "tanh", "relu", "softplus", "gelu", "silu", "leaky_relu", "elu", "pow"),
)
_DEFAULTS = {"leaky_relu": {"alpha": 0.01}, "elu": {"alpha": 1.0}}
_SYNONYMS = {
    "fabs": "abs",
    "absolute": "abs",
    "expit": "sigmoid",
    "swish": "silu",
    "power": "pow",
    "maximum": "max",
    "minimum": "min",
    "asarray": "array",
}


def _pointwise(name: str) -> Known:
    def apply(op: Builder, *values: Value) -> Node:
        return op.apply(name, *(number(op, value) for value in values))

    operands = REGISTRY[name].operands  # type: ignore[union-attr]
    return Known(name, operands, apply, _DEFAULTS.get(name, {}))


def _square(op: Builder, x: Value) -> Node:
    return op.pow(number(op, x), 2.0)


def _where(op: Builder, c: Value, a: Value, b: Value) -> Node:
    return op.where(condition(op, c), number(op, a), number(op, b))


def _float(op: Builder, x: Value) -> Node:
    node = number(op, x)
    if node.shape:
        raise MisuseError(
            "ShapeError", f"float of an array of shape {node.shape}", needs="one number"
        )
    return node


# --------------------------------------------------------------------------- reductions


def _scalars(value: Value) -> list[Node] | None:
    """The entries of a flat list of numbers, or None when it is anything else."""
    if not isinstance(value, tuple) or not value:
        return None
    nodes = [item for item in value if isinstance(item, Node) and not item.shape]
    return nodes if len(nodes) == len(value) else None


def _axis(axis: Value | None) -> int | None:
    return None if axis is None else whole(axis, "axis")


def _sum(op: Builder, x: Value, axis: Value | None) -> Node:
    entries = _scalars(x)
    if entries is not None and axis is None:
        return functools.reduce(op.add, (number(op, entry) for entry in entries))
    return op.sum(array(op, x), _axis(axis))


def _mean(op: Builder, x: Value, axis: Value | None) -> Node:
    entries = _scalars(x)
    if entries is not None:
        return op.div(_sum(op, x, axis), float(len(entries)))
    if axis is None:
        return op.composite("mean", array(op, x))
    total = _sum(op, x, axis)
    counted = math.prod(array(op, x).shape) // max(1, math.prod(total.shape))
    return op.div(total, float(counted))


def _extreme(pairwise: str) -> Callable[..., Node]:
    """The largest or the smallest of the arguments, or of the entries of a single one."""

    def apply(op: Builder, x: Value, *more: Value) -> Node:
        entries = [x, *more] if more else _scalars(x)
        if entries is not None:
            return functools.reduce(getattr(op, pairwise), [number(op, item) for item in entries])
        if pairwise == "maximum":
            return op.max(array(op, x))
        return op.neg(op.max(op.neg(array(op, x))))

    return apply


# --------------------------------------------------------------------- products and moves


def matmul(op: Builder, a: Value, b: Value) -> Node:
    """The product `a @ b` of arrays; also of flat lists, term by term."""
    left, right = _scalars(a), _scalars(b)
    if left is not None and right is not None and len(left) == len(right):
        products = [op.mul(x, y) for x, y in zip(left, right, strict=True)]
        return functools.reduce(op.add, products)
    return op.matmul(array(op, a), array(op, b))


def _dot(op: Builder, a: Value, b: Value) -> Node:
    if any(isinstance(item, Node) and not item.shape for item in (a, b)):
        return op.mul(number(op, a), number(op, b))
    return matmul(op, a, b)


def _transpose(op: Builder, x: Value) -> Node:
    return op.transpose(array(op, x))


def _reshape(op: Builder, x: Value, *shape: Value) -> Node:
    node = array(op, x)
    nested = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    sizes = [whole(size, "a size") for size in nested]
    if not sizes or sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise MisuseError("ShapeError", f"reshape to {tuple(sizes)}", needs="sizes; one may be -1")
    known = math.prod(size for size in sizes if size != -1)
    rest = math.prod(node.shape) // max(1, known)
    return op.reshape(node, tuple(rest if size == -1 else size for size in sizes))


# ---------------------------------------------------------------- composites of whole arrays

_LAYERS = ("layer_norm", "batch_norm", "batch_norm_fixed", "attention")


def _layer(name: str) -> Known:
    def apply(op: Builder, *values: Value) -> Node:
        return op.composite(name, *(array(op, value) for value in values))

    return Known(name, COMPOSITES[name].operands, apply)


# -------------------------------------------------------------------------------- losses

_OPERAND_NAMES = {"t": "target", "y": "output", "z": "logits", "x": "logits"}


def _normalised(name: str) -> Known:
    """Softmax and its logarithm, along the last axis."""

    def apply(op: Builder, x: Value) -> Node:
        node = array(op, x)
        if not node.shape:
            raise MisuseError("ShapeError", f"{name} of one number", needs="a list or an array")
        return op.composite(name, node)

    return Known(name, ("x",), apply)


def _check_alike(name: str, target: Node, output: Node) -> None:
    """Broadcasting a target against an output is nearly always a mistake."""
    if target.shape != output.shape:
        raise MisuseError(
            "ShapeError",
            f"{name}: target has shape {target.shape}, output has shape {output.shape}",
            needs="a target and an output of one shape",
        )


def _loss(record: Composite) -> Known:
    """A loss, summed over the entries."""
    compares = record.operands[0] == "t"

    def apply(op: Builder, *values: Value) -> Node:
        target, output, *rest = values
        targets, outputs = _scalars(target) or [], _scalars(output) or []
        if compares and record.jacobian is None and targets and len(targets) == len(outputs):
            settings = [number(op, value) for value in rest]
            pairs = zip(targets, outputs, strict=True)
            errors = [op.composite(record.name, t, y, *settings) for t, y in pairs]
            return functools.reduce(op.add, errors)
        nodes = [array(op, value) for value in values]
        if compares:
            _check_alike(record.name, nodes[0], nodes[1])
        return op.sum(op.composite(record.name, *nodes))

    names = tuple(_OPERAND_NAMES.get(name, name) for name in record.operands)
    return Known(record.name, names, apply, {"delta": 1.0} if "delta" in names else {})


# -------------------------------------------------------------------------------- table


def _table() -> dict[str, Known]:
    no_axis = {"axis": None}
    records = [
        *map(_pointwise, _POINTWISE),
        Known("square", ("x",), _square),
        Known("where", ("condition", "a", "b"), _where),
        Known("float", ("x",), _float),
        Known("array", ("entries", "dtype"), lambda op, x, _: array(op, x), {"dtype": None}),
        Known("sum", ("x", "axis"), _sum, no_axis),
        Known("mean", ("x", "axis"), _mean, no_axis),
        Known("max", ("x",), _extreme("maximum"), variadic=True),
        Known("min", ("x",), _extreme("minimum"), variadic=True),
        Known("dot", ("a", "b"), _dot),
        Known("matmul", ("a", "b"), matmul),
        Known("transpose", ("x",), _transpose),
        Known("reshape", ("x",), _reshape, variadic=True),
        *map(_normalised, ("softmax", "log_softmax")),
        *map(_layer, _LAYERS),
    ]
    table = {record.name: record for record in records}
    for name, record in COMPOSITES.items():
        table.setdefault(name, _loss(record))
    return table | {synonym: table[name] for synonym, name in _SYNONYMS.items()}


KNOWN = _table()
"""Every known function by the names that it goes by."""
