"""Networks written in Python: operators, functions, arrays, names, and what is refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import InputError
from chainrule.frontends.expression import Expression
from chainrule.graph.check import check_graph
from chainrule.graph.formulas import formula_of
from chainrule.primitives import REGISTRY, Pointwise
from chainrule.primitives.composites import COMPOSITES
from chainrule.primitives.python import python

A = np.array([[0.5, -1.5, 2.0], [0.25, 3.0, -0.75]])


def value(expression: Expression) -> Any:
    """What an expression is worth, by the NumPy engine."""
    from chainrule.engines import numpy as arrays

    check_graph([expression.node])
    given = {
        leaf.node: np.array(leaf.values).reshape(leaf.node.shape)
        for leaf in expression.leaves.values()
    }
    return arrays.run([expression.node], given)[expression.node]


def fault_of(make: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        make()
    (fault,) = caught.value.faults
    return str(fault)


# --------------------------------------------------------------------------- operators


@pytest.mark.parametrize(
    "operation",
    [
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow),
        *(operator.lt, operator.le, operator.gt, operator.ge),
    ],
)
def test_operators_are_those_of_numpy(operation: Callable[[Any, Any], Any]) -> None:
    x, y = cr.var("x", np.abs(A)), cr.var("y", [1.5, 0.5, 2.0])
    assert np.array_equal(value(operation(x, y)), operation(np.abs(A), np.array([1.5, 0.5, 2.0])))
    for number in (2, 0.5):
        assert np.array_equal(value(operation(x, number)), operation(np.abs(A), number))
        assert np.array_equal(value(operation(number, x)), operation(number, np.abs(A)))


def test_minus_and_magnitude() -> None:
    x = cr.var("x", A)
    assert np.array_equal(value(-x), -A)
    assert np.array_equal(value(abs(x)), np.abs(A))


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,))]
)
def test_the_matrix_product(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    numbers = np.random.default_rng(0)
    a, b = numbers.uniform(-1, 1, left), numbers.uniform(-1, 1, right)
    product = cr.var("a", a) @ cr.var("b", b)
    assert product.shape == (a @ b).shape
    assert np.allclose(value(product), a @ b, rtol=1e-15)


def test_reductions() -> None:
    x = cr.var("x", A)
    assert value(x.sum()) == A.sum()
    assert np.array_equal(value(x.sum(0)), A.sum(0))
    assert np.array_equal(value(x.sum((0, 1))), A.sum())
    assert np.array_equal(value(x.sum(-1)), A.sum(-1))
    assert value(x.mean()) == A.mean()
    assert np.array_equal(value(x.mean(1)), A.mean(1))
    assert value(x.max()) == 3.0
    assert np.array_equal(value(x.max(0)), A.max(0))
    assert value(cr.var("s", 2.0).sum()) == 2.0


def test_shapes_can_be_changed() -> None:
    x = cr.var("x", A)
    assert np.array_equal(value(x.T), A.T)
    assert np.array_equal(value(x.reshape(3, 2)), A.reshape(3, 2))
    assert np.array_equal(value(x.reshape(6)), A.reshape(6))
    assert cr.var("v", [1.0, 2.0]).T.shape == (2,)


def test_arrays_are_joined() -> None:
    x, y = cr.var("x", A), cr.var("y", A + 1)
    assert np.array_equal(value(cr.concat([x, y])), np.concatenate([A, A + 1]))
    assert np.array_equal(value(cr.concat([x, y], axis=1)), np.concatenate([A, A + 1], axis=1))
    scalars = cr.concat([cr.var("a", 1.0), cr.var("b", 2.0), cr.var("c", [3.0, 4.0])])
    assert value(scalars).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert value(cr.concat([cr.var("a", 1.0), 2.5])).tolist() == [1.0, 2.5]


# ---------------------------------------------------------------------------- indexing


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        (1, 2),
        (-2, -3),
        slice(None),
        slice(1, None),
        (slice(None), 0),
        (slice(None), slice(None, None, 2)),
        (slice(0, 1), slice(1, 3)),
        (1, slice(-2, None)),
        slice(0, 0),
        (slice(5, 9),),
        (slice(None), slice(2, 1)),
    ],
)
def test_indices_are_those_of_numpy(index: Any) -> None:
    x = cr.var("x", A)
    assert x[index].shape == A[index].shape
    assert np.array_equal(value(x[index]), A[index])


@pytest.mark.parametrize("index", [2, -3, (0, 3), (0, 0, 0), (slice(None, None, -1),), (2, 0)])
def test_an_index_that_leaves_the_array_is_refused(index: Any) -> None:
    with pytest.raises(IndexError):
        cr.var("x", A)[index]


def test_a_slice_must_run_forward() -> None:
    with pytest.raises(IndexError, match="a slice runs forward"):
        cr.var("x", A)[::-1]
    with pytest.raises(IndexError, match=r"^3 indices for shape \(2, 3\)$"):
        cr.var("x", A)[0, 0, 0]


def test_an_expression_can_be_taken_apart() -> None:
    first, second = cr.var("x", A)
    assert np.array_equal(value(first), A[0])
    assert np.array_equal(value(second), A[1])
    assert [value(entry) for entry in cr.var("v", [1.0, 2.0])] == [1.0, 2.0]
    with pytest.raises(TypeError, match="a scalar expression has no entries"):
        list(cr.var("s", 1.0))


# --------------------------------------------------------------------------- functions


def test_there_is_a_function_for_every_primitive_and_composite() -> None:
    operators = {"add", "sub", "mul", "div", "neg", "pow"}
    pointwise = {record.name for record in REGISTRY.values() if isinstance(record, Pointwise)}
    for name in (pointwise - operators) | set(COMPOSITES):
        function = getattr(cr, name)
        record = COMPOSITES.get(name) or REGISTRY[name]
        assert function.__name__ == name
        assert function.__doc__ == f"`{name}({', '.join(record.operands)})`: {record.notation}"
        with pytest.raises(TypeError, match=f"takes {len(record.operands)} operands"):
            function(*[1.0] * (len(record.operands) + 1))
        assert name in dir(cr)
    assert not any(hasattr(cr, name) for name in operators)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'sigmod'"):
        cr.sigmod  # noqa: B018


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("exp", np.exp),
        ("log1p", np.log1p),
        ("sin", np.sin),
        ("tanh", np.tanh),
        ("relu", lambda x: np.maximum(x, 0)),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("softmax", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        ("mean", np.mean),
    ],
)
def test_functions_work_on_arrays(name: str, function: Callable[[Any], Any]) -> None:
    numbers = np.abs(A)
    found = value(getattr(cr, name)(cr.var("x", numbers)))
    assert np.allclose(found, function(numbers), rtol=1e-14)


def test_functions_of_several_operands() -> None:
    x, y = cr.var("x", A), cr.var("y", A[::-1].copy())
    assert np.array_equal(value(cr.maximum(x, y)), np.maximum(A, A[::-1]))
    assert np.array_equal(value(cr.where(x > y, x, 0.5)), np.where(A[::-1] < A, A, 0.5))
    assert np.array_equal(value(cr.equal(x, 0.5)), A == 0.5)
    assert np.array_equal(value(cr.half_squared_error(x, y)), 0.5 * (A - A[::-1]) ** 2)
    assert value(cr.exp(0.0)) == 1.0


def test_gradients_of_what_is_written_down() -> None:
    w, b = cr.var("w", [0.5, -0.25]), cr.var("b", 0.1)
    x = cr.var("x", [1.5, 2.0], trained=False)
    out = cr.sigmoid(w @ x + b).named("o")
    explanation = cr.explain((0.5 * (1.0 - out) ** 2).named("E"))
    o = 1 / (1 + math.exp(-(0.5 * 1.5 - 0.25 * 2.0 + 0.1)))
    delta = -(1 - o) * o * (1 - o)
    found = {item.parameter: item.gradient for item in explanation.derivations}
    assert found == pytest.approx({"w[0]": delta * 1.5, "w[1]": delta * 2.0, "b": delta})
    assert all(item.checks["verdict"] == "agrees" for item in explanation.derivations)


# ------------------------------------------------------------------------------- NumPy


def test_numpy_numbers_are_operands() -> None:
    x = cr.var("x", 2.0)
    for number in (np.float64(0.5), np.float32(0.5), np.int64(3)):
        assert value(x * number) == 2.0 * float(number)
        assert value(number * x) == 2.0 * float(number)
        assert value(number - x) == float(number) - 2.0


UNSUPPORTED: list[tuple[Any, str]] = [
    (np.array([1.0, 2.0]), "ndarray"),
    ([1.0, 2.0], "list"),
    ((1.0,), "tuple"),
    ("0.5", "str"),
    (True, "bool"),
    (None, "NoneType"),
    (1j, "complex"),
]


@pytest.mark.parametrize(("other", "called"), UNSUPPORTED, ids=lambda item: str(item)[:12])
def test_what_is_no_operand_is_told(other: Any, called: str) -> None:
    x = cr.var("x", [1.0, 2.0])
    said = (
        f"^{called} is not an operand: use a number, or name it with "
        r'chainrule\.var\("x", values, trained=False\)$'
    )
    for operation in (operator.add, operator.mul, operator.matmul, operator.gt):
        with pytest.raises(TypeError, match=said):
            operation(x, other)
        with pytest.raises(TypeError, match=said):
            operation(other, x)
    with pytest.raises(TypeError, match=said):
        cr.maximum(x, other)
    with pytest.raises(TypeError, match=said):
        cr.concat([x, other])


def test_numpy_functions_do_not_take_expressions() -> None:
    x = cr.var("x", [1.0, 2.0])
    with pytest.raises(TypeError):
        np.exp(x)
    with pytest.raises(TypeError):
        np.add(np.ones(2), x)


def test_an_expression_has_no_truth_value_and_no_equality() -> None:
    x = cr.var("x", 1.0)
    with pytest.raises(TypeError, match=r"no truth value: use chainrule\.where"):
        bool(x > 0)
    with pytest.raises(TypeError, match="no truth value"):
        1.0 if x < 2.0 < x else 0.0  # noqa: B018
    with pytest.raises(TypeError, match=r"compared with chainrule\.equal\(a, b\)"):
        x == 1.0  # noqa: B015
    with pytest.raises(TypeError, match="unhashable"):
        {x: 1}  # noqa: B018


def test_an_expression_shows_what_it_is() -> None:
    x = cr.var("x", [1.0, 2.0])
    assert repr(x) == "<chainrule.Expression x (2,)>"
    assert repr(cr.sin(x)) == "<chainrule.Expression sin (2,)>"
    assert repr(cr.sin(x).named("s")) == "<chainrule.Expression s (2,)>"


# --------------------------------------------------------------------------- variables


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", '"w" is an array of <U4, 1 entries'),
        ([True, False], '"w" is an array of bool, 2 entries'),
        (1j, '"w" is an array of complex128, 1 entries'),
        (None, '"w" is an array of object, 1 entries'),
    ],
)
def test_a_variable_takes_numbers(given: Any, said: str) -> None:
    assert fault_of(lambda: cr.var("w", given)) == (
        f"TypeError: {said}\n  needs: numbers, at most 50,000,000 of them"
    )


def test_a_variable_takes_finite_numbers() -> None:
    for bad in (math.nan, [1.0, math.inf]):
        assert fault_of(lambda bad=bad: cr.var("w", bad)) == (
            'ValueError: "w" holds NaN or infinity'
        )


def test_a_variable_is_not_larger_than_memory() -> None:
    large = np.broadcast_to(np.float64(1.0), (10_000, 10_000))
    assert fault_of(lambda: cr.var("w", large)).startswith(
        'TypeError: "w" is an array of float64, 100000000 entries'
    )


def test_a_variable_has_a_label_for_each_entry() -> None:
    assert fault_of(lambda: cr.var("w", [1.0, 2.0], labels=["a"])) == (
        'ShapeError: "w" has 2 entries and 1 labels'
    )
    labelled = cr.var("w", [[1.0, 2.0]], labels=["a", "b"])
    assert cr.model((labelled * 1.5).sum()).trained == ("a", "b")
    assert cr.model(cr.var("w", [[1.0, 2.0]]).sum()).trained == ("w[0,0]", "w[0,1]")


def test_integers_and_lists_become_floats() -> None:
    model = cr.model(cr.var("w", [[1, 2], [3, 4]]).sum())
    assert model.numbers == {"w[0,0]": 1.0, "w[0,1]": 2.0, "w[1,0]": 3.0, "w[1,1]": 4.0}
    assert all(isinstance(number, float) for number in model.numbers.values())


def test_later_changes_to_an_array_do_not_reach_the_model() -> None:
    numbers = np.array([1.0, 2.0])
    w = cr.var("w", numbers)
    numbers[0] = 9.0
    assert cr.model(w.sum()).value("w[0]") == 1.0


def test_what_is_not_trained_is_not() -> None:
    w, x = cr.var("w", 2.0), cr.var("x", 3.0, trained=False)
    model = cr.model((w * x).named("E"))
    assert model.trained == ("w",)
    assert set(model.numbers) == {"w", "x"}


# ------------------------------------------------------------------------------- names


def test_named_quantities_stand_in_the_derivation() -> None:
    w = cr.var("w", 2.0)
    inner = (w * 3.0).named("inner")
    values = cr.show((inner * inner + cr.sin(inner)).named("E"))
    assert {line.symbol: line.formula for line in values.lines} == {
        "inner": "w*3",
        "E": "inner*inner + sin(inner)",
    }


def test_labels_name_the_entries_of_a_quantity() -> None:
    h = cr.tanh(cr.var("w", [0.5, 0.25])).named("h", labels=["h1", "h2"])
    values = cr.show(h.sum().named("E"))
    assert [line.symbol for line in values.lines] == ["h1", "h2", "E"]
    assert fault_of(lambda: cr.var("w", [1.0, 2.0]).sum().named("s", labels=["a", "b"])) == (
        'ShapeError: "s" has 1 entries and 2 labels\n  needs: a label for each entry'
    )


def test_two_quantities_of_one_name_are_refused() -> None:
    w, again = cr.var("w", 1.0), cr.var("w", 2.0)
    said = 'NameError: two quantities are called "w"\n  needs: one name each'
    assert fault_of(lambda: cr.model((w * again).named("E"))) == said
    assert fault_of(lambda: cr.model((cr.sin(again) * 2.0).named("w"))) == said
    v = cr.var("v", 1.0)
    one, other = cr.sin(v).named("s"), cr.cos(v).named("s")
    assert "two quantities are called" in fault_of(lambda: cr.model((one * other).named("E")))
    labelled = cr.var("x", [1.0, 2.0], labels=["a", "b"])
    clash = (labelled.sum() * cr.var("a", 1.0)).named("E")
    assert fault_of(lambda: cr.model(clash)) == said.replace('"w"', '"a"')
    twice = cr.var("x", [1.0, 2.0], labels=["a", "a"])
    assert fault_of(lambda: cr.model(twice.sum().named("E"))) == said.replace('"w"', '"a"')


def test_a_loss_without_a_name_is_called_e() -> None:
    w = cr.var("w", 2.0)
    assert cr.model(w * w).loss.name == "E"
    assert cr.model((w * w).named("cost")).loss.name == "cost"


def test_the_loss_is_a_scalar() -> None:
    w = cr.var("w", [1.0, 2.0])
    assert fault_of(lambda: cr.model(w * w)) == (
        "ShapeError: the loss has shape (2,)\n  needs: a scalar\n  try: loss.sum() or loss.mean()"
    )


def test_the_order_is_one_of_two() -> None:
    w = cr.var("w", 2.0)
    assert fault_of(lambda: cr.model(w * w, order="sequentially")) == (  # type: ignore[arg-type]
        'ValueError: the update order "sequentially" is not known\n'
        "  needs: simultaneous or sequential\n"
        '  try: did you mean "sequential"?'
    )


def test_a_leaf_can_be_the_loss_itself() -> None:
    w = cr.var("w", 2.0)
    for call in (lambda: cr.explain(w), lambda: cr.check(w), lambda: cr.show(w)):
        call()
    (item,) = cr.explain(w).derivations
    assert item.gradient == 1.0


def test_expressions_can_be_used_again() -> None:
    w = cr.var("w", 2.0)
    shared = cr.sin(w)
    one, other = cr.model(shared * shared), cr.model(shared + 1.0)
    assert cr.explain(one).derivations[0].gradient == pytest.approx(2 * math.sin(2) * math.cos(2))
    assert cr.explain(other).derivations[0].gradient == pytest.approx(math.cos(2))


def test_shapes_that_do_not_fit_are_told() -> None:
    a, b = cr.var("a", [1.0, 2.0]), cr.var("b", [1.0, 2.0, 3.0])
    assert fault_of(lambda: a + b) == (
        "ShapeError: add: shapes (2,) and (3,) differ\n  needs: equal axes, or 1"
    )
    assert fault_of(lambda: a @ b).startswith("ShapeError: matmul: inner sizes differ")
    assert fault_of(lambda: a.reshape(3)).startswith("ShapeError: reshape: (2,) has 2 entries")
    assert fault_of(lambda: a.sum(1)).startswith("ShapeError: sum: axes (1,) do not fit 1 axes")
    assert fault_of(lambda: cr.concat([a, cr.var("m", A)])).startswith("ShapeError: concat: ")


def test_products_of_scalars_are_spelt_out_in_order() -> None:
    w, x = cr.var("w", [0.5, 0.25]), cr.var("x", [2.0, 3.0], trained=False)
    model = cr.model((w @ x).named("E"))
    entry = model.unrolled.entries[model.loss][0]
    assert python(formula_of(entry)) == "w[0]*x[0] + w[1]*x[1]"


# ----------------------------------------------------------------------------- Network


def test_a_network_in_python_is_the_network_of_the_file() -> None:
    net = cr.Network(
        title="seed",
        loss="half squared error",
        learning_rate=0.5,
        inputs={"l1": 5.0, "l2": 10},
        targets={"o1": 0.01, "o2": np.float64(0.99)},
        layers=[
            {
                "name": "hidden",
                "units": ("h1", "h2", "h3"),
                "activation": "sigmoid",
                "weights": np.array([[0.1, 0.15], [0.2, 0.25], [0.3, 0.35]]),
                "weight_names": [["w1", "w2"], ["w3", "w4"], ["w5", "w6"]],
                "biases": 0.35,
                "bias_names": "b1",
                "train_biases": False,
            },
            {
                "name": "output",
                "units": ["o1", "o2"],
                "activation": "sigmoid",
                "weights": [[0.4, 0.5, 0.6], (0.45, 0.55, 0.65)],
                "weight_names": [["w7", "w9", "w11"], ["w8", "w10", "w12"]],
                "biases": 0.65,
                "bias_names": "b2",
                "train_biases": False,
            },
        ],
    )
    assert cr.explain(net).as_json() == cr.explain(cr.load("seed")).as_json()


def test_the_faults_of_a_network_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        cr.Network(
            inputs={"x": 1.0},
            targets={"o": 0.0},
            layers=[{"units": ["o"], "activation": "sigmod", "weights": [[0.5, 0.5]]}],
            learning_rat=0.1,
        )
    said = [fault.what for fault in caught.value.faults]
    assert len(said) == 3
    assert any("sigmod" in what for what in said)
    assert any("learning_rat" in what for what in said)
    assert any("weights" in what for what in said)
