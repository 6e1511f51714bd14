"""Markdown pages whose examples are run: what a page holds, and how each kind of block is checked.

A fenced block's first word says what it is:

    console                 `$ ` lines are commands, what follows is all that they print;
                            a command that fails is followed by `$ echo $?`
    pycon                   a session of Python
    toml file=net.toml      a file that the blocks below use (any language)
    python source=src/...   an excerpt of that file

In what is expected, and in an excerpt, a line `...` stands for any lines.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
UPDATE = bool(os.environ.get("CHAINRULE_UPDATE"))
"""Whether what is expected is rewritten instead of compared."""

_FENCE = re.compile(r"^(`{3,}|~{3,})[ \t]*([^\n`]*)\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^()\s]+)\)")
_CODE = re.compile(r"`[^`\n]*`")


def pages() -> list[Path]:
    """Every page of the documentation."""
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its `key=value` options, its lines, where they begin."""

    language: str
    options: dict[str, str]
    lines: list[str]
    start: int
    """The offset of the first line in the page's text."""
    line: int

    @property
    def text(self) -> str:
        return "".join(f"{row}\n" for row in self.lines)


def blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        language, *options = found[2].split() or [""]
        yield Block(
            language,
            dict(option.split("=", 1) for option in options if "=" in option),
            found[3].splitlines(),
            found.start(3),
            text.count("\n", 0, found.start(3)) + 1,
        )


