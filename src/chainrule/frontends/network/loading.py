"""From a TOML or JSON text to its data, or to what stopped the parser, and where."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from typing import Any

from chainrule.errors import Fault, InputError
from chainrule.frontends.files import Source
from chainrule.frontends.network import text as positions
from chainrule.frontends.network.faults import Report, describe, in_words

__all__ = ["load"]

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_INTEGER = re.compile(r"[+-]?[0-9][0-9_]*")


def load(source: Source, report: Report) -> dict[str, Any]:
    """The data of a TOML or JSON text; raises with what stopped its parser."""
    text = source.text
    if source.kind == "equations":
        what = f"{source.name} is not the description of a network"
        raise InputError(Fault("FileError", what, needs="a text in TOML or JSON"))
    try:
        data = tomllib.loads(text) if source.kind == "toml" else _load_json(text, report)
    except json.JSONDecodeError as error:
        _report_syntax(source, report, error.msg, error.pos)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _TOML_PLACE.search(message)
        offset = _offset_in(text, int(place[1]), int(place[2])) if place and place[1] else len(text)
        _report_syntax(source, report, _TOML_PLACE.sub("", message), offset)
    except RecursionError:
        depth, offset = positions.deepest(text)
        needs = "a list of rows of numbers, and nothing deeper"
        what = f"brackets are nested {depth:,} deep"
        report.add((), "SyntaxError", what, offset=offset, needs=needs)
    except ValueError as error:  # an integer of more digits than Python converts
        _report_long_integers(source, report, str(error))
    else:
        if isinstance(data, dict):
            return data
        needs = 'an object: {"loss": ..., "inputs": ..., "targets": ..., "layers": [...]}'
        report.add((), "TypeError", f"the file is {describe(data)}", offset=0, needs=needs)
    report.raise_if_any()
    raise AssertionError("a text that does not parse left no fault")


def _load_json(text: str, report: Report) -> object:
    """The data of a JSON text; keys given twice are reported."""
    repeats = False

    def as_dict(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeats
        made = dict(pairs)
        repeats = repeats or len(made) < len(pairs)
        return made

    data = json.loads(text, object_pairs_hook=as_dict)
    for path, first, again in positions.repeated(text) if repeats else ():
        line = positions.line_of(text, first.start)
        what = f"{in_words(path)} is given twice, first at line {line}"
        report.add(path, "KeyError", what, offset=again.start, needs="each key once")
    return data


def _offset_in(text: str, line: int, column: int) -> int:
    """The offset of a line and column that count from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return start + column - 1


def _report_syntax(source: Source, report: Report, message: str, offset: int) -> None:
    """A syntax error at an offset, which may be the end of a text that was cut off."""
    form, text = source.kind.upper(), source.text
    end = len(text.rstrip())
    if offset >= end and not message.startswith("Cannot"):  # cannot overwrite, declare, mutate
        what = f"{form}: {message}: the text ends too early"
        needs, hint = "every bracket and quote closed", "the file may have been cut off"
        report.add((), "SyntaxError", what, offset=end - 1, needs=needs, hint=hint)
        return
    offset = min(offset, end - 1)
    column = offset - text.rfind("\n", 0, offset)
    what = f"{form}: {message} (column {column})"
    report.add((), "SyntaxError", what, offset=offset, needs=f"valid {form}")


def _report_long_integers(source: Source, report: Report, message: str) -> None:
    text, longest = source.text, sys.get_int_max_str_digits()
    needs = "a number that a float64 holds"
    for path, place in positions.scan(text, source.kind):
        digits = place.end - place.start
        if digits > longest and _INTEGER.fullmatch(text, place.start, place.end):
            what = f"{in_words(path) or 'the file'} is an integer of {digits:,} digits"
            report.add(path, "ValueError", what, offset=place.start, needs=needs)
    if not report:
        report.add((), "ValueError", message, needs=needs)
