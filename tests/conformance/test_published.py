"""Worked examples with published digits, under the convention that each turns out to follow.

The cases are data: the network, what its author printed, and what a recomputation
found those numbers to be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers.plain import Names

from chainrule import api
from chainrule.explanation.derivation import Derivation
from chainrule.graph.model import Model

CASES = Path(__file__).parent / "cases"


@cache
def case(name: str) -> dict[str, Any]:
    """One case, its numbers as they are written."""
    text = (CASES / f"{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return data


def assert_printed(value: float, printed: Decimal) -> None:
    """`value`, rounded or cut off at the last place that was printed, is what was printed."""
    last_place = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    assert abs(Decimal(value) - printed) < last_place, (value, printed)


def assert_all_printed(values: Sequence[float], printed: Sequence[Decimal]) -> None:
    assert len(values) == len(printed)
    for value, number in zip(values, printed, strict=True):
        assert_printed(value, number)


def assert_same(values: Sequence[float], printed: Sequence[Decimal]) -> None:
    """Equal to the last digit: the same float."""
    assert list(values) == [float(number) for number in printed]


def shown(model: Model) -> dict[str, float]:
    """Every number of the forward pass by its name."""
    return {line.symbol: line.value for line in api.show(model).lines}


def derived(model: Model, name: str) -> Derivation:
    return api.explain(model, [name]).derivations[0]


def named(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def found(name: str, *digits: str) -> bool:
    """Whether the case's finding names these digits."""
    text = " ".join(case(name)["finding"])
    return all(number in text for number in digits)


def test_the_networks_of_the_cases_are_the_examples():
    for name, example in (
        ("seed", "seed"),
        ("mazur-2-2-2", "mazur"),
        ("sequential-2-3-2", "seed"),
        ("macleod-2-2-1", "macleod"),
        ("negnevitsky-xor-2-2-1", "negnevitsky"),
    ):
        network, model = case(name)["network"], api.load(example)
        given = dict(network["inputs"]) | network["weights"]
        given |= {f"target_{output}": target for output, target in network["targets"].items()}
        if isinstance(network["biases"], Mapping):
            given |= {k: v for k, v in network["biases"].items() if isinstance(v, Decimal)}
        given["η"] = network["learning_rate"]
        assert model.numbers == {name: float(value) for name, value in given.items()}
        assert set(model.trained) == set(network["weights"])


# ------------------------------------------------------------------------- the seed's

SEEDS = ("seed", "seed-equations")


class Seed:
    """The project's own example, as a network and as the equations of the page it came from."""

    def __init__(self, example: str) -> None:
        self.model = api.load(example)
        equations = example == "seed-equations"
        self.weights = [f"w[{i}]" for i in range(12)] if equations else named("w", 12)
        self.hidden = named("h" if equations else "out_h", 3)
        self.outputs = named("o" if equations else "out_o", 2)
        self.loss = "E_total" if equations else "E"
        self.targets = ("y[0]", "y[1]") if equations else ("o1", "o2")


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> Seed:
    return Seed(request.param)


def test_seed_forward_pass(seed: Seed):
    printed, values = case("seed")["printed"], shown(seed.model)
    assert_same([values[name] for name in seed.hidden], printed["hidden"])
    assert_same([values[name] for name in seed.outputs], printed["outputs"])
    assert_same([values[seed.loss]], [printed["loss"]])


def test_seed_factors_of_dw7(seed: Seed):
    printed = case("seed")["printed"]["dw7"]
    derivation = derived(seed.model, seed.weights[6])
    expected = [printed[key] for key in ("dE_dout_o1", "dout_o1_dnet_o1", "dnet_o1_dw7")]
    assert_same([factor.value for factor in derivation.factors], expected)
    assert_same([derivation.gradient], [printed["product"]])
    assert derivation.contributions == ()


