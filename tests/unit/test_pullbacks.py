"""What quantities hand back, and to whom: who uses whom, in which order, by which steps."""

from __future__ import annotations

import numpy
import pytest

import chainrule as cr
from chainrule.differentiate.pullbacks import Pullbacks
from chainrule.differentiate.reading import formula_of_slope, read
from chainrule.graph.build import Builder
from chainrule.graph.formulas import formula_of
from chainrule.graph.node import Node
from chainrule.primitives import CONSTANT, Linear
from chainrule.primitives.python import python

op = Builder()
X = op.variable("x", (3,))
W = op.variable("w", (2, 3))
B = op.variable("b")
Z = op.named(op.add(op.matmul(W, X), B), "z")
Y = op.named(op.tanh(Z), "y")
LOSS = op.named(op.sum(op.mul(Y, Y)), "loss")
PULLBACKS = Pullbacks(LOSS, {X, W, B, Z, Y, LOSS})


def named(node: Node, flat: int) -> Node:
    """The entry as a scalar: of what has no name and only moves, the one that it is."""
    if node.name is not None:
        return op.variable(f"{node.name}[{flat}]")
    if node.primitive is CONSTANT:
        return op.constant(node.attributes["value"])
    if isinstance(node.primitive, Linear):
        shapes = [item.shape for item in node.inputs]
        place = numpy.array([flat])
        (((_, ((number, flats),)),)) = node.primitive.products(place, shapes, node.attributes)
        return named(node.inputs[number], int(flats[0]))
    return op.apply(node.primitive.name, *(named(item, flat) for item in node.inputs))


def names(nodes: list[Node]) -> list[str | None]:
    return [node.name for node in nodes]


def test_operands_come_before_the_quantities_that_they_stand_in() -> None:
    assert set(names(PULLBACKS.order)) == {"x", "w", "b", "z", "y", "loss"}
    assert names(PULLBACKS.order[-3:]) == ["z", "y", "loss"]
    assert set(names(PULLBACKS.operands[Z])) == {"w", "x", "b"}
    assert names(PULLBACKS.uses[Y]) == ["loss"]
    assert names(PULLBACKS.towards(W)) == ["loss", "y", "z"]
    assert PULLBACKS.towards(LOSS) == []


def test_a_step_without_a_name_is_no_quantity() -> None:
    assert PULLBACKS.is_quantity(Y)
    assert not PULLBACKS.is_quantity(LOSS.inputs[0])


def test_a_share_is_written_in_the_adjoint() -> None:
    pullback = PULLBACKS.of(Y)
    assert pullback.seed.name == "∂loss/∂y"
    assert [node.primitive.name for node in pullback.steps[Z]] == ["mul"]
    assert pullback.seed in pullback.shares[Z].inputs
    assert PULLBACKS.of(Y) is pullback


def test_steps_beside_the_adjoint_are_not_on_its_way() -> None:
    pullback = PULLBACKS.of(Z)
    assert {node.primitive.name for node in pullback.steps[W]} >= {"matmul"}
    assert pullback.seed not in pullback.steps[W]
    assert {node.primitive.name for node in pullback.beside} == {"transpose"}


def test_what_is_stopped_is_used_and_gets_nothing() -> None:
    w = op.variable("w")
    kept = op.named(op.mul(w, 2.0), "kept")
    loss = op.named(op.mul(w, op.stop(kept)), "E")
    pullbacks = Pullbacks(loss, {w, kept, loss})
    assert names(pullbacks.uses[kept]) == ["E"]
    assert pullbacks.users(kept) == []
    assert names(pullbacks.users(w)) == ["kept", "E"]


# ----------------------------------------------------------------------------- readings


def test_an_entry_of_a_matrix_is_read_where_it_stands() -> None:
    reading = read(PULLBACKS.of(Z), W, 4)
    assert reading.found.tolist() == [1]  # row 1 of w stands in z[1] alone
    ((moved, flats),) = [factor for way in reading.ways for factor in way.beside]
    assert named(moved, int(flats[0])).name == "x[1]"


def test_an_entry_that_stands_in_every_row() -> None:
    assert read(PULLBACKS.of(Z), X, 2).found.tolist() == [0, 1]
    assert read(PULLBACKS.of(Z), B, 0).found.tolist() == [0, 1]


def test_numbers_of_ways_that_meet_are_added() -> None:
    reading = read(PULLBACKS.of(LOSS), Y, 1)  # y · y: two ways to one entry
    ways = [way for way in reading.ways if way.operand is reading.seed or way.slope is not None]
    assert reading.found.tolist() == [0]
    assert ways
    assert reading.added(ways[-1], numpy.ones(len(ways[-1].flats))).shape == (
        len(reading.places[ways[-1].operand]),
    )


@pytest.mark.parametrize(
    ("use", "operand", "flat", "at", "expected"),
    [(Z, W, 4, 1, "x[1]"), (Z, X, 2, 0, "w[2]"), (Z, B, 0, 1, "1"), (Y, Z, 1, 1, "1 - y[1]*y[1]")],
)
def test_a_local_derivative_is_a_formula_of_entries(
    use: Node, operand: Node, flat: int, at: int, expected: str
) -> None:
    reading = read(PULLBACKS.of(use), operand, flat)
    slope = formula_of_slope(op, reading, at, named, 6)
    assert slope is not None
    assert python(formula_of(slope)) == expected


def test_a_formula_of_more_factors_than_wanted_is_not_written() -> None:
    reading = read(PULLBACKS.of(LOSS), Y, 1)
    assert formula_of_slope(op, reading, 0, named, 0) is None


def test_the_adjoints_of_the_seed_are_those_that_are_derived() -> None:
    """δ_o1 = ∂E/∂net_o1 of the example, to the digit."""
    model = cr.load("seed")
    whole = {line.symbol: line.value for line in cr.explain(model, "w1").shared}
    for name in ("net_o1", "net_o2", "net_h1"):
        (entry,) = cr.explain(model, name, terms=8).entries
        assert entry.gradient == pytest.approx(whole[f"∂E/∂{name}"], rel=1e-15)
