"""Derivations: their factors, the shares of each path, the parts that are shared, the reasons."""

from __future__ import annotations

import math

import pytest

import chainrule as cr
from chainrule.explanation.derivation import Derivation
from chainrule.explanation.schema import Explanation
from chainrule.frontends.expression import Expression
from chainrule.graph.model import Model

EXAMPLES = ("flowers", "macleod", "mazur", "negnevitsky", "seed", "seed-equations")


def derive(model: Model | Expression, *names: str) -> Explanation:
    return cr.explain(model, names, checked=False)


def only(model: Model | Expression, name: str) -> Derivation:
    (item,) = derive(model, name).derivations
    return item


def symbols(item: Derivation) -> list[str]:
    return [factor.symbol for factor in item.factors]


def network(**changes: object) -> Model:
    """x → h1, h2 → o, one bias a layer."""
    return cr.Network(
        **{
            "inputs": {"x": 1.5},
            "targets": {"o": 0.25},
            "learning_rate": 0.5,
            "layers": [
                {
                    "units": ["h1", "h2"],
                    "activation": "tanh",
                    "weights": [[0.4], [-0.3]],
                    "weight_names": [["w1"], ["w2"]],
                    "biases": 0.1,
                    "bias_names": "b",
                },
                {
                    "units": ["o"],
                    "activation": "sigmoid",
                    "weights": [[0.7, -0.8]],
                    "weight_names": [["v1", "v2"]],
                },
            ],
            **changes,
        }  # type: ignore[arg-type]
    )


# ----------------------------------------------------------------------------- factors


def test_one_path_is_a_product() -> None:
    item = only(network(), "v1")
    assert symbols(item) == ["∂E/∂out_o", "∂out_o/∂net_o", "∂net_o/∂v1"]
    assert [factor.formula for factor in item.factors] == [
        "-(target_o - out_o)",
        "out_o*(1 - out_o)",
        "out_h1",
    ]
    assert [(factor.over, factor.by) for factor in item.factors] == [
        ("E", "out_o"),
        ("out_o", "net_o"),
        ("net_o", "v1"),
    ]
    assert item.contributions == ()
    assert item.result is not None
    assert item.result.formula == "δ_o*out_h1"
    assert item.gradient == pytest.approx(math.prod(factor.value for factor in item.factors))
    origins = [factor.quantity.formula for factor in item.factors if factor.quantity]
    assert origins == [
        "0.5*(target_o - out_o)**2",
        "1/(1 + exp(-net_o))",
        "v1*out_h1 + v2*out_h2",
    ]


def test_a_longer_path_has_more_factors() -> None:
    item = only(network(), "w1")
    assert symbols(item) == [
        "∂E/∂out_o",
        "∂out_o/∂net_o",
        "∂net_o/∂out_h1",
        "∂out_h1/∂net_h1",
        "∂net_h1/∂w1",
    ]
    assert item.result is not None
    assert item.result.formula == "δ_h1*x"


def test_the_loss_of_one_output_is_not_a_factor_of_one() -> None:
    # With two outputs E = E_o1 + E_o2, and ∂E/∂E_o1 = 1 is not written.
    item = only(cr.load("seed"), "w7")
    assert symbols(item) == ["∂E/∂out_o1", "∂out_o1/∂net_o1", "∂net_o1/∂w7"]
    assert item.factors[0].quantity is not None
    assert item.factors[0].quantity.symbol == "E_o1"


def test_two_paths_are_added() -> None:
    item = only(cr.load("seed"), "w1")
    assert symbols(item) == ["∂E/∂out_h1", "∂out_h1/∂net_h1", "∂net_h1/∂w1"]
    assert item.factors[0].quantity is None
    assert [part.through for part in item.contributions] == ["net_o1", "net_o2"]
    first, second = item.contributions
    assert first.product.formula == "δ_o1*w7"
    assert second.product.formula == "δ_o2*w8"
    assert [factor.symbol for factor in first.factors] == ["∂E/∂net_o1", "∂net_o1/∂out_h1"]
    assert item.factors[0].value == first.value + second.value
    assert item.gradient == pytest.approx(math.prod(factor.value for factor in item.factors))


def test_a_shared_bias_has_a_share_through_each_unit() -> None:
    item = only(network(), "b")
    assert [part.through for part in item.contributions] == ["net_h1", "net_h2"]
    assert [part.product.formula for part in item.contributions] == ["δ_h1", "δ_h2"]
    assert symbols(item) == ["∂E/∂b"]
    assert item.gradient == sum(part.value for part in item.contributions)
    assert item.result is not None
    assert item.result.formula == "δ_h1 + δ_h2"


def test_a_batch_has_a_share_through_each_example() -> None:
    model = cr.load("flowers")
    item = only(model, "w1")
    assert [part.through for part in item.contributions] == [
        "net_h1[0]",
        "net_h1[1]",
        "net_h1[2]",
    ]
    assert [part.product.formula for part in item.contributions] == [
        f"δ_h1[{number}]*length[{number}]" for number in range(3)
    ]
    assert item.gradient == pytest.approx(sum(part.value for part in item.contributions))


