"""Where every key and value of a TOML or JSON text stands, and how to replace one in place.

The real parsers (`tomllib`, `json`) say *what* a file holds; this scanner says
*where*.  It is lenient, since it runs on text a parser has already judged, and
iterative, since nesting may be deep.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Container, Generator, Iterator, Mapping
from dataclasses import dataclass

from chainrule.frontends.files import Kind

__all__ = [
    "KeyPath",
    "Place",
    "deepest",
    "find",
    "line_of",
    "removal",
    "repeated",
    "replace",
    "scan",
]

KeyPath = tuple[str | int, ...]
Span = tuple[int, int]

_PLAIN = -1
"""Marks a table that is not an array of tables."""

_DEEPEST_PATH = 16
"""Entries below this depth are passed over: no description reaches it."""

_MULTILINE = r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}' + r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
_QUOTED = r'"(?:[^"\\\n]++|\\.)*+"' + r"|'[^'\n]*+'"
_BARE = r"[^\s,\]}#]+(?: \d[^\s,\]}#]*)?"

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_SCALAR = re.compile(rf"{_MULTILINE}|{_QUOTED}|{_BARE}|[^\n]", re.DOTALL)
_KEY_PART = re.compile(rf"{_QUOTED}|[^\s.=:,\[\]{{}}\"'#]+")
_KEY_DOT = re.compile(r"[ \t]*\.[ \t]*")
_BRACKET = re.compile(rf"{_MULTILINE}|{_QUOTED}|#[^\n]*|[\[\]{{}}]", re.DOTALL)
_HEADER_END = re.compile(r"[ \t]*\]{0,2}")
_LINE = re.compile(r"[^\n]*\n?")


@dataclass(frozen=True, slots=True)
class Place:
    """The span of a value, `start` to `end`, and of its key where it has one.

    A TOML table has no single span: its place is its header.
    """

    start: int
    end: int
    key: Span | None = None


Found = tuple[KeyPath, Place]


@dataclass(slots=True)
class _Open:
    """An array or table whose closing bracket has not come yet."""

    path: KeyPath | None
    start: int
    key: Span | None
    is_array: bool
    count: int = 0


def scan(text: str, kind: Kind) -> Iterator[Found]:
    """Every key path of `text` with its place; a container follows its entries.

    Example:
        >>> dict(scan('{"a": [1, 22]}', "json"))["a", 1]
        Place(start=10, end=12, key=None)
    """
    return _scan_toml(text) if kind == "toml" else _scan_value(text, 0, (), None)


def find(text: str, kind: Kind, wanted: Container[KeyPath] | None = None) -> dict[KeyPath, Place]:
    """The places of all key paths, or of the `wanted` ones; of a repeated key the last.

    Example:
        >>> find("[inputs]\\nx = 0.5", "toml", {("inputs", "x")})
        {('inputs', 'x'): Place(start=13, end=16, key=(9, 10))}
    """
    return {path: place for path, place in scan(text, kind) if wanted is None or path in wanted}


def repeated(text: str) -> list[tuple[KeyPath, Place, Place]]:
    """The keys that a JSON text gives twice in one object, with both places."""
    first: dict[KeyPath, Place] = {}
    return [
        (path, first[path], place)
        for path, place in scan(text, "json")
        if place.key and first.setdefault(path, place) is not place
    ]


def line_of(text: str, offset: int) -> int:
    """The line, counted from 1, that holds `offset`."""
    return text.count("\n", 0, offset) + 1


def deepest(text: str) -> tuple[int, int]:
    """How deep the brackets of `text` nest, and the offset of the innermost one."""
    depth, most, offset = 0, 0, 0
    for mark in _BRACKET.finditer(text):
        if mark[0] in "[{":
            depth += 1
            if depth > most:
                most, offset = depth, mark.start()
        elif mark[0] in "]}":
            depth -= 1
    return most, offset


def replace(text: str, edits: Mapping[Span, str]) -> str:
    """`text` with each span replaced by its new text; spans must not overlap.

    Example:
        >>> replace("a = 1  # one", {(4, 5): "2.5"})
        'a = 2.5  # one'

    Raises:
        ValueError: two spans overlap.
    """
    pieces, done = [], 0
    for (start, end), new in sorted(edits.items()):
        if start < done:
            raise ValueError(f"the edits overlap at offset {start}")
        pieces += [text[done:start], new]
        done = end
    return "".join([*pieces, text[done:]])


def removal(text: str, place: Place) -> Span:
    """The span to delete so that the entry at `place` is gone: its line, or it and one comma."""
    start = place.key[0] if place.key else place.start
    following = _after_blank(text, place.end)
    if text[following : following + 1] == ",":
        return start, _after_blank(text, following + 1)
    if text[following : following + 1] == "}":
        before = text[:start].rstrip()
        return len(before) - before.endswith(","), place.end
    line_start = text.rfind("\n", 0, start) + 1
    line_end = _match_end(_LINE, text, place.end)
    rest = text[place.end : line_end].lstrip(" \t")
    return line_start, line_end - (len(rest) if rest.strip() else 0)


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _after_blank(text: str, at: int) -> int:
    """Past white space and comments."""
    return _match_end(_BLANK, text, at)


def _below(path: KeyPath | None, *parts: str | int) -> KeyPath | None:
    """The path of an entry of `path`, or None where that is deeper than anyone asks for."""
    if path is None or len(path) + len(parts) > _DEEPEST_PATH:
        return None
    return path + parts


def _scan_key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """The parts of the (perhaps dotted) key at `at`, and its end."""
    parts: list[str] = []
    while part := _KEY_PART.match(text, at):
        parts.append(_unquoted(part[0]))
        at = part.end()
        dot = _KEY_DOT.match(text, at)
        if not dot:
            break
        at = dot.end()
    return tuple(parts), at


def _unquoted(token: str) -> str:
    """The name that a bare or quoted key stands for."""
    if token[0] not in "\"'":
        return token
    if token[0] == "'" or "\\" not in token:
        return token[1:-1]
    try:
        return str(json.loads(token))
    except ValueError:
        pass
    try:
        return str(tomllib.loads(f"key = {token}")["key"])
    except ValueError:
        return token[1:-1]


def _scan_value(
    text: str, at: int, path: KeyPath | None, key: Span | None
) -> Generator[Found, None, int]:
    """The value at `at` and all that is in it; returns where it ends."""
    stack: list[_Open] = []
    awaited: tuple[KeyPath | None, Span | None] | None = (path, key)
    while (at := _after_blank(text, at)) < len(text):
        mark = text[at]
        if mark in "]}":
            at += 1
            if stack:
                done = stack.pop()
                if done.path is not None:
                    yield done.path, Place(done.start, at, done.key)
            awaited = None
        elif awaited and mark in "[{":
            stack.append(_Open(awaited[0], at, awaited[1], mark == "["))
            awaited = (_below(awaited[0], 0), None) if mark == "[" else None
            at += 1
        elif awaited:
            end = _match_end(_SCALAR, text, at)
            if awaited[0] is not None:
                yield awaited[0], Place(at, end, awaited[1])
            awaited, at = None, end
        elif mark == "," and stack:
            at += 1
            if stack[-1].is_array:
                stack[-1].count += 1
                awaited = (_below(stack[-1].path, stack[-1].count), None)
        else:
            parts, end = _scan_key(text, at)
            awaited = (_below(stack[-1].path, *parts), (at, end)) if parts and stack else None
            at = max(_after_blank(text, end), at + (not parts))
            at += text[at : at + 1] in ("=", ":")
        if not stack and not awaited:
            return at
    return at


def _scan_toml(text: str) -> Iterator[Found]:
    """Statements of a TOML document: headers and `key = value` lines."""
    table: KeyPath | None = ()
    last: dict[KeyPath, int] = {}  # the tables met so far; of an array of tables, its last entry
    at = 0
    while (at := _after_blank(text, at)) < len(text):
        brackets = 2 if text.startswith("[[", at) else int(text[at] == "[")
        key_start = _after_blank(text, at + brackets)
        parts, key_end = _scan_key(text, key_start)
        if not parts:
            at = max(_match_end(_LINE, text, at), at + 1)
            continue
        key = (key_start, key_end)
        path = _entered(() if brackets else table, parts, last)
        for prefix in _unmet(path, last):
            yield prefix, Place(*key, key)
        if not brackets:
            equals = _after_blank(text, key_end)
            at = yield from _scan_value(text, equals + text.startswith("=", equals), path, key)
            continue
        header = Place(at, _match_end(_HEADER_END, text, key_end), key)
        at = _match_end(_LINE, text, key_end)
        table = path
        if path is None:
            continue
        last.setdefault(path, _PLAIN)
        if brackets == 2:
            last[path] += 1
            table = _below(path, last[path])
            if last[path] == 0:
                yield path, header
        if table is not None:
            yield table, header


def _unmet(path: KeyPath | None, last: dict[KeyPath, int]) -> Iterator[KeyPath]:
    """The tables that `path` makes on its way, `a` and `a.b` for `a.b.c`; each one once."""
    for count in range(1, len(path or ())):
        prefix = (path or ())[:count]
        if isinstance(prefix[-1], str) and prefix not in last:
            last[prefix] = _PLAIN
            yield prefix


def _entered(
    owner: KeyPath | None, parts: tuple[str, ...], last: Mapping[KeyPath, int]
) -> KeyPath | None:
    """The path of a key below `owner`, by way of the last entry of any array of tables."""
    path = _below(owner, *parts[:1])
    for part in parts[1:]:
        if path is not None and last.get(path, _PLAIN) != _PLAIN:
            path = _below(path, last[path])
        path = _below(path, part)
    return path
