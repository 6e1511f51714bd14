"""A model as a program on arrays, as data: statements with formulas in them.

A statement gives one array, or one number, in those before it.  Steps that only move
entries are no statements: a formula reads an array through a `View`, in another order,
repeated or cut out.  The languages write statements as loops or by whole arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.emit.array_names import stem
from chainrule.emit.straight_line import What
from chainrule.graph.model import Order
from chainrule.graph.node import Node
from chainrule.primitives import Formula
from chainrule.primitives.formula import symbols_within
from chainrule.primitives.index import row_major

__all__ = [
    "ArrayProgram",
    "ArraySection",
    "Computed",
    "Entries",
    "Entrywise",
    "FirstMax",
    "Given",
    "Joined",
    "Product",
    "Reduction",
    "Result",
    "View",
    "changes_rows",
]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The entries of `array` as a statement reads them.

    The array is seen in `shape`; from it the reader takes, along each of its own axes,
    `sizes` of the entries along that of `axes`, or repeats one where that is None.
    Along the axes of `shape`, reading begins at `start` and goes on by `step`.
    """

    array: str
    shape: Shape
    sizes: Shape
    axes: tuple[int | None, ...]
    start: Shape
    step: Shape

    @classmethod
    def whole(cls, array: str, shape: Shape) -> View:
        """All entries where they are."""
        rank = len(shape)
        return cls(array, shape, shape, tuple(range(rank)), (0,) * rank, (1,) * rank)

    @property
    def is_whole(self) -> bool:
        """Whether all entries are read where they are."""
        return self == View.whole(self.array, self.shape)

    @property
    def is_contiguous(self) -> bool:
        """Whether the entries lie in the array from its first on, row-major."""
        lie = zip(self.sizes, self.strides, row_major(self.sizes), strict=True)
        return self.offset == 0 and all(own == stride for size, own, stride in lie if size > 1)

    @property
    def offset(self) -> int:
        """Where the first entry lies in the array, row-major."""
        return sum(map(int.__mul__, self.start, row_major(self.shape)))

    @property
    def strides(self) -> Shape:
        """How far a step along each axis of the reader moves in the array."""
        own = row_major(self.shape)
        return tuple(0 if axis is None else self.step[axis] * own[axis] for axis in self.axes)

    def moved(self, node: Node) -> View:
        """What one reads that reads `node`, a step that moves entries, for its operand."""
        attributes = node.attributes
        match node.primitive.name:
            case "broadcast":
                return self.repeated(node.shape)
            case "transpose":
                return self.transposed(attributes["permutation"])
            case "stop":
                return self
            case "slice":
                return self.cut(attributes["start"], attributes["step"], node.shape)
        return self._reshaped(node.shape)

    def transposed(self, order: Shape) -> View:
        """The axes in another order."""
        sizes = tuple(self.sizes[axis] for axis in order)
        return replace(self, sizes=sizes, axes=tuple(self.axes[axis] for axis in order))

    def repeated(self, sizes: Shape) -> View:
        """Along new axes, and along those of one entry, to more sizes."""
        new = len(sizes) - len(self.sizes)
        kept = zip(self.axes, self.sizes, sizes[new:], strict=True)
        axes = (axis if own == size else None for axis, own, size in kept)
        return replace(self, sizes=sizes, axes=((None,) * new + tuple(axes)))

    def spread(self, sizes: Shape, axes: Sequence[int]) -> View:
        """As one reads it who has more axes; its own are the `axes` of these."""
        places = (axes.index(axis) if axis in axes else None for axis in range(len(sizes)))
        own = (None if place is None else self.axes[place] for place in places)
        return replace(self, sizes=sizes, axes=tuple(own))

    def cut(self, start: Shape, step: Shape, sizes: Shape) -> View:
        """Of each axis so many entries, from a start by a step."""
        starts, steps = list(self.start), list(self.step)
        for axis, first, stride in zip(self.axes, start, step, strict=True):
            if axis is not None:
                starts[axis] += first * steps[axis]
                steps[axis] *= stride
        return replace(self, sizes=sizes, start=tuple(starts), step=tuple(steps))

    def _reshaped(self, sizes: Shape) -> View:
        if not changes_rows(self.sizes, sizes):
            moving = (axis for axis, size in zip(self.axes, self.sizes, strict=True) if size != 1)
            axes = tuple(None if size == 1 else next(moving) for size in sizes)
            return replace(self, sizes=sizes, axes=axes)
        assert self.is_whole, "what is moved has to be copied before it is reshaped"
        return View.whole(self.array, sizes)


