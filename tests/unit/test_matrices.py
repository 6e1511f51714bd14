"""The matrix form: names, orientation, what has none."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from helpers.networks import network

import chainrule as cr
from chainrule.explanation.matrices import Matrices, matrices, symbols_in
from chainrule.explanation.printers.unicode import inline
from chainrule.graph.model import Model
from chainrule.primitives.formula import parse


def form_of(model: Model) -> Matrices:
    form = matrices(model)
    assert form is not None
    return form


def written(model: Model) -> dict[str, str]:
    form = form_of(model)
    lines = (*form.forward, *form.adjoints, *form.gradients)
    return {line.symbol: inline(line.formula) for line in lines}


def described(**changes: Any) -> Model:
    """A 2-2-1 network."""
    hidden = {"units": 2, "activation": "tanh", "weights": [[0.1, 0.2], [0.3, 0.4]]}
    output = {"units": 1, "activation": "sigmoid", "weights": [[0.5, 0.6]]}
    hidden["biases"], output["biases"] = [0.1, 0.2], [0.3]
    return network(
        {
            "loss": "half squared error",
            "inputs": changes.get("inputs", {"p": 1.0, "q": 2.0}),
            "targets": changes.get("targets", [0.5]),
            "layers": [hidden | changes.get("hidden", {}), output | changes.get("output", {})],
        }
    )


def test_a_single_example_is_a_column():
    assert written(described()) == {
        "z⁽¹⁾": "W⁽¹⁾ x + b⁽¹⁾",
        "a⁽¹⁾": "tanh(z⁽¹⁾)",
        "z⁽²⁾": "W⁽²⁾ a⁽¹⁾ + b⁽²⁾",
        "a⁽²⁾": "σ(z⁽²⁾)",
        "E": "0.5 · (y − a⁽²⁾)^⊙2",
        "δ⁽²⁾": "−(y − a⁽²⁾) ⊙ a⁽²⁾ ⊙ (1 − a⁽²⁾)",
        "δ⁽¹⁾": "((W⁽²⁾)ᵀ δ⁽²⁾) ⊙ (1 − a⁽¹⁾ ⊙ a⁽¹⁾)",
        "∂E/∂W⁽¹⁾": "δ⁽¹⁾ xᵀ",
        "∂E/∂b⁽¹⁾": "δ⁽¹⁾",
        "∂E/∂W⁽²⁾": "δ⁽²⁾ (a⁽¹⁾)ᵀ",
        "∂E/∂b⁽²⁾": "δ⁽²⁾",
    }


def test_several_examples_are_rows_as_they_run():
    model = described(inputs=[[1.0, 2.0], [3.0, 4.0]], targets=[[0.5], [0.25]])
    form, lines = form_of(model), written(model)
    assert not form.columns
    assert lines["Z⁽¹⁾"] == "X (W⁽¹⁾)ᵀ + 𝟏₂ (b⁽¹⁾)ᵀ"
    assert lines["∂E/∂W⁽¹⁾"] == "(Δ⁽¹⁾)ᵀ X"
    assert lines["∂E/∂b⁽¹⁾"] == "(Δ⁽¹⁾)ᵀ 𝟏₂"


def test_each_symbol_says_what_it_stands_for():
    arrays = {array.symbol: array for array in form_of(cr.load("seed")).arrays}
    assert arrays["W⁽¹⁾"].rows == (("w1", "w2"), ("w3", "w4"), ("w5", "w6"))
    assert arrays["z⁽²⁾"].rows == (("net_o1",), ("net_o2",))
    assert (arrays["x"].shape, arrays["b1"].shape) == ((2, 1), ())


def test_each_line_has_the_shapes_of_its_symbols():
    (line,) = form_of(cr.load("seed")).adjoints[1:]
    assert (line.symbol, line.shape) == ("δ⁽¹⁾", (3, 1))
    assert line.shapes == {"W⁽²⁾": (2, 3), "δ⁽²⁾": (2, 1), "a⁽¹⁾": (3, 1)}


def test_a_sequential_update_says_whose_new_values_it_reads():
    updates = {line.symbol: line.after for line in form_of(cr.load("macleod")).updates}
    assert updates == {"W⁽¹⁾": ("W⁽²⁾",), "W⁽²⁾": ()}


def test_no_learning_rate_no_updates():
    assert form_of(described()).updates == ()


@pytest.mark.parametrize("sheet", ["seed-equations"])
def test_a_sheet_has_no_arrays(sheet: str):
    assert matrices(cr.load(sheet)) is None


def test_steps_that_matrices_do_not_have():
    v = cr.var("v", [1.0, 2.0, 3.0])
    assert matrices(cr.model(cr.tanh(v)[1])) is None
    cube = cr.var("c", numpy.ones((2, 2, 2)))
    assert matrices(cr.model((cube * cube).sum())) is None


# ------------------------------------------------------------------------------- names


def test_a_letter_that_an_entry_has_is_not_taken():
    arrays = {array.symbol: array for array in form_of(described(inputs={"x": 1, "y": 2})).arrays}
    assert arrays["u"].rows == (("x",), ("y",))
    assert arrays["t"].rows == (("target_o1",),)
    assert not {"x", "y"} & set(arrays)


def test_a_number_that_the_user_named_keeps_its_name():
    shared = {"biases": 0.5, "bias_names": "b2"}
    model = described(hidden=shared)
    symbols = {array.symbol for array in form_of(model).arrays}
    assert "b2" in symbols
    assert "b⁽²⁾" not in symbols  # in NumPy it would be spelt b2 too


def test_arrays_keep_their_own_names():
    w = cr.var("w", [[0.3, -0.5]])
    x = cr.var("x", [[2.0], [1.0]], trained=False)
    h = cr.sigmoid(w @ x).named("h")
    assert written(cr.model(cr.half_squared_error(1.0, h).sum())) == {
        "net_h": "w x",
        "h": "σ(net_h)",
        "E": "0.5 · (1 − h)^⊙2",
        "δ_h": "−(1 − h) ⊙ h ⊙ (1 − h)",
        "∂E/∂w": "δ_h xᵀ",
    }


def test_ones_where_a_number_is_the_adjoint_of_each_entry():
    m = cr.var("M", numpy.ones((2, 3)))
    v = cr.var("v", [1.0, 2.0, 3.0])
    lines = written(cr.model((m @ v).sum()))
    assert lines["∂E/∂M"] == "𝟏₂ vᵀ"
    assert lines["∂E/∂v"] == "Mᵀ 𝟏₂"
    u = cr.var("u", [[2.0, 3.0]])
    twice = written(cr.model(2 * (u @ cr.var("x", [[1.0], [2.0]]) * cr.var("k", 3.0)).sum()))
    assert twice["∂E/∂u"] == "2 · k · xᵀ"
    assert written(cr.model(m.sum()))["∂E/∂M"] == "𝟏₂ 𝟏₃ᵀ"


def test_symbols_of_a_formula_from_left_to_right():
    assert list(symbols_in(parse("b * a + b ** 2"))) == ["b", "a"]
