"""Each composite: its gradient, its folded Jacobian, its second order, and its stability."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import pytest
from helpers.budget import budgeted

from chainrule.differentiate.chain import Chain
from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.graph.build import Builder
from chainrule.graph.model import LeafValue, Model
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.unroll import entry_labels
from chainrule.primitives import Pointwise
from chainrule.primitives.composites import COMPOSITES

Draw = Callable[[random.Random], float]


def between(low: float, high: float) -> Draw:
    return lambda chance: chance.uniform(low, high)


ANY, PROBABILITY, POSITIVE = between(-2.0, 2.0), between(0.05, 0.95), between(0.5, 1.5)
SCALAR_OPERANDS = ("delta", "strength", "epsilon")
ROW_OPERANDS = ("scale", "shift", "mean", "variance")
OPERANDS: dict[str, tuple[Draw, ...]] = {
    "softmax": (ANY,),
    "log_softmax": (ANY,),
    "mean": (ANY,),
    "layer_norm": (ANY, ANY, ANY, POSITIVE),
    "batch_norm": (ANY, ANY, ANY, POSITIVE),
    "batch_norm_fixed": (ANY, ANY, POSITIVE, ANY, ANY, POSITIVE),
    "attention": (ANY, ANY, ANY, ANY),
    "half_squared_error": (ANY, ANY),
    "squared_error": (ANY, ANY),
    "absolute_error": (ANY, ANY),
    "huber": (ANY, ANY, POSITIVE),
    "binary_cross_entropy": (PROBABILITY, PROBABILITY),
    "binary_cross_entropy_from_logits": (PROBABILITY, ANY),
    "categorical_cross_entropy": (PROBABILITY, PROBABILITY),
    "categorical_cross_entropy_from_logits": (PROBABILITY, ANY),
    "l2_penalty": (ANY, POSITIVE),
    "l1_penalty": (ANY, POSITIVE),
}
"""What the operands of each composite are drawn from."""

every = pytest.mark.parametrize("name", list(COMPOSITES))
with_jacobian = pytest.mark.parametrize(
    "name", [name for name, record in COMPOSITES.items() if record.jacobian is not None]
)


@dataclass
class Weighted:
    """E = Σ g · composite(operands), with numbers for the operands and for the weights g."""

    op: Builder
    operands: list[Node]
    result: Node
    loss: Node
    values: dict[Node, Any]
    inside: list[Node]

    @property
    def is_analytic(self) -> bool:
        return all(
            not isinstance(node.primitive, Pointwise) or node.primitive.analytic
            for node in topological([self.loss])
        )

    @property
    def model(self) -> Model:
        leaves = tuple(
            LeafValue(
                node, tuple(array.ravel().tolist()), "parameter", trained=node in self.operands
            )
            for node, array in self.values.items()
        )
        return Model("test", self.loss, leaves, (self.result, *self.inside))


def weighted(name: str, number: int, opened: bool = False, named: bool = False) -> Weighted:
    """The `number`-th case of a composite; `opened` leaves no trace of where it came from."""
    chance = random.Random(f"{name} {number}")
    record = COMPOSITES[name]
    shape = (chance.randint(1, 3), chance.randint(1, 4))
    op = Builder()
    special = dict.fromkeys(SCALAR_OPERANDS, ()) | dict.fromkeys(ROW_OPERANDS, shape[1:])
    special["mask"] = (shape[0], shape[0])
    operands = [op.variable(operand, special.get(operand, shape)) for operand in record.operands]
    inside: list[Node] = []

    def naming(step: str, node: Node) -> Node:
        inside.append(op.named(node, f"{step}_inside"))
        return inside[-1]

    if opened:
        result = record.define(op, *operands)
    else:
        result = op.composite(name, *operands, naming=naming if named else None)
    result = op.named(result, "r")
    weights = op.variable("g", result.shape)
    loss = op.named(op.sum(op.mul(result, weights)), "E")
    values = {
        node: numpy.array(
            [draw(chance) for _ in range(math.prod(node.shape))], dtype=float
        ).reshape(node.shape)
        for node, draw in zip([*operands, weights], [*OPERANDS[name], ANY], strict=True)
    }
    return Weighted(op, operands, result, loss, values, inside)


def cases(name: str, count: int, **options: bool) -> Iterator[Weighted]:
    return (weighted(name, number, **options) for number in range(budgeted(count)))


def differences(case: Weighted, of: Node, by: Node) -> Any:
    """The derivative of the scalar `of` by each entry of `by`: complex step, or central."""
    found = numpy.zeros(by.shape)
    for index in numpy.ndindex(*by.shape):

        def moved(amount: complex | float, index: Any = index) -> Any:
            array = case.values[by].astype(type(amount))
            array[index] += amount
            return arrays.run([of], {**case.values, by: array})[of]

        if case.is_analytic:
            found[index] = complex(moved(complex(0.0, 1e-30))).imag / 1e-30
        else:
            found[index] = (moved(1e-5) - moved(-1e-5)) / 2e-5
    return found


def assert_close(got: Any, expected: Any, tolerance: float) -> None:
    scale = max(1.0, float(numpy.max(numpy.abs(expected), initial=0.0)))
    numpy.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def test_every_composite_is_tested():
    assert set(OPERANDS) == set(COMPOSITES)
    for name, draws in OPERANDS.items():
        assert len(draws) == len(COMPOSITES[name].operands)


@every
def test_gradient_is_the_difference_quotient(name: str):
    for case in cases(name, 25):
        found = reverse(case.op, case.loss, case.operands)
        for operand in case.operands:
            got = arrays.run([found[operand]], case.values)[found[operand]]
            tolerance = 1e-12 if case.is_analytic else 1e-7
            assert_close(got, differences(case, case.loss, operand), tolerance)


@every
def test_second_order_is_the_difference_quotient_of_the_gradient(name: str):
    for number, case in enumerate(cases(name, 12)):
        chance = random.Random(number)
        found = reverse(case.op, case.loss, case.operands)
        for operand, adjoint in found.items():
            direction = case.op.variable("v", operand.shape)
            case.values[direction] = numpy.array(
                [chance.uniform(-1, 1) for _ in range(math.prod(operand.shape))]
            ).reshape(operand.shape)
            slope = case.op.sum(case.op.mul(adjoint, direction))
            again = reverse(case.op, slope, case.operands)
            for other in case.operands:
                got = (
                    arrays.run([again[other]], case.values)[again[other]]
                    if other in again
                    else numpy.zeros(other.shape)
                )
                tolerance = 1e-11 if case.is_analytic else 1e-6
                assert_close(got, differences(case, slope, other), tolerance)


def chain_gradient(case: Weighted) -> tuple[Chain, dict[Node, Any]]:
    """The gradient that the chain rule between named quantities gives, by operand."""
    model = case.model
    entries = model.unrolled.entries
    wanted = [entry for operand in case.operands for entry in entries[operand]]
    chain = Chain(model.unrolled, entries[case.loss][0], wanted)
    values = reference.run(chain.adjoint.values(), reference.leaf_values(model))
    gradient = {
        operand: numpy.array([values[chain.adjoint[entry]] for entry in entries[operand]])
        for operand in case.operands
    }
    return chain, gradient


@every
@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named steps inside"])
def test_chain_rule_between_quantities_agrees_with_reverse_mode(name: str, named: bool):
    for case in cases(name, 12, named=named):
        found = reverse(case.op, case.loss, case.operands)
        run = arrays.run(found.values(), case.values)
        for operand, got in chain_gradient(case)[1].items():
            assert_close(got, run[found[operand]].ravel(), 1e-12)


@with_jacobian
def test_folded_jacobian_is_the_opened_form(name: str):
    for number in range(budgeted(12)):
        folded, opened = weighted(name, number), weighted(name, number, opened=True)
        assert folded.result.fold is not None
        assert opened.result.fold is None
        chain, gradient = chain_gradient(folded)
        expected = list(chain_gradient(opened)[1].values())
        for got, other in zip(gradient.values(), expected, strict=True):
            assert_close(got, other, 1e-12)
        # It was read as one factor: nothing stands between the operands and the result.
        entries = folded.model.unrolled.entries
        results = {entry.name for entry in entries[folded.result]}
        for operand in folded.operands:
            for label in entry_labels(operand) or ():
                uses = next(u for node, u in chain.uses.items() if node.name == label)
                assert {use.name for use, _ in uses} <= results


@with_jacobian
def test_pullback_is_the_opened_form(name: str):
    for case in cases(name, 12):
        found = reverse(case.op, case.loss, case.operands)
        folded = reverse(case.op, case.loss, case.operands, folded=True)
        run = arrays.run([*found.values(), *folded.values()], case.values)
        for operand in case.operands:
            assert_close(run[folded[operand]].ravel(), run[found[operand]].ravel(), 1e-12)


HUGE = [
    [1e4, -1e4, 0.0],
    [-1e4, -1e4, -1e4],
    [1e4, 1e4, 1e4],
    [1e300, -1e300, 0.0],
    [745.0, 0.0, -745.0],
]


@pytest.mark.parametrize("row", HUGE, ids=str)
@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "categorical_cross_entropy_from_logits"]
)
def test_large_logits_stay_finite(name: str, row: list[float]):
    for place in range(3):
        op = Builder()
        x = op.variable("x", (1, 3))
        values = {x: numpy.array([row])}
        if name == "categorical_cross_entropy_from_logits":
            t = op.variable("t", (1, 3))
            values[t] = numpy.eye(3)[[place]]
            loss = op.sum(op.composite(name, t, x))
        else:
            loss = op.sum(op.slice(op.composite(name, x), (0, place), (1, 1), (1, 1)))
        found = reverse(op, loss, [x])[x]
        run = arrays.run([loss, found], values)
        assert numpy.isfinite(run[loss])
        assert numpy.isfinite(run[found]).all()
        exact = [math.exp(max(entry - max(row), -800.0)) for entry in row]
        share = numpy.array(exact) / math.fsum(exact)
        expected = {
            "softmax": share[place] * (numpy.eye(3)[place] - share),
            "log_softmax": numpy.eye(3)[place] - share,
            "categorical_cross_entropy_from_logits": share - numpy.eye(3)[place],
        }[name]
        assert_close(run[found][0], expected, 1e-14)


@pytest.mark.parametrize("logit", [-1e308, -1e4, -745.0, 0.0, 745.0, 1e4, 1e308])
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_binary_cross_entropy_from_saturated_logits_stays_finite(target: float, logit: float):
    op = Builder()
    t, z = op.variable("t"), op.variable("z")
    loss = op.composite("binary_cross_entropy_from_logits", t, z)
    found = reverse(op, loss, [t, z])
    values = reference.run([loss, *found.values()], {t: target, z: logit})
    assert all(math.isfinite(values[node]) for node in (loss, *found.values()))
    sigmoid = math.exp(min(logit, 0.0)) / (1 + math.exp(-abs(logit)))
    assert values[found[z]] == pytest.approx(sigmoid - target, abs=1e-15)


@pytest.mark.parametrize("certain", [0.0, 1.0])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_a_certainty_that_is_right_costs_nothing(name: str, certain: float):
    """0 ln 0 = 0: the loss is 0 and its slope finite."""
    op = Builder()
    t, y = op.variable("t"), op.variable("y")
    loss = op.composite(name, t, y)
    found = reverse(op, loss, [y])[y]
    values = reference.run([loss, found], {t: certain, y: certain})
    assert values[loss] == 0
    assert values[found] in (-1.0, 0.0, 1.0)
