"""Print, parse, evaluate: what is printed is what was meant, to the last bit."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers.budget import budgeted
from helpers.paper import read
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainrule.engines import reference
from chainrule.explanation.printers.unicode import inline
from chainrule.graph.build import Builder
from chainrule.graph.formulas import formula_of
from chainrule.primitives import REGISTRY, Apply, Formula, Number, Pointwise, Symbol
from chainrule.primitives.formula import interpret, parse
from chainrule.primitives.python import python

NAMES = ("x", "net_h1", "w[0,1]", "δ_o1", "dE_dE[0]", "hidden.weight[2,3]")
NOT_PRINTED = ("stop",)
"""Steps that a formula leaves out: they matter for the derivative, not for the value."""

PRINTED = [
    record
    for record in REGISTRY.values()
    if isinstance(record, Pointwise) and record.name not in NOT_PRINTED
]
CONDITIONS = [record for record in PRINTED if record.condition]
VALUES = [record for record in PRINTED if not record.condition and record.name != "where"]
ON_PAPER = [record for record in VALUES if not record.name.startswith("cross_entropy_")]
"""−t · ln p is written on paper without saying that 0 · ln 0 is 0: it has a test of its own."""

PLAIN = st.sampled_from([1.0, -1.0, 2.0, 0.5, 3.0, 0.1, 10.0, 0.0])
FOLDED = [
    REGISTRY[name] for name in ("mul", "mul", "mul", "neg", "div", "add", "sub", "pow", "exp")
]
"""The steps that the graph's rewrites are about, and `PLAIN` the numbers."""

LITERALS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, 10.0, 1e15, 1e22, 1e-5]),
    st.integers(-20, 20).map(float),
    st.floats(-1e3, 1e3),
    st.floats(allow_nan=False, allow_infinity=False),
)
NUMBERS = LITERALS.map(Number)
LEAVES = st.one_of(NUMBERS, st.sampled_from(NAMES).map(Symbol))


def applied(
    children: st.SearchStrategy[Formula], records: list[Pointwise]
) -> st.SearchStrategy[Formula]:
    """Each of the records, or a choice, applied to smaller formulas."""

    def calls(record: Pointwise) -> st.SearchStrategy[Formula]:
        return st.tuples(*(children for _ in record.operands)).map(
            lambda arguments: Apply(record.name, arguments)
        )

    condition = st.sampled_from(CONDITIONS).flatmap(calls)
    choice = st.tuples(condition, children, children).map(lambda parts: Apply("where", parts))
    call = st.sampled_from(records).flatmap(calls)
    return call if records is FOLDED else st.one_of(call, choice)


TREES = st.recursive(LEAVES, lambda children: applied(children, VALUES), max_leaves=12)
PAPER_TREES = st.recursive(LEAVES, lambda children: applied(children, ON_PAPER), max_leaves=12)
TARGETS = st.floats(0.001, 1.0)
ENVIRONMENTS = st.fixed_dictionaries(dict.fromkeys(NAMES, LITERALS))


def value(formula: Formula, environment: dict[str, float]) -> Any:
    return interpret(
        formula,
        environment,
        float,
        lambda operation, *arguments: REGISTRY[operation].scalar_kernel(*arguments),
    )


def same(a: Any, b: Any) -> bool:
    """Bit for bit, the sign of zero included; NaN is NaN."""
    if a != a or b != b:
        return a != a and b != b
    return repr(float(a)) == repr(float(b))


def test_every_primitive_is_drawn():
    assert {record.name for record in (*CONDITIONS, *VALUES)} | {"where", *NOT_PRINTED} == {
        record.name for record in REGISTRY.values() if isinstance(record, Pointwise)
    }


@settings(max_examples=budgeted(600))
@given(tree=TREES, environment=ENVIRONMENTS)
def test_python_text_reads_back_as_what_was_printed(tree: Formula, environment: dict[str, float]):
    text = python(tree)
    assert same(value(parse(text), environment), value(tree, environment)), text


@settings(max_examples=budgeted(600))
@given(tree=TREES, environment=ENVIRONMENTS)
def test_python_text_with_the_numbers_put_in(tree: Formula, environment: dict[str, float]):
    text = python(tree, environment)
    assert same(value(parse(text), {}), value(tree, environment)), text


@settings(max_examples=budgeted(600))
@given(tree=PAPER_TREES, environment=ENVIRONMENTS)
def test_unicode_text_reads_back_as_what_was_printed(tree: Formula, environment: dict[str, float]):
    text = inline(tree).replace("hidden.weight", "hidden_weight")
    renamed = environment | {"hidden_weight[2,3]": environment["hidden.weight[2,3]"]}
    assert same(value(read(text), renamed), value(tree, environment)), text


@settings(max_examples=budgeted(600))
@given(tree=PAPER_TREES, environment=ENVIRONMENTS)
def test_unicode_text_with_the_numbers_put_in(tree: Formula, environment: dict[str, float]):
    text = inline(tree, environment)
    assert same(value(read(text), {}), value(tree, environment)), text


