"""The records: everything chainrule knows about one primitive, in one place.

A step of a network is *pointwise* (it bends each number by itself, and knows
its slope for each operand), *linear* (it mixes and moves numbers, and knows its
transpose and its terms), or it *selects* (linear once the values are known).  A
*composite* is a small function written in primitives that may be read as one
named factor.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.primitives.formula import Formula, interpret, parse

__all__ = ["Composite", "Leaf", "Linear", "Pointwise", "Primitive", "Reads", "Rows", "Select"]

Shape = tuple[int, ...]
Attributes = Mapping[str, Any]
Which = Literal["scalar_kernel", "array_kernel"]
Term = tuple[tuple[int, int], ...]
"""One product of operand entries: (operand number, flat index) pairs."""
Reads = tuple[Any, tuple[tuple[int, Any], ...]]
"""Products of many entries of a result at once: which of them each belongs to, and for each
factor (operand number, flat indices), as arrays of equal length."""


class Rows(Sequence[list[Term]]):
    """The terms of each entry of a result, row-major, worked out when they are looked at."""

    def __init__(self, count: int, row: Callable[[int], list[Term]]) -> None:
        self._count = count
        self._row = row

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, entry: Any) -> Any:
        if not 0 <= entry < self._count:
            raise IndexError(entry)
        return self._row(entry)


def evaluate(
    formula: str | Formula, environment: Mapping[str, Any], which: Which = "scalar_kernel"
) -> Any:
    """A formula's value on numbers, by the primitives' scalar or array kernels."""

    def apply(operation: str, *arguments: Any) -> Any:
        return getattr(REGISTRY[operation], which)(*arguments)

    tree = parse(formula) if isinstance(formula, str) else formula
    return interpret(tree, environment, float, apply)


REGISTRY: dict[str, Primitive] = {}
"""Every primitive by its name, in the order of its table."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A node that is given, not computed: a constant or a variable."""

    name: str


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A step that bends each number by itself.

    `value` and each of `slopes` are formulas (see `primitives.formula`) in the
    operands and, for slopes, the result `y`; None where the step cannot be
    differentiated (a condition).  `scalar` and `array` evaluate a step that the
    formula language cannot reduce further; all others are evaluated from
    `value`.  `notation` is how a person writes it, `domain` the interval of each
    operand on which the record is tested, `kink` a formula that is zero exactly
    where the slope jumps, `at_kink` what is taken there.  `saturates` marks a
    step whose slope dies far from zero; `analytic` one that complex arithmetic
    can pass through.
    """

    name: str
    operands: tuple[str, ...]
    value: str
    slopes: tuple[str | None, ...]
    notation: str
    source: str
    scalar: Callable[..., Any] | None = None
    array: Callable[..., Any] | None = None
    domain: tuple[tuple[float, float], ...] = ()
    kink: str | None = None
    at_kink: str = ""
    saturates: bool = False
    analytic: bool = True
    condition: bool = False

    def __post_init__(self) -> None:
        REGISTRY[self.name] = self

    @property
    def is_basic(self) -> bool:
        """Whether the formula language cannot reduce this step further."""
        return self.scalar is not None

    @functools.cached_property
    def formula(self) -> Formula:
        """The value's tree; its symbols are the operands."""
        return parse(self.value)

    @functools.cached_property
    def scalar_kernel(self) -> Callable[..., Any]:
        """The step on Python floats, with IEEE arithmetic (no exceptions)."""
        return self.scalar if self.scalar is not None else self._from_formula("scalar_kernel")

    @functools.cached_property
    def array_kernel(self) -> Callable[..., Any]:
        """The step on arrays, real or complex, of NumPy or a library like it."""
        return self.array if self.array is not None else self._from_formula("array_kernel")

    def _from_formula(self, which: Which) -> Callable[..., Any]:
        """A Python function of the operands that runs `value`, operation by operation.

        What is made of numbers alone, `sqrt(2)`, is a number in it, which takes the type of
        the arrays that it meets.
        """
        kernels: dict[str, Any] = {}

        def call(operation: str, *arguments: str | float) -> str | float:
            kernel = kernels[operation] = getattr(REGISTRY[operation], which)
            if all(isinstance(item, float) for item in arguments):
                return float(kernel(*arguments))
            return f"{operation}({', '.join(map(str, arguments))})"

        names: dict[str, str | float] = {name: name for name in self.operands}
        body = interpret(self.formula, names, float, call)
        code = compile(f"lambda {', '.join(self.operands)}: {body}", f"<{self.name}>", "eval")
        kernel: Callable[..., Any] = eval(code, kernels)  # the record's own text, nobody else's
        return kernel


