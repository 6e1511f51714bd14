"""How wide mathematics will be, about: what may need to be scrolled has to be known beforehand."""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

__all__ = ["elements", "unbroken", "width"]

CHARACTER, WIDE_CHARACTER = 0.52, 1.0
SCRIPT = 0.72
SPACE = 0.55
"""Around an operator; all in units of the font's size."""

RELATIONS = ("=", "≈")
TALL = ("mfrac", "msqrt", "mtable")
"""What brackets have to grow around."""

_STACKED = ("mfrac", "mtable")
_SCRIPTS = ("msub", "msup")


def elements(markup: str) -> list[Element]:
    """The elements of a piece of MathML, as they stand side by side."""
    return list(ElementTree.fromstring(f"<mrow>{markup}</mrow>"))


def width(parts: Iterable[Element]) -> float:
    """The width of elements side by side."""
    return sum(map(_width, parts))


def unbroken(parts: Iterable[Element]) -> float:
    """The width of the widest of them when lines break before signs, as the style sheet has it."""
    widest = line = 0.0
    for part in _operands_and_signs(parts):
        if part.tag == "mo" and part.get("form") is None and part.text not in RELATIONS:
            line = 0.0
        line += _width(part)
        widest = max(widest, line)
    return widest


def _operands_and_signs(parts: Iterable[Element]) -> Iterator[Element]:
    for part in parts:
        is_tall = any(inner.tag in TALL for inner in part.iter())
        if part.tag == "mrow" and (part.get("class") or not is_tall):
            yield from _operands_and_signs(part)
        else:
            yield part


def _width(element: Element) -> float:
    if element.tag in _STACKED:
        return max(map(_width, element), default=0.0)
    if element.tag in _SCRIPTS:
        base, script = element
        return _width(base) + SCRIPT * _width(script)
    text = element.text or ""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    own = wide * WIDE_CHARACTER + (len(text) - wide) * CHARACTER
    return own + (SPACE if element.tag == "mo" else 0.0) + width(list(element))
