"""A model: names and what they mean, other numbers, what is refused."""

from __future__ import annotations

import math

import pytest

from chainrule.errors import InputError
from chainrule.graph.build import Builder
from chainrule.graph.model import UNROLL_LIMIT, LeafValue, Model


def small(**fields: object) -> Model:
    """E = 0.5 · (t − tanh(w[0] · x + w[1] · b))², with an alias for t."""
    op = Builder()
    x, t = op.variable("x"), op.variable("target_o")
    w = op.variable("w", (2,))
    first = op.reshape(op.slice(w, (0,), (1,), (1,)), ())
    second = op.reshape(op.slice(w, (1,), (1,), (1,)), ())
    net = op.add(op.mul(first, x), second)
    out = op.named(op.tanh(net), "o")
    loss = op.named(op.composite("half_squared_error", t, out), "E")
    leaves = (
        LeafValue(x, (2.0,), "input"),
        LeafValue(w, (0.25, -0.5), "parameter", trained=True),
        LeafValue(t, (1.0,), "target"),
    )
    return Model(
        "small",
        loss,
        leaves,
        (out,),
        0.5,
        aliases={"o": "target_o"},
        **fields,  # type: ignore[arg-type]
    )


def faults_of(error: InputError) -> list[str]:
    return [str(fault) for fault in error.faults]


# ------------------------------------------------------------------------------- names


