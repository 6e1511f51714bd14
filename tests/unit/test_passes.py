"""The passes: fold, recognise, unroll, name; and that long graphs are no trouble."""

from __future__ import annotations

import itertools
import math
import operator
import random
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.differentiate.reverse import reverse
from chainrule.engines import reference
from chainrule.graph.build import Builder
from chainrule.graph.check import check_graph
from chainrule.graph.formulas import formula_of
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.name import DEEPEST, name_quantities, net_name
from chainrule.graph.passes.prune import depending
from chainrule.graph.passes.unroll import entry_labels, unroll, unrolled_size
from chainrule.primitives.python import python

Function = Callable[..., Any]


@pytest.fixture
def op() -> Builder:
    return Builder()


def bits(value: float) -> bytes:
    """A float to the last digit; every NaN is the same."""
    return struct.pack("d", math.nan if value != value else value)


class Plain:
    """The builder's pointwise steps, on floats and with nothing folded."""

    add = staticmethod(operator.add)
    sub = staticmethod(operator.sub)
    mul = staticmethod(operator.mul)
    neg = staticmethod(operator.neg)

    @staticmethod
    def div(a: float, b: float) -> float:
        return float(np.float64(a) / np.float64(b))

    @staticmethod
    def pow(a: float, b: float) -> float:
        return math.pow(a, b)


# -------------------------------------------------------------------------------- fold


def same_digits(make: Function, count: int = 300, low: float = -4, high: float = 4) -> None:
    """The steps that `make` writes, folded and not, at random floats."""
    chance = random.Random(7)
    op = Builder()
    x, y = op.variable("x"), op.variable("y")
    node = make(op, x, y)
    for _ in range(count):
        at = {
            leaf: chance.choice((-1.0, 1.0)) * 10.0 ** chance.uniform(low, high) for leaf in (x, y)
        }
        with np.errstate(all="ignore"):
            plain = make(Plain, *at.values())
        assert bits(reference.run([node], at)[node]) == bits(plain), at


FOLDED: dict[str, Function] = {
    "halving and doubling": lambda op, x, y: op.mul(0.5, op.mul(2.0, x)),
    "doubling and thirds": lambda op, x, y: op.mul(2.0, op.mul(0.3, x)),
    "thirds and doubling": lambda op, x, y: op.mul(0.3, op.mul(2.0, x)),
    "from the other side": lambda op, x, y: op.mul(op.mul(4.0, x), 0.3),
    "not powers of two": lambda op, x, y: op.mul(0.3, op.mul(0.7, x)),
    "times one": lambda op, x, y: op.mul(op.mul(1.0, x), 1.0),
    "times minus one": lambda op, x, y: op.mul(-1.0, op.mul(y, op.mul(x, -1.0))),
    "minus minus": lambda op, x, y: op.neg(op.neg(op.neg(x))),
    "minus a multiple": lambda op, x, y: op.neg(op.mul(0.3, x)),
    "minus a negative multiple": lambda op, x, y: op.neg(op.mul(-0.7, op.neg(x))),
    "by one": lambda op, x, y: op.div(op.div(x, 1.0), y),
    "first power": lambda op, x, y: op.pow(op.mul(x, x), 1.0),
    "power zero": lambda op, x, y: op.mul(y, op.pow(x, 0.0)),
    "plus minus": lambda op, x, y: op.add(x, op.neg(y)),
    "minus plus": lambda op, x, y: op.add(op.neg(x), y),
    "constants": lambda op, x, y: op.mul(op.add(op.mul(0.1, 3.0), op.pow(1.1, 2.0)), x),
    "exact quotient": lambda op, x, y: op.mul(op.div(6.0, 3.0), x),
    "quotient by a power of two": lambda op, x, y: op.mul(op.div(0.7, 8.0), x),
    "quotient that is not exact": lambda op, x, y: op.mul(op.div(1.0, 3.0), x),
    "by a constant": lambda op, x, y: op.div(op.mul(3.0, x), 3.0),
    "times a quotient": lambda op, x, y: op.mul(x, op.div(y, x)),
    "times a reciprocal": lambda op, x, y: op.mul(x, op.div(1.0, y)),
    "times one third": lambda op, x, y: op.mul(x, op.div(1.0, 3.0)),
    "differences": lambda op, x, y: op.sub(op.sub(x, 0.1), op.sub(0.1, y)),
}


