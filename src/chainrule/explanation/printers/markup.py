"""What the typeset notations share: the form of each primitive, written once.

LaTeX, MathML, Typst and speech differ in how a fraction, a power or a choice is
written, not in where one stands.  Each says how it writes these pieces; which
primitive takes which piece, and how tightly it binds, is said here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from chainrule.explanation.messages import Language
from chainrule.explanation.printers.names import Name, split_derivative, split_name
from chainrule.primitives import Apply, Formula, Symbol
from chainrule.primitives.notation import (
    ATOM,
    CHOICE,
    COMPARISON,
    MATRIX,
    POWER,
    SUM,
    Notation,
    Values,
    called,
    factors,
    flattened,
    guarded,
    over,
    over_entries,
    times_log,
    times_log_of_entries,
)

__all__ = ["Markup", "words"]

T = TypeVar("T")


@functools.cache
def words(lang: Language) -> Mapping[str, str]:
    """The words of formulas in a language."""
    file = Path(__file__).parent.parent / "messages" / f"speech.{lang}.json"
    table: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return table


def _quotient(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    over, under = (to.write(item, values) for item in arguments)
    return to.fraction(over, under), POWER


def _power(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    base, exponent = arguments
    written = to.within(base, values, ATOM)
    if values is None and isinstance(base, Symbol) and to.is_derivative(base.name):
        written = to.bracket(written)
    return to.raised(written, to.write(exponent, values)), POWER


def _exponential(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    return to.raised(to.euler(), to.write(arguments[0], values)), POWER


def _root(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    return to.root(to.write(arguments[0], values)), ATOM


def _magnitude(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    return to.magnitude(to.write(arguments[0], values)), ATOM


def _call(operation: str) -> Callable[..., tuple[object, int]]:
    def form(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
        parts = []
        for item in flattened(operation, arguments):
            parts += [to.text(to.comma), to.apart(item, values, COMPARISON)]
        # Not as tight as an atom: ln(x)² would be read in two ways.
        inner = to.bracket(to.join(parts[1:]))
        return to.join([to.function(operation), inner]), POWER

    return form


def _comparison(operation: str) -> Callable[..., tuple[object, int]]:
    def form(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
        left, right = (to.apart(item, values, SUM) for item in arguments)
        return to.join([left, to.text(to.relations[operation]), right]), COMPARISON

    return form


def _choice(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    """The cases in their order; a choice in place of the last value adds its own cases."""
    rows: list[tuple[T, T]] = []
    while True:
        condition, first, second = arguments
        row = (to.apart(first, values, COMPARISON), to.apart(condition, values, COMPARISON))
        rows.append(row)
        if not (isinstance(second, Apply) and second.operation == "where"):
            break
        arguments = second.arguments
    return to.choice(rows, to.apart(second, values, COMPARISON)), to.choice_binds


def _matrix_product(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    parts: list[T] = []
    for item in factors(arguments):
        parts += [to.text(to.juxtaposed), to.within(item, values, POWER)]
    return to.join(parts[1:]), MATRIX


def _transposed(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    return to.transposed(to.within(arguments[0], values, ATOM)), POWER


def _entrywise_power(
    to: Markup[T], arguments: tuple[Formula, ...], values: Values
) -> tuple[T, int]:
    base, exponent = arguments
    return to.raised_entries(to.within(base, values, ATOM), to.write(exponent, values)), POWER


def _ones(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[T, int]:
    return to.ones(to.write(arguments[0], values)), ATOM


def _called(to: Markup[T], arguments: tuple[Formula, ...], values: Values) -> tuple[object, int]:
    step = called(arguments)
    return _call(step.operation)(to, step.arguments, values)


_RELATIONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
_FUNCTIONS = ("log", "log1p", "expm1", "sin", "cos", "tanh", "erf", "maximum", "minimum")


class Markup(Notation[T]):
    """A notation with fractions, powers, roots, bars, cases and subscripts.

    `symbols` says how some names are written: as another name, or, as
    `∂E/∂out_h1`, as a derivative.  `lang` is the language of `if` and `otherwise`.
    """

    negated: ClassVar = {
        "cross_entropy_term": times_log,
        "cross_entropy_slope": over,
        "entrywise_cross_entropy_term": times_log_of_entries,
        "entrywise_cross_entropy_slope": over_entries,
    }
    forms: ClassVar = {
        "div": _quotient,
        "pow": _power,
        "exp": _exponential,
        "sqrt": _root,
        "abs": _magnitude,
        "where": _choice,
        "cross_entropy_term": guarded(times_log),
        "cross_entropy_slope": guarded(over),
        "matmul": _matrix_product,
        "transpose": _transposed,
        "ones": _ones,
        "call": _called,
        "call_rows": _called,
        "entrywise_pow": _entrywise_power,
        "entrywise_cross_entropy_term": guarded(times_log_of_entries),
        "entrywise_cross_entropy_slope": guarded(over_entries),
        **{operation: _comparison(operation) for operation in _RELATIONS},
        **{operation: _call(operation) for operation in _FUNCTIONS},
    }
    relations: ClassVar[Mapping[str, str]] = {}
    """The signs of comparisons, with their spaces."""

    comma = ", "
    times = ""
    """The sign before a power of ten."""

    juxtaposed = " "
    """What stands between two matrices that are multiplied."""

    choice_binds = CHOICE

    def __init__(self, symbols: Mapping[str, str] | None = None, lang: Language = "en") -> None:
        self.symbols = symbols or {}
        self.words = words(lang)

    # ----------------------------------------------------------------- the pieces

    def name(self, name: Name) -> T:
        """A name in its parts."""
        raise NotImplementedError

    def partial(self, of: T) -> T:
        """`∂` before a name."""
        raise NotImplementedError

    def digits(self, text: str) -> T:
        """A number without sign and exponent."""
        raise NotImplementedError

    def infinity(self) -> T:
        """The positive one."""
        raise NotImplementedError

    def not_a_number(self) -> T:
        """The number that is none."""
        raise NotImplementedError

    def euler(self) -> T:
        """The base of the exponential; upright, so that it is nobody's variable."""
        raise NotImplementedError

    def fraction(self, over: T, under: T) -> T:
        """A quotient."""
        raise NotImplementedError

    def raised(self, base: T, exponent: T) -> T:
        """A power."""
        raise NotImplementedError

    def root(self, inner: T) -> T:
        """A square root."""
        raise NotImplementedError

    def magnitude(self, inner: T) -> T:
        """An absolute value."""
        raise NotImplementedError

    def function(self, operation: str) -> T:
        """The name of a function, before its brackets."""
        raise NotImplementedError

    def choice(self, rows: Sequence[tuple[T, T]], otherwise: T) -> T:
        """Values with their conditions, the first that holds, and the value if none does."""
        raise NotImplementedError

    def transposed(self, inner: T) -> T:
        """A matrix transposed."""
        raise NotImplementedError

    def raised_entries(self, base: T, exponent: T) -> T:
        """Every entry raised to a power."""
        raise NotImplementedError

    def ones(self, size: T) -> T:
        """A column of so many ones."""
        raise NotImplementedError

    # ------------------------------------------------------------- what they make

    def is_derivative(self, name: str) -> bool:
        """Whether a name is written as a fraction."""
        return split_derivative(self.symbols.get(name, name)) is not None

    def symbol(self, name: str) -> T:
        """A quantity's name, or the derivative that it stands for."""
        written = self.symbols.get(name, name)
        parts = split_derivative(written)
        return self.name(split_name(written)) if parts is None else self.derivative(*parts)

    def symbol_binding(self, name: str) -> int:
        """A raised number of a layer wants brackets where something else is raised."""
        return POWER if split_name(self.symbols.get(name, name)).layer else ATOM

    def derivative(self, over: str, by: str) -> T:
        """∂`over`/∂`by`."""
        above, below = (self.partial(self.name(split_name(name))) for name in (over, by))
        return self.fraction(above, below)

    def apart(self, formula: Formula, values: Values, needed: int) -> T:
        """A part as `within` writes it; a number in place of a name needs no brackets here."""
        alone = isinstance(formula, Symbol)
        return self.write(formula, values) if alone else self.within(formula, values, needed)

    def binding(self, value: float) -> int:
        """A power of ten in a number wants brackets where another power is taken of it."""
        binding = super().binding(value)
        return POWER if binding == ATOM and "e" in repr(value) else binding

    def whole(self, value: int) -> T:
        """A literal without a fraction."""
        return self._signed(value < 0, self.digits(str(abs(value))))

    def number(self, value: float) -> T:
        """A number, as it was computed, with all its digits."""
        digits, _, exponent = repr(abs(float(value))).partition("e")
        if digits == "nan":
            return self.not_a_number()
        if digits == "inf":
            magnitude = self.infinity()
        elif exponent:
            magnitude = self.scientific(digits, int(exponent))
        else:
            magnitude = self.digits(digits)
        return self._signed(self.is_negative(value), magnitude)

    def scientific(self, mantissa: str, exponent: int) -> T:
        """A number with a power of ten."""
        power = self.raised(self.digits("10"), self.whole(exponent))
        return self.join([self.digits(mantissa), self.text(self.times), power])

    def _signed(self, negative: bool, magnitude: T) -> T:
        return self.join([self.text(self.minus), magnitude]) if negative else magnitude