def test_seed_factors_of_dw1(seed: Seed):
    printed = case("seed")["printed"]["dw1"]
    derivation = derived(seed.model, seed.weights[0])
    assert_same(
        [contribution.value for contribution in derivation.contributions],
        [printed["dE_o1_dout_h1"], printed["dE_o2_dout_h1"]],
    )
    assert_same(
        [factor.value for factor in derivation.factors[1:]],
        [printed["dout_h1_dnet_h1"], printed["dnet_h1_dw1"]],
    )


def test_seed_after_one_step(seed: Seed):
    taken = api.step(seed.model, order="simultaneous").parameters
    printed = case("seed")["printed"]["after_one_step"]
    assert_same([taken[name] for name in seed.weights], printed)
    updates = {item.parameter: item.update for item in api.explain(seed.model).derivations}
    for name, number in zip(seed.weights, printed, strict=True):
        update = updates[name]
        assert update is not None
        assert update.new == float(number)


def test_seed_second_list_is_the_step_towards_0_and_1(seed: Seed):
    model = seed.model.with_values(dict(zip(seed.targets, (0.0, 1.0), strict=True)))
    taken = api.step(model).parameters
    assert_same([taken[name] for name in seed.weights], case("seed")["printed"]["second_list"])


# ------------------------------------------------------------------------------ Mazur


def test_mazur_forward_pass():
    printed, values = case("mazur-2-2-2")["printed"], shown(api.load("mazur"))
    assert_printed(values["net_h1"], printed["net_h1"])
    assert_printed(values["net_o1"], printed["net_o1"])
    assert_all_printed([values["out_h1"], values["out_h2"]], printed["hidden"])
    assert_all_printed([values["out_o1"], values["out_o2"]], printed["outputs"])
    assert_all_printed([values["E_o1"], values["E_o2"]], printed["loss_parts"])
    assert_printed(values["E"], printed["loss"])


@pytest.mark.parametrize("weight", ["w5", "w1"])
def test_mazur_derivatives(weight: str):
    printed = case("mazur-2-2-2")["printed"]
    assert_printed(derived(api.load("mazur"), weight).gradient, printed[f"d{weight}"])


def test_mazur_weights_are_simultaneous_and_the_loss_beside_them_is_sequential():
    printed, model = case("mazur-2-2-2")["printed"], api.load("mazur")
    simultaneous = api.step(model, order="simultaneous")
    sequential = api.step(model, order="sequential")
    names = named("w", 8)
    assert_all_printed([simultaneous.parameters[name] for name in names], printed["after_one_step"])
    assert_printed(sequential.losses[-1], printed["loss_after_one_step"])
    assert found("mazur-2-2-2", "0.291027924", "0.291027773694")
    assert_printed(simultaneous.losses[-1], Decimal("0.291027773694"))


def test_mazur_after_10000_steps():
    """The loss is the one that round 10000 began with; the outputs are of a sequential run."""
    printed, model = case("mazur-2-2-2")["printed"], api.load("mazur")
    simultaneous = api.step(model, 10_000, order="simultaneous")
    assert_printed(simultaneous.losses[9_999], printed["loss_after_10000"])
    values = shown(api.step(model, 10_000, order="sequential").model)
    assert_all_printed([values["out_o1"], values["out_o2"]], printed["outputs_after_10000"])


# ------------------------------------------------------------------- the seed, in sequence


def test_sequential_weights_after_one_step():
    taken = api.step(api.load("seed"), order="sequential").parameters
    printed = case("sequential-2-3-2")["printed"]["after_one_step"]
    assert_all_printed([taken[name] for name in named("w", 12)], printed)


@pytest.mark.parametrize(("called", "steps"), [(10, 9), (100, 100), (1000, 1000)])
def test_sequential_outputs_after(called: int, steps: int):
    """What is printed for 10 steps are the outputs after 9."""
    values = shown(api.step(api.load("seed"), steps, order="sequential").model)
    printed = case("sequential-2-3-2")["printed"][f"outputs_after_{called}"]
    assert_all_printed([values["out_o1"], values["out_o2"]], printed)


