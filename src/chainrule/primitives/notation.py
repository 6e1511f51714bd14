"""What all notations share: the walk over a formula tree, and where brackets go.

A notation is a table: how it writes numbers, names, signs and the forms of the
primitives that it knows.  A primitive that it does not know is written out as
its record defines it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from chainrule.primitives.formula import Apply, Formula, Number, Symbol, substitute
from chainrule.primitives.record import REGISTRY, Pointwise

__all__ = [
    "ATOM",
    "CHOICE",
    "COMPARISON",
    "MATRIX",
    "POWER",
    "PRODUCT",
    "SIGN",
    "SUM",
    "Notation",
    "called",
    "defined",
    "factors",
    "flattened",
    "guarded",
    "over",
    "over_entries",
    "times_log",
    "times_log_of_entries",
]

CHOICE, COMPARISON, SUM, MATRIX, PRODUCT, SIGN, POWER, ATOM = range(8)
"""How tightly a form binds, loosest first; a matrix product is bracketed in others."""

T = TypeVar("T")
Values = Mapping[str, float] | None
Printed = tuple[T, int]
Form = Callable[["Notation[T]", tuple[Formula, ...], Values], tuple[T, int]]


class Notation(Generic[T]):
    """One way to write formulas; `T` is what it writes (text, boxes, markup)."""

    infix: ClassVar[Mapping[str, tuple[int, str]]] = {}
    """Binary signs: how tightly they bind, and the sign with its spaces."""

    forms: ClassVar[Mapping[str, Callable[..., tuple[object, int]]]] = {}
    """How each other primitive is written: form(notation, arguments, values)."""

    negated: ClassVar[Mapping[str, Callable[..., Formula]]] = {}
    """Forms that begin with a minus, and their opposites: what is added is then subtracted."""

    minus = "-"

    def text(self, text: str) -> T:
        """A piece of plain text."""
        raise NotImplementedError

    def join(self, parts: Sequence[T]) -> T:
        """Pieces side by side."""
        raise NotImplementedError

    def bracket(self, inner: T) -> T:
        """A piece in brackets."""
        raise NotImplementedError

    def symbol(self, name: str) -> T:
        """A quantity's name."""
        return self.text(name)

    def symbol_binding(self, name: str) -> int:
        """How tightly a quantity's name binds, as it is written."""
        return ATOM

    def number(self, value: float) -> T:
        """A number, as it was computed."""
        raise NotImplementedError

    def whole(self, value: int) -> T:
        """A literal without a fraction."""
        return self.text(str(value).replace("-", self.minus))

    def binding(self, value: float) -> int:
        """How tightly a number binds, as it is written."""
        return SIGN if self.is_negative(value) else ATOM

    @staticmethod
    def is_negative(value: float) -> bool:
        """Whether the number is written with a minus, as -0.0 is."""
        return math.copysign(1.0, value) < 0

    # ------------------------------------------------------------------- the walk

    def write(self, formula: Formula, values: Values = None) -> T:
        """The formula; with `values`, its symbols replaced by their numbers."""
        if isinstance(formula, Symbol) and values is not None:
            # Alone, a negative number needs no brackets.
            return self.number(values[formula.name])
        return self.printed(formula, values)[0]

    def printed(self, formula: Formula, values: Values) -> Printed[T]:
        """The formula and how tightly it binds."""
        match formula:
            case Number(value):
                return self._literal(value)
            case Symbol(name):
                if values is not None:
                    return self._value(values[name])
                return self.symbol(name), self.symbol_binding(name)
        if formula.operation in self.infix:
            return self._chain(formula, values)
        if formula.operation == "neg":
            operand = self.within(formula.arguments[0], values, POWER)
            return self.join([self.text(self.minus), operand]), SIGN
        form = self.forms.get(formula.operation)
        if form is None:
            return self.printed(defined(formula), values)
        written, binding = form(self, formula.arguments, values)
        return written, binding  # type: ignore[return-value]

    def within(self, formula: Formula, values: Values, needed: int, right: bool = False) -> T:
        """A part of a formula, in brackets where it binds less tightly than `needed`."""
        written, binding = self.printed(formula, values)
        loose = binding < needed or (right and self._begins_with_minus(formula))
        return self.bracket(written) if loose else written

    def _begins_with_minus(self, formula: Formula) -> bool:
        """Whether a minus comes first, at the left end of sums and products."""
        while isinstance(formula, Apply) and formula.operation in self.infix:
            formula = formula.arguments[0]
        if isinstance(formula, Number):
            return self.binding(formula.value) == SIGN
        return isinstance(formula, Apply) and (
            formula.operation == "neg" or formula.operation in self.negated
        )

    def _literal(self, value: float) -> Printed[T]:
        whole = (
            value.is_integer() and abs(value) < 1e15 and (value != 0 or not self.is_negative(value))
        )
        written = self.whole(int(value)) if whole else self.number(value)
        return written, self.binding(value)

    def _value(self, value: float) -> Printed[T]:
        written, binding = self.number(value), self.binding(value)
        return (self.bracket(written), ATOM) if binding == SIGN else (written, binding)

    def _chain(self, formula: Apply, values: Values) -> Printed[T]:
        """A sum or a product, from left to right, without recursing down its left side."""
        binding, _ = self.infix[formula.operation]
        parts: list[T] = []
        left: Formula = formula
        while isinstance(left, Apply) and self.infix.get(left.operation, (-1, ""))[0] == binding:
            first, second = left.arguments
            sign = left.operation
            if sign == "add" and isinstance(second, Apply) and second.operation in self.negated:
                sign, second = "sub", self.negated[second.operation](*second.arguments)
            parts.append(self.within(second, values, binding + 1, right=True))
            parts.append(self.text(self.infix[sign][1]))
            left = first
        parts.append(self.within(left, values, binding))
        return self.join(parts[::-1]), binding