def changes_rows(before: Shape, after: Shape) -> bool:
    """Whether a reshaping does more than add and take away axes of one entry."""
    return [size for size in before if size != 1] != [size for size in after if size != 1]


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of the given shape by one formula, whose symbols stand for what `reads` says."""

    shape: Shape
    formula: Formula
    reads: Mapping[str, View]

    @property
    def views(self) -> list[View]:
        """What is read, each as often as the formula speaks of it."""
        return [self.reads[symbol] for symbol in symbols_within(self.formula)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """One statement: an array, or a number where its shape is ().

    `meaning` is said beside it where the name does not say it.  A statement that
    `is_part` has no name of its own in the model.
    """

    name: str
    shape: Shape
    meaning: str = ""
    is_part: bool = False

    @property
    def views(self) -> list[View]:
        """What is read."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfEntries(Computed):
    of: Entries

    @property
    def views(self) -> list[View]:
        """What is read."""
        return self.of.views


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrywise(_OfEntries):
    """Each entry by a formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction(_OfEntries):
    """The `operation`, `sum` or `max`, along the `axes` of some entries, in their order."""

    operation: str
    axes: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstMax(_OfEntries):
    """1 at the first largest of some entries along `axes`, else 0."""

    axes: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(Computed):
    """A product of matrices; the terms of an entry are added in their order.

    Shapes: left (m, k), right (k, n).
    """

    left: View
    right: View

    @property
    def views(self) -> list[View]:
        """What is read."""
        return [self.left, self.right]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Computed):
    """Pieces of an array, each with its place; elsewhere the array is 0.

    `axis` is that along which pieces lie side by side and leave nothing over; or None.
    """

    pieces: tuple[tuple[View, Entries], ...]
    axis: int | None = None

    @property
    def views(self) -> list[View]:
        """What is read."""
        return [view for _, entries in self.pieces for view in entries.views]


@dataclass(frozen=True, slots=True)
class Given:
    """An array that is given: its numbers, row-major, and the names of its entries."""

    name: str
    shape: Shape
    values: tuple[float, ...]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """What a result is called, the array that it is, and what its entries are called."""

    label: str
    name: str
    shape: Shape
    labels: Sequence[str]

    @property
    def is_indexed(self) -> bool:
        """Whether the entries are called by what the array is called, and their places."""
        return stem(self.labels, self.shape) == self.label

    @property
    def strides(self) -> Shape:
        """How far apart neighbours along each axis lie."""
        return tuple(row_major(self.shape))


@dataclass(frozen=True, slots=True)
class ArraySection:
    """Statements under a title."""

    title: str
    statements: tuple[Computed, ...]


@dataclass(frozen=True, slots=True)
class ArrayProgram:
    """A program: the arrays that it is given, its statements, its results."""

    title: str
    what: What
    order: Order
    given: tuple[Given, ...]
    sections: tuple[ArraySection, ...]
    results: tuple[Result, ...]

    @property
    def statements(self) -> Iterator[Computed]:
        """Those of all sections."""
        return (item for section in self.sections for item in section.statements)

    @property
    def names(self) -> list[str]:
        """Every name once, in the order of the program."""
        given = (item.name for item in self.given)
        computed = (item.name for item in self.statements)
        labels = (item.label for item in self.results)
        return list(dict.fromkeys([*given, *computed, *labels]))

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every array by its name."""
        given = {item.name: item.shape for item in self.given}
        return given | {item.name: item.shape for item in self.statements}

    @property
    def reads(self) -> list[str]:
        """The array that is read, for each time that one is."""
        views = (view.array for item in self.statements for view in item.views)
        return [*views, *(item.name for item in self.results)]
