"""Building nodes: shapes checked, operands broadcast, rewrites applied on the way.

Every node is made here, and on the way the small passes `fold`, `recognise` and
`share` are applied.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.errors import Fault, InputError
from chainrule.graph.node import Fold, Node, Origin
from chainrule.graph.passes.fold import fold_constants
from chainrule.graph.passes.recognise import recognise
from chainrule.graph.passes.share import Shared
from chainrule.primitives import (
    CONSTANT,
    REGISTRY,
    VARIABLE,
    Formula,
    Linear,
    Pointwise,
    Primitive,
    Select,
)
from chainrule.primitives.composites import COMPOSITES
from chainrule.primitives.formula import interpret, parse
from chainrule.primitives.linear import normal_axes

__all__ = ["Builder", "Operand"]

Shape = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]
Operand = Node | float


class Builder:
    """Makes nodes.  `origin`, while it is set, is stamped on each.

    The pointwise primitives are methods by their names: `op.mul(a, b)`,
    `op.sigmoid(z)`; an operand may be a Python number.
    """

    def __init__(self, below: Builder | None = None) -> None:
        self.origin: Origin | None = None
        self._shared: Shared = Shared(None if below is None else below._shared)

    def above(self) -> Builder:
        """A builder that goes on from these nodes, and leaves no trace among them."""
        return Builder(self)

    # -------------------------------------------------------------- leaves and names

    def constant(self, value: float) -> Node:
        """A scalar constant."""
        attributes = {"value": float(value)}
        # 0.0 and -0.0 are equal, and not the same.
        return self._shared.node(repr(attributes), lambda: Node(CONSTANT, attributes=attributes))

    def variable(self, name: str, shape: Shape = (), labels: tuple[str, ...] | None = None) -> Node:
        """A leaf whose value is given from outside; always a new node."""
        return Node(VARIABLE, shape=shape, name=name, labels=labels, origin=self.origin)

    def named(self, node: Node, name: str, labels: tuple[str, ...] | None = None) -> Node:
        """The same step under a name; a leaf or a named step keeps the name that it has."""
        if node.name is not None or node.primitive is CONSTANT:
            return node
        return self._step(
            node.primitive, node.inputs, node.attributes, node.shape, name, labels, node.fold
        )

    # ------------------------------------------------------------------ application

    def apply(self, name: str, *operands: Operand, **attributes: Any) -> Node:
        """One step of the primitive called `name`.

        Raises: InputError (`ShapeError`) when the shapes do not fit.
        """
        primitive = REGISTRY[name]
        inputs = tuple(
            [item if isinstance(item, Node) else self.constant(item) for item in operands]
        )
        if isinstance(primitive, Pointwise):
            shape = inputs[0].shape
            if any([item.shape != shape for item in inputs]):  # noqa: C419 (faster, and hot)
                shape = self._common_shape(name, [item.shape for item in inputs])
                inputs = tuple(self.broadcast(item, shape) for item in inputs)
            rewritten = fold_constants(self, primitive, inputs) or recognise(
                self, primitive, inputs
            )
            if rewritten is not None:
                return rewritten
        else:
            assert isinstance(primitive, Linear | Select)
            try:
                shape = primitive.shape(*(item.shape for item in inputs), **attributes)
            except ValueError as error:
                raise self._shape_error(name, primitive.index, str(error)) from None
        return self._step(primitive, inputs, attributes, shape)

    def __getattr__(self, name: str) -> Callable[..., Node]:
        if isinstance(REGISTRY.get(name), Pointwise):
            return lambda *operands: self.apply(name, *operands)
        raise AttributeError(name)

    def _step(
        self,
        primitive: Primitive,
        inputs: tuple[Node, ...],
        attributes: Mapping[str, Any],
        shape: Shape,
        name: str | None = None,
        labels: tuple[str, ...] | None = None,
        fold: Fold | None = None,
    ) -> Node:
        structure = (primitive, inputs, tuple(attributes.items()))

        def make() -> Node:
            return Node(primitive, inputs, attributes, shape, name, labels, self.origin, fold)

        return self._shared.node(structure, make, named=name is not None)

    def _common_shape(self, name: str, shapes: Sequence[Shape]) -> Shape:
        rank = max(map(len, shapes))
        common = [1] * rank
        for shape in shapes:
            for axis, size in enumerate(shape, start=rank - len(shape)):
                if size != 1 and common[axis] not in (1, size):
                    what = f"shapes {' and '.join(map(str, shapes))} differ"
                    raise self._shape_error(name, "equal axes, or 1", what)
                if size != 1:
                    common[axis] = size
        return tuple(common)

    def _shape_error(self, name: str, needs: str, what: str) -> InputError:
        origin = self.origin or Origin("")
        return InputError(
            Fault("ShapeError", f"{name}: {what}", origin.place or None, origin.line, needs=needs)
        )

    # -------------------------------------------- linear steps, with friendly arguments

    def broadcast(self, x: Node, shape: Shape) -> Node:
        """`x` repeated to `shape`."""
        return x if x.shape == shape else self.apply("broadcast", x, shape=shape)

    def reshape(self, x: Node, shape: Shape) -> Node:
        """`x` in another shape, entries in row-major order."""
        return x if x.shape == shape else self.apply("reshape", x, shape=shape)

    def transpose(self, x: Node, permutation: Shape | None = None) -> Node:
        """`x` with its axes permuted; reversed by default."""
        rank = len(x.shape)
        chosen = permutation or tuple(reversed(range(rank)))
        return x if rank < 2 else self.apply("transpose", x, permutation=chosen)

    def _axes(self, name: str, x: Node, axes: Shape | int | None) -> Shape:
        if axes is None:
            return tuple(range(len(x.shape)))
        try:
            return normal_axes((axes,) if isinstance(axes, int) else axes, len(x.shape))
        except ValueError as error:
            raise self._shape_error(name, "axes of the operand", str(error)) from None

    def sum(self, x: Node, axes: Shape | int | None = None) -> Node:
        """The sum over `axes` (all by default), which disappear."""
        counted = self._axes("sum", x, axes)
        return self.apply("sum", x, axes=counted) if counted else x

    def max(self, x: Node, axes: Shape | int | None = None) -> Node:
        """The largest entry along `axes` (all by default), which disappear."""
        counted = self._axes("max", x, axes)
        return self.apply("max", x, axes=counted) if counted else x

    def first_max(self, x: Node, axes: Shape) -> Node:
        """1 at the first largest entry along `axes`, else 0."""
        return self.apply("first_max", x, axes=axes)

    def slice(self, x: Node, start: Shape, step: Shape, shape: Shape) -> Node:
        """`shape` entries of `x` from `start`, every `step`-th."""
        if shape == x.shape:
            return x
        return self.apply("slice", x, start=start, step=step, shape=shape)

    def pad(self, x: Node, start: Shape, step: Shape, shape: Shape) -> Node:
        """`x` laid into zeros of `shape`: the transpose of `slice`."""
        if shape == x.shape:
            return x
        return self.apply("pad", x, start=start, step=step, shape=shape)

    def concat(self, *parts: Node, axis: int) -> Node:
        """The parts one after another along `axis`."""
        return self.apply("concat", *parts, axis=axis)

    def take(self, x: Node, indices: Sequence[int], axis: int) -> Node:
        """The entries of `x` that have these numbers along `axis`, in their order."""
        (counted,) = self._axes("take", x, axis)
        return self.apply("take", x, indices=tuple(map(int, indices)), axis=counted)

    def scatter_add(self, x: Node, indices: Sequence[int], axis: int, size: int) -> Node:
        """Entry `m` along `axis` added to number `indices[m]` of `size`; `take` transposed."""
        (counted,) = self._axes("scatter_add", x, axis)
        places = tuple(map(int, indices))
        return self.apply("scatter_add", x, indices=places, axis=counted, size=size)

    def pick(self, x: Node, indices: Sequence[int]) -> Node:
        """Of each row of `x` one entry: number `indices[r]` along the last axis of row `r`.

        Shapes: x (..., k), as many indices as rows, the result (...).
        """
        width, rows = x.shape[-1], math.prod(x.shape[:-1])
        if len(indices) != rows or any(not 0 <= index < width for index in indices):
            needs = f"{rows} indices from 0 to {width - 1}"
            raise self._shape_error("pick", needs, f"indices {tuple(indices)} of shape {x.shape}")
        places = [row * width + index for row, index in enumerate(indices)]
        return self.reshape(self.take(self._flat(x, 0), places, 0), x.shape[:-1])

    def flip(self, x: Node, axes: Shape | int | None = None) -> Node:
        """`x` with the order of its entries reversed along `axes` (all by default)."""
        counted = self._axes("flip", x, axes)
        return self.apply("flip", x, axes=counted) if counted else x

    def cumsum(self, x: Node, axis: int) -> Node:
        """The sums of the entries along `axis` up to each, its own included."""
        (counted,) = self._axes("cumsum", x, axis)
        return self.apply("cumsum", x, axis=counted)

    def surrounded(self, x: Node, padding: Padding, value: Operand) -> Node:
        """`x` with so many entries of `value` before and after each of its last axes."""
        filler = value if isinstance(value, Node) else self.constant(value)
        for axis, sides in enumerate(padding, start=len(x.shape) - len(padding)):
            before, after = (
                self.broadcast(filler, (*x.shape[:axis], side, *x.shape[axis + 1 :]))
                for side in sides
            )
            x = self.concat(before, x, after, axis=axis) if any(sides) else x
        return x

    def windows(
        self, x: Node, size: Shape, stride: Shape, dilation: Shape, padding: Padding
    ) -> Node:
        """The windows that slide along the last axes of `x`, and are the last axes of the result.

        Shapes: x (..., h, w), size (p, q), the result (..., i, j, p, q).
        """
        sliding = {"size": size, "stride": stride, "dilation": dilation, "padding": padding}
        return self.apply("windows", x, **sliding)

    def overlap_add(
        self, x: Node, stride: Shape, dilation: Shape, padding: Padding, shape: Shape
    ) -> Node:
        """Windows added up where they lay in an array of `shape`: the transpose of `windows`."""
        sliding = {"stride": stride, "dilation": dilation, "padding": padding, "shape": shape}
        return self.apply("overlap_add", x, **sliding)

    def convolution(
        self,
        x: Node,
        w: Node,
        stride: Shape,
        padding: Padding,
        dilation: Shape,
        groups: int = 1,
    ) -> Node:
        """The convolution of `x` with `w`, as networks mean it: a correlation, `w` not turned.

        `padding` is how many zeros come before and after each axis.

        Shapes: x (n, groups · c, h, w), w (o, c, p, q), the result (n, o, i, j); any number of
        axes from the third on.
        """
        sliding = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return self.apply("convolution", x, w, **sliding)

    def linear(self, x: Node, w: Node) -> Node:
        """`x wᵀ`: x (n, k), w (m, k) with one row a unit."""
        return self.apply("linear", x, w)

    def matmul(self, a: Node, b: Node) -> Node:
        """The matrix product of the last two axes; a vector is a row on the left, a column right.

        Shapes: a (..., i, k), b (..., k, j), the result (..., i, j); leading axes are broadcast.
        """
        if not a.shape or not b.shape:
            raise self._shape_error(
                "matmul", "vectors or matrices", f"shapes {a.shape} and {b.shape}"
            )
        rows = self.reshape(a, (1, *a.shape)) if len(a.shape) == 1 else a
        columns = self.reshape(b, (*b.shape, 1)) if len(b.shape) == 1 else b
        leading = self._common_shape("matmul", [rows.shape[:-2], columns.shape[:-2]])
        if len(columns.shape) == 2:  # one matrix for all rows
            product = self.apply("matmul", self._flat(rows, 1), columns)
        else:
            rows, columns = (
                self._flat(self.broadcast(item, leading + item.shape[-2:]), 2)
                for item in (rows, columns)
            )
            product = self.apply("batch_matmul", rows, columns)
        return self.reshape(product, leading + a.shape[-2:-1] + b.shape[-1:] * (len(b.shape) > 1))

    def _flat(self, x: Node, kept: int) -> Node:
        """`x` with all but the last `kept` axes as one."""
        axis = len(x.shape) - kept
        return self.reshape(x, (math.prod(x.shape[:axis]), *x.shape[axis:]))

    # ------------------------------------------------------------ formulas, composites

    def lower(self, formula: str | Formula, environment: Mapping[str, Node]) -> Node:
        """The nodes of a formula, its symbols taken from `environment`."""
        tree = parse(formula) if isinstance(formula, str) else formula
        return interpret(tree, environment, self.constant, self.apply)

    def composite(
        self,
        name: str,
        *operands: Operand,
        naming: Callable[[str, Node], Node] | None = None,
    ) -> Node:
        """A composite, opened into its steps; its result can still be read as one factor.

        `naming(step, node)` may name the steps inside.
        """
        record = COMPOSITES[name]
        inputs = tuple(item if isinstance(item, Node) else self.constant(item) for item in operands)
        named = {"name": naming} if naming is not None and record.jacobian is not None else {}
        node: Node = record.define(self, *inputs, **named)
        if node.name is not None:  # a quantity is not made twice
            return node
        if record.jacobian is None and not record.layer:
            return node
        return dataclasses.replace(node, fold=Fold(record, inputs))
