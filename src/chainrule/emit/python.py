"""Python with nothing but `math`: the digits of the reference engine, bit for bit."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import ClassVar

from chainrule.emit.language import StraightLineLanguage
from chainrule.primitives import Apply, Formula, Number
from chainrule.primitives.code import Code, call
from chainrule.primitives.notation import PRODUCT, Values
from chainrule.primitives.python import Python

__all__ = ["PythonSource"]

_GUARDED = '''\
def {name}(a):
    """{what}"""
    try:
        return math.{name}(a)
    except {error}:
        return {otherwise}
'''


def _guarded(name: str, what: str, error: str, otherwise: str) -> str:
    return _GUARDED.format(name=name, what=what, error=error, otherwise=otherwise)


_DIVIDE = '''\
def divide(a, b):
    """a / b, with infinity or NaN where b is 0."""
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)
'''
_POWER = '''\
def power(a, b):
    """a ** b: infinity where it overflows, NaN for a root of a negative number."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0.0 and b % 2.0 == 1.0 else math.inf
    except ValueError:
        if a == 0.0:
            return math.copysign(math.inf, a) if b % 2.0 == 1.0 else math.inf
        return math.nan
'''
_CHOICE = '''\
def {name}(a, b):
    """The {which}; a at a tie; NaN if either is."""
    return a if a {sign} b or a != a else b
'''


def _quotient(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    """A division by what may be 0, where Python would raise, is a call."""
    left, right = arguments
    if not _is_positive(right):
        return call("divide")(to, arguments, values)
    divided = to.within(left, values, PRODUCT)
    return f"{divided}/{to.within(right, values, PRODUCT + 1, right=True)}", PRODUCT


def _is_positive(formula: Formula) -> bool:
    """Whether the formula alone shows that it is above 0, or NaN."""
    if isinstance(formula, Number):
        return formula.value > 0
    if isinstance(formula, Apply) and formula.operation == "sqrt":
        return _is_positive(formula.arguments[0])
    if isinstance(formula, Apply) and formula.operation == "add":
        a, b = formula.arguments
        return (_is_positive(a) and _is_not_negative(b)) or (
            _is_positive(b) and _is_not_negative(a)
        )
    return False


def _is_not_negative(formula: Formula) -> bool:
    return _is_positive(formula) or (
        isinstance(formula, Apply) and formula.operation in ("exp", "abs", "sqrt")
    )


class PythonSource(StraightLineLanguage, Python):
    """The table of Python, with functions that go on where `math` raises."""

    reserved = frozenset(
        (*keyword.kwlist, "abs", "print", "math", "forward", "gradient", "step", "name", "value")
    )
    infix: ClassVar = {name: sign for name, sign in Python.infix.items() if name != "div"}
    forms: ClassVar = {
        **Python.forms,
        "div": _quotient,
        "pow": call("power"),
        "maximum": call("maximum"),
        "minimum": call("minimum"),
    }
    helpers: ClassVar = {
        "divide": _DIVIDE,
        "power": _POWER,
        "exp": _guarded("exp", "e ** a, or infinity.", "OverflowError", "math.inf"),
        "expm1": _guarded("expm1", "e ** a - 1, or infinity.", "OverflowError", "math.inf"),
        "log": _guarded(
            "log",
            "The natural logarithm: -infinity at 0, NaN below.",
            "ValueError",
            "-math.inf if a == 0.0 else math.nan",
        ),
        "log1p": _guarded(
            "log1p",
            "log(1 + a): -infinity at -1, NaN below.",
            "ValueError",
            "-math.inf if a == -1.0 else math.nan",
        ),
        "sqrt": _guarded("sqrt", "The square root, NaN below 0.", "ValueError", "math.nan"),
        "sin": _guarded("sin", "The sine, NaN at infinity.", "ValueError", "math.nan"),
        "cos": _guarded("cos", "The cosine, NaN at infinity.", "ValueError", "math.nan"),
        "maximum": _CHOICE.format(name="maximum", which="larger", sign=">="),
        "minimum": _CHOICE.format(name="minimum", which="smaller", sign="<="),
    }
    spelling: ClassVar = {"tanh": "math.tanh", "erf": "math.erf"}
    comment = "# {}"
    assign = "{name} = {value}"

    def number(self, value: float) -> str:
        """The shortest text that reads back as the same float."""
        if value - value == 0:
            return super().number(value)
        return "math.nan" if value != value else ("-" * (value < 0) + "math.inf")

    def wrapped(self, name: str, value: str) -> Iterator[str]:
        """In brackets, without which a line would end the statement."""
        return super().wrapped(name, f"({value})")

    def source(self) -> str:
        """A module with the function, which can be run as a script, too."""
        what, body = self.program.what, self.body()
        title = self.headline().replace("\\", "\\\\").replace('"', '\\"')
        results = [
            f'        "{self.identifiers[label]}": {self.identifiers[name]},'
            for label, name in self.program.results
        ]
        lines = [
            f'"""{title}.',
            "",
            "Straight-line Python; every operation stands where it is computed.",
            '"""',
            "",
            "import math",
            "",
            "",
            *(line for text in self.used_helpers() for line in [*text.splitlines(), "", ""]),
            f"def {what}(",
            "    *,",
            *self._parameters(),
            "):",
            f'    """Gives {self.gives()}, by name."""',
            *body,
            "",
            "    return {",
            *results,
            "    }",
            "",
            "",
            'if __name__ == "__main__":',
            f"    for name, value in {what}().items():",
            '        print(f"{name} = {value}")',
        ]
        return "\n".join(lines) + "\n"

    def _parameters(self) -> Iterator[str]:
        for name, value in self.program.given:
            remark = self.remark(name)
            yield f"    {self.identifiers[name]}={self.number(value)}," + (
                f"  {remark}" if remark else ""
            )
