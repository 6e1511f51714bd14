"""The product of small matrices, as a step that numba compiles in place.

A call of BLAS first puts both operands in order, which takes longer than a small product.
Here the result is worked in tiles that fit the registers: each entry is a sum that stays in
one until all its terms are added, in their order.  Only a panel of the right operand, as
wide as a tile, is put in order, where several tiles read it.

Source: Goto and van de Geijn (2008), ACM TOMS 34(3), the innermost kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["multiply"]

INDEX = ir.IntType(64)
ABREAST = 2
"""Vectors beside each other in a tile: with one, each entry that is loaded serves too little."""


class Registers(NamedTuple):
    """Vector registers: how many, and the bytes that one holds."""

    number: int
    width: int


@functools.cache
def _registers() -> Registers:
    """Those of this machine."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return Registers(32, 64)
    if features.get("avx2"):
        return Registers(16, 32)
    return Registers(32 if features.get("neon") else 16, 16)


class _Columns(NamedTuple):
    """Columns of a matrix: where it begins, the first of them, and how wide a row is."""

    start: ir.Value
    first: ir.Value
    width: int


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def multiply(
    typing: Any,
    m: Any,
    n: Any,
    k: Any,
    flag: Any,
    left: Any,
    right: Any,
    result: Any,
    panel: Any,
    scale: Any = None,
) -> Any:
    """result = left · right, or, with a scale, result + scale · left · right.

    The sizes and the flag, "T" where left is given transposed and else "N", are constants.

    Shapes: left (m, k), transposed (k, m); right (k, n); result (m, n), all by rows; panel
    (k · `emit.plan.PANEL`,), any numbers.
    """
    is_scaled = isinstance(scale, types.Float)
    given = (m, n, k, flag, left, right, result, panel)
    signature = types.void(*given, scale if is_scaled else types.Omitted(None))

    sizes = (m.literal_value, n.literal_value, k.literal_value)
    is_transposed = flag.literal_value == ord("T")

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        arrays = zip(signature.args[4:8], arguments[4:8], strict=True)
        given = [context.make_array(kind)(context, builder, value).data for kind, value in arrays]
        if is_scaled:
            given.append(arguments[8])
        builder.call(_function(builder.module, sizes, is_transposed, given), given)
        return context.get_dummy_value()

    return signature, code


def _function(
    module: ir.Module, sizes: tuple[int, int, int], is_transposed: bool, given: Sequence[ir.Value]
) -> ir.Function:
    """The product of these sizes.  It is one function, so that it is compiled once.

    Loops of known length are not unrolled there, which would take long and gain nothing.
    """
    real = given[0].type.pointee
    name = f"multiply_{'_'.join(map(str, sizes))}_{real}_{is_transposed:d}_{len(given)}"
    if name in module.globals:
        return module.globals[name]
    kind = ir.FunctionType(ir.VoidType(), [item.type for item in given])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("optsize")
    to = ir.IRBuilder(function.append_basic_block())
    left, right, result, panel, *scale = function.args
    _Product(to, real, *sizes, is_transposed, left, right, result, panel, *scale).write()
    to.ret_void()
    return function