@pytest.mark.parametrize("name", FOLDED)
def test_folding_changes_no_digit(name: str) -> None:
    same_digits(FOLDED[name])


@pytest.mark.parametrize(
    "name", ["halving and doubling", "doubling and thirds", "thirds and doubling"]
)
def test_folding_changes_no_digit_near_the_ends_of_the_floats(name: str) -> None:
    same_digits(FOLDED[name], low=-307, high=300)


def test_folding_does_not_overflow(op: Builder) -> None:
    x = op.variable("x")
    for outer, inner, at in ((2.0, 1e308, 1e-300), (2.0**-1000, 3e-100, 1e300)):
        node = op.mul(outer, op.mul(inner, x))
        assert reference.run([node], {x: at})[node] == outer * (inner * at)


def test_random_expressions_keep_their_digits() -> None:
    chance = random.Random(1)
    constants = (0.5, 2.0, -1.0, 1.0, 0.3, -3.0, 4.0)

    def draw(depth: int) -> Function:
        """A random expression, as a function of the algebra and its leaves."""
        if depth == 0 or chance.random() < 0.15:
            value = chance.choice(constants)
            return chance.choice([lambda a, x, y: x, lambda a, x, y: y, lambda a, x, y: value])
        name = chance.choice(("add", "sub", "mul", "mul", "neg"))
        parts = [draw(depth - 1) for _ in range(1 if name == "neg" else 2)]
        return lambda a, x, y: getattr(a, name)(*(part(a, x, y) for part in parts))

    for _ in range(300):
        expression = draw(5)
        op = Builder()
        x, y = op.variable("x"), op.variable("y")
        node = expression(op, x, y)
        if not isinstance(node, Node):
            continue
        at = {x: chance.uniform(-2, 2), y: chance.uniform(-2, 2)}
        check_graph([node])
        # -0.0 and 0.0 are one number here: x - x and -(x - x).
        found = reference.run([node], at)[node]
        assert found == expression(Plain, at[x], at[y])


def test_what_is_folded(op: Builder) -> None:
    x, y = op.variable("x"), op.variable("y")
    assert op.mul(0.5, op.mul(2.0, x)) is x
    assert op.neg(op.neg(x)) is x
    assert op.mul(-1.0, x) is op.neg(x)
    assert op.add(x, op.neg(y)) is op.sub(x, y)
    assert op.pow(x, 1.0) is x
    assert op.pow(x, 0.0) is op.constant(1.0)
    assert op.div(x, 1.0) is x
    assert op.add(1.0, 2.0) is op.constant(3.0)
    assert op.div(6.0, 4.0) is op.constant(1.5)


def test_what_is_not_folded(op: Builder) -> None:
    x = op.variable("x")
    third = op.div(1.0, 3.0)
    assert python(formula_of(third)) == "1/3"
    assert constant_value(third) is None
    assert python(formula_of(op.mul(3.0, op.div(x, 3.0)))) == "3*(x/3)"
    assert python(formula_of(op.mul(0.3, op.mul(0.7, x)))) == "0.3*(0.7*x)"
    assert python(formula_of(op.div(1.0, 0.0))) == "1/0"
    assert python(formula_of(op.mul(0.0, x))) == "0*x"
    assert python(formula_of(op.add(0.0, x))) == "0 + x"
    assert python(formula_of(op.sub(x, x))) == "x - x"
    assert python(formula_of(op.div(x, x))) == "x/x"


