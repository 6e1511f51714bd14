"""Gradient descent: its two orders, its two engines, and which parameters come first."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args

import numpy as np
import pytest
from helpers.programs import run_python

import chainrule as cr
from chainrule.differentiate.update import descend, distance_from_loss
from chainrule.emit.straight_line import straight_line
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.engines.choice import EngineName
from chainrule.engines.descent import array_descent
from chainrule.errors import InputError, NumericError
from chainrule.graph.build import Builder
from chainrule.graph.formulas import formula_of
from chainrule.graph.model import Model, Order
from chainrule.primitives.python import python
from chainrule.train.steps import take_steps

EXAMPLES = ("flowers", "macleod", "mazur", "negnevitsky", "seed", "seed-equations")


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def two_layers(order: Order = "simultaneous", rate: float | None = 0.5) -> Model:
    """o = σ(v · σ(w · x)), both weights trained."""
    w, v = cr.var("w", 0.4), cr.var("v", -0.7)
    x, t = cr.var("x", 1.5, trained=False), cr.var("t", 0.25, trained=False)
    out = cr.sigmoid(v * cr.sigmoid(w * x).named("h")).named("o")
    return cr.model(0.5 * (t - out) ** 2, learning_rate=rate, order=order)


def by_hand(order: str) -> dict[str, float]:
    w, v, x, t, rate = 0.4, -0.7, 1.5, 0.25, 0.5
    h = sigmoid(w * x)
    o = sigmoid(v * h)
    delta = -(t - o) * o * (1 - o)
    new_v = v - rate * (delta * h)
    back = delta * (new_v if order == "sequential" else v)
    return {"w": w - rate * (back * h * (1 - h) * x), "v": new_v}


# -------------------------------------------------------------------------- the orders


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_a_step_by_hand(order: Order) -> None:
    expected = by_hand(order)
    taken = take_steps(two_layers(order))
    assert taken.order == order
    assert taken.parameters == pytest.approx(expected, rel=1e-14)
    assert take_steps(two_layers(), 1, order).parameters == taken.parameters
    assert by_hand("sequential")["w"] != by_hand("simultaneous")["w"]


FIRST_LAYERS = {
    "flowers": {"w1", "w2", "w3", "w4", "b1", "b2"},
    "macleod": {"wA1", "wB1", "wA2", "wB2"},
    "mazur": {"w1", "w2", "w3", "w4"},
    "negnevitsky": {"w13", "w23", "w14", "w24", "t3", "t4"},
    "seed": {"w1", "w2", "w3", "w4", "w5", "w6"},
    "seed-equations": {f"w[{number}]" for number in range(6)},
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_only_what_lies_behind_an_updated_parameter_differs(example: str) -> None:
    model = cr.load(example).with_values({"learning_rate": 0.5})
    one, other = (take_steps(model, 1, order) for order in ("simultaneous", "sequential"))
    differ = {name for name in one.parameters if one.parameters[name] != other.parameters[name]}
    assert differ == FIRST_LAYERS[example]


def test_a_sequential_step_says_what_was_updated_before() -> None:
    explanation = cr.explain(two_layers("sequential"))
    after = {item.parameter: item.update.after for item in explanation.derivations if item.update}
    assert after == {"w": ("v",), "v": ()}
    explanation = cr.explain(two_layers())
    assert all(item.update and item.update.after == () for item in explanation.derivations)


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_explain_shows_the_update_that_step_takes(example: str, order: Order) -> None:
    model = cr.load(example)
    shown = {
        item.parameter: item.update.new
        for item in cr.explain(model, order=order, checked=False).derivations
        if item.update is not None
    }
    assert shown == cr.step(model, order=order).parameters
    assert shown


# ------------------------------------------------------------------------- the engines


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_arrays_and_scalars_take_the_same_steps(
    example: str, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = cr.load(example)
    scalar = take_steps(model, 5, order)
    monkeypatch.setattr(reference, "LIMIT", 0)
    array = take_steps(model, 5, order)
    assert (scalar.engine, array.engine) == ("reference", "numpy")
    assert array.parameters == pytest.approx(scalar.parameters, rel=1e-12)
    assert array.losses == pytest.approx(scalar.losses, rel=1e-12)


def test_a_parameter_array_is_updated_as_a_whole() -> None:
    op = Builder()
    model = cr.load("seed")
    rate = op.variable("η")
    descent = array_descent(model, rate, "simultaneous")
    leaves = {**arrays.leaf_arrays(model), rate: 0.5}
    loss, gradients, changed = descent.step(leaves)
    assert float(loss) == pytest.approx(0.3918291766685041, rel=1e-14)
    weights = model.leaves[1].node
    assert changed[weights].shape == weights.shape
    assert np.array_equal(changed[weights], leaves[weights] - 0.5 * gradients[weights])


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("limit", [20_000, 0])
def test_a_parameter_that_the_loss_does_not_use_stays(
    limit: int, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "LIMIT", limit)
    model = two_layers(order)
    spare = cr.var("spare", [1.0, 2.0])
    with_spare = dataclasses.replace(
        model, leaves=(*model.leaves, *spare.leaves.values()), quantities=(spare.node,)
    )
    found = take_steps(with_spare).parameters
    assert found.pop("spare[0]") == 1.0
    assert found.pop("spare[1]") == 2.0
    assert found == take_steps(model).parameters


# --------------------------------------------------------------------------- the steps


def test_losses_are_followed() -> None:
    seen: list[tuple[int, float]] = []
    taken = take_steps(two_layers(), 4, progress=lambda number, loss: seen.append((number, loss)))
    assert taken.count == 4
    assert len(taken.losses) == 5
    assert seen == list(enumerate(taken.losses[:-1]))
    assert list(taken.losses) == sorted(taken.losses, reverse=True)
    halfway = take_steps(two_layers(), 2)
    rest = take_steps(halfway.model, 2)
    assert (*halfway.losses, *rest.losses[1:]) == taken.losses
    assert rest.parameters == taken.parameters
    assert taken.before.numbers == two_layers().numbers


def test_no_steps_leave_the_model_as_it_is() -> None:
    taken = take_steps(two_layers(), 0)
    assert taken.count == 0
    assert len(taken.losses) == 1
    assert taken.model.numbers == two_layers().numbers


def test_what_is_fixed_stays() -> None:
    model = cr.load("seed")
    taken = take_steps(model, 3)
    fixed = set(model.numbers) - set(model.trained)
    assert {name: taken.model.numbers[name] for name in fixed} == {
        name: model.numbers[name] for name in fixed
    }
    assert {"l1", "l2", "b1", "b2", "target_o1", "target_o2", "η"} == fixed


def test_a_step_needs_a_rate() -> None:
    with pytest.raises(InputError) as caught:
        take_steps(two_layers(rate=None))
    assert str(caught.value) == (
        "ValueError: the model gives no learning rate\n"
        "  needs: a number to multiply the gradient by\n"
        "  try: learning_rate = 0.1 in the file, or --set learning_rate=0.1"
    )


def test_a_step_needs_something_to_train() -> None:
    x = cr.var("x", 2.0, trained=False)
    with pytest.raises(InputError) as caught:
        take_steps(cr.model((x * x).named("E"), learning_rate=0.5))
    assert str(caught.value) == (
        "ValueError: no parameter is trained\n  needs: at least one to update"
    )


@pytest.mark.parametrize("limit", [20_000, 0])
def test_a_step_that_leaves_the_floats_is_named(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "LIMIT", limit)
    w = cr.var("w", 2.0**500)
    model = cr.model((w * w).named("E"), learning_rate=1e200)
    with pytest.raises(NumericError) as caught:
        take_steps(model, 3)
    called = "w"
    assert str(caught.value) == (
        f"NumericError: step 1: {called} is no longer a finite number (loss {2.0**1000})\n"
        "  needs: finite numbers at every step\n"
        "  try: a smaller learning rate: --set learning_rate=..."
    )
    model = cr.model((w * w).named("E"), learning_rate=1e50)  # the next loss
    with pytest.raises(NumericError) as caught:
        take_steps(model, 3)
    assert "step 2: the loss is no longer a finite number (loss inf)" in str(caught.value)


# ------------------------------------------------------------------- slopes that are 1

w, v = cr.var("w", 2.0), cr.var("v", [3.0])
PLAIN = {
    "the loss is a parameter": (w, 2.0, {"w": 1.0}),
    "the loss is a parameter's only entry": (v.sum(), 3.0, {"v[0]": 1.0}),
    "the slope is 1": (w + (v * v).sum(), 11.0, {"w": 1.0, "v[0]": 6.0}),
}


@pytest.mark.parametrize("engine", get_args(EngineName))
@pytest.mark.parametrize("case", PLAIN)
def test_a_slope_that_is_a_number_is_one_like_any_other(case: str, engine: EngineName) -> None:
    loss, before, gradients = PLAIN[case]
    model = cr.model(loss, learning_rate=0.5)
    taken = take_steps(model, 1, engine=engine)
    assert taken.losses[0] == before
    assert taken.parameters == {name: model.value(name) - 0.5 * g for name, g in gradients.items()}
    assert taken.losses == take_steps(model, 1, engine="numpy").losses
    found = cr.explain(model).derivations
    assert {item.parameter: item.gradient for item in found} == gradients
    assert cr.check(model).passed


def test_a_program_tells_the_loss_from_the_parameter_that_it_is() -> None:
    program = straight_line(cr.model(w, learning_rate=0.5), "step", "simultaneous")
    assert run_python(program) == [{"loss": 2.0, "w": 1.5}]


# ------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"engine": "numby"},
            'OptionError: there is no engine called "numby"\n'
            "  needs: auto or reference or numpy or numba or jax\n"
            '  try: did you mean "numpy"?',
        ),
        (
            {"dtype": "float16"},
            "OptionError: numbers of the type float16\n  needs: float32 or float64",
        ),
        (
            {"engine": "reference", "dtype": "float32"},
            "OptionError: the reference engine has no float32: it works with Python's floats\n"
            "  needs: float64\n"
            "  try: the engine numpy takes steps in float32",
        ),
    ],
)
def test_an_engine_or_a_type_that_there_is_not_is_refused(
    options: dict[str, Any], said: str
) -> None:
    for take in (
        lambda: cr.step(cr.load("seed"), **options),
        lambda: cr.fit(cr.load("seed"), [[0.1, 0.2]], [[0.3, 0.4]], **options),
    ):
        with pytest.raises(InputError) as caught:
            take()
        assert str(caught.value) == said


@pytest.mark.parametrize("engine", ["numpy", "numba", "jax"])
def test_a_number_that_is_too_large_for_its_type_is_refused(engine: EngineName) -> None:
    large = cr.var("large", [1.0, 1e40])
    model = cr.model((large / 1e40).sum(), learning_rate=0.5)
    with pytest.raises(InputError) as caught:
        take_steps(model, engine=engine, dtype="float32")
    assert str(caught.value) == (
        "ValueError: large[1] = 1e+40 is too large for float32\n"
        "  needs: a number of at most 3.4e+38\n"
        "  try: float64"
    )


def test_auto_takes_single_precision_to_an_engine_that_has_it() -> None:
    taken = take_steps(two_layers(), 2, dtype="float32")
    assert (taken.engine, taken.reason) == ("numpy", "float32 is for arrays")
    assert taken.as_json()["dtype"] == taken.dtype == "float32"
    assert "dtype" not in take_steps(two_layers()).as_json()


# ------------------------------------------------------------------ distances, formula


def test_the_update_is_written_as_it_is_said() -> None:
    op = Builder()
    w, rate, gradient = op.variable("w"), op.variable("η"), op.variable("dE_dw")
    assert python(formula_of(descend(op, w, rate, gradient))) == "w - η*dE_dw"


def test_the_distance_counts_the_steps_that_use_parameters() -> None:
    op = Builder()
    x, u, v, w, b, idle = (op.variable(name) for name in ("x", "u", "v", "w", "b", "idle"))
    h = op.tanh(op.mul(u, x))
    k = op.tanh(op.mul(v, h))
    loss = op.add(op.mul(w, k), b)
    assert distance_from_loss(loss, [u, v, w, b]) == {u: 4, v: 3, w: 2, b: 1}
    # Without v and b, two steps use a parameter.
    assert distance_from_loss(loss, [u, w]) == {u: 2, w: 1}
    assert distance_from_loss(loss, [idle, w])[w] == 1  # idle has no distance to speak of


def test_of_several_ways_the_longest_counts() -> None:
    op = Builder()
    u, v, x = op.variable("u"), op.variable("v"), op.variable("x")
    h = op.mul(u, x)
    loss = op.add(op.mul(v, h), h)  # u reaches the loss through v, and past it
    found = distance_from_loss(loss, [u, v])
    assert found[u] == found[v] + 1


def test_the_layers_of_a_network_are_its_distances() -> None:
    model = cr.load("seed")
    loss = model.unrolled.entries[model.loss][0]
    trained = [
        node for leaf in model.leaves if leaf.trained for node in model.unrolled.entries[leaf.node]
    ]
    found = distance_from_loss(loss, trained)
    by_name = {node.name: distance for node, distance in found.items()}
    near = {by_name[f"w{number}"] for number in range(7, 13)}
    far = {by_name[f"w{number}"] for number in range(1, 7)}
    assert (len(near), len(far)) == (1, 1)
    assert max(near) < min(far)
