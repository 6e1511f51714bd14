"""Parameters followed over the steps: which, when, and that both are bounded."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines import reference
from chainrule.graph.model import Model
from chainrule.train.history import MOST_FOLLOWED, MOST_POINTS
from chainrule.train.steps import take_steps


def wide(count: int) -> Model:
    """A loss of `count` weights, the later ones with the steeper gradients."""
    x = cr.var("x", np.linspace(0.0, 0.1, count), trained=False)
    w = cr.var("w", np.full(count, 0.01))
    return cr.model((x * w * w).sum(), learning_rate=0.1)


@pytest.mark.parametrize("limit", [0, reference.LIMIT])
@pytest.mark.parametrize("example", ["seed", "macleod", "flowers"])
def test_each_point_is_what_that_many_steps_give(
    example: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "LIMIT", limit)
    model = cr.load(example)
    history = take_steps(model, 4, follow=True).history
    assert history is not None
    assert history.steps == (0, 1, 2, 3, 4)
    assert tuple(history.parameters) == model.trained
    assert history.total == len(model.trained)
    for place, step in enumerate(history.steps):
        found = {name: values[place] for name, values in history.parameters.items()}
        assert found == take_steps(model, step).parameters


def test_it_is_written_down_only_when_asked() -> None:
    assert cr.step(cr.load("seed"), 2).history is None


def test_following_changes_nothing() -> None:
    one, other = (cr.step(wide(2 * MOST_FOLLOWED), 3, follow=on) for on in (False, True))
    assert (one.losses, one.parameters) == (other.losses, other.parameters)


def test_no_steps_are_one_point() -> None:
    history = cr.step(cr.load("seed"), 0, follow=True).history
    assert history is not None
    assert history.steps == (0,)


@pytest.mark.parametrize("count", [MOST_POINTS, MOST_POINTS + 1, 3 * MOST_POINTS + 1])
def test_points_are_bounded_and_even(count: int) -> None:
    history = cr.step(cr.load("macleod"), count, follow=True).history
    assert history is not None
    assert (history.steps[0], history.steps[-1]) == (0, count)
    assert len(history.steps) <= MOST_POINTS + 2
    gaps = set(np.diff(history.steps[:-1]).tolist())
    assert len(gaps) == 1
    assert gaps.pop() % 2 == 1


def test_of_many_parameters_the_steepest_are_followed() -> None:
    history = cr.step(wide(3 * MOST_FOLLOWED), 2, follow=True).history
    assert history is not None
    assert history.total == 3 * MOST_FOLLOWED
    last = [f"w[{place}]" for place in range(2 * MOST_FOLLOWED, 3 * MOST_FOLLOWED)]
    assert list(history.parameters) == last