def test_a_named_step_is_not_folded_away(op: Builder) -> None:
    x = op.variable("x")
    doubled = op.named(op.mul(2.0, x), "doubled")
    minus = op.named(op.neg(x), "minus")
    assert python(formula_of(op.mul(0.5, doubled))) == "0.5*doubled"
    assert python(formula_of(op.neg(minus))) == "-minus"
    assert python(formula_of(op.add(x, minus))) == "x + minus"
    assert python(formula_of(op.neg(doubled))) == "-doubled"


def test_a_constant_is_seen_through_its_repetition(op: Builder) -> None:
    two = op.constant(2.0)
    assert constant_value(op.broadcast(two, (3, 4))) == 2.0
    assert constant_value(op.reshape(op.broadcast(two, (6,)), (2, 3))) == 2.0
    assert constant_value(op.variable("x")) is None
    x = op.variable("x", (3,))
    assert op.mul(op.broadcast(op.constant(0.5), (3,)), op.mul(2.0, x)) is x
    ones = op.pow(x, 0.0)
    assert (ones.shape, constant_value(ones)) == ((3,), 1.0)


# --------------------------------------------------------------------------- recognise

SIGMOIDS: dict[str, Function] = {
    "1/(1 + exp(-z))": lambda op, z: op.div(1.0, op.add(1.0, op.exp(op.neg(z)))),
    "1/(exp(-z) + 1)": lambda op, z: op.div(1.0, op.add(op.exp(op.neg(z)), 1.0)),
    "1/(1 + exp(-1*z))": lambda op, z: op.div(1.0, op.add(1.0, op.exp(op.mul(-1.0, z)))),
    "1/(1 + exp(z*-1))": lambda op, z: op.div(1.0, op.add(1.0, op.exp(op.mul(z, -1.0)))),
    "(2 - 1)/(1 + exp(-z))": lambda op, z: op.div(op.sub(2.0, 1.0), op.add(1.0, op.exp(op.neg(z)))),
}


