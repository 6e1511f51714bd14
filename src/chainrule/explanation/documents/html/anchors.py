"""What links within a page lead to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from chainrule.errors import printable

__all__ = ["Anchors", "link"]

LONGEST = 60

_UNSAFE = re.compile(r"[^\w.]+")


class Anchors:
    """Ids of elements: made of letters and digits, none of them twice."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def new(self, text: str) -> str:
        """An id that says `text` as far as an id can: `w-0-1` for `w[0,1]`."""
        wanted = _UNSAFE.sub("-", printable(text, LONGEST)).strip("-.") or "section"
        found, number = wanted, 1
        while found in self._taken:
            number += 1
            found = f"{wanted}-{number}"
        self._taken.add(found)
        return found


def link(anchor: str) -> str:
    """The address of an id within the page."""
    return f"#{quote(anchor)}"
