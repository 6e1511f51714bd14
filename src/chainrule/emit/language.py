"""What the languages share: a program from its parts, names, comments, lines that are too long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Protocol

from chainrule.emit.identifiers import identifiers, is_plain
from chainrule.emit.straight_line import Statement, StraightLine, What
from chainrule.errors import printable
from chainrule.graph.model import Order
from chainrule.primitives.code import Code

__all__ = [
    "WIDTH",
    "Language",
    "Program",
    "StraightLineLanguage",
    "broken",
    "inert",
    "rows",
    "table",
]

WIDTH = 100

_BREAKS = re.compile(r"(?<=,) | (?=[-+?:] |if |else )")


def inert(text: str) -> str:
    """Text of the user's that a comment can hold: one line, and nothing that ends it."""
    return re.sub(r"(?<=[*/?\\])(?=[*/?\\])", " ", printable(text)).rstrip("\\ ")


def broken(line: str, indent: str) -> Iterator[str]:
    """A line in several, where it is too long; broken after commas and before signs."""
    first, *rest = _BREAKS.split(line) if len(line) > WIDTH else [line]
    for piece in rest:
        if len(first) + 1 + len(piece) <= WIDTH:
            first += f" {piece}"
        else:
            yield first
            first = indent + piece
    yield first


def rows(items: Iterable[str], indent: str) -> Iterator[str]:
    """Items with a comma after each, as many to a line as it holds."""
    line = indent
    for item in items:
        if len(line) + len(item) + 1 > WIDTH and line != indent:
            yield line.rstrip()
            line = indent
        line += f"{item}, "
    if line != indent:
        yield line.rstrip()


def table(head: str, lines: Iterable[str], end: str) -> list[str]:
    """A head, lines and an end; without lines, one line."""
    inner = list(lines)
    return [head, *inner, end] if inner else [head + end.lstrip()]


class Program(Protocol):
    """What all programs have, be they statements on numbers or on arrays."""

    @property
    def title(self) -> str:
        """The model's."""

    @property
    def what(self) -> What:
        """What it computes."""

    @property
    def order(self) -> Order:
        """The order of updates."""

    @property
    def names(self) -> list[str]:
        """Every name once."""


class Language(Code):
    """One language: a table of forms, and how a program is put together.

    A new one is made for each program; `identifiers` are the names of that program.
    """

    reserved: ClassVar[frozenset[str]]
    """What no identifier may be."""

    helpers: ClassVar[Mapping[str, str]] = {}
    """The functions that the language lacks, as its source; they are emitted where used."""

    spelling: ClassVar[Mapping[str, str]] = {}
    """Functions that the language calls by other names."""

    comment: ClassVar[str]
    """A comment, around `{}`."""

    assign: ClassVar[str]
    """An assignment, around `{name}` and `{value}`."""

    indent: ClassVar[str] = "    "

    def __init__(self, program: Program) -> None:
        self.program = program
        self.identifiers = identifiers(program.names, self.reserved | self.helpers.keys())
        self._used: set[str] = set()

    def source(self) -> str:
        """The text of the program."""
        raise NotImplementedError

    def entry_names(self, labels: Iterable[str]) -> list[str]:
        """What the entries of an array are called where they are printed."""
        return list(identifiers(labels, self.reserved | self.helpers.keys()).values())

    # ------------------------------------------------------------------- the notation

    def symbol(self, name: str) -> str:
        """The quantity's identifier."""
        return self.identifiers[name]

    def whole(self, value: int) -> str:
        """With a point: a whole number would be an integer."""
        return self.number(value)

    def function(self, operation: str) -> str:
        """The function's name; a helper is noted as used."""
        if operation in self.helpers:
            self._used.add(operation)
        return self.spelling.get(operation, operation)

    # ------------------------------------------------------------------------- parts

    def headline(self) -> str:
        """What the program is, in a line."""
        what = {
            "forward": "the forward pass",
            "gradient": "the loss and its gradient",
            "step": f"one step of gradient descent, {self.program.order}",
        }[self.program.what]
        return f"{inert(self.program.title)}: {what}"

    def gives(self) -> str:
        """What the function gives back, in words."""
        return {
            "forward": "every quantity of the forward pass",
            "gradient": "the loss and its derivative by each trained parameter",
            "step": "the loss before the step and the new parameters",
        }[self.program.what]

    def used_helpers(self) -> list[str]:
        """The source of the helpers that the body uses, in the order of their table."""
        return [text for name, text in self.helpers.items() if name in self._used]

    def remark(self, name: str, meaning: str = "") -> str:
        """What is said beside a quantity: its meaning, or its name where that was respelt."""
        if not meaning and not is_plain(name, self.identifiers[name]):
            meaning = name
        return self.comment.format(inert(meaning)) if meaning else ""


class StraightLineLanguage(Language):
    """A language as it writes statements on numbers."""

    program: StraightLine

    def body(self) -> list[str]:
        """The lines of all sections."""
        lines: list[str] = []
        for section in self.program.sections:
            lines += ["", self.indent + self.comment.format(section.title)]
            for statement in section.statements:
                lines += self._statement(statement)
        return lines[1:]

    def _statement(self, statement: Statement) -> Iterator[str]:
        remark = self.remark(statement.name, statement.meaning)
        value = self.write(statement.formula)
        name = self.identifiers[statement.name]
        line = self.indent + self.assign.format(name=name, value=value)
        if remark and len(line) + 2 + len(remark) <= WIDTH:
            yield f"{line}  {remark}"
            return
        if remark:
            yield self.indent + remark
        if len(line) <= WIDTH:
            yield line
        else:
            yield from self.wrapped(name, value)

    def wrapped(self, name: str, value: str) -> Iterator[str]:
        """An assignment in several lines."""
        line = self.indent + self.assign.format(name=name, value=value)
        yield from broken(line, self.indent * 2)
