"""Names as identifiers: any text becomes a legal one, and no two become the same.

A name that is legal stays as it is; others are spelt in ASCII, whatever the language
allows, so that no two look alike: `w[0,1]` is `w_0_1`, `δ_o1` is `delta_o1`, and
a letter without a spelling is its code, `u6743`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

__all__ = ["identifiers", "is_plain"]

LONGEST = 60
"""C tells identifiers apart by their first 63 characters."""

_LEGAL = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST - 1}}}")
_PLAIN = re.compile(r"[A-Za-z0-9_.,\[\]⁺]*")
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)")
_SPELT = {"∂": "d", "⁺": "_new"}


def identifiers(names: Iterable[str], reserved: Collection[str]) -> dict[str, str]:
    """An identifier for each name, none of them reserved."""
    names = list(dict.fromkeys(names))
    found = {name: name for name in names if _LEGAL.fullmatch(name) and name not in reserved}
    taken = {*reserved, *found}
    for name in names:
        if name not in found:
            found[name] = _free(_spelt(name), taken)
            taken.add(found[name])
    return found


def is_plain(name: str, identifier: str) -> bool:
    """Whether the identifier shows the name, up to punctuation."""
    return _PLAIN.fullmatch(name) is not None and identifier == _spelt(name)


def _free(candidate: str, taken: Collection[str]) -> str:
    """The candidate, or the first of `lambda_`, `lambda_2`, `lambda_3` that is free."""
    if candidate not in taken:
        return candidate
    found, number = f"{candidate}_", 1
    while found in taken:
        number += 1
        found = f"{candidate}_{number}"
    return found


def _spelt(name: str) -> str:
    spelt = re.sub("_+", "_", "".join(map(_letters, name[:LONGEST]))).strip("_")
    if not spelt[:1].isalpha():
        spelt = f"x{spelt}"
    return spelt[: LONGEST - 8].rstrip("_")


def _letters(character: str) -> str:
    """What a character is spelt as; punctuation, spaces and controls are an underscore."""
    if character in _SPELT:
        return _SPELT[character]
    if character.isascii():
        return character if character.isalnum() else "_"
    named = re.match(
        r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)", unicodedata.name(character, "")
    )
    if named:
        return named[2].lower() if named[1] == "SMALL" else named[2].capitalize()
    plain = "".join(filter(str.isascii, unicodedata.normalize("NFKD", character)))
    if plain.isalnum():
        return plain
    return f"u{ord(character):x}" if unicodedata.category(character)[0] in "LN" else "_"
