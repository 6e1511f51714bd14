"""What may be a name, and that no two are the same."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

from chainrule.frontends.network.faults import Report, Spot, describe
from chainrule.frontends.network.numbers import read_list
from chainrule.frontends.network.text import KeyPath

__all__ = ["check_distinct", "normal", "read_name", "read_names"]

_LONGEST = 64
_QUANTITIES = ("E", "η", "learning_rate")
_FUNCTIONS = ("exp", "log", "sqrt", "abs", "sin", "cos", "tanh", "erf", "log1p", "expm1")
_MORE_FUNCTIONS = ("max", "min", "where", "sigmoid", "math", "np")
_RESERVED = frozenset((*_QUANTITIES, *_FUNCTIONS, *_MORE_FUNCTIONS))
_RESERVED_BEGINNINGS = ("net_", "out_", "target_", "δ_", "E_", "dE_")
_NAME = re.compile(r"(?P<base>[^\[\]]+)(?:\[[0-9]+(?:,[0-9]+)*\])?")
_NEEDS = f"a name of at most {_LONGEST} characters: letters, digits and _, such as h1 or w[0,1]"


def normal(name: str) -> str:
    """`name` in Unicode's composed form, so that one look is one name."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def read_name(spot: Spot, value: object) -> str | None:
    """`value` as the name of a quantity."""
    if not isinstance(value, str):
        spot.add("TypeError", f"is {describe(value)}", needs="a name in quotes")
        return None
    name = normal(value)
    if reason := _unusable(name):
        spot.add("NameError", f'"{name[: _LONGEST + 1]}" {reason}', needs=_NEEDS)
        return None
    return name


def read_names(spot: Spot, value: object) -> tuple[str, ...] | None:
    """`value` as a list of names."""
    values = read_list(spot, value, "a list of names in quotes")
    if values is None:
        return None
    read = [
        read_name(
            Spot(spot.report, (*spot.path, index), f"{spot.called}, name {index + 1}:"), entry
        )
        for index, entry in enumerate(values)
    ]
    names = tuple(name for name in read if name is not None)
    return names if len(names) == len(values) else None


def check_distinct(report: Report, declared: Iterable[tuple[str, KeyPath]], noun: str) -> None:
    """Report every name that an earlier place has already."""
    first: dict[str, KeyPath] = {}
    for name, path in declared:
        if first.setdefault(name, path) != path:
            report.add(
                path,
                "NameError",
                f'the {noun} "{name}" is used twice',
                needs=f"a different {noun} for each",
                earlier=first[name],
            )


def _unusable(name: str) -> str | None:
    """Why `name` cannot name a quantity; None if it can."""
    if len(name) > _LONGEST:
        return f"has {len(name)} characters"
    parts = _NAME.fullmatch(name)
    base = parts["base"] if parts else name
    if not parts or not base.isidentifier():
        return "is not a name" if name else "is empty"
    if keyword.iskeyword(base):
        return "is a word of Python"
    if base in _RESERVED:
        return "is reserved"
    beginning = next(filter(base.startswith, _RESERVED_BEGINNINGS), None)
    return f'begins with "{beginning}", which is reserved' if beginning else None