def defined(formula: Apply) -> Formula:
    """The definition of a step, written out for its arguments."""
    record = REGISTRY[formula.operation]
    assert isinstance(record, Pointwise)
    assert not record.is_basic, f"no notation for {formula.operation}"
    return substitute(record.formula, dict(zip(record.operands, formula.arguments, strict=True)))


def flattened(operation: str, arguments: Sequence[Formula]) -> list[Formula]:
    """The arguments of max(max(a, b), c) as a, b, c; of other calls, their own."""
    flat = list(arguments)
    if operation in ("maximum", "minimum"):
        while isinstance(flat[0], Apply) and flat[0].operation == operation:
            flat[:1] = flat[0].arguments
    return flat


def times_log(target: Formula, probability: Formula) -> Formula:
    """t · ln p."""
    return Apply("mul", (target, Apply("log", (probability,))))


def over(target: Formula, probability: Formula) -> Formula:
    """t / p."""
    return Apply("div", (target, probability))


def times_log_of_entries(target: Formula, probability: Formula) -> Formula:
    """t ⊙ ln(p)."""
    return Apply("hadamard", (target, Apply("call", (Apply("log", (probability,)),))))


def over_entries(target: Formula, probability: Formula) -> Formula:
    """t ⊘ p."""
    return Apply("entrywise_div", (target, probability))


def called(arguments: Sequence[Formula]) -> Apply:
    """The step that is written by its name."""
    (step,) = arguments
    assert isinstance(step, Apply)
    return step


def factors(arguments: Sequence[Formula]) -> list[Formula]:
    """The factors of a matrix product, which needs no brackets: A, B, C of (AB)C and of A(BC)."""
    flat: list[Formula] = []
    for item in arguments:
        if isinstance(item, Apply) and item.operation == "matmul":
            flat += factors(item.arguments)
        else:
            flat.append(item)
    return flat


def guarded(write: Callable[[Formula, Formula], Formula]) -> Callable[..., tuple[Any, int]]:
    """A form in −t and p that is 0 where t is 0, whatever p is: that much goes without saying."""

    def form(to: Notation[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
        target, probability = arguments
        return to.printed(write(Apply("neg", (target,)), probability), values)

    return form
