"""A node of the graph, and the order in which a graph is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from chainrule.primitives import Composite, Primitive

__all__ = ["Fold", "Node", "Origin", "inside", "topological"]

_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node came from: a line of the user's file, and in which module of a model.

    `module` is a path as a framework writes it, `layer1.0.conv1`.
    """

    place: str
    line: int | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """The composite that a node is the result of, so that it can be read as one factor."""

    composite: Composite
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One step: a primitive applied to inputs.

    `shape` is () for a scalar.  `name` is how the quantity is called; `labels`,
    where given, names each entry of an array in row-major order.
    """

    primitive: Primitive
    inputs: tuple[Node, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=lambda: _NO_ATTRIBUTES)
    shape: tuple[int, ...] = ()
    name: str | None = None
    labels: tuple[str, ...] | None = None
    origin: Origin | None = None
    fold: Fold | None = None

    @property
    def dtype(self) -> str:
        """`bool` for a condition, else `float64`."""
        return "bool" if getattr(self.primitive, "condition", False) else "float64"

    def __repr__(self) -> str:
        called = f" {self.name}" if self.name else ""
        return f"<{self.primitive.name}{called} {self.shape}>"


def topological(outputs: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """All nodes that `outputs` need, inputs first, in a fixed order; no recursion.

    A node for which `stop` holds is listed, but what it needs is not.
    """
    order: list[Node] = []
    done: set[Node] = set()
    for output in outputs:
        stack = [output]
        while stack:
            node = stack[-1]
            if node not in done:
                if node.inputs and (stop is None or not stop(node)):
                    missing = [item for item in node.inputs if item not in done]
                    if missing:
                        stack.extend(reversed(missing))
                        continue
                done.add(node)
                order.append(node)
            stack.pop()
    return order


def inside(node: Node) -> list[Node]:
    """The steps of the composite that a node is the result of, between its operands and it."""
    if node.fold is None:
        return []
    ends = {node, *node.fold.operands}
    steps = topological([node], node.fold.operands.__contains__)
    return [item for item in steps if item not in ends and item.inputs]
