"""What an entry in the table of operations is, and what its function is given to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from chainrule.graph.build import Builder, Operand
from chainrule.graph.node import Node

__all__ = ["OPERATIONS", "Operation", "Step", "UnsupportedError", "axis_of", "operation"]

Shape = tuple[int, ...]
Build = TypeVar("Build", bound=Callable[..., Any])


class UnsupportedError(Exception):
    """An operation cannot be built from primitives; says which variant of it, and what can."""

    def __init__(self, what: str, needs: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.needs = needs


class Step(Protocol):
    """What a function of the table builds with: one operation of the traced module.

    Its arguments are as PyTorch gives them, with nodes for tensors that depend on a
    parameter or are floating constants; tensors of integers or truth values, which are known,
    stay tensors.
    """

    op: Builder

    @property
    def shape(self) -> Shape:
        """The shape of the (first) result."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of all results."""

    def number(self, value: Any) -> Operand:
        """Any argument as a node of numbers, truth values as 0 and 1; a Python number as it is."""

    def node(self, value: Any) -> Node:
        """The same, always a node."""

    def condition(self, value: Any) -> Node:
        """Any argument as a node of truth values."""

    def constant(self, word: str, tensor: Any) -> Node:
        """A constant leaf, called `word` in the module that the operation stands in."""

    def shared(self, name: str, tensor: Any) -> Node:
        """A constant leaf that all operations share."""

    def draw(self, draw: Callable[[], Any]) -> Any:
        """A tensor that is drawn at random now, and is what PyTorch will be given as well."""


@dataclass(frozen=True)
class Operation:
    """One operation of PyTorch: its overloads, and the function that builds it.

    `steps` says in words of the primitives what it becomes, `note` what a reader should know.
    An operation that `moves` only moves numbers; its result has no name of its own.
    """

    name: str
    overloads: tuple[str, ...]
    build: Callable[..., Any]
    steps: str
    note: str = ""
    moves: bool = False

    @property
    def word(self) -> str:
        """The name as a reader says it: `_native_batch_norm_legit` is `batch_norm`."""
        word = self.name.strip("_").removeprefix("native_")
        for ending in ("_legit_functional", "_legit_no_training", "_legit", "_forward"):
            word = word.removesuffix(ending)
        return _WORDS.get(word, word)


_WORDS = {
    "scaled_dot_product_attention": "attention",
    "max_pool2d_with_indices": "max_pool2d",
    "linalg_vector_norm": "norm",
    "addmm": "linear",
    "mm": "matmul",
    "bmm": "matmul",
}

OPERATIONS: dict[str, Operation] = {}
"""Every operation by its name and overload, `add.Tensor`."""


def operation(
    *names: str, steps: str, note: str = "", moves: bool = False
) -> Callable[[Build], Build]:
    """Enters the function in the table under each of `names`, `add.Tensor` or `relu` (default)."""

    def enter(build: Build) -> Build:
        overloads: dict[str, list[str]] = {}
        for full in names:
            name, _, overload = full.partition(".")
            overloads.setdefault(name, []).append(overload or "default")
        for name, own in overloads.items():
            entry = Operation(name, tuple(own), build, steps, note, moves)
            for overload in own:
                OPERATIONS[f"{name}.{overload}"] = entry
        return build

    return enter


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from the front."""
    return axis + rank if axis < 0 else axis
