"""Programs on arrays as loops, as all languages of C's family write them.

An array is one row of numbers, row-major.  Axes along which everything that a statement
reads lies evenly are one loop; what is repeated or transposed is read by its index.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.emit.array_program import (
    ArrayProgram,
    Computed,
    Entries,
    Entrywise,
    FirstMax,
    Joined,
    Product,
    Reduction,
    Shape,
    View,
)
from chainrule.emit.identifiers import identifiers
from chainrule.emit.language import WIDTH, Language, broken, inert
from chainrule.primitives import Symbol

__all__ = ["COUNTERS", "Loops"]

COUNTERS = "ijklmnpqrsuv"
"""The variables that count, from the outermost loop on."""

STARTS = {"sum": -0.0, "max": -math.inf}
"""What a sum and a maximum begin with, to the sign of a zero the same as their first entry."""

TARGET = ""
"""What is written in a loop, among the symbols that are read."""


@dataclass(frozen=True, slots=True)
class _Nest:
    """Loops with their counters; how far each moves in what the symbols stand for."""

    counters: str
    sizes: Shape
    strides: Mapping[str, Shape]


class Loops(Language):
    """A language as it writes statements on arrays."""

    program: ArrayProgram

    loop: ClassVar[str]
    """The head of a loop, around `{i}` and `{size}`."""

    variable: ClassVar[str]
    """The declaration of a number that changes, around `{name}` and `{value}`."""

    flag: ClassVar[str]
    """The declaration of a truth value that is not true yet, around `{name}`."""

    array: ClassVar[str]
    """The declaration of an array, around `{name}` and `{size}`."""

    kernels: ClassVar[Mapping[str, str]]
    """The functions `transpose` and `multiply`, as source."""

    locals: ClassVar = frozenset(
        (*COUNTERS, "sum", "largest", "found", "multiply", "transpose", "result", "given", "model")
    )
    """What the text calls its own variables and functions."""

    def __init__(self, program: ArrayProgram) -> None:
        super().__init__(program)
        self._copies = _copies(program)
        names = [*program.names, *self._copies.values()]
        self.identifiers = identifiers(names, self.reserved | self.helpers.keys() | self.locals)
        self._shapes = program.shapes | {name: view.sizes for view, name in self._copies.items()}
        self._homes = _homes(program)
        self._declared: set[str] = set()
        self._at: dict[str, str] = {}

    # ------------------------------------------------------------------- the notation

    def symbol(self, name: str) -> str:
        """The entry that is read, or the number."""
        return self._at[name]

    def identifier(self, array: str) -> str:
        """The identifier of the array in which the entries of this one lie."""
        return self.identifiers[self._homes.get(array, array)]

    def _element(self, symbol: str, view: View, *nests: _Nest) -> str:
        """The entry where the counters of loops are."""
        name = self.identifier(view.array)
        if not self._shapes[view.array]:
            return name
        terms = [
            counter if stride == 1 else f"{stride}*{counter}"
            for nest in nests
            for counter, stride in zip(nest.counters, nest.strides[symbol], strict=True)
            if stride
        ]
        if view.offset or not terms:
            terms.append(str(view.offset))
        return f"{name}[{' + '.join(terms)}]"

    # --------------------------------------------------------------------- statements

    def body(self) -> list[str]:
        """The lines of all sections."""
        lines: list[str] = []
        for section in self.program.sections:
            lines += ["", self.indent + self.comment.format(section.title)]
            for statement in section.statements:
                for line in self._statement(statement):
                    lines += self._fitted(self.indent + line)
        return lines[1:]

    def _fitted(self, line: str) -> Iterator[str]:
        """A line in several, where it is too long; what is said beside one stays beside it."""
        if self.comment.partition("{}")[0] in line:
            yield line
        else:
            depth = line[: len(line) - len(line.lstrip())]
            yield from broken(line, depth + self.indent)

    def used_kernels(self, body: Sequence[str]) -> list[str]:
        """The source of the functions on arrays that the body calls."""
        text = "\n".join(body)
        return [source for name, source in self.kernels.items() if f" {name}(" in text]

    def _statement(self, item: Computed) -> Iterator[str]:
        if isinstance(item, Product):
            yield from self._product(item)
            return
        yield from self._declaration(item)
        if isinstance(item, Reduction):
            yield from self._reduction(item)
        elif isinstance(item, FirstMax):
            yield from self._first_max(item)
        elif isinstance(item, Joined):
            yield from self._joined(item)
        else:
            assert isinstance(item, Entrywise)
            yield from self._entrywise(View.whole(item.name, item.shape), item.of)

    def _declaration(self, item: Computed) -> Iterator[str]:
        """The array, where it is not there yet, and what is said of it."""
        remark = self.remark(item.name, item.meaning)
        home = self._homes.get(item.name, item.name)
        if item.shape and home not in self._declared:
            self._declared.add(home)
            yield self._array(home, item.shape) + (f"  {remark}" if remark else "")
        elif remark:
            yield remark

    def _array(self, name: str, shape: Shape) -> str:
        size = " * ".join(map(str, shape))
        return self.array.format(name=self.identifiers[name], size=size)

    def _entrywise(self, target: View, of: Entries) -> Iterator[str]:
        """Entries, each put where `target` says."""
        nest = _nest(range(len(of.shape)), {TARGET: target, **of.reads})
        for symbol, view in of.reads.items():
            self._at[symbol] = self._element(symbol, view, nest)
        value = self.write(of.formula)
        if not self._shapes[target.array]:
            name = self.identifiers[target.array]
            yield self.assign.format(name=name, value=value)
            return
        yield from self._loops(nest, f"{self._element(TARGET, target, nest)} = {value};")

    def _joined(self, item: Joined) -> Iterator[str]:
        whole = View.whole(item.name, item.shape)
        if item.axis is None and item.shape:
            nest = _nest(range(len(item.shape)), {TARGET: whole})
            zero = f"{self._element(TARGET, whole, nest)} = {self.number(0.0)};"
            yield from self._loops(nest, zero)
        for place, entries in item.pieces:
            yield from self._entrywise(place, entries)

    def _reduction(self, item: Reduction) -> Iterator[str]:
        target, outer, inner = self._split(item)
        entry = self._element(TARGET, target, outer)
        is_sum = item.operation == "sum"
        start, value = self.number(STARTS[item.operation]), self.write(item.of.formula)
        total = ("sum" if is_sum else "largest") if outer.sizes else entry
        more = f"{total} += {value};" if is_sum else self._larger(total, value)
        if item.shape and not outer.sizes:
            first = f"{entry} = {start};"
        else:
            first = self.variable.format(name=total, value=start)
        lines = [first, *self._loops(inner, more)]
        if outer.sizes:
            lines.append(f"{entry} = {total};")
        yield from self._block(outer, lines)

    def _larger(self, total: str, value: str) -> str:
        return f"{total} = {self.function('maximum')}({total}, {value});"

    def _first_max(self, item: FirstMax) -> Iterator[str]:
        """1 at the first entry that is as large as the largest, or the first that is NaN."""
        target, outer, inner = self._split(item)
        value = self.write(item.of.formula)
        entry = self._element(TARGET, target, outer, inner)
        marked = [
            f"{entry} = !found && ({value} == largest || {value} != {value}) ? 1.0 : 0.0;",
            f"found = found || {entry} == 1.0;",
        ]
        lines = self._block(
            outer,
            [
                self.variable.format(name="largest", value=self.number(-math.inf)),
                *self._loops(inner, self._larger("largest", value)),
                self.flag.format(name="found"),
                *self._block(inner, marked),
            ],
        )
        yield from lines if outer.sizes else ["{", *(self.indent + line for line in lines), "}"]

    def _split(self, item: Reduction | FirstMax) -> tuple[View, _Nest, _Nest]:
        """Where the result goes; the loops over its entries, and over what each is made of."""
        shape = item.of.shape
        axes = range(len(shape))
        kept = [axis for axis in axes if axis not in item.axes]
        target = View.whole(item.name, shape)
        if isinstance(item, Reduction):
            reduced = View.whole(item.name, tuple(shape[axis] for axis in kept))
            target = reduced.spread(shape, kept)
        views = {TARGET: target, **item.of.reads}
        outer = _nest(kept, views)
        inner = _nest(item.axes, views, len(outer.sizes))
        for symbol, view in item.of.reads.items():
            self._at[symbol] = self._element(symbol, view, outer, inner)
        return target, outer, inner

    def _product(self, item: Product) -> Iterator[str]:
        remark = self.comment.format(inert(f"{_written(item.left)} {_written(item.right)}"))
        operands = []
        for view in item.views:
            if view in self._copies:
                yield from self._copy(view, self._copies[view])
            name = self._copies.get(view)
            operands.append(self.identifier(view.array if name is None else name))
        yield from self._declaration(item)
        (m, k), (_, n) = item.left.sizes, item.right.sizes
        line = f"multiply({m}, {n}, {k}, {', '.join(operands)}, {self.identifier(item.name)});"
        if len(self.indent) + len(line) + 2 + len(remark) > WIDTH:
            yield remark
            yield line
        else:
            yield f"{line}  {remark}"

    def _copy(self, view: View, name: str) -> Iterator[str]:
        """The operand of a product as it is multiplied."""
        if name in self._declared:
            return
        self._declared.add(name)
        yield self._array(name, view.sizes)
        if self._shapes[view.array] and view.transposed((1, 0)).is_contiguous:
            rows, columns = view.sizes
            source, own = self.identifier(view.array), self.identifiers[name]
            yield f"transpose({columns}, {rows}, {source}, {own});"
        else:
            of = Entries(view.sizes, Symbol(name), {name: view})
            yield from self._entrywise(View.whole(name, view.sizes), of)

    # -------------------------------------------------------------------------- loops

    def _heads(self, nest: _Nest) -> list[str]:
        return [
            self.indent * depth + self.loop.format(i=counter, size=size)
            for depth, (counter, size) in enumerate(zip(nest.counters, nest.sizes, strict=True))
        ]

    def _loops(self, nest: _Nest, line: str) -> Iterator[str]:
        """One line in loops."""
        yield from self._heads(nest)
        yield self.indent * len(nest.sizes) + line

    def _block(self, nest: _Nest, lines: Iterable[str]) -> Iterator[str]:
        """Several lines in loops, in braces."""
        *heads, last = ["", *self._heads(nest)]
        yield from heads[1:]
        if last:
            yield f"{last} {{"
        indent = self.indent * len(nest.sizes)
        yield from (indent + line for line in lines)
        if last:
            yield f"{indent[len(self.indent) :]}}}"


def _nest(axes: Iterable[int], views: Mapping[str, View], outside: int = 0) -> _Nest:
    """The loops over these axes of what is read, those of one entry left out.

    Neighbours along which all views lie evenly become one.
    """
    sizes: list[int] = []
    strides: list[tuple[int, ...]] = []
    for axis in axes:
        size = next(iter(views.values())).sizes[axis]
        own = tuple(view.strides[axis] for view in views.values())
        if size == 1:
            continue
        if sizes and strides[-1] == tuple(size * stride for stride in own):
            sizes[-1] *= size
            strides[-1] = own
        else:
            sizes.append(size)
            strides.append(own)
    columns = zip(*strides, strict=True) if strides else [()] * len(views)
    counters = COUNTERS[outside : outside + len(sizes)]
    return _Nest(counters, tuple(sizes), dict(zip(views, columns, strict=True)))


def _copies(program: ArrayProgram) -> dict[View, str]:
    """Names for the operands of products that do not lie in memory as they are multiplied."""
    copies: dict[View, str] = {}
    shapes = program.shapes
    for item in program.statements:
        for view in item.views if isinstance(item, Product) else ():
            lies = view.is_contiguous and shapes[view.array]
            if not lies and view not in copies:
                mark = "ᵀ" if view.transposed((1, 0)).is_contiguous else " copy"
                count = sum(name.startswith(f"{view.array}{mark}") for name in copies.values())
                name = f"{view.array}{mark}{count + 1 if count else ''}"
                while name in shapes:
                    name += "_"
                copies[view] = name
    return copies


def _homes(program: ArrayProgram) -> dict[str, str]:
    """For parts that one statement reads, entry by entry, the array that it makes of them."""
    reads = Counter(program.reads)
    parts = {
        item.name
        for item in program.statements
        if item.is_part and isinstance(item, Product | Reduction)
    }
    homes: dict[str, str] = {}
    for item in program.statements:
        if not isinstance(item, Entrywise) or not item.shape:
            continue
        for view in item.views:
            is_own = view == View.whole(view.array, item.shape)
            is_free = reads[view.array] == 1 and item.name not in homes.values()
            if view.array in parts and is_own and is_free:
                homes[view.array] = item.name
    return homes


def _written(view: View) -> str:
    """An operand of a product in a comment."""
    return f"{view.array}ᵀ" if view.axes == (1, 0) else view.array
