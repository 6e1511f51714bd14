"""What is shown of losses and parameters: scales, bars, which parameters."""

from __future__ import annotations

import itertools

import pytest

import chainrule as cr
from chainrule.explanation.documents.compose import steps_document
from chainrule.explanation.documents.curves import (
    BARS,
    MOST_BARS,
    MOST_LINES,
    curves,
    scale_of,
    sparkline,
)
from chainrule.explanation.documents.markdown import markdown
from chainrule.explanation.documents.terminal import terminal_text
from chainrule.explanation.messages import Words
from chainrule.train.history import History


def bars(*values: float) -> str:
    scale = scale_of(values)
    assert scale is not None
    return sparkline(values, scale)


def test_bars_lie_evenly_between_the_lowest_and_the_highest() -> None:
    assert bars(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0) == BARS
    assert bars(-7.0, 0.0) == "▁█"
    assert bars(1.5, 1.0, 2.0) == "▅▁█"


def test_over_decades_the_scale_is_logarithmic() -> None:
    assert bars(1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0) == BARS
    assert bars(1.0, 0.5, 0.02) == "█▄▁"  # less than two
    assert bars(100.0, 10.0, 0.0) == "█▂▁"  # a zero has no logarithm


@pytest.mark.parametrize("values", [(1e308, -1e308, 0.0), (5e-324, 1e308), (0.0, 5e-324)])
def test_the_range_of_floats_is_no_trouble(values: tuple[float, ...]) -> None:
    assert set(bars(*values)) <= set(BARS)


def test_of_many_losses_the_first_and_the_last_have_a_bar() -> None:
    shown = bars(*(float(count) for count in range(1000, -1, -1)))
    assert len(shown) == MOST_BARS
    assert shown[0] == "█"
    assert shown[-1] == "▁"
    assert list(shown) == sorted(shown, reverse=True)


@pytest.mark.parametrize(("steps", "is_shown"), [(0, False), (1, False), (2, True)])
def test_a_document_shows_the_course_of_several_steps(steps: int, is_shown: bool) -> None:
    document = steps_document(cr.step(cr.load("seed"), steps), Words())
    for text in (terminal_text(document), markdown(document)):
        assert ("course" in text and "█" in text and "▁" in text) is is_shown


def test_a_loss_that_stays_has_no_course() -> None:
    w = cr.var("w", 0.0)
    taken = cr.step(cr.model(w * w + 1.0, learning_rate=0.1), 5)
    assert "course" not in terminal_text(steps_document(taken, Words()))


# ------------------------------------------------------------------- which parameters


def test_few_parameters_are_all_shown() -> None:
    taken = cr.step(cr.load("seed"), 5, follow=True)
    assert taken.history is not None
    shown = curves(taken, taken.history, Words())
    assert shown.parameters_title == "Parameters"
    assert {curve.name: curve.values for curve in shown.parameters} == taken.history.parameters
    assert (tuple(shown.losses.steps), shown.losses.values) == (tuple(range(6)), taken.losses)


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (14, "Parameters: the 12 of 14 that move most"),
        (
            90,
            "Parameters: the 12 that move most, of the 14 out of 90 with the steepest"
            " gradient at the start",
        ),
    ],
)
def test_of_many_those_that_move_most_are_shown_and_it_is_said(total: int, said: str) -> None:
    moves = {f"w{place}": (0.0, float(place % 13), 0.0) for place in range(14)}
    history = History((0, 1, 2), moves, total)
    shown = curves(cr.step(cr.load("seed"), 2), history, Words())
    assert shown.parameters_title == said
    assert [curve.name for curve in shown.parameters] == [
        name for name in moves if name not in ("w0", "w13")
    ]
    assert len(shown.parameters) == MOST_LINES


def test_the_description_says_first_and_last_numbers() -> None:
    taken = cr.step(cr.load("macleod"), 3, follow=True)
    assert taken.history is not None
    for say in (Words("en"), Words("zh")):
        text = curves(taken, taken.history, say).description
        numbers = [taken.losses[0], taken.losses[-1], *taken.parameters.values()]
        assert all(str(number) in text for number in numbers)
        assert all(name in text for name in itertools.islice(taken.parameters, 6))
