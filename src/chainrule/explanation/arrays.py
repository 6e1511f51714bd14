"""From array nodes to formulas of matrices: `x wᵀ` as it runs, or transposed, `W x`.

The formula of a node is a tree as any other, with a few operations that only arrays
have: `matmul`, `transpose`, `ones` (a column of so many), `hadamard`, other steps as
`entrywise_...` where a scalar's notation would mislead (the quotient, the power), and
`call`, a step that is written by its name, `σ(z)`; `call_rows` is a composite's, on
each row of its matrix.

A vector is a column.  Transposing goes down to the names, by (AB)ᵀ = Bᵀ Aᵀ, so that
the one row of a single example, kept as a row, is read as the column of textbooks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass

from chainrule.graph.node import Node
from chainrule.primitives import CONSTANT, Apply, Formula, Number, Pointwise, Symbol

__all__ = ["Arrays", "NoMatrixFormError", "operands", "view"]

_PLAIN = ("add", "sub", "neg", "where")
"""Steps that matrices have too, or whose scalar notation misleads nobody."""

_ENTRYWISE = ("pow", "cross_entropy_term", "cross_entropy_slope")


class NoMatrixFormError(Exception):
    """A step or a shape that matrices do not have."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A formula; where it `is_number`, it stands for every entry of the array that is meant."""

    formula: Formula
    is_number: bool = False


def operands(node: Node) -> tuple[Node, ...]:
    """What `node` is made of, a composite read as one step."""
    return node.inputs if node.fold is None else node.fold.operands


