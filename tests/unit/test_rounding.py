"""Documents with fewer digits: what is rounded, and where an equals sign may stay."""

from __future__ import annotations

import math

import pytest

import chainrule as cr
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.blocks import (
    Diagram,
    Document,
    Entries,
    Equation,
    Number,
    Piece,
    Right,
    Series,
    Table,
    Written,
)
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.drawing import Label, draw
from chainrule.explanation.documents.rounding import significant
from chainrule.explanation.messages import Words
from chainrule.frontends.files import example_names
from chainrule.primitives.python import python

FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "tanh", "sqrt", "erf")}
SIGNS = {"·": "*", "+": "+", "−": "-"}


def article(name: str, digits: int | None) -> Document:
    return article_document(cr.article(cr.load(name)), Words(), Choices(digits=digits))


def shown(piece: Piece) -> str | None:
    """What a reader would type into a calculator; None where there are names."""
    match piece:
        case Number(value):
            return f"({value!r})"
        case Written(formula, values) if values is not None:
            return python(formula, values)
        case Series(parts, sign) if sign in SIGNS:
            typed = [shown(part) for part in parts]
            return None if None in typed else SIGNS[sign].join(map(str, typed))
    return None


def value(typed: str) -> float:
    return float(eval(typed, {**FUNCTIONS, "max": max, "min": min}))


@pytest.mark.parametrize("digits", [1, 2, 4, 7])
@pytest.mark.parametrize("name", example_names())
def test_equal_is_equal_and_almost_is_not(name: str, digits: int) -> None:
    signs = {"=": 0, "≈": 0}
    for block in article(name, digits).blocks:
        if not isinstance(block, Equation):
            continue
        before: str | None = None
        for right in block.rights:
            typed = shown(right.piece)
            if isinstance(right.piece, Number) and before is not None:
                same = math.isclose(value(before), right.piece.value, rel_tol=2e-14, abs_tol=1e-300)
                assert (right.sign == "=") == same, (before, right)
                signs[right.sign] += 1
            before = typed
    assert signs["≈"] > 5


@pytest.mark.parametrize("digits", [1, 3, 6])
def test_every_number_is_rounded(digits: int) -> None:
    def check(number: float) -> None:
        assert significant(number, digits) == number

    def check_piece(piece: Piece) -> None:
        if isinstance(piece, Number):
            check(piece.value)
        elif isinstance(piece, Series):
            for part in piece.parts:
                check_piece(part)
        elif isinstance(piece, Written) and piece.values is not None:
            for number in piece.values.values():
                check(number)

    for block in article("seed", digits).blocks:
        if isinstance(block, Equation):
            for right in block.rights:
                check_piece(right.piece)
        elif isinstance(block, Entries):
            for _, number in block.pairs:
                check(number)
        elif isinstance(block, Table):
            for cell in (cell for row in block.rows for cell in row if isinstance(cell, float)):
                check(cell)
        elif isinstance(block, Diagram):
            for shape in draw(block.picture).shapes:
                if isinstance(shape, Label) and shape.value is not None:
                    check(shape.value)


def test_a_picture_says_what_is_rounded() -> None:
    (diagram,) = (item for item in article("seed", 3).blocks if isinstance(item, Diagram))
    labels = [item for item in draw(diagram.picture).shapes if isinstance(item, Label)]
    assert {item.sign for item in labels if item.name == "w7"} == {"="}
    assert {item.sign for item in labels if item.value == 0.913} == {"≈"}


def test_without_a_number_of_digits_nothing_is_rounded() -> None:
    blocks = article("seed", None).blocks
    results = [item.rights[-1] for item in blocks if isinstance(item, Equation)]
    assert Right(Number(0.3918291766685041)) in results


def test_shown_numbers_that_a_function_does_not_take() -> None:
    """0.99999 to one digit is 1, and 1 has no distance from itself to take a logarithm of."""
    w = cr.var("w", 0.99999)
    explanation = cr.explain((-cr.log(1.0 - w)).named("E"), "w")
    document = explanation_document(explanation, Words(), Choices(digits=1))
    signs = [
        right.sign
        for item in document.blocks
        if isinstance(item, Equation)
        for right in item.rights
        if isinstance(right.piece, Number)
    ]
    assert "≈" in signs
