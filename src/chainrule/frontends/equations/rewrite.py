"""The user's own text with other numbers, each put where the old one stands."""

from __future__ import annotations

import ast
import bisect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from chainrule.errors import Fault, InputError, closest

__all__ = ["Numerals", "Offsets"]

_LINE_END = re.compile(r"\r\n|\r|\n")

Write = Callable[[Mapping[str, float]], str]


class Offsets:
    """Where an `ast` node stands in the text; `ast` counts lines, and bytes of UTF-8 in them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
        self._bytes: dict[int, list[int]] = {}

    def span(self, node: ast.expr) -> tuple[int, int]:
        """The characters that `node` takes, as (start, end)."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._character(node.lineno, node.col_offset),
            self._character(node.end_lineno, node.end_col_offset),
        )

    def written(self, node: ast.expr) -> str:
        """`node` as the user wrote it."""
        start, end = self.span(node)
        return self.text[start:end]

    def _character(self, line: int, column: int) -> int:
        if line not in self._bytes:
            self._bytes[line] = self._byte_starts(line)
        starts = self._bytes[line]
        inside = bisect.bisect_left(starts, column) if starts else column
        return self._starts[line - 1] + inside

    def _byte_starts(self, line: int) -> list[int]:
        """Where each character of the line begins, in bytes; empty when all are one byte."""
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        content = self.text[self._starts[line - 1] : end]
        if content.isascii():
            return []
        starts, total = [], 0
        for character in content:
            starts.append(total)
            total += len(character.encode())
        return [*starts, total]


@dataclass(frozen=True, slots=True)
class _Numeral:
    start: int
    end: int
    labels: tuple[str, ...]
    write: Write


class Numerals:
    """The places of a text that hold the numbers of leaves."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._numerals: list[_Numeral] = []
        self._values: dict[str, float] = {}

    def add(self, span: tuple[int, int], values: Iterable[tuple[str, float]], write: Write) -> None:
        """Note that `write` gives the text of `span`, which holds these leaf entries."""
        held = dict(values)
        self._values.update(held)
        self._numerals.append(_Numeral(*span, tuple(held), write))

    def rewritten(self, changes: Mapping[str, float]) -> str:
        """The text with the changed numbers. Raises: InputError for a name or number unfit."""
        faults = [_refusal(name, value, self._values) for name, value in changes.items()]
        found = [fault for fault in faults if fault is not None]
        if found:
            raise InputError(*found)
        values = {**self._values, **changes}
        pieces, position = [], 0
        for numeral in sorted(self._numerals, key=lambda numeral: numeral.start):
            if not changes.keys().isdisjoint(numeral.labels):
                pieces += [self._text[position : numeral.start], numeral.write(values)]
                position = numeral.end
        return "".join([*pieces, self._text[position:]])


def _refusal(name: str, value: float, known: Mapping[str, float]) -> Fault | None:
    if not math.isfinite(value):
        return Fault("ValueError", f"{name} = {value}", needs="a finite number")
    if name in known:
        return None
    return Fault(
        "NameError",
        f'there is no number called "{name}" in the text',
        hint=closest(name, known),
    )
