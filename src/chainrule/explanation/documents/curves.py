"""What is shown of losses and parameters over the steps, before it is drawn.

A row of bars shows the losses on a terminal; `plot` draws both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.errors import printable
from chainrule.explanation.messages import Words

if TYPE_CHECKING:
    from chainrule.train.history import History
    from chainrule.train.steps import Steps

__all__ = ["Curve", "Curves", "Scale", "bar", "curves", "scale_of", "sparkline", "steps_title"]

DECADES = 2.0
"""Powers of ten that the losses span where their scale is logarithmic."""

MOST_BARS = 40
MOST_LINES = 12
"""Parameters that can be told apart when each has a line."""

LONGEST = 12
"""Blocks of the longest bar that lies."""

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of some numbers, and whether it is wide enough to be logarithmic."""

    lowest: float
    highest: float
    logarithmic: bool

    def share(self, value: float) -> float:
        """Where in the range `value` lies, from 0 to 1."""
        # A half, since the whole range may be more than a float can hold.
        place: Callable[[float], float] = math.log if self.logarithmic else lambda x: x / 2
        low, span = place(self.lowest), place(self.highest) - place(self.lowest)
        return (place(value) - low) / span if span else 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Numbers over steps; a parameter's curve has its name."""

    steps: Sequence[int]
    values: Sequence[float]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Curves:
    """Two panels, the losses above the parameters, and all that is written in them.

    `description` says the same to whoever does not see them.
    """

    title: str
    step: str
    losses: Curve
    losses_title: str
    logarithmic: bool
    parameters: tuple[Curve, ...]
    parameters_title: str
    description: str


def scale_of(values: Sequence[float]) -> Scale | None:
    """The range of `values`, or None if they are all the same."""
    lowest, highest = min(values), max(values)
    if lowest == highest:
        return None
    wide = lowest > 0 and math.log10(highest) - math.log10(lowest) >= DECADES
    return Scale(lowest, highest, wide)


def sparkline(values: Sequence[float], scale: Scale) -> str:
    """A bar for each number, or, of many, for some at even distances, the last among them."""
    count = min(len(values), MOST_BARS)
    places = (number * (len(values) - 1) // (count - 1) for number in range(count))
    shares = (scale.share(values[place]) for place in places)
    return "".join(BARS[round(share * (len(BARS) - 1))] for share in shares)


def bar(value: float, scale: Scale) -> str:
    """A row of blocks, as long as the place of a number in the range; at least one."""
    return "█" * max(1, round(scale.share(value) * LONGEST))


def steps_title(taken: Steps, say: Words) -> str:
    """What a document about some steps is called."""
    key = "steps.one" if taken.count == 1 else "steps.many"
    order = say(f"order.{taken.order}")
    return say(key, title=taken.model.title, count=taken.count, order=order)


def curves(taken: Steps, history: History, say: Words) -> Curves:
    """What is drawn of `taken`."""
    shown = _moving_most(history)
    scale = scale_of(taken.losses)
    listed = (_described(curve.name, curve.values, say) for curve in shown)
    title = say("role.parameter")
    if len(shown) < history.total:
        followed = len(history.parameters)
        key = "plot.most" if followed == history.total else "plot.most_followed"
        text = say(key, shown=len(shown), followed=followed, total=history.total)
        title = say("colon", topic=title, text=text)
    return Curves(
        steps_title(taken, say),
        say("plot.step"),
        Curve(range(len(taken.losses)), taken.losses),
        say("steps.loss"),
        scale is not None and scale.logarithmic,
        shown,
        title,
        say(
            "plot.description",
            count=taken.count,
            before=taken.losses[0],
            after=taken.losses[-1],
            parameters=say.listed(listed),
        ),
    )


def _described(name: str, values: Sequence[float], say: Words) -> str:
    return say("plot.parameter", name=printable(name), before=values[0], after=values[-1])


def _moving_most(history: History) -> tuple[Curve, ...]:
    """The parameters with the widest range, in the model's order."""
    every = [Curve(history.steps, values, name) for name, values in history.parameters.items()]

    def stillness(place: int) -> float:
        values = every[place].values
        return min(values) / 2 - max(values) / 2

    chosen = sorted(range(len(every)), key=stillness)[:MOST_LINES]
    return tuple(every[place] for place in sorted(chosen))