def prose(text: str) -> str:
    """The page without its blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", text))


def links(text: str) -> list[str]:
    return _LINK.findall(_CODE.sub("", prose(text)))


def anchors(text: str) -> set[str]:
    """The names that the headings of a page are linked by, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        count = 0
        while (name := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(name)
    return found


# ------------------------------------------------------------------------- comparing


def matches(expected: list[str], actual: list[str]) -> bool:
    """Whether the lines are the expected ones, `...` standing for any lines."""
    if "..." not in expected:
        return expected == actual
    first, *middle, last = _pieces(expected)
    if actual[: len(first)] != first:
        return False
    end = len(actual) - len(last)
    if end < len(first) or actual[end:] != last:
        return False
    at = len(first)
    for piece in middle:
        place = _find(actual[:end], piece, at)
        if place is None:
            return False
        at = place + len(piece)
    return True


def refilled(expected: list[str], actual: list[str]) -> list[str] | None:
    """The expected lines brought up to date; a `...` keeps as many lines on both its sides."""
    if matches(expected, actual):
        return expected
    if "..." not in expected:
        return actual
    pieces = _pieces(expected)
    if len(pieces) > 2:
        return None
    first, last = pieces
    return [*actual[: len(first)], "...", *actual[len(actual) - len(last) :]]


def _pieces(lines: list[str]) -> list[list[str]]:
    """The runs of lines between those that are `...`."""
    pieces: list[list[str]] = [[]]
    for row in lines:
        if row.strip() == "...":
            pieces.append([])
        else:
            pieces[-1].append(row)
    return pieces


def _find(lines: list[str], piece: list[str], start: int = 0) -> int | None:
    for place in range(start, len(lines) - len(piece) + 1):
        if lines[place : place + len(piece)] == piece:
            return place
    return None


# -------------------------------------------------------------------------- a page's run


@dataclass
class Run:
    """One page, run in an empty folder; `faults` says what was not as written."""

    page: Path
    folder: Path
    faults: list[str] = field(default_factory=list)
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    session: dict[str, object] = field(default_factory=lambda: {"__name__": "__main__"})
    update: bool = UPDATE

    def all(self) -> None:
        """Run every block, in order; with `update`, write the page anew."""
        text = self.page.read_text(encoding="utf-8")
        for block in blocks(text):
            if "file" in block.options:
                (self.folder / block.options["file"]).write_text(block.text, encoding="utf-8")
            elif "source" in block.options:
                self._excerpt(block)
            elif block.language == "console":
                self._console(block)
            elif block.language == "pycon":
                self._pycon(block)
        if self.update and self.edits:
            for start, end, new in sorted(self.edits, reverse=True):
                text = text[:start] + new + text[end:]
            self.page.write_text(text, encoding="utf-8")

    def _fault(self, block: Block, line: int, what: str) -> None:
        self.faults.append(f"{self.page.name}:{block.line + line}: {what}")

    def _replace(self, block: Block, lines: list[str]) -> None:
        new = "".join(f"{row}\n" for row in lines)
        if new != block.text:
            self.edits.append((block.start, block.start + len(block.text), new))

    # ----------------------------------------------------------------------- console

    def _console(self, block: Block) -> None:
        status, new = 0, []
        commands = list(_commands(block.lines))
        for number, (line, shown, command, expected) in enumerate(commands):
            previous = status
            status, actual = self._shell(command, previous)
            following = commands[number + 1][2] if number + 1 < len(commands) else ""
            if status != 0 and following != "echo $?":
                self._fault(block, line, f"{command}: status {status}, and no `echo $?` after it")
            filled = refilled(expected, actual) if self.update else expected
            if filled is None or not matches(filled, actual):
                self._fault(
                    block, line, "\n".join([f"$ {command}", *_difference(expected, actual)])
                )
            new += [*shown, *(filled or expected)]
        self._replace(block, new)

    def _shell(self, command: str, previous: int) -> tuple[int, list[str]]:
        """The status and the lines of one command; `$?` is the status of the one before."""
        done = subprocess.run(
            ["sh", "-c", f"(exit {previous})\n{command}"],
            cwd=self.folder,
            env=_environment(self.folder.parent / f"{self.folder.name}-bin"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode().splitlines()

    # ------------------------------------------------------------------------- pycon

    def _pycon(self, block: Block) -> None:
        examples = doctest.DocTestParser().get_examples(block.text)
        name = f"{self.page.name}, line {block.line}"
        test = doctest.DocTest(examples, self.session, name, None, 0, None)
        runner = _Runner()
        runner.run(test, out=lambda text: None, clear_globs=False)
        self.session.update(test.globs)
        lines = list(block.lines)
        for example, got in reversed(runner.wrong):
            if self.update:
                after = example.lineno + example.source.count("\n")
                printed = [row or "<BLANKLINE>" for row in got.splitlines()]
                lines[after : after + example.want.count("\n")] = printed
            else:
                expected, actual = example.want.splitlines(), got.splitlines()
                shown = [f">>> {example.source.strip()}", *_difference(expected, actual)]
                self._fault(block, example.lineno, "\n".join(shown))
        self._replace(block, lines)

    # ----------------------------------------------------------------------- excerpts

    def _excerpt(self, block: Block) -> None:
        """Each piece of the excerpt stands in the source, one after another."""
        name = block.options["source"]
        source = (ROOT / name).read_text(encoding="utf-8").splitlines()
        at, new = 0, []
        for number, piece in enumerate(_pieces(block.lines)):
            place = _find(source, piece, at)
            if place is None and self.update:
                piece = _between(source, piece, at) or piece
                place = _find(source, piece, at)
            if place is None:
                self._fault(block, 0, f"{name} does not hold, in this place:\n" + "\n".join(piece))
                return
            at = place + len(piece)
            dots = [row for row in block.lines if row.strip() == "..."][number - 1 : number]
            new += [*dots, *piece]
        self._replace(block, new)


class _Runner(doctest.DocTestRunner):
    """Collects what each example printed where that is not what was expected."""

    def __init__(self) -> None:
        super().__init__(verbose=False, optionflags=doctest.ELLIPSIS)
        self.wrong: list[tuple[doctest.Example, str]] = []

    def report_failure(self, out, test, example, got) -> None:  # type: ignore[no-untyped-def]
        self.wrong.append((example, got))

    def report_unexpected_exception(self, out, test, example, exc_info) -> None:  # type: ignore[no-untyped-def]
        kind, error, _ = exc_info
        name = (
            kind.__qualname__
            if kind.__module__ == "builtins"
            else f"{kind.__module__}.{kind.__qualname__}"
        )
        got = f"Traceback (most recent call last):\n    ...\n{name}: {error}\n"
        self.wrong.append((example, got))


def _commands(lines: list[str]) -> Iterator[tuple[int, list[str], str, list[str]]]:
    """Each command: its line, how it is shown, itself, what is expected of it."""
    starts = [number for number, row in enumerate(lines) if row.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        first = start
        while lines[start].endswith("\\"):
            start += 1
        shown = lines[first : start + 1]
        yield first, shown, "\n".join(shown)[2:], lines[start + 1 : end]


def _difference(expected: list[str], actual: list[str]) -> list[str]:
    return ["  expected:", *expected, "  printed:", *actual]


def _between(source: list[str], piece: list[str], at: int) -> list[str] | None:
    """The source from the piece's first line to its last, if both are still there."""
    first = _find(source, piece[:1], at)
    last = None if first is None else _find(source, piece[-1:], first)
    return None if first is None or last is None else source[first : last + 1]


def _environment(tools: Path) -> dict[str, str]:
    """The environment of a command: `chainrule` and `python` are those of this run."""
    tools.mkdir(exist_ok=True)
    for name, command in (("chainrule", "-m chainrule"), ("python", "")):
        tool = tools / name
        if not tool.exists():
            tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
            tool.chmod(0o755)
    dropped = ("COLUMNS", "NO_COLOR", "CHAINRULE_UPDATE", "PYTHONHASHSEED")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {
        **kept,
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }
