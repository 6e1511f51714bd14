"""A quantity's name in the parts that are typeset: base, subscript, index, or number of a layer."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["GREEK", "Name", "is_letter", "split_derivative", "split_name"]

GREEK = "αβγδεζηθικλμνξοπρςστυφχψωϑϕϵΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ"
"""Letters that stand alone as a Latin one does."""

_INDEXED = re.compile(r"(?P<stem>.+?)(?:\[(?P<index>[0-9]+(?:,[0-9]+)*)\])?", re.DOTALL)
_LAYERED = re.compile(rf"(?P<letter>[A-Za-z{GREEK}])⁽(?P<layer>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁾")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_NUMBERED = re.compile(rf"(?P<letter>[A-Za-z{GREEK}])(?P<number>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a name: `out` and `h1`, `w` and `7`, `hidden.weight` and the index `0,1`.

    An array's name is a letter and the number of its `layer`: `W` and `2` for W⁽²⁾.

    `underscored` says whether the subscript was written after an underscore.  No
    two names have all parts in common.
    """

    base: str
    subscript: str = ""
    index: str = ""
    underscored: bool = False
    layer: str = ""

    @property
    def upright(self) -> bool:
        """Whether the letter is set upright: that tells `w_7` from `w7`."""
        return self.underscored and is_letter(self.base) and self.is_numbered

    @property
    def is_numbered(self) -> bool:
        """Whether the subscript is a number."""
        return self.subscript.isascii() and self.subscript.isdigit()


def is_letter(text: str) -> bool:
    """Whether this is one Latin or Greek letter, which is set in italics."""
    return len(text) == 1 and ((text.isascii() and text.isalpha()) or text in GREEK)


def split_name(name: str) -> Name:
    """The parts of a name.

    The subscript is what follows the first underscore, or the digits after a
    single letter; a dotted name has none.  The number of a layer stands in raised
    brackets.

    Example:
        >>> split_name("net_h1")
        Name(base='net', subscript='h1', index='', underscored=True)
        >>> split_name("w[0,1]").index
        '0,1'
    """
    if layered := _LAYERED.fullmatch(name):
        return Name(layered["letter"], layer=layered["layer"].translate(_DIGITS))
    parts = _INDEXED.fullmatch(name)
    if parts is None:
        return Name(name)
    stem, index = parts["stem"], parts["index"] or ""
    base, _, subscript = stem.partition("_")
    if base and subscript and "." not in stem:
        return Name(base, subscript, index, underscored=True)
    if numbered := _NUMBERED.fullmatch(stem):
        return Name(numbered["letter"], numbered["number"], index)
    return Name(stem, "", index)


def split_derivative(symbol: str) -> tuple[str, str] | None:
    """The two names in `∂E/∂w7`; None for another symbol."""
    over, found, by = symbol.partition("/∂")
    return (over[1:], by) if found and over.startswith("∂") and len(over) > 1 and by else None