def test_a_frozen_parameter_can_be_asked_for_and_is_not_updated() -> None:
    model = cr.load("seed")
    assert "b1" not in model.trained
    item = only(model, "b1")
    assert item.update is None
    assert item.gradient != 0
    assert [part.through for part in item.contributions] == ["net_h1", "net_h2", "net_h3"]
    trained = only(model, "w1")
    assert trained.update is not None
    assert trained.update.new == 0.1 - 0.5 * trained.gradient


def test_an_input_and_a_target_can_be_asked_for() -> None:
    item = only(network(), "x")
    assert [part.product.formula for part in item.contributions] == ["δ_h1*w1", "δ_h2*w2"]
    assert item.update is None
    target = only(network(), "target_o")
    assert [factor.formula for factor in target.factors] == ["target_o - out_o"]
    assert target.update is None
    assert only(network(), "o").parameter == "target_o"


def test_the_learning_rate_may_be_missing() -> None:
    w = cr.var("w", 2.0)
    assert only((w * w).named("E"), "w").update is None


def test_shared_parts_come_from_the_loss_on_and_once() -> None:
    explanation = derive(cr.load("seed"))
    assert [line.node.name for line in explanation.shared] == [
        *("δ_o1", "δ_o2", "δ_h1", "δ_h2", "δ_h3")
    ]
    assert [line.node.name for line in derive(cr.load("seed"), "w8").shared] == ["δ_o2"]
    assert derive(network(), "target_o").shared == ()


def test_a_step_inside_softmax_is_one_factor() -> None:
    item = only(cr.load("flowers"), "b5")
    explanation = derive(cr.load("flowers"), "b5")
    assert [part.through for part in item.contributions] == [
        f"net_virginica[{number}]" for number in range(3)
    ]
    formulas = {line.node.name: line.formula for line in explanation.shared}
    assert not any("exp" in formula for formula in formulas.values())


def test_a_quantity_used_twice_in_one_formula_has_one_share() -> None:
    w = cr.var("w", 0.5)
    inner = cr.sin(w).named("s")
    item = only((inner * inner).named("E"), "w")
    assert symbols(item) == ["∂E/∂s", "∂s/∂w"]
    assert item.factors[0].formula == "s + s"
    assert item.contributions == ()


def test_the_loss_itself_as_parameter_has_no_factors() -> None:
    w = cr.var("w", 0.5)
    item = only((w * 1.0 + 0.0).named("E"), "w")
    assert [factor.value for factor in item.factors] == [1.0]
    assert item.gradient == 1.0


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_derivation_adds_up(example: str) -> None:
    for item in derive(cr.load(example)).derivations:
        assert item.result is not None
        assert item.result.value == item.gradient
        product = math.prod(factor.value for factor in item.factors)
        assert product == pytest.approx(item.gradient, rel=1e-12)
        if item.contributions:
            total = sum(part.value for part in item.contributions)
            assert item.factors[0].value == pytest.approx(total, rel=1e-12)
            for part in item.contributions:
                inner = math.prod(factor.value for factor in part.factors)
                assert part.value == pytest.approx(inner, rel=1e-12)
        assert item.update is not None
        assert item.update.new == item.update.old - item.update.rate * item.update.gradient


def test_the_update_is_written_with_its_numbers() -> None:
    update = only(cr.load("seed"), "w8").update
    assert update is not None
    assert update.formula == "w8 - η*dE_dw8"
    assert update.substituted == f"0.45 - 0.5*({update.gradient!r})"
    assert update.gradient < 0


# ----------------------------------------------------------------------------- reasons


@pytest.mark.parametrize("example", EXAMPLES)
def test_healthy_examples_have_no_reasons(example: str) -> None:
    model = cr.load(example)
    for item in derive(model, *model.numbers.keys() - {model.learning_rate_name}).derivations:
        if item.gradient != 0:
            assert item.reason is None, item.parameter
            assert [factor.reason for factor in item.factors] == [None] * len(item.factors)


def test_what_the_loss_does_not_use_is_not_connected() -> None:
    w, idle = cr.var("w", 0.5), cr.var("idle", 0.25)
    loss = (w * w + 0.0 * cr.stop(idle)).named("E")
    item = only(loss, "idle")
    assert (item.reason, item.gradient, item.factors, item.result) == (
        "not connected",
        0.0,
        (),
        None,
    )
    assert only(loss, "w").reason is None


def test_what_only_an_unused_quantity_needs_is_not_connected() -> None:
    w, idle = cr.var("w", 0.5), cr.var("idle", 0.25)
    model = cr.model((w * w).named("E"))
    unused = (idle * w).named("u")
    with_unused = type(model)(
        model.title,
        model.loss,
        (*model.leaves, *(leaf for leaf in unused.leaves.values() if leaf.node.name == "idle")),
        (*model.quantities, unused.node),
    )
    item = only(with_unused, "idle")
    assert (item.reason, item.gradient) == ("not connected", 0.0)
    assert only(with_unused, "w").gradient == 1.0
    assert only(with_unused, "w").contributions == ()


