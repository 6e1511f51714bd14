"""What a reader may choose about a document: how much it says, and how many digits it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["LEVELS", "Choices", "Level"]

Level = Literal["brief", "full", "everything"]
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Choices:
    """`level`: brief leaves out the working of each factor, full shows it, everything also
    shows every term of a long sum.  `digits`: significant digits, None for all of them.
    """

    level: Level = "full"
    digits: int | None = None