@dataclass(frozen=True, eq=False)
class Linear:
    """A step that mixes and moves numbers.

    `shape(*shapes, **attributes)` is the shape rule; it raises ValueError with
    what is needed.  `kernel(*arrays, **attributes)` works on whole
    arrays, of NumPy or a library like it.
    `terms(shapes, attributes)` says, for every entry of the result in row-major
    order, which products of operand entries are added, in which order; None
    means that the kernel only moves entries, so that it says so itself.
    `in_order`, where the kernel adds in an order of its own, is a slower one that
    adds in that of the terms.  `reads(places, shapes, attributes)` says of an array of flat
    indices of the result what `terms` says of each; where it is None the terms are asked.
    `transpose(op, g, *operands, **attributes)` gives, for each operand, the
    contribution of the result's adjoint `g`, written in primitives through `op`;
    `operands` are graph nodes.
    """

    name: str
    operands: tuple[str, ...]
    index: str
    shape: Callable[..., Shape]
    kernel: Callable[..., Any]
    transpose: Callable[..., tuple[Any, ...]]
    notation: str
    source: str
    terms: Callable[[Sequence[Shape], Attributes], Rows] | None = None
    in_order: Callable[..., Any] | None = None
    reads: Callable[[Any, Sequence[Shape], Attributes], list[Reads]] | None = None

    def __post_init__(self) -> None:
        REGISTRY[self.name] = self

    def products(self, places: Any, shapes: Sequence[Shape], attributes: Attributes) -> list[Reads]:
        """What the entries of the result at `places`, flat indices, are made of."""
        if self.reads is not None:
            return self.reads(places, shapes, attributes)
        import numpy

        rows = self.rows(shapes, attributes)
        found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for number, place in enumerate(places.tolist()):
            for term in rows[place]:
                operands = tuple(operand for operand, _ in term)
                found.setdefault(operands, []).append((number, *(flat for _, flat in term)))
        return [
            (columns[0], tuple(zip(operands, columns[1:], strict=True)))
            for operands, products in found.items()
            for columns in (numpy.array(products).T,)
        ]

    def rows(self, shapes: Sequence[Shape], attributes: Attributes) -> Rows:
        """The terms of each entry; what only moves is asked where it moves which number."""
        return (self.terms or self._moved)(shapes, attributes)

    def _moved(self, shapes: Sequence[Shape], attributes: Attributes) -> Rows:
        import numpy

        starts, numbered = [1], []  # 0 is the zero of padding
        for shape in shapes:
            end = starts[-1] + math.prod(shape)
            numbered.append(numpy.arange(starts[-1], end).reshape(shape))
            starts.append(end)
        moved = self.kernel(*numbered, **attributes).ravel()

        def row(entry: int) -> list[Term]:
            number = int(moved[entry])
            operand = bisect.bisect(starts, number) - 1
            return [((operand, number - starts[operand]),)] if number else []

        return Rows(len(moved), row)


@dataclass(frozen=True, eq=False)
class Select:
    """A step that selects: linear once the values are known.

    `pairwise` names the pointwise step that reduces two entries to one, in
    order, which is how an unrolled graph writes it.  The other fields are those
    of `Linear`; `transpose` gets the result `y` too.
    """

    name: str
    operands: tuple[str, ...]
    index: str
    shape: Callable[..., Shape]
    kernel: Callable[..., Any]
    transpose: Callable[..., tuple[Any, ...]]
    notation: str
    source: str
    pairwise: str
    at_tie: str

    def __post_init__(self) -> None:
        REGISTRY[self.name] = self


@dataclass(frozen=True, eq=False)
class Composite:
    """A function written in primitives, read as one factor until it is opened.

    `define(op, *operands, **attributes)` builds it through `op`.  `jacobian`,
    where it is given, is the folded factor: `jacobian(op, y, i, *operands)` gets
    one row of scalar nodes for each operand and for the result, and returns for
    each operand the derivatives of `y[i]` with respect to its entries; and
    `pullback(op, g, y, *operands)` is the same on arrays: the adjoint of each operand
    from the result's adjoint `g`, row by row.  `formula` is what the Jacobian says in
    print; property tests show that all three agree with the opened form.  `layer` marks one
    of whole arrays, which is one factor although no row of it is spelt out.
    """

    name: str
    operands: tuple[str, ...]
    define: Callable[..., Any]
    notation: str
    formula: str
    source: str
    jacobian: Callable[..., tuple[Sequence[Any], ...]] | None = None
    pullback: Callable[..., tuple[Any, ...]] | None = None
    saturates: bool = False
    layer: bool = False


Primitive = Leaf | Pointwise | Linear | Select

CONSTANT = Leaf("constant")
VARIABLE = Leaf("variable")