@given(terms=st.lists(st.tuples(TARGETS, TARGETS), min_size=1, max_size=4))
def test_unicode_text_of_a_cross_entropy(terms: list[tuple[float, float]]):
    """Summands −t · ln p are subtracted, wherever they stand in a sum."""
    tree: Formula = Symbol("")
    for number, _ in enumerate(terms):
        term = Apply("cross_entropy_term", (Symbol(f"t{number}"), Symbol(f"p{number}")))
        tree = Apply("add", (tree, term)) if number else term
    environment = {f"t{number}": t for number, (t, _) in enumerate(terms)}
    environment |= {f"p{number}": p for number, (_, p) in enumerate(terms)}
    assert same(value(read(inline(tree)), environment), value(tree, environment))
    assert same(value(read(inline(tree, environment)), {}), value(tree, environment))


ORDINARY = st.one_of(
    st.integers(-8, 8).map(float), st.floats(0.1, 9.0), st.floats(-9.0, -0.1), st.just(0.5)
)


@st.composite
def ordinary_trees(draw: Any) -> Formula:
    records, numbers = draw(st.sampled_from([(VALUES, ORDINARY), (FOLDED, PLAIN)]))
    leaves = st.one_of(numbers.map(Number), st.sampled_from(NAMES[:3]).map(Symbol))
    tree: Formula = draw(
        st.recursive(leaves, lambda children: applied(children, records), max_leaves=12)
    )
    return tree


@settings(max_examples=budgeted(2000))
@given(
    tree=ordinary_trees(),
    environment=st.fixed_dictionaries(dict.fromkeys(NAMES, ORDINARY)),
)
@example(tree=parse("3 * (0.1 * x)"), environment=dict.fromkeys(NAMES, 7.0))
@example(tree=parse("0.1 * x * 3"), environment=dict.fromkeys(NAMES, 7.0))
@example(tree=parse("x / 10 * 3"), environment=dict.fromkeys(NAMES, 7.0))
@example(tree=parse("3 * (1 / (x * x))"), environment=dict.fromkeys(NAMES, 7.0))
def test_the_graph_folds_and_recognises_without_changing_a_digit(
    tree: Formula, environment: dict[str, float]
):
    op = Builder()
    variables = {name: op.variable(name) for name in NAMES}
    node = op.lower(tree, variables)
    leaves = {variables[name]: number for name, number in environment.items()}
    got = reference.run([node], leaves)[node]
    expected = value(tree, environment)
    assert got == expected or (got != got and expected != expected), python(formula_of(node))


@pytest.mark.parametrize("record", PRINTED, ids=lambda record: record.name)
def test_the_text_of_each_record_reads_back(record: Pointwise):
    """Values and slopes, as they are written in the record."""
    inside = ((low + 2 * high) / 3 for low, high in record.domain)
    environment = dict(zip(record.operands, inside, strict=True))
    environment["y"] = record.scalar_kernel(*environment.values())
    for text in (record.value, *record.slopes):
        if text is not None:
            tree = parse(text)
            expected = value(tree, environment)
            assert same(value(parse(python(tree)), environment), expected)
            assert same(value(read(inline(tree)), environment), expected)


@settings(max_examples=budgeted(300))
@given(tree=TREES)
@example(tree=Apply("neg", (Apply("pow", (Symbol("x"), Number(2.0))),)))
def test_printing_is_stable(tree: Formula):
    """What was read back prints as the same text."""
    once = python(parse(python(tree)))
    assert python(parse(once)) == once


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ("x - (y - z)", "x - (y - z)"),
        ("x - y - z", "x - y - z"),
        ("x / (y * z)", "x/(y*z)"),
        ("x / y * z", "x/y*z"),
        ("(-x) ** 2", "(-x)**2"),
        ("-x ** 2", "-x**2"),
        ("x ** -2", "x**(-2)"),
        ("(x ** y) ** z", "(x**y)**z"),
        ("x - -2", "x - (-2)"),
        ("max(max(x, y), z)", "max(x, y, z)"),
        ("max(x, max(y, z))", "max(x, max(y, z))"),
        ("(x if y > z else z) * 2", "(x if y > z else z)*2"),
        ("x if y > 0 else (y if x > 0 else z)", "x if y > 0 else (y if x > 0 else z)"),
    ],
)
def test_brackets_stand_where_they_are_needed_and_nowhere_else(tree: str, text: str):
    assert python(parse(tree)) == text


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-300, 1e22, 123456789.125, -0.0, 5e-324, 2.5])
def test_numbers_keep_every_digit(number: float):
    assert same(value(parse(python(Number(number))), {}), number)
    assert same(value(read(inline(Number(number))), {}), number)
    assert math.copysign(1.0, value(parse(python(Symbol("x"), {"x": number})), {})) == (
        math.copysign(1.0, number)
    )
