"""Programs in every language compute what the reference engine does."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers.budget import budgeted
from helpers.networks import describe, network
from helpers.programs import run_c, run_javascript, run_python

from chainrule import api
from chainrule.emit.straight_line import Section, Statement, StraightLine, What, straight_line
from chainrule.engines import gradient, reference
from chainrule.engines.run import on_scalars
from chainrule.frontends.files import example_names
from chainrule.graph.model import Model, Order
from chainrule.graph.passes.unroll import quantities
from chainrule.primitives import REGISTRY, Apply, Formula, Number, Pointwise, Symbol
from chainrule.primitives.formula import parse
from chainrule.primitives.record import evaluate

SEEDS = range(budgeted(160))
ORDERS: tuple[Order, ...] = ("simultaneous", "sequential")
PROGRAMS: tuple[tuple[What, Order], ...] = (
    ("forward", "simultaneous"),
    ("gradient", "simultaneous"),
    ("step", "simultaneous"),
    ("step", "sequential"),
)
ULPS = 4
"""How far a function of another library may be off."""


def same(a: float, b: float) -> bool:
    """Whether two floats are the same number, the sign of zero included, or both NaN."""
    return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))


@cache
def drawn(seed: int) -> Model:
    return network(describe(seed))


SHEETS = {
    "shared weight": """
x = 2.0; t = 1.0; lr = 0.25; w = 0.5; v = -0.75
g = sigmoid(w*x)
h = tanh(w*g + v*g*v)
o = sigmoid(w*h + v)
E = 0.5*(t - o)**2 + 0.1*(w - 3)**2
""",
    "choices": """
x = 2.0; t = 1.0; lr = 0.25; w = 0.5; v = -0.75
h = np.where(w > v, w*x, v*x) * (w - v)
o = np.where(h > w, np.abs(h*v - w), max(h, v, w))
E = (t - o)**2 * np.where(w > 0, w, v)
""",
    "no path, constant slope": """
# trained: w, v, unused
x = 2.0; w = 0.5; v = -0.75; unused = 3.0; lr = 0.25
E = 3*w + x*v
""",
    "names of parts": """