def view(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns: a vector is a column.

    Raises: NoMatrixFormError for more than two axes.
    """
    if len(shape) > 2:
        raise NoMatrixFormError(shape)
    rows, columns = (*shape, 1, 1)[:2]
    return rows, columns


class Arrays:
    """The formulas of array nodes, in the nodes that have `symbols`.

    The symbols of the nodes in `columns` stand for their transposes.
    """

    def __init__(self, symbols: Mapping[Node, str], columns: Set[Node]) -> None:
        self.symbols = symbols
        self.columns = columns

    def formula(self, node: Node, transposed: bool = False) -> Formula:
        """The formula that computes `node`, or its transpose.

        Raises: NoMatrixFormError
        """
        return _whole(self._opened(node, transposed), node, transposed)

    def reference(self, node: Node, transposed: bool = False) -> Formula:
        """`node`, or its transpose, as it stands inside another formula."""
        return _whole(self._part(node, transposed), node, transposed)

    # --------------------------------------------------------------------- the walk

    def _part(self, node: Node, transposed: bool) -> _Part:
        name = self.symbols.get(node)
        if name is None:
            return self._opened(node, transposed)
        turned = transposed != (node in self.columns) and math.prod(node.shape) != 1
        return _Part(_transpose(Symbol(name)) if turned else Symbol(name), node.shape == ())

    def _opened(self, node: Node, transposed: bool) -> _Part:
        if node.primitive is CONSTANT:
            return _Part(Number(node.attributes["value"]), is_number=True)
        if node.fold is not None:
            return self._composite(node, transposed)
        if isinstance(node.primitive, Pointwise):
            return self._pointwise(node, transposed)
        step = {
            "matmul": self._product,
            "linear": self._product,
            "sum": self._sum,
            "broadcast": self._repeated,
            "reshape": self._reshaped,
            "transpose": self._transposed,
        }.get(node.primitive.name)
        if step is None:
            raise NoMatrixFormError(node)
        return step(node, transposed)

    def _pointwise(self, node: Node, transposed: bool) -> _Part:
        name = node.primitive.name
        parts = [self._part(item, transposed) for item in node.inputs]
        if name == "stop":  # a matter of differentiation, not of value
            return parts[0]
        if all(part.is_number for part in parts):
            return _Part(Apply(name, _formulas(parts)), is_number=True)
        return _Part(_applied(node, parts))

    def _composite(self, node: Node, transposed: bool) -> _Part:
        """A composite works on each row, and on a vector, or the one row turned into a column."""
        assert node.fold is not None
        inputs = node.fold.operands
        shape = inputs[-1].shape
        is_row, keeps_shape = len(shape) == 2 and shape[0] == 1, shape == node.shape
        as_column = transposed if keeps_shape else not self.columns.isdisjoint(inputs)
        turned = is_row and as_column
        inner = tuple(self.reference(item, turned) for item in inputs)
        operation = "call" if turned or len(shape) == 1 else "call_rows"
        formula = Apply(operation, (Apply(node.fold.composite.name, inner),))
        turns = transposed and not (is_row and keeps_shape) and math.prod(node.shape) != 1
        return _Part(_transpose(formula) if turns else formula)

    # ----------------------------------------------------------------- linear steps

    def _product(self, node: Node, transposed: bool) -> _Part:
        left, right = node.inputs
        right_turned = node.primitive.name == "linear"
        factors = [(left, transposed), (right, right_turned != transposed)]
        for place, (item, turned) in enumerate(factors):
            part = self._part(item, turned)
            if part.is_number and math.prod(item.shape) == 1:
                return _Part(_times(part.formula, self.reference(*factors[1 - place])))
        first, second = reversed(factors) if transposed else factors
        return _Part(_matmul(self.reference(*first), self.reference(*second)))

    def _sum(self, node: Node, transposed: bool) -> _Part:
        """A sum is a product with ones."""
        (x,) = node.inputs
        rows, columns = view(x.shape)
        if math.prod(node.shape) == math.prod(x.shape):
            return self._reshaped(node, transposed)
        if math.prod(node.shape) == 1:
            is_number = node.shape == ()
            if 1 in (rows, columns):
                column = self.reference(x, columns != 1)
                return _Part(_matmul(_transpose(_ones(rows * columns)), column), is_number)
            total = _matmul(_transpose(_ones(rows)), self.reference(x))
            return _Part(_matmul(total, _ones(columns)), is_number)
        over_rows = node.attributes["axes"] == (0,)
        size = rows if over_rows else columns
        if transposed:
            return _Part(_matmul(_transpose(_ones(size)), self.reference(x, not over_rows)))
        return _Part(_matmul(self.reference(x, over_rows), _ones(size)))

    def _repeated(self, node: Node, transposed: bool) -> _Part:
        """A number stands for itself; a row or a column is repeated by a product with ones."""
        (x,) = node.inputs
        if math.prod(x.shape) == 1:
            return _Part(self._part(x, False).formula, is_number=True)
        # An array of fewer axes is repeated along the first: a vector is a row here.
        is_row = len(x.shape) < len(node.shape) or x.shape[0] == 1
        turned = transposed != (len(x.shape) < len(node.shape))
        own = view(x.shape)
        if view(node.shape) in (own, own[::-1]):
            return self._part(x, turned)
        rows, columns = view(node.shape)
        size = rows if is_row else columns
        inner = self._part(x, turned)
        if inner.is_number:
            return inner
        if is_row == transposed:
            return _Part(_matmul(inner.formula, _transpose(_ones(size))))
        return _Part(_matmul(_ones(size), inner.formula))

    def _reshaped(self, node: Node, transposed: bool) -> _Part:
        (x,) = node.inputs
        before, after = view(x.shape), view(node.shape)
        if before == after:
            part = self._part(x, transposed)
        elif before == after[::-1] and 1 in before:
            part = self._part(x, not transposed)
        else:
            raise NoMatrixFormError(node)
        return _Part(part.formula, part.is_number or node.shape == ())

    def _transposed(self, node: Node, transposed: bool) -> _Part:
        return self._part(node.inputs[0], not transposed)


def _whole(part: _Part, node: Node, transposed: bool) -> Formula:
    """The formula of an array: where a number stands for each entry, that number times ones."""
    rows, columns = view(node.shape)
    if transposed:
        rows, columns = columns, rows
    if not part.is_number or rows == columns == 1:
        return part.formula
    ones: Formula = _transpose(_ones(columns)) if rows == 1 else _ones(rows)
    if rows > 1 < columns:
        ones = _matmul(ones, _transpose(_ones(columns)))
    return _times(part.formula, ones)


def _applied(node: Node, parts: list[_Part]) -> Formula:
    """A pointwise step on arrays, some of which may be numbers."""
    record = node.primitive
    name, arguments = record.name, _formulas(parts)
    if name == "mul":
        numbers = any(part.is_number for part in parts)
        return Apply("mul" if numbers else "hadamard", arguments)
    if name == "div":
        return Apply("div" if parts[1].is_number else "entrywise_div", arguments)
    if name in _ENTRYWISE:
        return Apply(f"entrywise_{name}", arguments)
    if name in _PLAIN or (isinstance(record, Pointwise) and record.condition):
        return Apply(name, arguments)
    return Apply("call", (Apply(name, arguments),))


def _formulas(parts: list[_Part]) -> tuple[Formula, ...]:
    return tuple(part.formula for part in parts)


def _ones(size: int) -> Formula:
    return Apply("ones", (Number(float(size)),))


def _matmul(left: Formula, right: Formula) -> Formula:
    return Apply("matmul", (left, right))


def _times(number: Formula, array: Formula) -> Formula:
    return array if number == Number(1.0) else Apply("mul", (number, array))


def _transpose(of: Formula) -> Formula:
    return Apply("transpose", (of,))
