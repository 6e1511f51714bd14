"""Programs on arrays: names, views, what is shared, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from helpers import array_programs
from helpers.networks import network
from helpers.typeset import HOSTILE

import chainrule as cr
from chainrule.emit import array_writer
from chainrule.emit.array_program import (
    ArrayProgram,
    ArraySection,
    Entries,
    Entrywise,
    Given,
    Product,
    Result,
    View,
)
from chainrule.emit.array_writer import array_program
from chainrule.emit.c_arrays import CArraysSource
from chainrule.emit.javascript_arrays import JavaScriptArraysSource
from chainrule.emit.numpy import NumPySource
from chainrule.graph.build import Builder
from chainrule.primitives import REGISTRY, Linear, Select
from chainrule.primitives.formula import parse
from chainrule.primitives.index import contraction
from unit.test_emit import STRANGE

LANGUAGES: tuple[type[Any], ...] = (NumPySource, CArraysSource, JavaScriptArraysSource)


def names(program: ArrayProgram) -> list[str]:
    return [item.name for item in program.statements]


# --------------------------------------------------------------------------------- names


def test_arrays_are_called_by_what_the_names_of_their_entries_have_in_common() -> None:
    program = array_program(cr.load("seed"), "step", "simultaneous")
    assert [item.name for item in program.given] == ["l", "W1", "b1", "W2", "b2", "target_o", "η"]
    quantities = [item.name for item in program.statements if not item.is_part]
    assert quantities == [
        *("net_h", "out_h", "net_o", "out_o", "E_o", "E", "δ_o", "δ_h"),
        *("dE_dW1", "dE_dW2", "W1⁺", "W2⁺"),
    ]


def test_units_with_names_of_their_own_make_one_array() -> None:
    program = array_program(cr.load("flowers"), "gradient", "simultaneous")
    assert {"net", "out", "E", "E_parts", "δ", "δ_h"} <= set(names(program))


def test_a_layer_has_the_names_of_its_arrays() -> None:
    layer = {"units": 2, "weights": [[0.1, 0.2], [0.3, 0.4]], "biases": [0.0, 0.0]}
    described = {"loss": "half squared error", "inputs": [1.0, 2.0], "targets": [0.0, 1.0]}
    model = network({**described, "layers": [layer]})
    given = [item.name for item in array_program(model, "gradient", "simultaneous").given]
    assert given == ["x", "layer1.weight", "layer1.bias", "target_o"]
    text = cr.source(model, form="arrays")
    assert "x @ layer1_weight.T + layer1_bias" in text
    assert "dE_dlayer1_weight = delta_o.T @ x\n" in text


def test_every_name_can_be_used_in_every_language(tmp_path: Path) -> None:
    given = tuple(
        Given(name, (2,), (float(place), -0.5), (f"{name}.a", f"{name}.b"))
        for place, name in enumerate(STRANGE)
    )
    statements = []
    for name in STRANGE:
        of = Entries((2,), parse("2 * x"), {"x": View.whole(name, (2,))})
        statements.append(Entrywise(name=f"{name}⁺", shape=(2,), meaning=f"∂{name}", of=of))
    results = tuple(Result(f"{n}⁺", f"{n}⁺", (2,), (f"{n}.a", f"{n}.b")) for n in STRANGE)
    program = ArrayProgram(
        " ".join(HOSTILE[:-2]),
        "forward",
        "simultaneous",
        given,
        (ArraySection("all", tuple(statements)),),
        results,
    )
    (in_c,) = array_programs.run_c(tmp_path, [program])
    (in_javascript,) = array_programs.run_javascript(tmp_path, [program])
    for found in (array_programs.run_numpy(program), in_c, in_javascript):
        assert len(found) == len(STRANGE)
        for place, name in enumerate(STRANGE):
            assert found[f"{name}⁺"].tolist() == [2.0 * place, -1.0]


# --------------------------------------------------------------------------------- views


def test_a_step_that_moves_entries_is_a_view() -> None:
    op = Builder()
    x = op.variable("x", (2, 3))
    view = View.whole("x", (2, 3))
    turned = view.moved(op.transpose(x))
    assert (turned.sizes, turned.strides, turned.offset) == ((3, 2), (1, 3), 0)
    cut = view.moved(op.slice(x, (1, 0), (1, 2), (1, 2)))
    assert (cut.sizes, cut.strides, cut.offset) == ((1, 2), (3, 2), 3)
    repeated = view.moved(op.broadcast(x, (4, 2, 3)))
    assert repeated.strides == (0, 3, 1)
    flat = view.moved(op.reshape(x, (6,)))
    assert (flat.sizes, flat.strides) == ((6,), (1,))
    assert flat.is_contiguous
    assert not turned.is_contiguous


def test_nothing_that_only_moves_is_computed() -> None:
    w = cr.var("w", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    x = cr.var("x", [[1.0], [2.0], [3.0]], trained=False)
    program = array_program(cr.model((w.T * x).sum().named("E")), "gradient", "simultaneous")
    assert names(program) == ["E", "dE_dw"]
    text = CArraysSource(program).source()
    assert "E += w[i + 3*j]*x[i];" in text
    assert "transpose" not in text


def test_loops_over_what_lies_evenly_are_one() -> None:
    text = CArraysSource(array_program(cr.load("flowers"), "gradient", "simultaneous")).source()
    assert "    for (int i = 0; i < 6; i++)\n        out_h[i] = tanh(net_h[i]);\n" in text


def test_a_product_is_made_where_its_only_reader_puts_it() -> None:
    text = CArraysSource(array_program(cr.load("flowers"), "gradient", "simultaneous")).source()
    assert "multiply(3, 2, 2, x, W1T, net_h);  /* x W1ᵀ */" in text
    assert "net_h[2*i + j] = net_h[2*i + j] + b1[j];" in text


def test_a_sequential_step_reads_the_new_arrays() -> None:
    program = array_program(cr.load("macleod"), "step", "sequential")
    assert [section.title for section in program.sections] == [
        "forward pass",
        "backward pass, stage 1 of 2",
        "update, stage 1 of 2",
        "backward pass, stage 2 of 2",
        "update, stage 2 of 2",
    ]
    (product,) = (item for item in program.sections[3].statements if item.is_part)
    assert isinstance(product, Product)
    assert product.right.array == "W2⁺"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_source_is_the_same_each_time(language: Any) -> None:
    first, second = (
        language(array_program(cr.load("flowers"), "step", "simultaneous")).source()
        for _ in range(2)
    )
    assert first == second


def test_a_program_takes_other_numbers() -> None:
    space: dict[str, Any] = {"__name__": "program"}
    exec(cr.source(cr.load("seed"), what="step", form="arrays"), space)
    found = space["step"](**{**space["model"], "eta": numpy.float64(0.25)})
    wanted = cr.step(cr.load("seed").with_values({"η": 0.25})).parameters
    assert found["W2"].ravel()[0] == pytest.approx(wanted["w7"], rel=1e-15)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_is_too_long(language: Any) -> None:
    layer = {"activation": "gelu", "weights": [[0.1] * 40], "units": ["yes"]}
    described = {"loss": "binary cross-entropy", "inputs": [[0.5] * 40] * 3}
    targets = {"targets": [[0.0], [1.0], [0.5]], "reduction": "mean"}
    output = {"activation": "sigmoid", "weights": [[0.5]], "units": ["certainly"]}
    model = network({**described, **targets, "layers": [layer, output]})
    for what in ("forward", "gradient"):
        text = language(array_program(model, what, "simultaneous")).source()  # type: ignore[arg-type]
        assert max(map(len, text.splitlines())) <= 100


# -------------------------------------------------------------------------------- errors


def test_a_form_that_is_not_known_is_refused() -> None:
    with pytest.raises(cr.InputError) as error:
        cr.source(cr.load("seed"), form="matrices")  # type: ignore[arg-type]
    assert str(error.value) == (
        'OptionError: there is no form called "matrices"\n  needs: auto or scalars or arrays'
    )


@pytest.mark.parametrize(
    ("limit", "what"), [("MOST_NUMBERS", "18 numbers"), ("LIMIT", "23 steps on arrays")]
)
def test_more_than_a_program_holds_is_refused(
    limit: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_writer, limit, 10)
    with pytest.raises(cr.InputError) as error:
        cr.source(cr.load("seed"), form="arrays")
    assert str(error.value) == (
        f"SizeError: the model has {what}\n"
        "  needs: at most 10 to be written as a program\n"
        "  try: `chainrule step` and `chainrule check` run it"
    )


def test_every_step_that_mixes_or_selects_can_be_written_or_is_known_not_to_be() -> None:
    own = (
        *(*array_writer.PRODUCTS, *array_writer.REDUCTIONS, *array_writer.JOINTS),
        *(*array_writer.MOVES, "first_max"),
    )
    refused = {"convolution", "cumsum", "flip", "overlap_add", "scatter_add", "take", "windows"}
    for name, record in REGISTRY.items():
        if isinstance(record, Linear) and name not in (*own, *refused):
            contraction(record.index, record.operands)
        assert not isinstance(record, Select) or name in own


def test_a_step_without_a_form_in_loops_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_writer, "JOINTS", ())
    x = cr.var("x", [1.0, 2.0])
    model = cr.model(cr.concat([x, x * x]).sum().named("E"))
    with pytest.raises(cr.InputError) as error:
        cr.source(model, form="arrays")
    assert str(error.value) == (
        "OptionError: a step of the model, concat, cannot be written as loops\n"
        "  needs: steps whose index formulas are sums of products\n"
        "  try: `chainrule step` and `chainrule check` run it"
    )


def test_a_step_needs_a_learning_rate_in_any_form() -> None:
    model = cr.loads("w = 2.0; x = 3.0; E = w * x")
    for options in ({"form": "arrays", "what": "step"}, {"lang": "numba"}):
        with pytest.raises(cr.InputError, match="the model gives no learning rate"):
            cr.source(model, **options)  # type: ignore[arg-type]
