"""Steps as expressions of Python source, evaluated in the order in which they are read.

A step that the formula language can reduce is written as its record defines it.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chainrule.primitives import REGISTRY, Pointwise
from chainrule.primitives.formula import interpret, symbols_within

__all__ = ["FUNCTIONS", "Expressions", "Names", "Text"]

CHOICE, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(6)

FUNCTIONS = ("cos", "erf", "exp", "expm1", "log", "log1p", "pow", "sin", "sqrt", "tanh")
"""The functions of Python's `math` that the text calls."""

_INFIX = {"add": (SUM, "+"), "sub": (SUM, "-"), "mul": (PRODUCT, "*"), "div": (PRODUCT, "/")}
_COMPARISONS = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
_CHOICES = {"maximum": ">=", "minimum": "<="}


@dataclass(frozen=True, slots=True)
class Text:
    """An expression, and how tightly its outermost sign binds."""

    text: str
    binding: int = ATOM

    def within(self, binding: int) -> str:
        """The expression as an operand that has to bind at least as tightly."""
        return self.text if self.binding >= binding else f"({self.text})"


class Expressions:
    """Writes steps; `bind` gives an expression that is read more than once a name.

    `real`, where it is given, is the type that a number is written in.
    """

    def __init__(self, bind: Callable[[str], str], real: str = "") -> None:
        self._bind = bind
        self._real = real

    def number(self, value: float) -> Text:
        """A literal that reads back as the same number."""
        if not math.isfinite(value):
            text = f'float("{value!r}")'
        elif value < 0 or math.copysign(1.0, value) < 0:
            text = f"({value!r})"
        else:
            text = repr(value)
        return Text(f"{self._real}({value!r})" if self._real and math.isfinite(value) else text)

    def apply(self, operation: str, *operands: Text) -> Text:
        """One pointwise step."""
        if operation in _INFIX:
            binding, sign = _INFIX[operation]
            left, right = operands
            return Text(f"{left.within(binding)} {sign} {right.within(binding + 1)}", binding)
        if operation in FUNCTIONS:
            return self._call(operation, operands)
        if operation in _COMPARISONS:
            first, second = (item.within(SUM) for item in operands)
            return Text(f"{first} {_COMPARISONS[operation]} {second}", COMPARISON)
        if operation in _CHOICES:
            a, b = map(self._atom, operands)
            # A number that is not one is passed on.
            chosen = f"{a.text} if {a.text} {_CHOICES[operation]} {b.text} or {a.text} != {a.text}"
            return Text(f"{chosen} else {b.text}", CHOICE)
        return self._forms(operation, operands)

    def _forms(self, operation: str, operands: Sequence[Text]) -> Text:
        match operation, operands:
            case "neg", (a,):
                return Text(f"-{a.within(ATOM)}", SIGN)
            case "abs", (a,):
                return Text(f"abs({a.text})")
            case "stop", (a,):
                return a
            case "where", (condition, a, b):
                parts = (item.within(COMPARISON) for item in (a, condition, b))
                return Text("{} if {} else {}".format(*parts), CHOICE)
        record = REGISTRY[operation]
        assert isinstance(record, Pointwise)
        assert not record.is_basic, f"{operation} has no form"
        uses = list(symbols_within(record.formula))
        environment = {
            name: operand if uses.count(name) < 2 else self._atom(operand)
            for name, operand in zip(record.operands, operands, strict=True)
        }
        return interpret(record.formula, environment, self.number, self.apply)

    def _call(self, operation: str, operands: Sequence[Text]) -> Text:
        if operation == "pow" and operands[1].text == self.number(2.0).text:
            base = self._atom(operands[0]).text
            return Text(f"{base} * {base}", PRODUCT)  # as compilers have it
        return Text(f"{operation}({', '.join(item.text for item in operands)})")

    def _atom(self, operand: Text) -> Text:
        simple = operand.binding == ATOM and "(" not in operand.text
        return operand if simple else Text(self._bind(operand.text))


class Names:
    """Identifiers, each for one thing, as near to what it is called as Python allows."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken, *FUNCTIONS, *keyword.kwlist}

    def new(self, wanted: str) -> str:
        """An identifier that is not taken yet."""
        name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", wanted)).rstrip("_") or "value"
        if not name.isidentifier():
            name = f"v_{name}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def numbered(self, letter: str) -> str:
        """The first of letter1, letter2, ... that is not taken yet."""
        count = 1
        while f"{letter}{count}" in self._taken:
            count += 1
        return self.new(f"{letter}{count}")
