"""Operations that move numbers, and those that look numbers up by integers known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.graph.node import Node
from chainrule.importers.torch.table import Step, UnsupportedError, axis_of, operation

__all__: list[str] = []

KNOWN = "indices known beforehand"


def _static(indices: Any) -> Any:
    """Indices, which no parameter may have a part in."""
    if isinstance(indices, Node):
        raise UnsupportedError("indices that depend on the parameters", KNOWN)
    return indices


def _moved(at: Step, operands: Sequence[Any], move: Callable[..., Any]) -> Node:
    """What `move` makes of the operands, found out by moving the numbers of their entries."""
    import torch

    op = at.op
    nodes = [at.node(item) for item in operands]
    flat = [op.reshape(node, (math.prod(node.shape),)) for node in nodes]
    numbered, start = [], 0
    for node in nodes:
        end = start + math.prod(node.shape)
        numbered.append(torch.arange(start, end).reshape(node.shape))
        start = end
    places = move(*numbered).flatten().tolist()
    joined = flat[0] if len(flat) == 1 else op.concat(*flat, axis=0)
    return op.reshape(op.take(joined, places, 0), at.shape)


def _moving(*names: str) -> None:
    """Operations of PyTorch that move the entries of one tensor; it does so itself."""
    import torch

    for name in names:
        own = getattr(torch.ops.aten, name.partition(".")[0])

        def build(at: Step, x: Any, *others: Any, own: Any = own, **named: Any) -> Node:
            return _moved(at, [x], lambda numbered: own(numbered, *others, **named))

        operation(name, steps="take", moves=True)(build)


_moving("roll", "repeat", "as_strided", "unfold", "diagonal", "repeat_interleave.self_int")

# ------------------------------------------------------------------------------- shapes


@operation(
    *("view", "_unsafe_view", "unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims"),
    steps="reshape",
    moves=True,
)
def _reshape(at: Step, x: Any, *_: Any) -> Node:
    return at.op.reshape(at.node(x), at.shape)


@operation("permute", steps="transpose", moves=True)
def _permute(at: Step, x: Any, order: Sequence[int]) -> Node:
    counted = tuple(axis_of(axis, len(order)) for axis in order)
    return x if counted == tuple(range(len(order))) else at.op.transpose(at.node(x), counted)


@operation("transpose.int", steps="transpose", moves=True)
def _transpose(at: Step, x: Any, first: int, second: int) -> Node:
    x = at.node(x)
    order = list(range(len(x.shape)))
    first, second = axis_of(first, len(order)), axis_of(second, len(order))
    order[first], order[second] = second, first
    return x if first == second else at.op.transpose(x, tuple(order))


@operation("t", steps="transpose", moves=True)
def _turned(at: Step, x: Any) -> Node:
    return at.op.transpose(at.node(x))


@operation("expand", steps="broadcast", moves=True)
def _expand(at: Step, x: Any, *_: Any, **__: Any) -> Node:
    return at.op.broadcast(at.node(x), at.shape)


@operation("flip", steps="flip", moves=True)
def _flip(at: Step, x: Any, axes: Sequence[int]) -> Node:
    return at.op.flip(at.node(x), tuple(axes))


# ------------------------------------------------------------------ cutting and joining


def _cut(at: Step, x: Node, axis: int, start: int, step: int, count: int) -> Node:
    """`count` entries along one axis."""
    rank = len(x.shape)
    return at.op.slice(
        x,
        tuple(start if at_axis == axis else 0 for at_axis in range(rank)),
        tuple(step if at_axis == axis else 1 for at_axis in range(rank)),
        (*x.shape[:axis], count, *x.shape[axis + 1 :]),
    )


@operation("select.int", steps="slice, reshape", moves=True)
def _select(at: Step, x: Any, axis: int, index: int) -> Node:
    x = at.node(x)
    axis = axis_of(axis, len(x.shape))
    return at.op.reshape(_cut(at, x, axis, axis_of(index, x.shape[axis]), 1, 1), at.shape)


@operation("slice.Tensor", steps="slice", moves=True)
def _slice(
    at: Step, x: Any, axis: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Node:
    x = at.node(x)
    axis = axis_of(axis, len(x.shape))
    first, _, _ = slice(start, end, step).indices(x.shape[axis])
    return _cut(at, x, axis, first, step, at.shape[axis])


@operation(
    *("split.Tensor", "split_with_sizes"),
    steps="slice",
    moves=True,
)
def _split(at: Step, x: Any, sizes: Any, axis: int = 0) -> list[Node]:
    x = at.node(x)
    axis = axis_of(axis, len(x.shape))
    pieces, start = [], 0
    for shape in at.shapes:
        pieces.append(_cut(at, x, axis, start, 1, shape[axis]))
        start += shape[axis]
    return pieces


@operation("unbind.int", steps="slice, reshape", moves=True)
def _unbind(at: Step, x: Any, axis: int = 0) -> list[Node]:
    x = at.node(x)
    axis = axis_of(axis, len(x.shape))
    return [
        at.op.reshape(_cut(at, x, axis, number, 1, 1), shape)
        for number, shape in enumerate(at.shapes)
    ]


@operation("cat", steps="concat")
def _cat(at: Step, parts: Sequence[Any], axis: int = 0) -> Node:
    nodes = [node for node in map(at.node, parts) if node.shape != (0,)]
    if len(nodes) == 1:
        return nodes[0]
    return at.op.concat(*nodes, axis=axis_of(axis, len(at.shape)))


@operation("stack", steps="reshape, concat")
def _stack(at: Step, parts: Sequence[Any], axis: int = 0) -> Node:
    axis = axis_of(axis, len(at.shape))
    shape = (*at.shape[:axis], 1, *at.shape[axis + 1 :])
    rows = [at.op.reshape(at.node(part), shape) for part in parts]
    return rows[0] if len(rows) == 1 else at.op.concat(*rows, axis=axis)


@operation("constant_pad_nd", steps="pad, slice", note="with a value other than 0: concat")
def _pad(at: Step, x: Any, padding: Sequence[int], value: float = 0) -> Node:
    x = at.node(x)
    sides = list(zip(padding[::2], padding[1::2], strict=True))[::-1]
    first = len(x.shape) - len(sides)
    for axis, (before, after) in enumerate(sides, start=first):
        cut = x.shape[axis] + min(before, 0) + min(after, 0)
        x = _cut(at, x, axis, max(0, -before), 1, cut)
    around = tuple((max(before, 0), max(after, 0)) for before, after in sides)
    if value != 0:
        return at.op.surrounded(x, around, float(value))
    start = (*(0 for _ in range(first)), *(before for before, _ in around))
    return at.op.pad(x, start, (1,) * len(x.shape), at.shape)


@operation("tril", steps="mul", note="by a constant of 0 and 1")
def _tril(at: Step, x: Any, diagonal: int = 0) -> Node:
    import torch

    return at.op.mul(x, at.constant("mask", torch.ones(at.shape).tril(diagonal)))


@operation("triu", steps="mul", note="by a constant of 0 and 1")
def _triu(at: Step, x: Any, diagonal: int = 0) -> Node:
    import torch

    return at.op.mul(x, at.constant("mask", torch.ones(at.shape).triu(diagonal)))


# ------------------------------------------------------------------------------ look-ups


@operation("embedding", steps="take", note="the row of `padding_idx` is stopped: its gradient is 0")
def _embedding(at: Step, table: Any, tokens: Any, padding: int = -1, *_: Any) -> Node:
    op = at.op
    rows = _static(tokens).flatten().tolist()
    if padding not in rows:
        return op.reshape(op.take(table, rows, 0), at.shape)
    kept = [row for row in rows if row != padding]
    taken = op.concat(op.take(table, kept, 0), op.stop(op.take(table, [padding], 0)), axis=0)
    places = iter(range(len(kept)))
    order = [len(kept) if row == padding else next(places) for row in rows]
    return op.reshape(op.take(taken, order, 0), at.shape)


@operation("index_select", steps="take")
def _index_select(at: Step, x: Any, axis: int, indices: Any) -> Node:
    return at.op.take(at.node(x), _static(indices).flatten().tolist(), axis)


@operation("index.Tensor", "_unsafe_index.Tensor", steps="take")
def _index(at: Step, x: Any, indices: Sequence[Any]) -> Node:
    import torch

    given = [(axis, _static(own)) for axis, own in enumerate(indices) if own is not None]
    (axis, chosen), *others = given
    if others or chosen.dtype == torch.bool:
        return _moved(at, [x], lambda numbered: torch.ops.aten.index(numbered, list(indices)))
    places = (chosen % x.shape[axis]).flatten().tolist()
    return at.op.reshape(at.op.take(at.node(x), places, axis), at.shape)


@operation("gather", steps="take")
def _gather(at: Step, x: Any, axis: int, indices: Any, **_: Any) -> Node:
    return _moved(at, [x], lambda numbered: numbered.gather(axis, _static(indices)))


# -------------------------------------------------------------------- writing into a tensor


@operation("copy", steps="broadcast", note="what an assignment writes", moves=True)
def _copy(at: Step, x: Any, source: Any, *_: Any) -> Node:
    return at.op.broadcast(at.node(source), at.shape)


def _writing(name: str) -> None:
    """Operations of PyTorch that put the second tensor into a copy of the first."""
    import torch

    own = getattr(torch.ops.aten, name.partition(".")[0])

    def build(at: Step, x: Any, source: Any, *others: Any, **named: Any) -> Node:
        return _moved(at, [x, source], lambda a, b: own(a, b, *others, **named))

    operation(name, steps="concat, take")(build)


_writing("select_scatter")
_writing("slice_scatter")
_writing("diagonal_scatter")


@operation("index_put", steps="concat, take", note="without `accumulate`")
def _index_put(
    at: Step, x: Any, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Node:
    import torch

    if accumulate:
        raise UnsupportedError("index_put with accumulate=True", "accumulate=False")
    chosen = [own if own is None else _static(own) for own in indices]
    return _moved(at, [x, values], lambda a, b: torch.ops.aten.index_put(a, chosen, b))


@operation("scatter.src", steps="concat, take")
def _scatter(at: Step, x: Any, axis: int, indices: Any, source: Any) -> Node:
    return _moved(at, [x, source], lambda a, b: a.scatter(axis, _static(indices), b))


@operation("scatter.value", steps="concat, take")
def _scatter_value(at: Step, x: Any, axis: int, indices: Any, value: float) -> Node:
    filler = at.op.broadcast(at.op.constant(value), tuple(_static(indices).shape))
    return _scatter(at, x, axis, indices, filler)


def _added(at: Step, x: Any, source: Node, places: Any) -> Node:
    """`x` with each entry of `source` added at its place in the flat `x`."""
    op, size = at.op, math.prod(at.shape)
    flat = op.reshape(source, (math.prod(source.shape),))
    total = op.scatter_add(flat, places.flatten().tolist(), 0, size)
    return op.add(at.node(x), op.reshape(total, at.shape))


@operation("scatter_add", steps="scatter_add, add")
def _scatter_add(at: Step, x: Any, axis: int, indices: Any, source: Any) -> Node:
    import torch

    chosen = _static(indices)
    numbered = torch.arange(math.prod(at.shape)).reshape(at.shape)
    return _added(at, x, at.node(source), numbered.gather(axis, chosen))


@operation("index_add", steps="scatter_add, add")
def _index_add(at: Step, x: Any, axis: int, indices: Any, source: Any, alpha: float = 1) -> Node:
    import torch

    numbered = torch.arange(math.prod(at.shape)).reshape(at.shape)
    scaled = at.op.mul(alpha, at.node(source))
    return _added(at, x, scaled, numbered.index_select(axis, _static(indices)))