MASKED = {
    "relu": lambda z: cr.relu(z),
    "maximum": lambda z: cr.maximum(z, 0.25),
    "minimum": lambda z: cr.minimum(-z, 0.25),
    "where": lambda z: cr.where(z > 0, z, 0.25),
}


@pytest.mark.parametrize("name", MASKED)
def test_a_step_that_is_switched_off_masks(name: str) -> None:
    w, x = cr.var("w", -0.5), cr.var("x", 2.0, trained=False)
    z = (w * x).named("z")
    loss = (0.5 * (1.0 - 3.0 * MASKED[name](z).named("h")) ** 2).named("E")
    item = only(loss, "w")
    assert (item.gradient, item.reason) == (0.0, "masked")
    assert [factor.reason for factor in item.factors] == [None, "masked", None]


def test_exactly_on_a_kink_it_is_said() -> None:
    w, x = cr.var("w", 0.0), cr.var("x", 2.0, trained=False)
    h = cr.relu((w * x).named("z")).named("h")
    item = only((0.5 * (1.0 - h) ** 2).named("E"), "w")
    assert item.gradient == 0
    assert item.reason == "at a kink"
    assert [factor.reason for factor in item.factors] == [None, "at a kink", None]


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "gelu", "softplus", "silu", "erf"])
def test_a_step_that_has_lost_its_slope_is_saturated(function: str) -> None:
    w, x = cr.var("w", -30.0), cr.var("x", 2.0, trained=False)
    h = getattr(cr, function)((w * x).named("z")).named("h")
    item = only((0.5 * (1.0 - h) ** 2).named("E"), "w")
    assert abs(item.gradient) < 1e-10
    assert item.reason == "saturated"
    assert [factor.reason for factor in item.factors] == [None, "saturated", None]


def test_saturated_is_not_said_of_a_slope_that_is_alive() -> None:
    w = cr.var("w", -10.0)
    item = only((0.5 * (1.0 - cr.sigmoid((w * 2.0).named("z")).named("h")) ** 2).named("E"), "w")
    assert 0 < abs(item.gradient) < 1e-7
    assert item.reason is None


def test_a_factor_that_is_zero() -> None:
    w, x, v = cr.var("w", 0.5), cr.var("x", 0.0, trained=False), cr.var("v", 0.75)
    h = cr.tanh((w * x).named("z")).named("h")
    loss = (0.5 * (1.0 - (v * h).named("o")) ** 2).named("E")
    for name in ("w", "v"):  # ∂z/∂w = x and ∂o/∂v = h, both zero
        item = only(loss, name)
        assert item.gradient == 0
        assert item.reason == "zero factor", name
        assert item.factors[-1].value == 0


def test_a_zero_beyond_a_single_step() -> None:
    w, v = cr.var("w", 0.5), cr.var("v", 0.0)
    loss = (0.5 * (1.0 - (v * cr.tanh(w).named("h")).named("o")) ** 2).named("E")
    assert only(loss, "w").reason == "zero factor"
    reached = 1.0 * cr.var("t", 1.0, trained=False)
    perfect = (0.5 * (reached - (w * 2.0).named("o")) ** 2).named("E")  # the target is met
    assert only(perfect, "w").reason == "zero factor"


def test_paths_that_cancel() -> None:
    w = cr.var("w", 0.5)
    up, down = (w * 3.0).named("up"), (w * -3.0).named("down")
    item = only((up + down).named("E"), "w")
    assert item.gradient == 0
    assert item.reason == "cancelled"
    assert [part.value for part in item.contributions] == [3.0, -3.0]


def test_paths_that_cancel_farther_on() -> None:
    w = cr.var("w", 0.5)
    middle = (w * 2.0).named("middle")
    up, down = (middle * 3.0).named("up"), (middle * -3.0).named("down")
    item = only((up + down).named("E"), "w")
    assert (item.gradient, item.reason) == (0.0, "cancelled")


def test_one_masked_path_of_two_is_no_reason() -> None:
    w = cr.var("w", -0.5)
    item = only((cr.relu(w).named("h") + (2.0 * w).named("k")).named("E"), "w")
    assert (item.gradient, item.reason) == (2.0, None)


def test_both_paths_masked_is_masked() -> None:
    w = cr.var("w", -0.5)
    item = only((cr.relu(w).named("h") + cr.relu(2.0 * w).named("k")).named("E"), "w")
    assert (item.gradient, item.reason) == (0.0, "masked")


def test_a_clip_inside_a_loss() -> None:
    w = cr.var("w", 5.0)
    item = only(cr.minimum(cr.maximum(w, -1.0), 1.0).named("E"), "w")
    assert (item.gradient, item.reason) == (0.0, "masked")