def test_what_the_model_is_made_of() -> None:
    model = small()
    assert model.trained == ("w[0]", "w[1]")
    assert model.numbers == {"x": 2.0, "w[0]": 0.25, "w[1]": -0.5, "target_o": 1.0, "η": 0.5}
    assert model.value("w[1]") == -0.5
    assert model.entry_of == {"x": (0, 0), "w[0]": (1, 0), "w[1]": (1, 1), "target_o": (2, 0)}
    assert {node.name for node in model.outputs} == {"E", "o"}
    assert set(model.outputs) <= set(model.nodes)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("x", "x"), ("w[0]", "w[0]"), (" w[ 1 ] ", "w[1]"), ("o", "target_o"), ("target_o",) * 2],
)
def test_a_name_is_resolved(asked: str, meant: str) -> None:
    assert small().resolve(asked) == meant
    assert small().value(asked) == small().numbers[meant]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "w[2]",
            'NameError: "w[2]" is no entry of w, whose shape is (2,)\n'
            "  needs: one number from 0 on, each below its axis's size\n"
            "  try: w[0] is the first",
        ),
        (
            "targt",
            'NameError: there is no number called "targt"\n'
            "  needs: a name that the model gives a number: x, w[0], w[1], target_o\n"
            '  try: did you mean "target_o"?',
        ),
        (
            "net_o",
            'NameError: "net_o" is computed, not given\n'
            "  needs: a name that the model gives a number: x, w[0], w[1], target_o\n"
            '  try: did you mean "target_o"?',
        ),
        (
            "E",
            'NameError: "E" is computed, not given\n'
            "  needs: a name that the model gives a number: x, w[0], w[1], target_o",
        ),
        (
            "",
            'NameError: there is no number called ""\n'
            "  needs: a name that the model gives a number: x, w[0], w[1], target_o",
        ),
    ],
)
def test_an_unknown_name_is_told_with_those_that_there_are(asked: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        small().resolve(asked)
    assert faults_of(caught.value) == [said]


def test_of_many_names_the_first_are_listed() -> None:
    op = Builder()
    leaf = op.variable("w", (20,))
    model = Model(
        "many", op.named(op.sum(leaf), "E"), (LeafValue(leaf, (0.0,) * 20, "parameter", True),)
    )
    with pytest.raises(InputError) as caught:
        model.value("q")
    assert "a number: w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], ..." in str(caught.value)


def test_two_leaves_of_one_name_are_refused() -> None:
    op = Builder()
    a, b = op.variable("w"), op.variable("w")
    loss = op.named(op.mul(a, b), "E")
    model = Model("twice", loss, (LeafValue(a, (1.0,), "input"), LeafValue(b, (2.0,), "input")))
    with pytest.raises(InputError) as caught:
        model.value("w")
    assert faults_of(caught.value) == ['NameError: two numbers are called "w"']


def test_names_are_listed_in_natural_order() -> None:
    op = Builder()
    names = ("w10", "w9", "w1", "b2", "b10")
    leaf = op.variable("w", (5,), names)
    model = Model(
        "natural",
        op.named(op.sum(leaf), "E"),
        (LeafValue(leaf, (10.0, 9.0, 1.0, 2.0, 10.5), "parameter", True),),
    )
    assert model.trained == ("b2", "b10", "w1", "w9", "w10")
    assert model.numbers == {"b2": 2.0, "b10": 10.5, "w1": 1.0, "w9": 9.0, "w10": 10.0}
    assert model.value("w9") == 9.0


# ------------------------------------------------------------------------ other numbers


def test_other_numbers_by_name() -> None:
    model = small()
    changed = model.with_values({"w[1]": 3.0, "o": 0.0, " x": -1.0, "learning_rate": 0.125})
    assert changed.numbers == {"x": -1.0, "w[0]": 0.25, "w[1]": 3.0, "target_o": 0.0, "η": 0.125}
    assert model.numbers == small().numbers
    assert changed.loss is model.loss
    assert model.with_values({"η": 2.0}).learning_rate == 2.0
    assert model.with_values({}).numbers == model.numbers


def test_a_model_without_a_rate_can_be_given_one() -> None:
    model = small()
    assert model.with_values({"x": 1.0}).learning_rate == 0.5
    without = Model(model.title, model.loss, model.leaves)
    assert without.learning_rate is None
    assert "η" not in without.numbers
    assert without.with_values({"learning_rate": 0.1}).learning_rate == 0.1


def test_the_rate_may_be_a_leaf_as_well() -> None:
    op = Builder()
    w, eta = op.variable("w"), op.variable("eta")
    loss = op.named(op.mul(op.mul(w, w), eta), "E")
    leaves = (LeafValue(w, (2.0,), "parameter", True), LeafValue(eta, (0.1,), "constant"))
    model = Model("rate", loss, leaves, learning_rate=0.1, learning_rate_name="eta")
    changed = model.with_values({"eta": 0.3})
    assert (changed.learning_rate, changed.value("eta")) == (0.3, 0.3)


def test_every_fault_of_other_numbers_is_told() -> None:
    with pytest.raises(InputError) as caught:
        small().with_values(
            {"w[7]": 1.0, "x": math.nan, "w[0]": math.inf, "learning_rate": -math.inf, "E": 1.0}
        )
    assert [fault.splitlines()[0] for fault in faults_of(caught.value)] == [
        'NameError: "w[7]" is no entry of w, whose shape is (2,)',
        "ValueError: x = nan",
        "ValueError: w[0] = inf",
        "ValueError: learning_rate = -inf",
        'NameError: "E" is computed, not given',
    ]
    assert faults_of(caught.value)[1] == "ValueError: x = nan\n  needs: a finite number"


def test_the_graph_is_unrolled_once_for_all_numbers() -> None:
    model = small()
    unrolled = model.unrolled
    changed = model.with_values({"x": 1.0})
    assert changed.unrolled is unrolled
    assert changed.labels is model.labels
    assert changed.numbers != model.numbers  # nothing about numbers is kept


# ------------------------------------------------------------------------------- sizes


def large(side: int) -> Model:
    op = Builder()
    a = op.variable("a", (side, side))
    loss = op.named(op.sum(op.matmul(a, a)), "E")
    return Model("large", loss, (LeafValue(a, (0.0,) * side**2, "parameter", True),))


def test_a_model_that_is_too_large_is_not_written_out() -> None:
    model = large(100)
    assert model.scalar_size == 2 * 100**3 + 2 * 100**2
    assert model.scalar_size > UNROLL_LIMIT
    with pytest.raises(InputError) as caught:
        model.unrolled  # noqa: B018
    assert faults_of(caught.value) == [
        "SizeError: the model has about 2,020,000 scalar steps\n"
        "  needs: at most 1,000,000 to be written out step by step\n"
        "  try: `chainrule explain` of a few parameters writes out what they need; "
        "`chainrule step` and `chainrule check` run it as arrays"
    ]


def test_the_size_is_known_without_writing_anything_out() -> None:
    op = Builder()
    a, b = op.variable("a", (10**6, 10**6)), op.variable("b", (10**6, 10**6))
    assert Model("huge", op.sum(op.matmul(a, b)), ()).scalar_size > 10**18


def test_the_scalar_view_names_every_quantity() -> None:
    model = small()
    labels = [label for group in model.labels.values() for label in group]
    assert sorted(labels) == ["E", "net_o", "o", "target_o", "w[0]", "w[1]", "x"]
