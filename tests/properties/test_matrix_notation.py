"""What two formulas of arrays look like: the same only where they are the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from helpers.matrices import evaluate

from chainrule.explanation.printers import latex, mathml, speech, typst
from chainrule.explanation.printers.numpy import numpy as as_numpy
from chainrule.explanation.printers.numpy import spelt
from chainrule.explanation.printers.unicode import inline
from chainrule.primitives import Apply, Formula, Number, Symbol

PRINTERS: dict[str, Callable[[Formula], str]] = {
    "unicode": inline,
    "latex": latex.latex,
    "mathml": mathml.mathml,
    "typst": typst.typst,
    "speech": speech.speech,
    "numpy": as_numpy,
}
VALUES = {
    "W⁽²⁾": numpy.array([[1.0, 2.0], [5.0, 3.0]]),
    "∂E/∂A⁽¹⁾": numpy.array([[7.0, -1.0], [2.0, 4.0]]),
}
ARRAYS = tuple(map(Symbol, VALUES))
TWO = ("matmul", "hadamard", "entrywise_div", "add", "sub")


def applied(inner: tuple[Formula, ...]) -> Iterator[Formula]:
    """Every step on every choice of `inner`."""
    for item in inner:
        yield Apply("transpose", (item,))
        yield Apply("neg", (item,))
        yield Apply("mul", (Number(-2.0), item))
        yield Apply("entrywise_pow", (item, Number(2.0)))
        yield Apply("call", (Apply("tanh", (item,)),))
    for name, pair in itertools.product(TWO, itertools.product(inner, repeat=2)):
        yield Apply(name, pair)


def trees() -> list[Formula]:
    once = (*ARRAYS, *applied(ARRAYS))
    return [*once, *applied(once)]


@pytest.fixture(scope="module")
def valued() -> list[tuple[Formula, Any]]:
    with numpy.errstate(all="ignore"):
        return [(tree, evaluate(tree, VALUES)) for tree in trees()]


@pytest.mark.parametrize("printer", PRINTERS)
def test_what_looks_the_same_is_the_same(printer: str, valued: list[tuple[Formula, Any]]) -> None:
    first: dict[str, Any] = {}
    for tree, value in valued:
        text = PRINTERS[printer](tree)
        assert numpy.allclose(first.setdefault(text, value), value, equal_nan=True), text


def test_numpy_text_is_evaluated_to_the_same(valued: list[tuple[Formula, Any]]) -> None:
    names = vars(numpy) | {spelt(name): value for name, value in VALUES.items()}
    with numpy.errstate(all="ignore"):
        for tree, value in valued:
            assert numpy.allclose(eval(as_numpy(tree), names), value, equal_nan=True)
