"""The one shape of every error a user can meet.

A fault says what was broken with the values observed, where in the user's own
file, what is needed, and what to try.  All faults of a file are raised
together, in one `ChainruleError`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ChainruleError",
    "Fault",
    "Faults",
    "InputError",
    "NumericError",
    "closest",
    "printable",
]

_LONGEST_SHOWN = 160


def printable(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """`text` with control, format and bidirectional characters escaped, cut to `longest`."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(
        character
        if character == " " or unicodedata.category(character)[0] not in "CZ"
        else character.encode("unicode_escape").decode("ascii")
        for character in cut
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    `kind` is the heading (`ShapeError`, `NameError`, ...), `what` holds the
    observed values, `line` counts from 1 in the user's file, `source` is that
    line's text.
    """

    kind: str
    what: str
    file: str | None = None
    line: int | None = None
    source: str | None = None
    needs: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        rows = [f"{self.kind}: {printable(self.what, 400)}"]
        if self.file is not None:
            place = printable(self.file) + (f":{self.line}" if self.line is not None else "")
            shown = f":  {printable(self.source.strip())}" if self.source else ""
            rows.append(f"  at {place}{shown}")
        if self.needs:
            rows.append(f"  needs: {printable(self.needs, 400)}")
        if self.hint:
            rows.append(f"  try: {printable(self.hint, 400)}")
        return "\n".join(rows)


class ChainruleError(Exception):
    """Base of all errors that are the user's to mend; carries every fault found.

    `exit_status` is what the command line ends with.
    """

    exit_status = 2

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class InputError(ChainruleError):
    """The input cannot be used: a file, a name, an option (exit status 2)."""


class NumericError(ChainruleError):
    """A quantity stopped being a finite number (exit status 3)."""

    exit_status = 3


class Faults:
    """Collects the faults of one file, so that they are all told at once."""

    def __init__(self, file: str | None = None, text: str = "") -> None:
        self.file = file
        self._lines = re.split("\r\n|\r|\n", text)
        self.found: list[Fault] = []

    def add(
        self,
        kind: str,
        what: str,
        *,
        line: int | None = None,
        needs: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Note one fault; `line` counts from 1."""
        shown = self._lines[line - 1] if line and line <= len(self._lines) else None
        self.found.append(Fault(kind, what, self.file, line, shown, needs, hint))

    def raise_if_any(self) -> None:
        """Raise `InputError` with everything that was noted, in the order of the file."""
        if self.found:
            raise InputError(*sorted(self.found, key=lambda fault: fault.line or 0))


def closest(name: str, known: Iterable[str]) -> str | None:
    """A did-you-mean sentence for `name`, or None when nothing known is near it."""
    import difflib  # only when something is wrong: it takes longer to import than to run

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else None
