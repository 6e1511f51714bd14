"""Parameters followed over the steps, in memory that neither steps nor parameters can exhaust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.graph.node import Node

__all__ = ["MOST_FOLLOWED", "MOST_POINTS", "History", "Recorder", "steepest"]

MOST_FOLLOWED = 500
"""Parameters that are followed; of more, those with the steepest gradient at the start."""

MOST_POINTS = 1000
"""Points in time at which they are written down, besides the first and the last."""

Read = Callable[[Mapping[Node, Any]], list[float]]
"""The numbers of the followed parameters, out of those of a run."""


@dataclass(frozen=True)
class History:
    """Parameters over the steps.

    `parameters` holds, by name, the numbers after each of `steps`, the first of
    which is 0; `total` is how many parameters are trained, followed or not.
    """

    steps: tuple[int, ...]
    parameters: dict[str, tuple[float, ...]]
    total: int


class Recorder:
    """Writes parameters down, evenly over `count` steps."""

    def __init__(self, names: Sequence[str], total: int, count: int, read: Read) -> None:
        self._names = names
        self._total = total
        self._count = count
        self._read = read
        # Odd, so that what swings from one step to the next is seen to.
        self.stride = -(-count // MOST_POINTS) | 1
        self._steps: list[int] = []
        self._rows: list[list[float]] = []

    def record(self, step: int, values: Mapping[Node, Any]) -> None:
        """Note the numbers after `step`, if it is one to be noted."""
        if step % self.stride == 0 or step == self._count:
            self._steps.append(step)
            self._rows.append(self._read(values))

    def history(self) -> History:
        """What was written down."""
        columns = map(tuple, zip(*self._rows, strict=True))
        parameters = dict(zip(self._names, columns, strict=True))
        return History(tuple(self._steps), parameters, self._total)


def steepest(names: Sequence[str], gradients: Sequence[float]) -> list[str]:
    """The `MOST_FOLLOWED` names with the largest gradients, in the order of `names`."""
    by_slope = sorted(range(len(names)), key=lambda place: -abs(gradients[place]))
    return [names[place] for place in sorted(by_slope[:MOST_FOLLOWED])]
