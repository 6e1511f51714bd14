"""A reader of formulas as one writes them on paper: `−t · ln(p) + x²/e^(−z)`, |x|, ≤, ≠.

Written apart from the printer, by the grammar that a reader has in mind:

    choice      comparison [if comparison else choice]
    comparison  sum [(< ≤ > ≥ = ≠) sum]
    sum         product {(+ −) product}
    product     signed {(· /) signed}
    signed      − signed | power
    power       atom {superscript | ^ atom}
    atom        number | name | function(choice, ...) | (choice) | |choice| | e^ atom
"""

from __future__ import annotations

import re
from typing import ClassVar

from chainrule.primitives import Apply, Formula, Number, Symbol
from helpers.reading import Reader

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[−+]?\d+)?)"
    r"|(?P<exp>e\^)|(?P<name>√|[^\W\d⁰¹²³⁴-⁹][^\W⁰¹²³⁴-⁹]*(?:\[[\d,]+\])?)"
    r"|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(?P<sign>[-+−·/^<≤>≥=≠(),|]))"
)
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹−", "0123456789-")
_COMPARISONS = {
    "<": "less",
    "≤": "less_equal",
    ">": "greater",
    "≥": "greater_equal",
    "=": "equal",
    "≠": "not_equal",
}
_FUNCTIONS = {"ln": "log", "√": "sqrt", "max": "maximum", "min": "minimum"}


def read(text: str) -> Formula:
    """The tree of a formula on one line."""
    reader = _Reader(text)
    formula = reader.choice()
    assert reader.at == len(reader.tokens), f"{text!r}: {reader.tokens[reader.at :]} is left over"
    return formula


class _Reader(Reader):
    comparisons: ClassVar = _COMPARISONS
    products: ClassVar = {"·": "mul", "/": "div"}

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            assert found is not None, f"{text!r} cannot be read from {text[place:]!r} on"
            assert found.lastgroup is not None
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *texts: str) -> str | None:
        kind, text = self.peek()
        if text in texts and kind in ("sign", "name"):
            self.at += 1
            return text
        return None

    def need(self, text: str) -> None:
        assert self.take(text), f"{text!r} is missing before {self.tokens[self.at :]}"

    def choice(self) -> Formula:
        first = self.comparison()
        if not self.take("if"):
            return first
        condition = self.comparison()
        self.need("else")
        return Apply("where", (condition, first, self.choice()))

    def power(self) -> Formula:
        base = self.atom()
        while True:
            kind, text = self.peek()
            if kind == "raised":
                self.at += 1
                base = Apply("pow", (base, Number(float(text.translate(_DIGITS)))))
            elif self.take("^"):
                base = Apply("pow", (base, self.atom()))
            else:
                return base

    def atom(self) -> Formula:
        kind, text = self.peek()
        self.at += 1
        if kind == "number":
            return Number(float(text.translate(_DIGITS)))
        if kind == "exp":
            return Apply("exp", (self.atom(),))
        if text == "(":
            return self.closed(")")
        if text == "|":
            return Apply("abs", (self.closed("|"),))
        assert kind == "name", f"{text!r} begins nothing"
        if not self.take("("):
            return Symbol(text)
        arguments = [self.choice()]
        while self.take(","):
            arguments.append(self.choice())
        self.need(")")
        operation = _FUNCTIONS.get(text, text)
        formula = arguments[0]
        if operation in ("maximum", "minimum"):
            for argument in arguments[1:]:
                formula = Apply(operation, (formula, argument))
            return formula
        return Apply(operation, tuple(arguments))

    def closed(self, bracket: str) -> Formula:
        inner = self.choice()
        self.need(bracket)
        return inner
