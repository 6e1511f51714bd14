"""The builder: shapes and their faults, shared nodes, names, composites."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import InputError
from chainrule.graph.build import Builder
from chainrule.graph.check import check_graph
from chainrule.graph.node import Node, Origin, topological
from chainrule.primitives import CONSTANT, VARIABLE


@pytest.fixture
def op() -> Builder:
    return Builder()


def fault_of(error: InputError) -> str:
    (fault,) = error.faults
    return str(fault)


# ------------------------------------------------------------------------------ leaves


def test_a_constant_is_a_scalar_and_made_once(op: Builder) -> None:
    node = op.constant(2)
    assert (node.primitive, node.shape, node.attributes["value"]) == (CONSTANT, (), 2.0)
    assert isinstance(node.attributes["value"], float)
    assert op.constant(2.0) is node
    assert op.constant(2.5) is not node
    assert op.constant(0.0) is not op.constant(-0.0)


def test_a_variable_is_always_new(op: Builder) -> None:
    first, second = op.variable("w", (2,), ("a", "b")), op.variable("w", (2,), ("a", "b"))
    assert first is not second
    assert (first.primitive, first.name, first.labels) == (VARIABLE, "w", ("a", "b"))


def test_numbers_may_be_operands(op: Builder) -> None:
    x = op.variable("x", (2, 3))
    node = op.mul(2.5, x)
    assert node.shape == (2, 3)
    spread, same = node.inputs
    assert same is x
    assert spread.primitive.name == "broadcast"
    assert spread.inputs[0] is op.constant(2.5)


def test_only_pointwise_primitives_are_methods(op: Builder) -> None:
    x = op.variable("x")
    assert op.tanh(x).primitive.name == "tanh"
    with pytest.raises(AttributeError):
        op.frobnicate  # noqa: B018
    with pytest.raises(AttributeError):
        op.pad_with  # noqa: B018


# ------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        ((), (), ()),
        ((), (3,), (3,)),
        ((3,), (2, 3), (2, 3)),
        ((2, 1), (1, 3), (2, 3)),
        ((1,), (4, 5, 1), (4, 5, 1)),
        ((2, 1, 3), (4, 1), (2, 4, 3)),
        ((0,), (1,), (0,)),
        ((1, 0), (3, 1), (3, 0)),
    ],
)
def test_operands_are_broadcast_as_numpy_does(
    op: Builder, left: tuple[int, ...], right: tuple[int, ...], common: tuple[int, ...]
) -> None:
    node = op.add(op.variable("a", left), op.variable("b", right))
    assert node.shape == common
    assert all(item.shape == common for item in node.inputs)
    check_graph([node])


@pytest.mark.parametrize(
    ("left", "right"), [((2,), (3,)), ((2, 3), (2,)), ((2, 3), (4, 3)), ((0,), (2,))]
)
def test_shapes_that_do_not_fit_are_told(
    op: Builder, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        op.mul(op.variable("a", left), op.variable("b", right))
    assert fault_of(caught.value) == (
        f"ShapeError: mul: shapes {left} and {right} differ\n  needs: equal axes, or 1"
    )


def test_a_shape_error_says_where(op: Builder) -> None:
    op.origin = Origin("net.txt", 12)
    with pytest.raises(InputError) as caught:
        op.add(op.variable("a", (2,)), op.variable("b", (3,)))
    assert fault_of(caught.value) == (
        "ShapeError: add: shapes (2,) and (3,) differ\n  at net.txt:12\n  needs: equal axes, or 1"
    )


def test_the_origin_is_stamped_on_what_is_made(op: Builder) -> None:
    op.origin = Origin("net.txt", 3)
    x = op.variable("x")
    op.origin = Origin("net.txt", 4)
    assert x.origin == Origin("net.txt", 3)
    assert op.exp(x).origin == Origin("net.txt", 4)


def test_faults_of_linear_steps_have_their_wording(op: Builder) -> None:
    a, b = op.variable("a", (4, 3)), op.variable("b", (2, 5))
    cases = {
        "ShapeError: matmul: inner sizes differ: (4, 3) and (2, 5)\n"
        "  needs: y[i, j] = sum(k, a[i, k] * b[k, j])": lambda: op.matmul(a, b),
        "ShapeError: linear: inner sizes differ: (4, 3) and (2, 5)\n"
        "  needs: y[n, j] = sum(k, w[j, k] * x[n, k])": lambda: op.linear(a, b),
        "ShapeError: matmul: shapes () and (2, 5)\n  needs: vectors or matrices": lambda: op.matmul(
            op.variable("s"), b
        ),
        "ShapeError: batch_matmul: inner sizes differ: (1, 2, 5) and (1, 2, 3)\n"
        "  needs: y[n, i, j] = sum(k, a[n, i, k] * b[n, k, j])": lambda: op.matmul(
            b, op.variable("t", (1, 2, 3))
        ),
        "ShapeError: matmul: shapes (3,) and (2,) differ\n  needs: equal axes, or 1": lambda: (
            op.matmul(op.variable("p", (3, 2, 4)), op.variable("q", (2, 4, 5)))
        ),
        "ShapeError: broadcast: shape (4, 3) does not stretch to (4, 4)\n"
        "  needs: y[i, k] = x[i]": lambda: op.broadcast(a, (4, 4)),
        "ShapeError: reshape: (4, 3) has 12 entries, (5, 2) has 10\n"
        "  needs: y[row-major] = x[row-major]": lambda: op.reshape(a, (5, 2)),
        "ShapeError: sum: axes (2,) do not fit 2 axes\n  needs: axes of the operand": lambda: (
            op.sum(a, 2)
        ),
        "ShapeError: max: axes (0, -2) do not fit 2 axes\n  needs: axes of the operand": lambda: (
            op.max(a, (0, -2))
        ),
        "ShapeError: concat: shapes differ off axis 0: (4, 3) and (2, 5)\n"
        "  needs: y[i] = x[i], then the next operand's": lambda: op.concat(a, b, axis=0),
        "ShapeError: take: index 3 is none of 0 to 2\n  needs: y[m, i] = x[index[m], i]": lambda: (
            op.take(a, (0, 3), 1)
        ),
        "ShapeError: scatter_add: 2 indices for 4 entries along axis 0 of (4, 3)\n"
        "  needs: y[k, i] = sum(m, x[m, i]) where index[m] = k": lambda: op.scatter_add(
            a, (0, 1), 0, 5
        ),
        "ShapeError: pick: indices (0, 3) of shape (2, 3)\n"
        "  needs: 2 indices from 0 to 2": lambda: op.pick(op.variable("r", (2, 3)), (0, 3)),
        "ShapeError: convolution: 3 channels in x, 2 in w, 4 out, 1 groups: those of x are those of"
        " w for each group, and groups divide those out\n"
        "  needs: y[n, o, i, j] = sum(c, p, q, x[n, c, i*s + p*d - pad, j*s + q*d - pad]"
        " * w[o, c, p, q])": lambda: op.convolution(
            op.variable("x", (1, 3, 5)), op.variable("w", (4, 2, 3)), (1,), ((0, 0),), (1,)
        ),
        "ShapeError: windows: a window of 5 does not fit 3 entries with 0 before and 1 after\n"
        "  needs: y[n, i, p] = x[n, i * stride + p * dilation - padding]": lambda: op.windows(
            a, (3,), (1,), (2,), ((0, 1),)
        ),
        "ShapeError: windows: size (2,), stride (1, 1), dilation (1,), padding ((0, 0),):"
        " one for each of the last axes of (4, 3)\n"
        "  needs: y[n, i, p] = x[n, i * stride + p * dilation - padding]": lambda: op.windows(
            a, (2,), (1, 1), (1,), ((0, 0),)
        ),
        "ShapeError: slice: entries 2, step 1, 3 of them, leave (4, 3)\n"
        "  needs: y[i] = x[i * step + start]": lambda: op.slice(a, (2, 0), (1, 1), (3, 3)),
    }
    for said, make in cases.items():
        with pytest.raises(InputError) as caught:
            make()
        assert fault_of(caught.value) == said


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [
        ((2, 3), (3, 4), (2, 4)),
        ((3,), (3, 4), (4,)),
        ((2, 3), (3,), (2,)),
        ((3,), (3,), ()),
        ((5, 2, 3), (3, 4), (5, 2, 4)),
        ((2, 3), (5, 3, 4), (5, 2, 4)),
        ((6, 1, 2, 3), (5, 3, 4), (6, 5, 2, 4)),
        ((3,), (5, 3, 4), (5, 4)),
        ((5, 2, 3), (3,), (5, 2)),
        ((0, 2, 3), (0, 3, 4), (0, 2, 4)),
    ],
)
def test_a_vector_is_a_row_on_the_left_and_a_column_on_the_right(
    op: Builder, left: tuple[int, ...], right: tuple[int, ...], result: tuple[int, ...]
) -> None:
    node = op.matmul(op.variable("a", left), op.variable("b", right))
    assert node.shape == result == (np.ones(left) @ np.ones(right)).shape
    check_graph([node])


def test_steps_that_change_nothing_are_not_made(op: Builder) -> None:
    x, s = op.variable("x", (2, 3)), op.variable("s")
    assert op.broadcast(x, (2, 3)) is x
    assert op.reshape(x, (2, 3)) is x
    assert op.slice(x, (0, 0), (1, 1), (2, 3)) is x
    assert op.pad(x, (0, 0), (1, 1), (2, 3)) is x
    assert op.flip(s) is s
    assert op.surrounded(x, ((0, 0),), 1.0) is x
    assert op.sum(s) is s
    assert op.max(s) is s
    assert op.sum(x, ()) is x
    assert op.transpose(op.variable("v", (4,))).shape == (4,)
    assert op.transpose(x).shape == (3, 2)
    assert op.sum(x).shape == ()
    assert op.sum(x, -1).shape == (2,)
    assert op.max(x, (0,)).shape == (3,)


# ------------------------------------------------------------------- sharing and names


def test_equal_expressions_are_one_node(op: Builder) -> None:
    x, y = op.variable("x", (2,)), op.variable("y", (2,))
    assert op.add(x, y) is op.add(x, y)
    assert op.add(x, y) is not op.add(y, x)
    assert op.sum(x, 0) is op.sum(x, 0)
    assert op.reshape(x, (1, 2)) is op.reshape(x, (1, 2))
    assert op.reshape(x, (1, 2)) is not op.reshape(x, (2, 1))
    assert Builder().add(x, y) is not op.add(x, y)


def test_a_named_step_serves_later_requests(op: Builder) -> None:
    x = op.variable("x")
    named = op.named(op.exp(x), "e")
    assert named.name == "e"
    assert op.exp(x) is named
    other = op.named(op.exp(x), "f")
    assert other is named  # a named step keeps the name that it has


def test_two_quantities_may_have_one_formula(op: Builder) -> None:
    x = op.variable("x")
    plain = op.exp(x)
    first, second = op.named(plain, "first"), op.named(plain, "second")
    assert first is not second
    assert (first.name, second.name) == ("first", "second")
    assert first.inputs == second.inputs == (x,)
    assert op.exp(x) is first


def test_leaves_keep_their_names(op: Builder) -> None:
    x = op.variable("x")
    assert op.named(x, "other") is x
    assert op.named(op.constant(1.0), "one") is op.constant(1.0)


def test_labels_come_with_the_name(op: Builder) -> None:
    node = op.named(op.exp(op.variable("x", (2,))), "y", ("y1", "y2"))
    assert (node.name, node.labels) == ("y", ("y1", "y2"))


# -------------------------------------------------------------------------- composites


def test_a_composite_with_a_jacobian_can_be_folded(op: Builder) -> None:
    x = op.variable("x", (2, 3))
    node = op.composite("softmax", x)
    assert node.fold is not None
    assert node.fold.composite.name == "softmax"
    assert node.fold.operands == (x,)
    assert node.primitive.name == "div"
    check_graph([node])


def test_a_name_keeps_the_fold(op: Builder) -> None:
    named = op.named(op.composite("softmax", op.variable("x", (3,))), "p")
    assert named.name == "p"
    assert named.fold is not None
    assert named.fold.composite.name == "softmax"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "layer_norm",
            "ShapeError: sum: axes (-1,) do not fit 0 axes\n  needs: axes of the operand",
        ),
        ("attention", "ShapeError: matmul: shapes () and ()\n  needs: vectors or matrices"),
    ],
)
def test_a_layer_of_one_number_is_refused(op: Builder, name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        op.composite(name, *(op.variable(f"x{number}") for number in range(4)))
    assert fault_of(caught.value) == said


def test_a_composite_without_a_jacobian_is_its_steps(op: Builder) -> None:
    t, y = op.variable("t"), op.variable("y")
    node = op.composite("half_squared_error", t, y)
    assert node.fold is None
    assert node is op.mul(0.5, op.pow(op.sub(t, y), 2.0))


def test_the_steps_inside_a_composite_can_be_named(op: Builder) -> None:
    asked: list[str] = []

    def name(step: str, node: Node) -> Node:
        asked.append(step)
        return op.named(node, f"{step}_p", None)

    node = op.composite("softmax", op.variable("x", (3,)), naming=name)
    assert asked == ["max", "shifted", "exp", "sum"]
    found = {item.name for item in topological([node])}
    assert found >= {"max_p", "shifted_p", "exp_p", "sum_p"}
    named = op.named(node, "p", ("p1", "p2", "p3"))
    assert named.labels == ("p1", "p2", "p3")
    assert named.fold is node.fold is not None


def test_a_composite_that_has_a_name_is_not_made_twice(op: Builder) -> None:
    x = op.variable("x", (3,))
    named = op.named(op.composite("softmax", x), "p")
    assert op.composite("softmax", x) is named
    check_graph([named, op.sum(op.composite("softmax", x))])


def test_a_formula_is_lowered_into_nodes(op: Builder) -> None:
    x, y = op.variable("x"), op.variable("y")
    node = op.lower("max(x, 2) * (y if x > 0 else 3)", {"x": x, "y": y})
    assert node is op.mul(op.maximum(x, 2.0), op.where(op.greater(x, 0.0), y, 3.0))
    check_graph([node])