@pytest.mark.parametrize("written", SIGMOIDS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_a_sigmoid_is_recognised(op: Builder, written: str, shape: tuple[int, ...]) -> None:
    z = op.variable("z", shape)
    assert SIGMOIDS[written](op, z) is op.sigmoid(z)


def test_a_sigmoid_of_a_sum_or_a_multiple_is_recognised(op: Builder) -> None:
    x, w = op.variable("x"), op.variable("w")
    for net in (op.add(op.mul(w, x), 1.0), op.mul(w, x), op.mul(2.0, x), op.sub(x, w)):
        made = op.div(1.0, op.add(1.0, op.exp(op.neg(net))))
        assert made is op.sigmoid(net), python(formula_of(made))


NO_SIGMOIDS: dict[str, Function] = {
    "2/(1 + exp(-z))": lambda op, z: op.div(2.0, op.add(1.0, op.exp(op.neg(z)))),
    "1/(2 + exp(-z))": lambda op, z: op.div(1.0, op.add(2.0, op.exp(op.neg(z)))),
    "1/(1 + exp(z))": lambda op, z: op.div(1.0, op.add(1.0, op.exp(z))),
    "1/(1 - exp(-z))": lambda op, z: op.div(1.0, op.sub(1.0, op.exp(op.neg(z)))),
    "1/(1 + 1/exp(z))": lambda op, z: op.div(1.0, op.add(1.0, op.div(1.0, op.exp(z)))),
    "exp(z)/(1 + exp(z))": lambda op, z: op.div(op.exp(z), op.add(1.0, op.exp(z))),
    "1/(1 + expm1(-z))": lambda op, z: op.div(1.0, op.add(1.0, op.expm1(op.neg(z)))),
    "1/(1 * exp(-z))": lambda op, z: op.div(1.0, op.mul(1.0, op.exp(op.neg(z)))),
    "z/(1 + exp(-z))": lambda op, z: op.div(z, op.add(1.0, op.exp(op.neg(z)))),
}


@pytest.mark.parametrize("written", NO_SIGMOIDS)
def test_what_is_no_sigmoid_is_left(op: Builder, written: str) -> None:
    z = op.variable("z")
    made = NO_SIGMOIDS[written](op, z)
    used = {node.primitive.name for node in topological([made])}
    assert "sigmoid" not in used
    for at in (-1.5, 0.25, 3.0):
        spelt = eval(written, {"exp": math.exp, "expm1": math.expm1, "z": at})
        assert bits(reference.run([made], {z: at})[made]) == bits(spelt)


def test_a_named_part_is_kept_as_it_was_named(op: Builder) -> None:
    z = op.variable("z")
    minus = op.named(op.neg(z), "m")
    power = op.named(op.exp(op.neg(op.variable("y"))), "p")
    below = op.named(op.add(1.0, op.exp(op.neg(op.variable("x")))), "d")
    assert python(formula_of(op.div(1.0, op.add(1.0, op.exp(minus))))) == "1/(1 + exp(m))"
    assert python(formula_of(op.div(1.0, op.add(1.0, power)))) == "1/(1 + p)"
    assert python(formula_of(op.div(1.0, below))) == "1/d"


def test_recognising_changes_no_digit(op: Builder) -> None:
    z = op.variable("z")
    made = op.div(1.0, op.add(op.exp(op.neg(z)), 1.0))
    chance = random.Random(3)
    for _ in range(500):
        at = chance.uniform(-30, 30)
        assert bits(reference.run([made], {z: at})[made]) == bits(1 / (1 + math.exp(-at)))


# ------------------------------------------------------------------------------ unroll


class Growing:
    """A random array graph, and beside it NumPy's own values."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.op = Builder()
        self.pool: list[tuple[Node, Any]] = []
        self.leaves: dict[Node, Any] = {}
        for number in range(3):
            rank = self.chance.randint(0, 3)
            self.leaf(number, tuple(self.chance.randint(1, 3) for _ in range(rank)))

    def leaf(self, number: int, shape: tuple[int, ...]) -> None:
        value = self.numbers.uniform(-1.5, 1.5, shape)
        node = self.op.variable(f"x{number}", shape)
        self.leaves[node] = value
        self.pool.append((node, value))

    def pick(self, fits: Function = lambda value: True) -> tuple[Node, Any] | None:
        found = [pair for pair in self.pool if fits(pair[1])]
        return self.chance.choice(found) if found else None

    def grow(self) -> None:
        steps = [getattr(self, name) for name in dir(self) if name.startswith("step_")]
        made = self.chance.choice(steps)()
        if made is not None and made[1].size <= 60:
            assert made[0].shape == made[1].shape
            self.pool.append(made)

    def step_pointwise(self) -> Any:
        name, function = self.chance.choice(
            [("tanh", np.tanh), ("sin", np.sin), ("abs", np.abs), ("neg", np.negative)]
        )
        node, value = self.pick()
        return getattr(self.op, name)(node), function(value)

    def step_arithmetic(self) -> Any:
        name, function = self.chance.choice(
            [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("maximum", np.maximum)]
        )
        (a, x), (b, y) = self.pick(), self.pick()
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return None
        return getattr(self.op, name)(a, b), function(x, y)

    def step_matmul(self) -> Any:
        left = self.pick(lambda value: value.ndim in (1, 2))
        if left is None:
            return None
        fits = self.pick(lambda value: value.ndim in (1, 2) and len(value) == left[1].shape[-1])
        return fits and (self.op.matmul(left[0], fits[0]), left[1] @ fits[1])

    def step_linear(self) -> Any:
        x = self.pick(lambda value: value.ndim == 2)
        w = x and self.pick(lambda value: value.ndim == 2 and value.shape[1] == x[1].shape[1])
        return w and (self.op.linear(x[0], w[0]), x[1] @ w[1].T)

    def some_axes(self, value: Any) -> tuple[int, ...]:
        count = self.chance.randint(1, value.ndim)
        return tuple(sorted(self.chance.sample(range(value.ndim), count)))

    def step_sum(self) -> Any:
        found = self.pick(lambda value: value.ndim)
        if found is None:
            return None
        axes = self.some_axes(found[1])
        return self.op.sum(found[0], axes), found[1].sum(axis=axes)

    def step_max(self) -> Any:
        found = self.pick(lambda value: value.ndim)
        if found is None:
            return None
        axes = self.some_axes(found[1])
        return self.op.max(found[0], axes), found[1].max(axis=axes)

    def step_transpose(self) -> Any:
        node, value = self.pick()
        order = tuple(self.chance.sample(range(value.ndim), value.ndim))
        return (self.op.transpose(node, order), value.transpose(order)) if order else None

    def step_reshape(self) -> Any:
        node, value = self.pick()
        shape = self.chance.choice([(value.size,), (1, value.size), (*value.shape, 1)])
        return self.op.reshape(node, shape), value.reshape(shape)

    def step_slice(self) -> Any:
        found = self.pick(lambda value: value.ndim and value.size)
        if found is None:
            return None
        node, value = found
        start, step, shape = [], [], []
        for size in value.shape:
            first, stride = self.chance.randrange(size), self.chance.randint(1, 2)
            start.append(first)
            step.append(stride)
            shape.append(self.chance.randint(1, (size - first + stride - 1) // stride))
        cut = tuple(
            slice(a, a + (n - 1) * b + 1, b) for a, b, n in zip(start, step, shape, strict=True)
        )
        return self.op.slice(node, tuple(start), tuple(step), tuple(shape)), value[cut]

    def step_pad(self) -> Any:
        node, value = self.pick()
        start = tuple(self.chance.randint(0, 1) for _ in value.shape)
        shape = tuple(
            a + size + self.chance.randint(0, 1) for a, size in zip(start, value.shape, strict=True)
        )
        padded = np.zeros(shape)
        padded[tuple(slice(a, a + n) for a, n in zip(start, value.shape, strict=True))] = value
        return self.op.pad(node, start, (1,) * value.ndim, shape), padded

    def step_concat(self) -> Any:
        first = self.pick(lambda value: value.ndim)
        if first is None:
            return None
        axis = self.chance.randrange(first[1].ndim)

        def fits(value: Any) -> bool:
            return value.ndim == first[1].ndim and all(
                a == b
                for i, (a, b) in enumerate(zip(value.shape, first[1].shape, strict=True))
                if i != axis
            )

        second = self.pick(fits)
        assert second is not None
        joined = np.concatenate([first[1], second[1]], axis=axis)
        return self.op.concat(first[0], second[0], axis=axis), joined


@pytest.mark.parametrize("seed", range(60))
def test_an_unrolled_graph_has_the_values_of_the_arrays(seed: int) -> None:
    growing = Growing(seed)
    for _ in range(25):
        growing.grow()
    nodes = [node for node, _ in growing.pool]
    check_graph(nodes)
    unrolled = unroll(nodes, name_quantities(nodes))
    given = {
        entry: float(value)
        for leaf, array in growing.leaves.items()
        for entry, value in zip(unrolled.entries[leaf], array.ravel(), strict=True)
    }
    scalars = [entry for node in nodes for entry in unrolled.entries[node]]
    check_graph(scalars)
    assert all(entry.shape == () for entry in topological(scalars))
    values = reference.run(scalars, given)
    for node, expected in growing.pool:
        found = [values[entry] for entry in unrolled.entries[node]]
        assert np.allclose(found, expected.ravel(), rtol=1e-12, atol=1e-12), node
    names = [entry.name for entry in topological(scalars) if entry.name is not None]
    assert len(names) == len(set(names))


def test_the_random_graphs_use_every_kind_of_step() -> None:
    used = set()
    for seed in range(60):
        growing = Growing(seed)
        for _ in range(25):
            growing.grow()
        used |= {node.primitive.name for node, _ in growing.pool}
    assert used >= {
        *("matmul", "linear", "sum", "max", "transpose", "reshape", "slice", "pad", "concat"),
        *("add", "sub", "mul", "maximum", "tanh", "variable"),
    }


def test_a_sum_is_spelt_out_from_left_to_right(op: Builder) -> None:
    x, w = op.variable("x", (1, 3), ("x1", "x2", "x3")), op.variable("w", (2, 3))
    net = op.linear(x, w)
    entries = unroll([net], name_quantities([net])).entries[net]
    assert [python(formula_of(entry)) for entry in entries] == [
        "w[0,0]*x1 + w[0,1]*x2 + w[0,2]*x3",
        "w[1,0]*x1 + w[1,1]*x2 + w[1,2]*x3",
    ]
    total = op.sum(x)
    (entry,) = unroll([total], name_quantities([total])).entries[total]
    assert python(formula_of(entry)) == "x1 + x2 + x3"
    largest = op.max(x)
    (entry,) = unroll([largest], name_quantities([largest])).entries[largest]
    assert python(formula_of(entry)) == "max(x1, x2, x3)"


def test_an_empty_sum_is_zero(op: Builder) -> None:
    total = op.sum(op.variable("x", (0, 2)), 0)
    entries = unroll([total], name_quantities([total])).entries[total]
    assert [constant_value(entry) for entry in entries] == [0.0, 0.0]


def test_steps_that_move_entries_vanish(op: Builder) -> None:
    x = op.variable("x", (2, 2))
    moved = op.concat(
        op.transpose(x), op.reshape(op.slice(x, (1, 0), (1, 1), (1, 2)), (1, 2)), axis=0
    )
    unrolled = unroll([moved], name_quantities([moved]))
    names = [entry.name for entry in unrolled.entries[moved]]
    assert names == ["x[0,0]", "x[1,0]", "x[0,1]", "x[1,1]", "x[1,0]", "x[1,1]"]
    padded = op.pad(x, (1, 0), (1, 1), (3, 2))
    entries = unroll([padded], name_quantities([padded])).entries[padded]
    assert [constant_value(entry) for entry in entries[:2]] == [0.0, 0.0]


def test_a_fold_is_noted_for_each_entry_of_each_row(op: Builder) -> None:
    x = op.variable("x", (2, 3))
    p = op.named(op.composite("softmax", x), "p")
    unrolled = unroll([p], name_quantities([p]))
    folds = [unrolled.folds[entry] for entry in unrolled.entries[p]]
    assert [fold.place for fold in folds] == [0, 1, 2, 0, 1, 2]
    assert [item.name for item in folds[4].operands[0]] == ["x[1,0]", "x[1,1]", "x[1,2]"]
    assert list(folds[3].results) == unrolled.entries[p][3:]


@pytest.mark.parametrize("seed", range(10))
def test_the_size_is_not_far_from_what_unrolling_makes(seed: int) -> None:
    growing = Growing(seed)
    for _ in range(25):
        growing.grow()
    nodes = [node for node, _ in growing.pool]
    size = unrolled_size(nodes)
    made = len(
        topological(e for es in unroll(nodes, name_quantities(nodes)).entries.values() for e in es)
    )
    assert made <= size + 2 + len(nodes)


def test_names_of_entries() -> None:
    op = Builder()
    assert entry_labels(op.variable("w")) == ("w",)
    assert entry_labels(op.variable("w", (2,))) == ("w[0]", "w[1]")
    assert entry_labels(op.variable("w", (2, 2))) == ("w[0,0]", "w[0,1]", "w[1,0]", "w[1,1]")
    assert entry_labels(op.variable("w", (2,), ("a", "b"))) == ("a", "b")
    assert entry_labels(op.variable("w", (0,))) == ()
    assert entry_labels(op.exp(op.variable("w"))) is None


# -------------------------------------------------------------------------------- name


def names_of(*outputs: Node) -> dict[str, str]:
    """The formulas of the quantities of a scalar graph, by name."""
    labels = name_quantities(outputs)
    unrolled = unroll(list(outputs), labels)
    order = topological(entry for node in outputs for entry in unrolled.entries[node])
    return {
        node.name or "": python(formula_of(node)) for node in order if node.inputs and node.name
    }


def test_the_operand_of_an_activation_is_its_net_input(op: Builder) -> None:
    x, w = op.variable("x"), op.variable("w")
    out = op.named(op.sigmoid(op.add(op.mul(w, x), 1.0)), "out_o1")
    assert names_of(out) == {"net_o1": "w*x + 1", "out_o1": "1/(1 + exp(-net_o1))"}
    hidden = op.named(op.tanh(op.mul(w, x)), "h")
    assert names_of(hidden) == {"net_h": "w*x", "h": "tanh(net_h)"}
    assert (net_name("o1"), net_name("out_o1")) == ("net_o1", "net_o1")


def test_an_array_of_units_has_an_array_of_net_inputs(op: Builder) -> None:
    x, w = op.variable("x", (1, 2), ("x1", "x2")), op.variable("w", (2, 2))
    out = op.named(op.relu(op.linear(x, w)), "h", ("h1", "h2"))
    assert list(names_of(out)) == ["net_h1", "h1", "net_h2", "h2"]


def test_a_net_input_is_not_named_over_another_name(op: Builder) -> None:
    x = op.variable("x")
    given = op.variable("net_h")
    out = op.named(op.sigmoid(op.mul(x, given)), "h")
    assert list(names_of(out)) == ["h"]
    own = op.named(op.sigmoid(op.variable("z")), "s")
    assert names_of(own) == {"s": "1/(1 + exp(-z))"}  # a leaf has its name already


def test_what_is_used_twice_has_a_name(op: Builder) -> None:
    x = op.variable("x")
    shared = op.sin(x)
    loss = op.named(op.mul(shared, op.add(shared, 1.0)), "E")
    assert names_of(loss) == {"t1": "sin(x)", "E": "t1*(t1 + 1)"}


def test_numbered_names_avoid_those_that_are_taken(op: Builder) -> None:
    x, t1 = op.variable("x"), op.variable("t1")
    first, second = op.sin(x), op.cos(t1)
    loss = op.named(op.mul(op.mul(first, first), op.mul(second, second)), "t3")
    assert list(names_of(loss)) == ["t2", "t4", "t3"]


def test_conditions_constants_and_moves_are_not_named(op: Builder) -> None:
    x = op.variable("x")
    condition = op.greater(x, 0.0)
    third = op.div(1.0, 3.0)
    loss = op.named(
        op.add(op.where(condition, op.mul(x, third), x), op.where(condition, x, third)), "E"
    )
    labels = name_quantities([loss])
    assert condition not in labels
    repeated = op.broadcast(op.sin(x), (3,))
    total = op.named(op.sum(op.mul(repeated, op.variable("v", (3,)))), "E")
    named = name_quantities([total])
    assert repeated not in named
    assert named[repeated.inputs[0]] == ("t1",)


def nested(op: Builder, levels: int) -> Node:
    node = op.variable("x")
    for _ in range(levels):
        node = op.sin(node)
    return node


def test_deep_expressions_are_cut_at_the_deepest_that_can_be_read(op: Builder) -> None:
    inner = nested(op, DEEPEST)
    assert list(names_of(op.named(op.mul(2.0, inner), "E"))) == ["E"]
    assert list(names_of(op.named(nested(Builder(), DEEPEST), "E"))) == ["E"]
    names = names_of(op.named(nested(op, 3 * DEEPEST), "E"))
    assert list(names) == ["t1", "t2", "E"]
    longest = max(formula.count("sin") for formula in names.values())
    assert DEEPEST <= longest <= DEEPEST + 1
    assert sum(formula.count("sin") for formula in names.values()) == 3 * DEEPEST


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum", "minimum"])
def test_a_long_row_stays_one_quantity(op: Builder, name: str) -> None:
    leaves = [op.variable(f"x{number}") for number in range(300)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = op.apply(name, total, leaf)
    assert list(names_of(op.named(total, "E"))) == ["E"]


def test_sums_and_products_by_turns_are_nested(op: Builder) -> None:
    node = op.variable("x0")
    for number in range(1, 40):
        leaf = op.variable(f"x{number}")
        node = op.add(node, leaf) if number % 2 else op.mul(node, leaf)
    assert list(names_of(op.named(node, "E"))) == ["t1", "t2", "E"]  # 39 steps, 13 in each
    assert DEEPEST == 12


# ------------------------------------------------------------------------- long chains

LONG = 100_000


def chain(count: int) -> tuple[Builder, Node, Node]:
    op = Builder()
    x = op.variable("x")
    node = x
    for _ in range(count):
        node = op.sin(node)
    return op, x, node


def timed(work: Function) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_chain_of_100_000_steps_does_not_recurse() -> None:
    op, x, end = chain(LONG)
    order = topological([end])
    assert len(order) == LONG + 1
    assert order[0] is x
    assert order[-1] is end
    program = reference.program([end])
    assert len(program.steps) == LONG
    assert abs(program.run({x: 0.5})[end]) < 0.5
    adjoint = reverse(op, end, [x])[x]
    assert len(topological([adjoint])) > 2 * LONG
    assert 0 < reference.run([adjoint], {x: 0.5})[adjoint] < 1
    labels = name_quantities([end])
    assert len(unroll([end], labels).entries) == LONG + 1


def test_the_time_for_a_chain_grows_with_its_length_alone() -> None:
    def work(count: int) -> float:
        op, x, end = chain(count)
        return timed(lambda: (topological([end]), reference.program([end]), reverse(op, end, [x])))

    work(2_000)  # warm
    short = min(work(5_000) for _ in range(3))
    long = min(work(40_000) for _ in range(2))
    assert long < 30 * short  # eight times the length; 64 times if it were quadratic


def test_a_step_used_by_very_many_is_no_trouble() -> None:
    op = Builder()
    x = op.variable("x")
    total = op.mul(x, op.variable("w0"))
    for number in range(1, 20_000):
        total = op.add(total, op.mul(x, op.variable(f"w{number}")))
    adjoint = reverse(op, total, [x])[x]
    assert python(formula_of(adjoint)).startswith("w0 + w1 + w2 + ")
    assert python(formula_of(adjoint)).count("+") == 19_999


def test_pruning_keeps_what_depends_on_the_wanted(op: Builder) -> None:
    x, y, z = (op.variable(name) for name in "xyz")
    a, b = op.sin(x), op.mul(op.cos(y), z)
    loss = op.add(a, b)
    order = topological([loss])
    assert depending(order, {x}, lambda node: False) == {x, a, loss}
    assert depending(order, {y}, lambda node: node is b) == {y, b.inputs[0]}
    assert depending(order, set(), lambda node: False) == set()


def test_topological_order_is_fixed_and_stops_where_asked(op: Builder) -> None:
    x, y = op.variable("x"), op.variable("y")
    a, b = op.sin(x), op.cos(y)
    loss = op.mul(op.add(b, a), a)
    assert topological([loss]) == [y, b, x, a, loss.inputs[0], loss]
    assert topological([loss, b]) == topological([loss])
    assert topological([a, loss]) == [x, a, y, b, loss.inputs[0], loss]
    assert topological([loss], lambda node: node is b) == [b, x, a, loss.inputs[0], loss]
    assert list(itertools.islice(topological([]), 1)) == []