# ---------------------------------------------------------------------------- MacLeod

MACLEOD = ("w1o", "w2o", "wA1", "wB1", "wA2", "wB2")


def test_macleod_forward_pass():
    printed, values = case("macleod-2-2-1")["printed"], shown(api.load("macleod"))
    assert_all_printed([values["out_h1"], values["out_h2"]], printed["hidden"])
    assert_printed(values["out_o"], printed["output"])
    delta = {line.node.name: line.value for line in api.explain(api.load("macleod")).shared}
    assert_printed(-delta["δ_o"], printed["delta"])  # his δ points down the slope


@pytest.mark.parametrize(
    ("order", "digits"),
    [
        ("sequential", "0.272326 0.872998 0.099157 0.797831 0.397226 0.592867"),
        ("simultaneous", "0.272326 0.872998 0.099071 0.797611 0.397140 0.592646"),
    ],
)
def test_macleod_with_all_digits(order: Any, digits: str):
    assert found("macleod-2-2-1", *digits.split())
    taken = api.step(api.load("macleod"), order=order).parameters
    assert_all_printed([taken[name] for name in MACLEOD], list(map(Decimal, digits.split())))


def test_macleod_as_printed_when_factors_are_rounded_on_the_way():
    """The formulas that chainrule shows, with his rounded numbers put in, in his order."""
    printed = case("macleod-2-2-1")["printed"]
    model = api.load("macleod")
    assert model.order == "sequential"
    explanation = api.explain(model)
    shared = {line.node.name: line.formula for line in explanation.shared}
    known = {name: float(value) for name, value in printed["after_one_step"].items()}
    numbers = model.numbers | {
        "out_h1": float(printed["hidden"][0]),
        "out_h2": float(printed["hidden"][1]),
        "out_o": float(printed["output"]),
    }
    numbers["δ_o"] = round(Names(numbers).value(shared["δ_o"]), 4)
    assert_printed(-numbers["δ_o"], printed["delta"])
    formulas = {item.parameter: item for item in explanation.derivations}
    for layer in (("w1o", "w2o"), ("wA1", "wB1", "wA2", "wB2")):
        for unit in ("h1", "h2"):
            numbers[f"δ_{unit}"] = Names(numbers).value(shared[f"δ_{unit}"])
        for name in layer:
            result, update = formulas[name].result, formulas[name].update
            assert result is not None
            assert update is not None
            gradient = {update.gradient_name: Names(numbers).value(result.formula)}
            new = Names(numbers | gradient).value(update.formula)
            assert_printed(new, printed["after_one_step"][name])
        numbers.update((name, known[name]) for name in layer)


# ------------------------------------------------------------------------ Negnevitsky


def test_negnevitsky():
    printed, model = case("negnevitsky-xor-2-2-1")["printed"], api.load("negnevitsky")
    values = shown(model)
    assert_all_printed([values["out_y3"], values["out_y4"], values["out_y5"]], printed["y"])
    taken = api.step(model, order="simultaneous").parameters
    assert taken.keys() == printed["after_one_step"].keys()
    for name, number in printed["after_one_step"].items():
        assert_printed(taken[name], number)


def test_every_printed_number_has_a_test():
    keys = {name: set(case(name)["printed"]) for name in (path.stem for path in CASES.iterdir())}
    assert keys == {
        "seed": {"hidden", "outputs", "loss", "dw7", "dw1", "after_one_step", "second_list"},
        "mazur-2-2-2": {
            *("net_h1", "hidden", "net_o1", "outputs", "loss", "loss_parts", "dw5", "dw1"),
            *("after_one_step", "loss_after_one_step", "loss_after_10000", "outputs_after_10000"),
        },
        "sequential-2-3-2": {
            *("after_one_step", "outputs_after_10", "outputs_after_100", "outputs_after_1000"),
        },
        "macleod-2-2-1": {"hidden", "output", "delta", "after_one_step"},
        "negnevitsky-xor-2-2-1": {"y", "after_one_step"},
    }
