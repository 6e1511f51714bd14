"""Convolutions, pools, look-ups and running sums against PyTorch, with their gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from chainrule import api
from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.graph.build import Builder
from chainrule.graph.check import check_graph
from chainrule.graph.model import LeafValue, Model
from chainrule.graph.node import Node

Step = Callable[..., Any]


def both(
    ours: Callable[..., Node], theirs: Step, *shapes: tuple[int, ...], whole: bool = False
) -> None:
    """The same value, the same gradients, and the same gradients of the gradients.

    The numbers are `whole` where ties are wanted.
    """
    chance = np.random.default_rng(len(shapes))
    op = Builder()
    operands = [op.variable(f"x{number}", shape) for number, shape in enumerate(shapes)]
    result = ours(op, *operands)

    def numbers(shape: tuple[int, ...]) -> Any:
        return chance.integers(-2, 3, shape) * 1.0 if whole else chance.normal(size=shape)

    seeds = [
        op.variable("g", result.shape),
        *(op.variable(f"v{number}", shape) for number, shape in enumerate(shapes)),
    ]
    values = {node: numbers(node.shape) for node in (*operands, *seeds)}
    tensors = [torch.tensor(values[node], requires_grad=True) for node in (*operands, *seeds)]
    points, g, directions = (
        tensors[: len(shapes)],
        tensors[len(shapes)],
        tensors[len(shapes) + 1 :],
    )
    expected = theirs(*points)
    slopes = torch.autograd.grad(expected, points, g, create_graph=True)
    along = sum((slope * v).sum() for slope, v in zip(slopes, directions, strict=True))
    again = torch.autograd.grad(along, [*points, g], allow_unused=True)

    found = reverse(op, result, operands, seeds[0])
    parts = [op.sum(op.mul(found[node], v)) for node, v in zip(operands, seeds[1:], strict=True)]
    total = parts[0]
    for part in parts[1:]:
        total = op.add(total, part)
    second = reverse(op, total, [*operands, seeds[0]])
    wanted = [result, *(found[node] for node in operands)]
    judged = [expected, *slopes]
    for node, by in zip([*operands, seeds[0]], again, strict=True):
        if node in second:
            wanted.append(second[node])
            judged.append(by)
        else:
            assert by is None or not by.any()
    check_graph(wanted)
    run = arrays.run(wanted, values)
    for node, by in zip(wanted, judged, strict=True):
        assert node.shape == tuple(by.shape)
        np.testing.assert_allclose(run[node], by.detach().numpy(), rtol=1e-10, atol=1e-12)


OPTIONS = list(itertools.product((1, 2, 3), (0, 2), (1, 2), (1, 2)))


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), OPTIONS)
@pytest.mark.parametrize("rank", [1, 2])
def test_convolution(rank: int, stride: int, padding: int, dilation: int, groups: int) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    both(
        lambda op, x, w: op.convolution(
            x, w, (stride,) * rank, ((padding, padding),) * rank, (dilation,) * rank, groups
        ),
        lambda x, w: getattr(functional, f"conv{rank}d")(x, w, **options),
        (2, 2 * groups, *(8, 6)[:rank]),
        (3 * groups, 2, *(3, 2)[:rank]),
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_of_each_channel_by_itself(stride: int) -> None:
    """Long filters, so that the adjoint adds up few windows, of many places each."""
    both(
        lambda op, x, w: op.convolution(x, w, (stride,) * 2, ((1, 1),) * 2, (1, 1), 3),
        lambda x, w: functional.conv2d(x, w, None, stride, 1, 1, 3),
        (2, 3, 7, 6),
        (3, 1, 6, 5),
    )


def test_each_axis_has_its_own_options() -> None:
    both(
        lambda op, x, w: op.convolution(x, w, (2, 1), ((1, 1), (3, 3)), (1, 3), 4),
        lambda x, w: functional.conv2d(x, w, None, (2, 1), (1, 3), (1, 3), 4),
        (2, 4, 7, 5),
        (8, 1, 3, 2),
    )


def test_padding_may_differ_before_and_after() -> None:
    both(
        lambda op, x, w: op.convolution(x, w, (1,), ((1, 2),), (1,)),
        lambda x, w: functional.conv1d(functional.pad(x, (1, 2)), w),
        (2, 3, 5),
        (2, 3, 4),
    )
    both(
        lambda op, x, w: op.convolution(x, w, (2,), ((-1, 1),), (1,)),
        lambda x, w: functional.conv1d(functional.pad(x, (-1, 1)), w, stride=2),
        (1, 2, 6),
        (2, 2, 2),
    )


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 1)])
def test_a_transposed_convolution_is_the_adjoint(stride: int, padding: int) -> None:
    op = Builder()
    x, w = op.variable("x", (2, 3, 7, 7)), op.variable("w", (4, 3, 3, 3))
    result = op.convolution(x, w, (stride,) * 2, ((padding, padding),) * 2, (1, 1))
    g = op.variable("g", result.shape)
    adjoint = reverse(op, result, [x], g)[x]
    chance = np.random.default_rng(0)
    values = {node: chance.normal(size=node.shape) for node in (g, w)}
    rest = (7 + 2 * padding - 3) % stride
    expected = functional.conv_transpose2d(
        torch.tensor(values[g]), torch.tensor(values[w]), None, stride, padding, rest
    )
    np.testing.assert_allclose(arrays.run([adjoint], values)[adjoint], expected, rtol=1e-12)


# ----------------------------------------------------------------------------- pools


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [((2, 2), (2, 2), 0), ((3, 3), (2, 2), 1), ((3, 2), (1, 3), 1)]
)
def test_average_pool(size: tuple[int, int], stride: tuple[int, int], padding: int) -> None:
    both(
        lambda op, x: op.div(
            op.sum(op.windows(x, size, stride, (1, 1), ((padding, padding),) * 2), (-2, -1)),
            float(size[0] * size[1]),
        ),
        lambda x: functional.avg_pool2d(x, size, stride, padding),
        (2, 3, 7, 8),
    )


@pytest.mark.parametrize("whole", [False, True], ids=["apart", "ties"])
@pytest.mark.parametrize(
    ("size", "stride", "padding", "dilation"),
    [(2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 2), (2, 3, 1, 3)],
)
def test_max_pool(size: int, stride: int, padding: int, dilation: int, whole: bool) -> None:
    """Of a tie the first entry of the window in row-major order takes all, as in PyTorch."""
    both(
        lambda op, x: op.max(
            op.windows(
                op.surrounded(x, ((padding, padding),) * 2, -math.inf),
                *((size,) * 2, (stride,) * 2, (dilation,) * 2, ((0, 0),) * 2),
            ),
            (-2, -1),
        ),
        lambda x: functional.max_pool2d(x, size, stride, padding, dilation),
        (2, 3, 9, 7),
        whole=whole,
    )


# ---------------------------------------------------------------------- running sums


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running_sum(axis: int) -> None:
    both(lambda op, x: op.cumsum(x, axis), lambda x: torch.cumsum(x, axis), (3, 4, 2))


@pytest.mark.parametrize("axes", [(0,), (0, 2), (-1,)])
def test_flip(axes: tuple[int, ...]) -> None:
    both(lambda op, x: op.flip(x, axes), lambda x: torch.flip(x, axes), (3, 4, 2))


# -------------------------------------------------------------------------- look-ups


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("indices", [(0, 1, 1, 0, 1), (1,), ()], ids=str)
def test_take(axis: int, indices: tuple[int, ...]) -> None:
    chosen = torch.tensor(indices, dtype=torch.int64)
    both(
        lambda op, x: op.take(x, indices, axis),
        lambda x: torch.index_select(x, axis, chosen),
        (2, 3, 4),
    )
    both(
        lambda op, x: op.scatter_add(x, indices, axis, 3),
        lambda x: torch.zeros(
            [3 if at == axis % 3 else size for at, size in enumerate(x.shape)], dtype=x.dtype
        ).index_add(axis, chosen, x),
        tuple(len(indices) if at == axis % 3 else size for at, size in enumerate((2, 3, 4))),
    )


def test_embedding() -> None:
    tokens = torch.tensor([[3, 1, 3], [0, 3, 4]])
    both(
        lambda op, table: op.reshape(op.take(table, tokens.flatten().tolist(), 0), (2, 3, 2)),
        lambda table: functional.embedding(tokens, table),
        (5, 2),
    )


def test_targets_by_index() -> None:
    targets = torch.tensor([2, 0, 1, 2])
    both(
        lambda op, x: op.neg(
            op.composite("mean", op.pick(op.composite("log_softmax", x), targets.tolist()))
        ),
        lambda x: functional.cross_entropy(x, targets),
        (4, 3),
    )


# -------------------------------------------------------------------------- products


@pytest.mark.parametrize(
    ("left", "right"), [((5, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (5, 3, 4)), ((2, 2, 3), (3, 4))]
)
def test_products_of_several_matrices(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    both(lambda op, a, b: op.matmul(a, b), lambda a, b: a @ b, left, right)


# ------------------------------------------------------------------------ composites


def test_layer_norm() -> None:
    both(
        lambda op, x, scale, shift: op.composite("layer_norm", x, scale, shift, 1e-5),
        lambda x, scale, shift: functional.layer_norm(x, (4,), scale, shift),
        (2, 3, 4),
        (4,),
        (4,),
    )


@pytest.mark.parametrize("axes", [(), (4,), (2, 4)])
def test_batch_norm(axes: tuple[int, ...]) -> None:
    both(
        lambda op, x, scale, shift: op.composite("batch_norm", x, scale, shift, 1e-5),
        lambda x, scale, shift: functional.batch_norm(x, None, None, scale, shift, training=True),
        (5, 3, *axes),
        (3,),
        (3,),
    )
    mean, variance = (0.5, -1.0, 2.0), (0.25, 1.5, 3.0)

    def fixed(op: Builder, numbers: tuple[float, ...]) -> Node:
        return op.concat(*(op.reshape(op.constant(own), (1,)) for own in numbers), axis=0)

    both(
        lambda op, x, scale, shift: op.composite(
            "batch_norm_fixed", x, fixed(op, mean), fixed(op, variance), scale, shift, 1e-5
        ),
        lambda x, scale, shift: functional.batch_norm(
            x, torch.tensor(mean).double(), torch.tensor(variance).double(), scale, shift
        ),
        (5, 3, *axes),
        (3,),
        (3,),
    )


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_attention(leading: tuple[int, ...]) -> None:
    both(
        lambda op, q, k, v, mask: op.composite("attention", q, k, v, mask),
        functional.scaled_dot_product_attention,
        (*leading, 4, 2),
        (*leading, 5, 2),
        (*leading, 5, 3),
        (4, 5),
    )


def test_a_key_that_is_hidden_has_no_share() -> None:
    hidden = np.triu(np.full((4, 4), -math.inf), 1)
    op = Builder()
    q, k, v, mask = (op.variable(name, (4, 4)) for name in ("q", "k", "v", "mask"))
    result = op.composite("attention", q, k, v, mask)
    found = reverse(op, result, [q, k, v])
    chance = np.random.default_rng(0)
    values = {node: chance.normal(size=(4, 4)) for node in (q, k, v)} | {mask: hidden}
    tensors = [torch.tensor(values[node], requires_grad=True) for node in (q, k, v)]
    expected = functional.scaled_dot_product_attention(*tensors, is_causal=True)
    run = arrays.run([result, *found.values()], values)
    np.testing.assert_allclose(run[result], expected.detach(), rtol=1e-12)
    for node, by in zip((q, k, v), torch.autograd.grad(expected.sum(), tensors), strict=True):
        np.testing.assert_allclose(run[found[node]], by, rtol=1e-10, atol=1e-14)


# ------------------------------------------------------------------------ in a network


def network(chance: Any) -> Model:
    """Convolution, relu, max pool, mean over each channel, layer, square."""
    op = Builder()
    x, w, v = (
        op.variable("x", (1, 1, 4, 4)),
        op.variable("w", (2, 1, 3, 3)),
        op.variable("v", (3, 2)),
    )
    net = op.convolution(x, w, (1, 1), ((1, 1), (1, 1)), (1, 1))
    h = op.named(op.relu(op.named(net, "net_h")), "h")
    around = op.surrounded(h, ((1, 1), (1, 1)), -math.inf)
    windows = op.windows(around, (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)))
    p = op.named(op.max(windows, (-2, -1)), "p")
    f = op.named(op.div(op.sum(p, (2, 3)), 4.0), "f")
    loss = op.named(op.sum(op.pow(op.linear(f, v), 2.0)), "E")
    leaves = tuple(
        LeafValue(node, tuple(chance.normal(size=node.shape).ravel().tolist()), role, trained)
        for node, role, trained in (
            (x, "input", False),
            (w, "parameter", True),
            (v, "parameter", True),
        )
    )
    return Model("image", loss, leaves, (h, p, f), learning_rate=0.01)


def test_a_network_is_explained_checked_and_trained() -> None:
    model = network(np.random.default_rng(0))
    assert api.check(model).passed
    x, w, v = (
        torch.tensor(leaf.values, dtype=torch.float64).reshape(leaf.node.shape)
        for leaf in model.leaves
    )
    w.requires_grad_()
    h = functional.relu(functional.conv2d(x, w, padding=1))
    f = functional.max_pool2d(h, 3, 2, 1).mean((2, 3))
    (by_w,) = torch.autograd.grad(((f @ v.T) ** 2).sum(), w)
    found = api.explain(model, ["w[0,0,1,1]", "w[1,0,0,2]"])
    got = [item.gradient for item in found.derivations]
    assert got == pytest.approx([by_w[0, 0, 1, 1].item(), by_w[1, 0, 0, 2].item()], rel=1e-12)
    expected = api.step(model, 2, engine="reference")
    for engine in ("numpy", "jax"):
        taken = api.step(model, 2, engine=engine)
        assert taken.losses == pytest.approx(expected.losses, rel=1e-12)
        assert taken.parameters == pytest.approx(expected.parameters, rel=1e-12)
