"""Gathering every fault of a description, and the words that they are told in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from chainrule.errors import Fault, InputError, closest
from chainrule.frontends.files import Source
from chainrule.frontends.network import text as positions
from chainrule.frontends.network.text import KeyPath

__all__ = [
    "MOST_FAULTS",
    "Report",
    "Spot",
    "count",
    "describe",
    "in_words",
    "known",
    "listed",
    "raise_first",
]

MOST_FAULTS = 20
_LONGEST_SHOWN = 64
_MOST_LISTED = 12

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Note:
    """A fault whose line and did-you-mean are not looked up yet."""

    path: KeyPath
    offset: int | None
    kind: str
    what: str
    needs: str | None
    hint: str | None
    near: tuple[str, Iterable[str]] | None
    earlier: KeyPath | None


class Report:
    """Gathers every fault of a description, and looks up lines only for those it shows.

    Without a source (data from Python) a fault carries its key path in words.
    """

    def __init__(self, source: Source | None = None) -> None:
        self._source = source
        self._text = source.text if source else ""
        self._places: dict[KeyPath, positions.Place] = {}
        self._notes: list[_Note] = []

    def __bool__(self) -> bool:
        """Whether anything was noted."""
        return bool(self._notes)

    def at(self, *path: str | int) -> Spot:
        """The place at `path`, called by its key path."""
        return Spot(self, path, in_words(path))

    def add(
        self,
        path: KeyPath,
        kind: str,
        what: str,
        *,
        offset: int | None = None,
        needs: str | None = None,
        hint: str | None = None,
        near: tuple[str, Iterable[str]] | None = None,
        earlier: KeyPath | None = None,
    ) -> None:
        """Note a fault at `path`, or at an `offset` of the text.

        `near` is an unknown word and the known ones; `earlier` is the other
        place that the fault speaks of.
        """
        self._notes.append(_Note(path, offset, kind, what, needs, hint, near, earlier))

    def raise_if_any(self) -> None:
        """Raise `InputError` with the faults in the order of the file."""
        if self._source and self._notes:
            paths = {path for note in self._notes for path in (note.path, note.earlier or ())}
            around = {path[:size] for path in paths for size in range(1, len(path) + 1)}
            self._places = positions.find(self._text, self._source.kind, around)
        raise_first(map(self._fault, sorted(self._notes, key=self._offset)), len(self._notes))

    def _offset(self, note: _Note) -> int:
        return self._offset_of(note.path) if note.offset is None else note.offset

    def _offset_of(self, path: KeyPath) -> int:
        """Where `path`, or the nearest thing around it that has a place, begins; else -1."""
        for size in range(len(path), 0, -1):
            if place := self._places.get(path[:size]):
                return place.key[0] if place.key else place.start
        return -1

    def _fault(self, note: _Note) -> Fault:
        hint = closest(*note.near) if note.near else note.hint
        what = note.what + (f", first {self._where(note.earlier)}" if note.earlier else "")
        if not self._source:
            words = in_words(note.path) or None
            return Fault(note.kind, what, "the data", None, words, note.needs, hint)
        offset = self._offset(note)
        line = shown = None
        if offset >= 0:
            line = positions.line_of(self._text, offset)
            shown = self._text[self._text.rfind("\n", 0, offset) + 1 :].partition("\n")[0]
        return Fault(note.kind, what, self._source.name, line, shown, note.needs, hint)

    def _where(self, path: KeyPath) -> str:
        if not self._source:
            return f"in {in_words(path)}"
        return f"at line {positions.line_of(self._text, max(self._offset_of(path), 0))}"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the description, and what its faults call it."""

    report: Report
    path: KeyPath
    called: str

    def add(
        self,
        kind: str,
        what: str,
        *,
        needs: str | None = None,
        hint: str | None = None,
        near: tuple[str, Iterable[str]] | None = None,
    ) -> None:
        """Note a fault here; `what` goes on after what the place is called."""
        self.report.add(self.path, kind, f"{self.called} {what}", needs=needs, hint=hint, near=near)

    def key(self, key: str) -> Spot:
        """The value of a key of this table."""
        return Spot(self.report, (*self.path, key), f"{self.called}, {key}".removeprefix(", "))

    def entry(self, noun: str, index: int) -> Spot:
        """An entry of this list, called `noun` and counted from 1."""
        return Spot(self.report, (*self.path, index), f"{self.called}, {noun} {index + 1}")


def raise_first(faults: Iterable[Fault], total: int) -> None:
    """Raise `InputError` with the first `MOST_FAULTS` of `total` faults, and how many are left."""
    shown = list(islice(faults, MOST_FAULTS))
    if total > len(shown):
        shown.append(Fault("More", f"and {total - len(shown)} more; mend these first"))
    if shown:
        raise InputError(*shown) from None


def known(value: T | None) -> T:
    """`value`, which is there once no fault was found."""
    if value is None:
        raise AssertionError("a part of the description is missing, and no fault says so")
    return value


def in_words(path: KeyPath) -> str:
    """`("layers", 0, "weights", 1, 0)` as "layer 1, weights, row 2, number 1"."""
    words: list[str] = []
    for index, part in enumerate(path):
        if isinstance(part, str):
            words.append(part)
        elif index and path[index - 1] == "layers":
            words[-1] = f"layer {part + 1}"
        else:
            last = index == len(path) - 1 or isinstance(path[index + 1], str)
            words.append(f"{'number' if last else 'row'} {part + 1}")
    return ", ".join(words)


def describe(value: object) -> str:
    """What a value is, in a few words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'the text "{value[:_LONGEST_SHOWN]}"'
        case int():
            digits = int(value.bit_length() * math.log10(2)) + 1
            return str(value) if digits <= 20 else f"an integer of about {digits} digits"
        case float():
            return repr(value)
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"a table of {count(len(value), 'key')}"
        case _:
            return f"a {type(value).__name__}"


def count(number: int, noun: str) -> str:
    """`number` and its noun, in the plural where it must be."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """The first few of `names`, and how many there are."""
    every = list(names)
    more = f", … ({len(every)} in all)" if len(every) > _MOST_LISTED else ""
    return ", ".join(every[:_MOST_LISTED]) + more