@dataclass(frozen=True)
class _Product:
    """Writes the loops over tiles, and the tiles; the arrays are their addresses."""

    to: ir.IRBuilder
    real: ir.Type
    m: int
    n: int
    k: int
    transposed: bool
    left: ir.Value
    right: ir.Value
    result: ir.Value
    panel: ir.Value
    scale: ir.Value | None = None

    @property
    def _bytes(self) -> int:
        return 4 if isinstance(self.real, ir.FloatType) else 8

    def write(self) -> None:
        """Columns of whole vectors in a loop, then what is left of them."""
        lanes = _registers().width // self._bytes
        whole, rest = divmod(self.n, ABREAST * lanes)
        self._repeat(whole, ABREAST * lanes, lambda column: self._rows(column, [lanes] * ABREAST))
        if rest:
            self._rows(INDEX(self.n - rest), list(_powers_of_two(rest, lanes)))

    def _rows(self, column: ir.Value, widths: Sequence[int]) -> None:
        """The tiles below each other, of heights as equal as they can be."""
        most = max(1, (_registers().number - 1 - len(widths)) // len(widths))
        tiles = _ceiling(self.m, most)
        height = _ceiling(self.m, tiles)
        right = _Columns(self.right, column, self.n)
        if sum(widths) < self.n and tiles > 2:
            right = self._packed(right, widths)
        whole, rest = divmod(self.m, height)
        self._repeat(whole, height, lambda row: self._tile(row, height, right, column, widths))
        if rest:
            self._tile(INDEX(self.m - rest), rest, right, column, widths)

    def _packed(self, columns: _Columns, widths: Sequence[int]) -> _Columns:
        """The same columns in the panel, one row after another."""
        packed = _Columns(self.panel, INDEX(0), sum(widths))

        def copy(row: ir.Value) -> None:
            sources, targets = (self._vectors(item, row, widths) for item in (columns, packed))
            for source, target in zip(sources, targets, strict=True):
                self.to.store(self._load(source), target, align=self._bytes)

        self._repeat(self.k, 1, copy)
        return packed

    def _tile(
        self,
        row: ir.Value,
        height: int,
        right: _Columns,
        column: ir.Value,
        widths: Sequence[int],
    ) -> None:
        """The sums over all terms, and their way into the result."""
        to = self.to
        rows = [to.add(row, INDEX(number)) for number in range(height)]
        before, loop, after = to.block, to.append_basic_block(), to.append_basic_block()
        to.branch(loop)
        to.position_at_end(loop)
        term = to.phi(INDEX)
        olds = [[to.phi(ir.VectorType(self.real, width)) for width in widths] for _ in rows]
        factors = [self._load(at) for at in self._vectors(right, term, widths)]
        news = []
        for number, sums in zip(rows, olds, strict=True):
            at = (term, self.m, number) if self.transposed else (number, self.k, term)
            entry = to.load(self._address(self.left, *at))
            news.append([self._added(entry, *pair) for pair in zip(factors, sums, strict=True)])
        following = to.add(term, INDEX(1))
        to.cbranch(to.icmp_signed("<", following, INDEX(self.k)), loop, after)
        term.add_incoming(INDEX(0), before)
        term.add_incoming(following, loop)
        for old, new in zip(chain(*olds), chain(*news), strict=True):
            old.add_incoming(ir.Constant(old.type, [0.0] * old.type.count), before)
            old.add_incoming(new, loop)
        to.position_at_end(after)
        result = _Columns(self.result, column, self.n)
        for number, sums in zip(rows, news, strict=True):
            for at, value in zip(self._vectors(result, number, widths), sums, strict=True):
                if self.scale is not None:
                    value = self._added(self.scale, value, self._load(at))
                to.store(value, at, align=self._bytes)

    # ------------------------------------------------------------------------ instructions

    def _repeat(self, count: int, stride: int, body: Callable[[ir.Value], None]) -> None:
        """`body` at 0, stride, ..., (count - 1) · stride."""
        if count == 1:
            body(INDEX(0))
        if count <= 1:
            return
        to = self.to
        before, loop = to.block, to.append_basic_block()
        to.branch(loop)
        to.position_at_end(loop)
        place = to.phi(INDEX)
        place.add_incoming(INDEX(0), before)
        body(place)
        following = to.add(place, INDEX(stride))
        place.add_incoming(following, to.block)
        after = to.append_basic_block()
        to.cbranch(to.icmp_signed("<", following, INDEX(count * stride)), loop, after)
        to.position_at_end(after)

    def _address(self, start: ir.Value, row: ir.Value, width: int, column: ir.Value) -> ir.Value:
        """Where the entry of a row is, in a matrix of that width."""
        place = self.to.add(self.to.mul(row, INDEX(width)), column)
        return self.to.gep(start, [place])

    def _vectors(
        self, columns: _Columns, row: ir.Value, widths: Sequence[int]
    ) -> Iterator[ir.Value]:
        """Where the vectors of a row begin."""
        start, first, width_of_row = columns
        done = 0
        for width in widths:
            at = self._address(start, row, width_of_row, self.to.add(first, INDEX(done)))
            yield self.to.bitcast(at, ir.VectorType(self.real, width).as_pointer())
            done += width

    def _load(self, at: ir.Value) -> ir.Value:
        return self.to.load(at, align=self._bytes)

    def _added(self, factor: ir.Value, vector: ir.Value, sum_: ir.Value) -> ir.Value:
        """sum + factor · vector, rounded once where the machine can."""
        kind, to = vector.type, self.to
        none, first = ir.Constant(kind, ir.Undefined), ir.IntType(32)(0)
        places = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
        everywhere = to.shuffle_vector(to.insert_element(none, factor, first), none, places)
        name = f"llvm.fmuladd.v{kind.count}f{8 * self._bytes}"
        function = ir.FunctionType(kind, [kind] * 3)
        return to.call(
            cgutils.get_or_insert_function(to.module, function, name), [everywhere, vector, sum_]
        )


def _ceiling(a: int, b: int) -> int:
    return -(-a // b)


def _powers_of_two(total: int, most: int) -> Iterator[int]:
    """Numbers that add up to the total, the largest first."""
    width = most
    while total:
        while width > total:
            width //= 2
        yield width
        total -= width
