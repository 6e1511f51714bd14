"""Formulas in MathML: presentation markup, of elements and attributes of MathML Core alone."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from chainrule.errors import printable
from chainrule.explanation.messages import Language
from chainrule.explanation.printers.markup import Markup
from chainrule.explanation.printers.names import Name, split_name
from chainrule.explanation.printers.speech import speech
from chainrule.primitives import Formula
from chainrule.primitives.notation import PRODUCT, SUM

__all__ = ["bracket", "derivative", "math", "mathml", "name", "number", "text", "wrapped"]

Display = Literal["block", "inline"]
Elements = tuple[str, ...]
"""Elements side by side."""


def mathml(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
    lang: Language = "en",
) -> str:
    """The formula as one element, to stand inside `<math>`."""
    return _row(_MathML(symbols, lang).write(formula, values))


def math(
    formula: Formula,
    values: Mapping[str, float] | None = None,
    symbols: Mapping[str, str] | None = None,
    lang: Language = "en",
    display: Display = "block",
) -> str:
    """The formula as a `<math>` element of its own, with its words as alternative text."""
    spoken = speech(formula, values, symbols, lang)
    return wrapped(mathml(formula, values, symbols, lang), spoken, display)


def wrapped(inner: str, alternative: str, display: Display = "block") -> str:
    """Elements in a `<math>` element, with alternative text."""
    return (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="{display}" '
        f'alttext="{text(alternative)}">{inner}</math>'
    )


def name(name: str) -> str:
    """A quantity's name as one element."""
    return _row(_MathML().name(split_name(name)))


def derivative(over: str, by: str) -> str:
    """A derivative as one element, a fraction."""
    return _row(_MathML().derivative(over, by))


def number(value: float) -> str:
    """A result with all its digits as one element; a zero has no sign."""
    return _row(_MathML().number(float(value) + 0.0))


def text(text: str) -> str:
    """Any text, with nothing in it that XML or HTML would act on."""
    return html.escape(printable(text, len(text)))


def bracket(inner: str) -> str:
    """One element in brackets, as one element."""
    return f"<mrow>{_operator('(', 'prefix')}{inner}{_operator(')', 'postfix')}</mrow>"


_TIMES = "\N{INVISIBLE TIMES}"
_FORMS = {"−": "prefix", ", ": "infix", _TIMES: "infix"}
_FUNCTIONS = {"sigmoid": "σ", "log": "ln", "maximum": "max", "minimum": "min"}
_APPLIED = "\N{FUNCTION APPLICATION}"


def _operator(sign: str, form: str) -> str:
    """A sign; without a `form` it is one before which a line may be broken."""
    return f'<mo form="{form}">{sign}</mo>' if form else f"<mo>{sign}</mo>"


def _row(elements: Elements) -> str:
    return elements[0] if len(elements) == 1 else f"<mrow>{''.join(elements)}</mrow>"


def _identifier(word: str, upright: bool = False) -> str:
    """A part of a name; one letter alone is set in italics, unless it is to be `upright`."""
    variant = ' mathvariant="normal"' if upright else ""
    return f"<mi{variant}>{text(word)}</mi>"


class _MathML(Markup[Elements]):
    minus = "−"
    infix: ClassVar = {
        "add": (SUM, " + "),
        "sub": (SUM, " − "),
        "mul": (PRODUCT, " · "),
        "hadamard": (PRODUCT, " ⊙ "),
        "entrywise_div": (PRODUCT, " ⊘ "),
    }
    relations: ClassVar = {
        "less": " < ",
        "less_equal": " ≤ ",
        "greater": " > ",
        "greater_equal": " ≥ ",
        "equal": " = ",
        "not_equal": " ≠ ",
    }
    times = " × "
    juxtaposed = _TIMES

    def text(self, text: str) -> Elements:
        """A sign; a space before it says that it stands between two things."""
        return (_operator(html.escape(text.strip()), _FORMS.get(text, "")),)

    def join(self, parts: Sequence[Elements]) -> Elements:
        return tuple(element for part in parts for element in part)

    def bracket(self, inner: Elements) -> Elements:
        return (bracket(_row(inner)),)

    def name(self, name: Name) -> Elements:
        element = _identifier(name.base, name.upright)
        if name.subscript:
            below = (
                f"<mn>{name.subscript}</mn>" if name.is_numbered else _identifier(name.subscript)
            )
            element = f"<msub>{element}{below}</msub>"
        if name.layer:
            raised = self.bracket(self.digits(name.layer))
            return self.raised((element,), raised)
        if name.index:
            element = f"<mrow>{element}<mtext>[{name.index}]</mtext></mrow>"
        return (element,)

    def partial(self, of: Elements) -> Elements:
        return (_identifier("∂", upright=True), *of)

    def digits(self, text: str) -> Elements:
        return (f"<mn>{text}</mn>",)

    def infinity(self) -> Elements:
        return ("<mi>∞</mi>",)

    def not_a_number(self) -> Elements:
        return ("<mtext>NaN</mtext>",)

    def euler(self) -> Elements:
        return (_identifier("e", upright=True),)

    def fraction(self, over: Elements, under: Elements) -> Elements:
        return (f"<mfrac>{_row(over)}{_row(under)}</mfrac>",)

    def raised(self, base: Elements, exponent: Elements) -> Elements:
        return (f"<msup>{_row(base)}{_row(exponent)}</msup>",)

    def transposed(self, inner: Elements) -> Elements:
        return self.raised(inner, (_identifier("T", upright=True),))

    def raised_entries(self, base: Elements, exponent: Elements) -> Elements:
        return self.raised(base, (*self.text("⊙"), *exponent))

    def ones(self, size: Elements) -> Elements:
        return (f"<msub><mn>𝟏</mn>{_row(size)}</msub>",)

    def root(self, inner: Elements) -> Elements:
        return (f"<msqrt>{_row(inner)}</msqrt>",)

    def magnitude(self, inner: Elements) -> Elements:
        return (f"<mrow>{_operator('|', 'prefix')}{_row(inner)}{_operator('|', 'postfix')}</mrow>",)

    def function(self, operation: str) -> Elements:
        name = _FUNCTIONS.get(operation, operation)
        return (f"<mi>{name}</mi>", _operator(_APPLIED, "infix"))

    def choice(self, rows: Sequence[tuple[Elements, Elements]], otherwise: Elements) -> Elements:
        start = f"<mtext>{self.words['if']}\N{NO-BREAK SPACE}</mtext>"
        cases = [_case(value, _row((start, _row(when)))) for value, when in rows]
        cases.append(_case(otherwise, f"<mtext>{self.words['otherwise']}</mtext>"))
        brace = _operator("{", "prefix")
        return (f"<mrow>{brace}<mtable>{''.join(cases)}</mtable></mrow>",)


def _case(value: Elements, when: str) -> str:
    left = '<mtd style="text-align: left">'
    return f"<mtr>{left}{_row(value)}</mtd>{left}{when}</mtd></mtr>"
