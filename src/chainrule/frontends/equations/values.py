"""What an expression can be: a node of the graph, a list of values, or a function."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chainrule.graph.build import Builder
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.primitives import CONSTANT, VARIABLE, Pointwise

__all__ = [
    "Defined",
    "Known",
    "MisuseError",
    "Numbers",
    "Value",
    "array",
    "bind",
    "condition",
    "describe",
    "number",
    "whole",
]


@dataclass(frozen=True, slots=True)
class Known:
    """A function that every file may use; `apply(op, *values)` builds its result.

    A parameter that `defaults` lacks must be given; after the named ones,
    `variadic` takes any number more.
    """

    name: str
    parameters: tuple[str, ...]
    apply: Callable[..., Value]
    defaults: Mapping[str, Value | float | None] = field(default_factory=dict)
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Defined:
    """A function of the user's own: one expression in its parameters."""

    name: str
    parameters: tuple[str, ...]
    body: ast.expr
    defaults: Mapping[str, Value | float | None] = field(default_factory=dict)
    variadic: bool = False


Value: TypeAlias = "Node | tuple[Value, ...] | Known | Defined"


class MisuseError(Exception):
    """A value that cannot be used so; whoever knows the line makes it a fault."""

    def __init__(self, kind: str, what: str, needs: str | None = None, hint: str | None = None):
        super().__init__(what)
        self.kind, self.what, self.needs, self.hint = kind, what, needs, hint


def describe(value: Value) -> str:
    """A value in words: `a list of 3 entries`, `an array of shape (2, 1)`."""
    if isinstance(value, tuple):
        return f"a list of {len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, Node):
        return f"an array of shape {value.shape}" if value.shape else "a number"
    return f"the function {value.name}"


# -------------------------------------------------------------------------- conversions


def number(op: Builder, value: Value | float) -> Node:
    """The value as a number or an array; a truth value counts 1 or 0."""
    if isinstance(value, float):
        return op.constant(value)
    if isinstance(value, Node):
        return op.where(value, 1.0, 0.0) if value.dtype == "bool" else value
    if isinstance(value, tuple):
        raise MisuseError(
            "TypeError",
            f"{describe(value)} where a number belongs",
            needs="numbers; a list has no arithmetic",
            hint="np.array([...]) is worked entry by entry; w[0] is one entry of a list",
        )
    raise MisuseError(
        "TypeError",
        f"{value.name} is a function, used as a number",
        hint=f"{value.name}({', '.join(value.parameters)})",
    )


def condition(op: Builder, value: Value) -> Node:
    """The value as a truth value: a number is true unless it is 0."""
    if isinstance(value, Node) and value.dtype == "bool":
        return value
    return op.not_equal(number(op, value), 0.0)


def array(op: Builder, value: Value | float) -> Node:
    """A list, nested or not, as one array; anything else as it is."""
    if not isinstance(value, tuple):
        return number(op, value)
    if not value:
        raise MisuseError("ShapeError", "an array of no entries", needs="one number or more")
    parts = [array(op, item) for item in value]
    shapes = {part.shape: None for part in parts}
    if len(shapes) > 1:
        seen = " and ".join(str(shape) for shape in list(shapes)[:3])
        raise MisuseError(
            "ShapeError",
            f"the rows of an array differ: their shapes are {seen}",
            needs="rows of one length",
        )
    rows = [op.reshape(part, (1, *part.shape)) for part in parts]
    return op.concat(*rows, axis=0) if len(rows) > 1 else rows[0]


def whole(value: Value, what: str) -> int:
    """A whole number that the file writes out. Raises: MisuseError, calling it `what`."""
    known = constant_value(value) if isinstance(value, Node) and value.shape == () else None
    if known is None or not known.is_integer():
        raise MisuseError(
            "IndexError",
            f"{what} is not a whole number that is written out",
            needs="a whole number such as 0, 1 or -1",
            hint="write the number itself: w[0]",
        )
    return int(known)


def bind(
    function: Known | Defined, given: list[Value], keywords: Mapping[str, Value]
) -> list[Value | float | None]:
    """The arguments in the order of the parameters. Raises: MisuseError when they do not fit."""
    parameters = function.parameters
    required = [name for name in parameters if name not in function.defaults]
    takes = f"{function.name} takes {_signature(function)}"
    if len(given) > len(parameters) and not function.variadic:
        raise MisuseError(
            "TypeError", f"{function.name} is given {len(given)} arguments", needs=takes
        )
    bound: dict[str, Value | float | None] = dict(zip(parameters, given, strict=False))
    for name, value in keywords.items():
        if name not in parameters:
            raise MisuseError(
                "TypeError", f'{function.name} has no parameter "{name}"', needs=takes
            )
        if name in bound:
            raise MisuseError("TypeError", f'{function.name} is given "{name}" twice', needs=takes)
        bound[name] = value
    missing = [name for name in required if name not in bound]
    if missing:
        lacks = " and ".join(f'"{name}"' for name in missing)
        raise MisuseError("TypeError", f"{function.name} is called without {lacks}", needs=takes)
    complete = [bound[name] if name in bound else function.defaults[name] for name in parameters]
    return [*complete, *given[len(parameters) :]]


def _signature(function: Known | Defined) -> str:
    optional = [
        f"{name}=..." if name in function.defaults else name for name in function.parameters
    ]
    more = ["..."] if function.variadic else []
    return f"({', '.join(optional + more)})"


# ------------------------------------------------------------------- numbers known already


class Numbers:
    """The values of nodes that are made of numbers alone."""

    def __init__(self) -> None:
        self._known: dict[Node, Any] = {}

    def of(self, node: Node) -> Any:
        """A float, or a NumPy array for an array; None when a leaf is under the node."""
        if node not in self._known:
            for item in topological([node], stop=self._known.__contains__):
                if item not in self._known:
                    self._known[item] = self._compute(item)
        return self._known[node]

    def _compute(self, node: Node) -> Any:
        primitive = node.primitive
        if primitive is CONSTANT:
            return node.attributes["value"]
        operands = [self._known[item] for item in node.inputs]
        if primitive is VARIABLE or any(value is None for value in operands):
            return None
        if isinstance(primitive, Pointwise) and node.shape == ():
            return primitive.scalar_kernel(*operands)
        import numpy  # for arrays alone

        arrays = [numpy.asarray(value) for value in operands]
        with numpy.errstate(all="ignore"):
            if isinstance(primitive, Pointwise):
                return primitive.array_kernel(*arrays)
            result = primitive.kernel(*arrays, **node.attributes)  # type: ignore[union-attr]
        return float(result) if node.shape == () else result

    def finite(self, node: Node) -> bool:
        """Whether no entry is known to be infinite or NaN."""
        value = self.of(node)
        if value is None:
            return True
        if not node.shape:
            return math.isfinite(value)
        import numpy

        return bool(numpy.isfinite(value).all())

    def has_zero(self, node: Node) -> bool:
        """Whether some entry is known to be 0."""
        value = self.of(node)
        if value is None or not node.shape:
            return bool(value == 0)
        import numpy

        return not numpy.all(value)