t1 = 0.5; t2 = 0.25; x = 2.0; lr = 0.1; dE_dt1 = 0.5
u = exp(t1*x) * t2 * dE_dt1
E = (u*u + exp(t1*x*3)/(1 + exp(t1*x*3)))**2
""",
    "a long sum": "\n".join(
        [f"w{i} = 0.{i + 1}; x{i} = {i}.5" for i in range(120)]
        + ["lr = 0.01", "o = " + " + ".join(f"w{i}*x{i}" for i in range(120)), "E = (o - 1)**2"]
    ),
}


def sheet(name: str) -> Model:
    return api.loads(SHEETS[name], title=name, format="equations")


def judged(model: Model, what: What, order: Order) -> dict[str, float]:
    """The results by the reference engine."""
    if what == "forward":
        nodes = quantities(model.unrolled, model.outputs)
        values = reference.run(nodes, reference.leaf_values(model))
        return {node.name or "": values[node] for node in nodes}
    loss = model.unrolled.entries[model.loss][0].name or ""
    if what == "gradient":
        found = gradient._scalar(model)
        return {loss: found.loss} | {f"d{loss}_d{name}": x for name, x in found.entries.items()}
    assert model.learning_rate is not None
    run = on_scalars(model, model.learning_rate, order)
    before, _, changed = run.descent.step(run.values)
    return {loss: before} | {run.name_of(node): value for node, value in changed.items()}


def assert_same(found: Mapping[str, float], wanted: Mapping[str, float]) -> None:
    assert found.keys() == wanted.keys()
    assert {name: value for name, value in found.items() if not same(value, wanted[name])} == {}


# ------------------------------------------------------------------------------- Python


@pytest.mark.parametrize(("what", "order"), PROGRAMS)
@pytest.mark.parametrize("name", example_names())
def test_python_has_the_digits_of_the_reference_engine(name: str, what: What, order: Order) -> None:
    model = api.load(name)
    assert_same(run_python(straight_line(model, what, order))[0], judged(model, what, order))


@pytest.mark.parametrize(("what", "order"), PROGRAMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_python_has_these_digits_for_every_network(seed: int, what: What, order: Order) -> None:
    model = drawn(seed)
    assert_same(run_python(straight_line(model, what, order))[0], judged(model, what, order))


@pytest.mark.parametrize(("what", "order"), PROGRAMS)
@pytest.mark.parametrize("name", SHEETS)
def test_python_has_these_digits_for_sheets(name: str, what: What, order: Order) -> None:
    model = sheet(name)
    assert_same(run_python(straight_line(model, what, order))[0], judged(model, what, order))


@pytest.mark.parametrize("scale", [1e3, 1e200, -1e308])
@pytest.mark.parametrize("seed", range(0, 160, 4))
def test_python_has_these_digits_where_numbers_leave_the_floats(seed: int, scale: float) -> None:
    model = drawn(seed)
    name = model.trained[0]
    model = model.with_values({name: scale})
    for what, order in PROGRAMS:
        assert_same(run_python(straight_line(model, what, order))[0], judged(model, what, order))


def test_a_program_takes_other_numbers() -> None:
    model = api.load("seed")
    program = straight_line(model, "step", "simultaneous")
    changes = {"w7": -0.25, "l1": 3.0, "η": 0.125}
    assert_same(
        run_python(program, changes)[0], judged(model.with_values(changes), "step", "simultaneous")
    )


# ---------------------------------------------------------------------- other languages


class Bounds:
    """How far each quantity of a program may be off where every function is, by some ulps.

    To first order: what a step's operands are off, times its slopes, and `ULPS` of its own.
    """

    def __init__(self, program: StraightLine) -> None:
        self.at = {name: (value, 0.0) for name, value in program.given}
        for section in program.sections:
            for statement in section.statements:
                self.at[statement.name] = self.formula(statement.formula)

    def formula(self, formula: Formula) -> tuple[float, float]:
        """The value and its bound."""
        if isinstance(formula, Number):
            return formula.value, 0.0
        if isinstance(formula, Symbol):
            return self.at[formula.name]
        record = REGISTRY[formula.operation]
        assert isinstance(record, Pointwise)
        parts = [self.formula(item) for item in formula.arguments]
        value = record.scalar_kernel(*(part for part, _ in parts))
        environment = dict(zip(record.operands, (part for part, _ in parts), strict=True), y=value)
        bound = ULPS * math.ulp(value)
        for slope, (_, off) in zip(record.slopes, parts, strict=True):
            if slope is not None and off:
                bound += abs(evaluate(slope, environment)) * off
        return value, bound


def programs() -> Iterator[tuple[Model, StraightLine]]:
    """All programs of the examples and the sheets, and one of each network, by turns."""
    for model in (*map(api.load, example_names()), *map(sheet, SHEETS)):
        for what, order in PROGRAMS:
            yield model, straight_line(model, what, order)
    for seed in SEEDS:
        yield drawn(seed), straight_line(drawn(seed), *PROGRAMS[seed // 2 % len(PROGRAMS)])


@pytest.mark.parametrize("run", [run_c, run_javascript])
def test_other_languages_are_as_near_as_their_functions(run: Any, tmp_path: Path) -> None:
    """The digits of the seed; elsewhere what 4 ulps of each step can make of the results.

    A gradient may cancel, and then it has fewer digits than its parts.
    """
    cases = list(programs())
    for (model, program), (found,) in zip(
        cases, run(tmp_path, [program for _, program in cases]), strict=True
    ):
        wanted = judged(model, program.what, program.order)
        if model.title in ("seed", "seed-equations"):
            assert_same(found, wanted)
            continue
        bounds = Bounds(program)
        assert found.keys() == wanted.keys()
        for label, name in program.results:
            value, bound = bounds.at[name]
            assert same(value, wanted[label])
            assert abs(found[label] - value) <= bound, (model.title, label, found[label], value)


# -------------------------------------------------------------------------- every record

RECORDS = [
    record
    for record in REGISTRY.values()
    if isinstance(record, Pointwise) and not record.condition and record.name != "stop"
]
SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5, 1e-320, 1e200, -1e200, 710.0, -746.0)
BEYOND = (math.inf, -math.inf, math.nan)


def of_record(record: Pointwise) -> StraightLine:
    """A program of a step and its slopes; the numbers are given later."""
    statements = [Statement("y", Apply(record.name, tuple(map(Symbol, record.operands))))]
    for operand, slope in zip(record.operands, record.slopes, strict=True):
        if slope is not None:
            statements.append(Statement(f"dy_d{operand}", parse(slope)))
    return StraightLine(
        record.name,
        "forward",
        "simultaneous",
        tuple((name, 1.0) for name in record.operands),
        (Section("", tuple(statements)),),
        tuple((item.name, item.name) for item in statements),
    )


def points(record: Pointwise) -> list[dict[str, float]]:
    """Numbers of the domain, and special ones in every combination."""
    chance = random.Random(record.name)
    found = [
        tuple(chance.uniform(low, high) for low, high in record.domain) for _ in range(budgeted(40))
    ]
    count = len(record.operands)
    special = (*SPECIAL, *BEYOND) if count < 3 else (0.0, -0.0, 2.0, *BEYOND)
    found += itertools.product(special, repeat=count)
    return [dict(zip(record.operands, point, strict=True)) for point in found]


def values_of(record: Pointwise, given: Mapping[str, float]) -> dict[str, float]:
    """By the scalar kernels."""
    y = record.scalar_kernel(*given.values())
    found = {"y": y}
    for operand, slope in zip(record.operands, record.slopes, strict=True):
        if slope is not None:
            found[f"dy_d{operand}"] = evaluate(slope, {**given, "y": y})
    return found


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_python_computes_every_record_as_its_kernel_does(record: Pointwise) -> None:
    given = points(record)
    for point, found in zip(given, run_python(of_record(record), *given), strict=True):
        wanted = values_of(record, point)
        assert found.keys() == wanted.keys()
        assert all(same(found[name], wanted[name]) for name in wanted), (point, found, wanted)


@pytest.mark.parametrize("run", [run_c, run_javascript])
def test_other_languages_compute_every_record(run: Any, tmp_path: Path) -> None:
    """The same infinities, NaNs and zeros; and where no digits cancel, nearly the same digits."""
    runs = [points(record) for record in RECORDS]
    found = run(tmp_path, [of_record(record) for record in RECORDS], runs)
    for record, given, rows in zip(RECORDS, runs, found, strict=True):
        for point, row in zip(given, rows, strict=True):
            wanted = values_of(record, point)
            for name, value in wanted.items():
                if math.isfinite(value) and value:
                    near = abs(row[name] - value) <= max(
                        ULPS * math.ulp(value), 1e-15 * min(1.0, max(map(abs, point.values())))
                    )
                    assert near, (record.name, point, name, row[name], value)
                else:
                    assert same(row[name], value), (record.name, point, name, row[name], value)
