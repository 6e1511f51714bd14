"""The reference engine runs what is printed, and nothing that a user wrote."""

from __future__ import annotations

import ast

import pytest

import chainrule as cr
from chainrule.emit.python import PythonSource
from chainrule.engines import printed
from chainrule.engines.printed import Printed
from chainrule.engines.run import Interpreted, Task, on_scalars
from chainrule.graph.model import Model, Order

HOSTILE = (
    '"""\nimport os; os.abort()\n"""',
    "__import__('os').abort()",
    "w = 1\nraise SystemExit",
    "'''); quit(); ('''",
    '{__import__("os").abort()}',
    "\\",
    "\\N{DASH}",
    "\u2028raise SystemExit",
    "\ud800",
    "# coding: utf-7\r+AAo-quit()",
    "math",
    "step",
    "exec",
    "__builtins__",
)


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("name", ["seed", "mazur", "flowers", "seed-equations"])
def test_what_runs_is_what_source_prints(name: str, order: Order) -> None:
    model = cr.load(name).with_values({"learning_rate": 0.5})
    run = printed.prepare(Task(model, 0.5, order, count=100))
    assert isinstance(run, Printed)
    assert run.source == cr.source(model, what="step", order=order)


def hostile_model() -> Model:
    values = [0.25 * (place + 1) for place in range(len(HOSTILE))]
    parts = [cr.var(name, value) for name, value in zip(HOSTILE, values, strict=True)]
    total = sum(parts[1:], parts[0]).named("print(1)")
    loss = (cr.tanh(total) ** 2).named("exit()")
    return cr.model(loss, learning_rate=0.1, title=" ".join(HOSTILE))


def test_of_the_users_text_nothing_is_run() -> None:
    model = hostile_model()
    run = Printed(Task(model, 0.1))
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(run.source))
        if isinstance(node, ast.Call)
    }
    assert calls <= {
        "math.tanh",
        "math.pow",
        "math.copysign",
        "power",
        "step",
        "step().items",
        "print",
    }
    kinds = {type(node) for node in ast.parse(run.source).body}
    assert kinds == {ast.Expr, ast.Import, ast.FunctionDef, ast.If}
    expected = on_scalars(model, 0.1, "simultaneous")
    assert run.advance(3) == expected.advance(3)
    assert run.values == dict(zip(run.values, expected.values.values(), strict=True))


def test_a_long_program_is_interpreted_where_few_steps_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = cr.load("flowers")
    kinds = [type(printed.prepare(Task(model, 0.1, count=count))) for count in (1, 100)]
    assert kinds == [Interpreted, Printed]
    monkeypatch.setattr(printed, "LIMIT", 10)
    assert type(printed.prepare(Task(model, 0.1, count=100))) is Interpreted


def test_the_program_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    own = PythonSource.source
    monkeypatch.setattr(PythonSource, "source", lambda self: written.append(1) or own(self))
    taken = cr.step(cr.load("seed"), 2500, engine="reference", follow=True)
    assert (taken.count, len(written)) == (2500, 1)


@pytest.mark.parametrize("seed", [None, 1])
def test_epochs_are_those_of_numpy(seed: int | None) -> None:
    model = cr.load("seed")
    rows = [[0.1 * place, 1.0 - 0.2 * place] for place in range(7)]
    found, expected = (
        cr.fit(model, rows, rows, epochs=3, seed=seed, engine=name)
        for name in ("reference", "numpy")
    )
    assert (found.engine, found.reason) == ("reference", "as asked")
    assert found.losses == pytest.approx(expected.losses, rel=1e-12)
    assert found.model.numbers == pytest.approx(expected.model.numbers, rel=1e-12)
