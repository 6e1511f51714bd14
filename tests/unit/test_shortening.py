"""Long sums: what is kept, what is left out, and that the formula still gives the number."""

from __future__ import annotations

import math
import random

import pytest

from chainrule.explanation.shortening import KEPT, LONGEST, shortened
from chainrule.primitives import Apply, Formula, Symbol
from chainrule.primitives.formula import symbols_within
from chainrule.primitives.record import evaluate


def total(count: int, signs: random.Random) -> Formula:
    formula: Formula = Apply("mul", (Symbol("w0"), Symbol("x0")))
    for place in range(1, count):
        term = Apply("mul", (Symbol(f"w{place}"), Symbol(f"x{place}")))
        formula = Apply(signs.choice(["add", "sub"]), (formula, term))
    return formula


def drawn(count: int, chance: random.Random) -> dict[str, float]:
    return {f"{letter}{place}": chance.uniform(-2, 2) for letter in "wx" for place in range(count)}


@pytest.mark.parametrize("count", [LONGEST + 1, 40, 784, 3000])
def test_the_largest_terms_stay_and_the_sum_is_the_same(count: int) -> None:
    chance = random.Random(count)
    formula, values = total(count, chance), drawn(count, chance)
    short = shortened(formula, values)
    (rest,) = short.rests
    assert (rest.name, rest.count) == (f"rest_{count - KEPT}", count - KEPT)
    assert math.isclose(evaluate(short.formula, short.values), evaluate(formula, values))
    sizes = sorted((abs(values[f"w{i}"] * values[f"x{i}"]) for i in range(count)), reverse=True)
    kept = [name for name in symbols_within(short.formula) if name.startswith("w")]
    assert len(kept) == KEPT
    assert min(abs(values[name] * values[f"x{name[1:]}"]) for name in kept) == sizes[KEPT - 1]
    assert math.isclose(rest.coverage, sum(sizes[:KEPT]) / sum(sizes))


def test_a_short_sum_is_as_it_was() -> None:
    chance = random.Random(0)
    formula = total(LONGEST, chance)
    assert shortened(formula, drawn(LONGEST, chance)).formula is formula


def test_a_long_sum_within_a_product() -> None:
    chance = random.Random(1)
    values = {**drawn(50, chance), "out": 0.25}
    formula = Apply("mul", (total(50, chance), Apply("neg", (Symbol("out"),))))
    short = shortened(formula, values)
    assert math.isclose(evaluate(short.formula, short.values), evaluate(formula, values))
    assert len(list(symbols_within(short.formula))) < 20


def test_two_long_sums_have_two_names_that_nobody_else_has() -> None:
    chance = random.Random(2)
    values = {**drawn(50, chance), f"rest_{50 - KEPT}": 1.0}
    one, other = total(50, chance), total(50, chance)
    short = shortened(Apply("mul", (one, other)), values)
    names = [rest.name for rest in short.rests]
    assert len(set(names)) == 2
    assert not set(names) & set(values)
    both = evaluate(one, values) * evaluate(other, values)
    assert math.isclose(evaluate(short.formula, short.values), both)


def test_a_sum_that_begins_with_what_is_subtracted() -> None:
    """The first term that is kept may have had a minus before it."""
    formula: Formula = Symbol("a")
    values = {"a": 1e-3}
    for place in range(20):
        values[f"b{place}"] = 1.0 + place
        formula = Apply("sub", (formula, Symbol(f"b{place}")))
    short = shortened(formula, values)
    assert math.isclose(evaluate(short.formula, short.values), evaluate(formula, values))


def test_the_term_that_is_asked_for_stays() -> None:
    chance = random.Random(3)
    values = drawn(50, chance) | {"w7": 0.0}
    short = shortened(total(50, chance), values, asked="w7")
    assert "w7" in symbols_within(short.formula)
    assert short.rests[0].count == 50 - KEPT - 1
