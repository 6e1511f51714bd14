"""Formulas in plain words, for screen readers and alternative texts.

Where a fraction, a power or a choice ends is said, and so are the brackets: what
is heard can be written down again.  The words are in `messages/speech.*.json`.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from typing import ClassVar

from chainrule.explanation.messages import Language
from chainrule.explanation.printers.markup import Markup
from chainrule.explanation.printers.names import GREEK, Name, split_name
from chainrule.primitives import Formula
from chainrule.primitives.notation import ATOM, PRODUCT, SUM

__all__ = ["derivative", "name", "number", "speech"]


def speech(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
    lang: Language = "en",
) -> str:
    """The formula in words; `symbols` says how some names are written."""
    return _Speech(symbols, lang).write(formula, values)


def name(name: str, lang: Language = "en") -> str:
    """A quantity's name in words."""
    return _Speech(None, lang).name(split_name(name))


def derivative(over: str, by: str, lang: Language = "en") -> str:
    """A derivative in words."""
    return _Speech(None, lang).derivative(over, by)


def number(value: float, lang: Language = "en") -> str:
    """A result in words and all its digits; a zero has no sign."""
    return _Speech(None, lang).number(float(value) + 0.0)


_NAMED = {"_": "underscore", ".": "dot", ",": "comma"}


class _Speech(Markup[str]):
    minus = "negative"
    infix: ClassVar = {
        "add": (SUM, "plus"),
        "sub": (SUM, "minus"),
        "mul": (PRODUCT, "times"),
        "hadamard": (PRODUCT, "elementwise times"),
        "entrywise_div": (PRODUCT, "elementwise over"),
    }
    relations: ClassVar = {
        operation: operation
        for operation in (
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "equal",
            "not_equal",
        )
    }
    comma = "comma"
    juxtaposed = "matrix times"
    choice_binds = ATOM

    def text(self, text: str) -> str:
        """The words for a sign."""
        return self.words[text]

    def join(self, parts: Sequence[str]) -> str:
        return " ".join(parts)

    def bracket(self, inner: str) -> str:
        return self._said("bracket", inner=inner)

    def name(self, name: Name) -> str:
        if name == Name("e"):  # nobody's base of the exponential
            return self.words["variable e"]
        parts = [self._spelled(name.base)]
        if name.subscript:
            # Between words it is heard anyway, before a number it may not be: w_7 is not w7.
            between_words = name.base[-1].isalpha() and name.subscript[0].isalpha()
            if name.underscored and not between_words:
                parts.append(self.words["underscore"])
            parts.append(self._spelled(name.subscript))
        if name.layer:
            return self._said("layer", base=parts[0], layer=name.layer)
        if name.index:
            parts.append(self._said("entry", index=self._spelled(name.index)))
        return self.join(parts)

    def derivative(self, over: str, by: str) -> str:
        above, below = (self.name(split_name(name)) for name in (over, by))
        return self._said("derivative", over=above, by=below)

    def digits(self, text: str) -> str:
        return text

    def infinity(self) -> str:
        return self.words["infinity"]

    def not_a_number(self) -> str:
        return self.words["nan"]

    def scientific(self, mantissa: str, exponent: int) -> str:
        return self._said("scientific", mantissa=mantissa, exponent=self.whole(exponent))

    def euler(self) -> str:
        return self.words["e"]

    def fraction(self, over: str, under: str) -> str:
        return self._said("fraction", over=over, under=under)

    def raised(self, base: str, exponent: str) -> str:
        if exponent in ("2", "3"):
            return self._said("squared" if exponent == "2" else "cubed", base=base)
        return self._said("power", base=base, exponent=exponent)

    def transposed(self, inner: str) -> str:
        return self._said("transposed", inner=inner)

    def raised_entries(self, base: str, exponent: str) -> str:
        return self._said("elementwise power", base=base, exponent=exponent)

    def ones(self, size: str) -> str:
        return self._said("ones", size=size)

    def root(self, inner: str) -> str:
        return self.join([self.words["sqrt"], self.bracket(inner)])

    def magnitude(self, inner: str) -> str:
        return self.join([self.words["abs"], self.bracket(inner)])

    def function(self, operation: str) -> str:
        return self.words.get(operation) or self._said("function", name=self._spelled(operation))

    def choice(self, rows: Sequence[tuple[str, str]], otherwise: str) -> str:
        cases = [self._said("case", value=value, condition=when) for value, when in rows]
        return self._said(
            "choice", cases=f" {self.words['otherwise']} ".join(cases), otherwise=otherwise
        )

    def _said(self, template: str, **parts: str) -> str:
        return self.words[template].format(**parts)

    def _spelled(self, text: str) -> str:
        """Words and numbers as they are; every sign and Greek letter by its name."""
        parts: list[str] = []
        for kind, characters in itertools.groupby(text, _kind):
            if kind == "sign":
                parts += [self._character(character) for character in characters]
            else:
                parts.append("".join(characters))
        return self.join([part for part in parts if part != " "])

    def _character(self, character: str) -> str:
        if character == " ":
            return character
        if character in _NAMED:
            return self.words[_NAMED[character]]
        if character in GREEK:
            letter = unicodedata.normalize("NFKC", character.lower())
            small = self.words[letter]
            return small if character.islower() else self._said("capital", letter=small)
        called = unicodedata.name(character, f"character {ord(character):x}")
        return called.lower().replace("-", " ")


def _kind(character: str) -> str:
    if character.isascii() and character.isdigit():
        return "number"
    letter = unicodedata.category(character)[0] in "LM" and character not in GREEK
    return "word" if letter else "sign"
