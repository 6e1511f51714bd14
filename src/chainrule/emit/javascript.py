"""JavaScript: a module that Node and browsers import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from chainrule.emit.c import C, conditional
from chainrule.emit.language import Language, StraightLineLanguage
from chainrule.primitives import REGISTRY, Apply, Formula, Number, Pointwise
from chainrule.primitives.code import COMPARISONS, FUNCTIONS, Code, call
from chainrule.primitives.notation import Values

__all__ = ["JavaScript", "JavaScriptSource"]

_CHOICE = """\
/** The {which}; a at a tie; NaN if either is. */
function {name}(a, b) {{
  return a {sign} b || a !== a ? a : b;
}}
"""
_POWER = """\
/** a ** b as IEEE 754 has it: 1 to any power, and -1 to an infinite one, is 1. */
function power(a, b) {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b);
}
"""
_ERF = """\
/**
 * The error function: near 0 by its power series, elsewhere from the continued fraction of
 * its complement (NIST Digital Library of Mathematical Functions, 7.6.1 and 7.9.1).
 */
function erf(x) {
  const z = x * x;
  if (z < 1) {
    let sum = 0;
    for (let n = 20; n > 0; n--) sum = 1 / (2 * n + 1) - (z / (n + 1)) * sum;
    // 2/sqrt(pi) in two parts, so that the larger one adds no rounding.
    return x + x * (0.12837916709551256 - 1.1283791670955126 * z * sum);
  }
  if (z > 36) return Math.sign(x);
  const a = Math.abs(x);
  let fraction = a;
  for (let n = Math.ceil(20 + 160 / z); n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z) / (1.772453850905516 * fraction));
}
"""
_WORDS = """
arguments as async await break case catch class const continue debugger default delete do else
enum eval export extends false finally for from function get if implements import in instanceof
interface let new null of package private protected public return set static super switch this
throw true try typeof undefined var void while with yield Infinity Math NaN Object forward gradient
step
"""
_INHERITED = """
constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf
"""
"""What every object has: a parameter of that name would never take its default."""


def _choice(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    """NaN holds as a condition everywhere but in JavaScript."""
    condition, *branches = arguments
    if not _is_comparison(condition):
        condition = Apply("not_equal", (condition, Number(0.0)))
    return conditional(to, (condition, *branches), values)


def _is_comparison(formula: Formula) -> bool:
    record = REGISTRY[formula.operation] if isinstance(formula, Apply) else None
    return isinstance(record, Pointwise) and record.condition


class JavaScript(Language):
    """Text that JavaScript evaluates."""

    reserved = frozenset(f"{_WORDS} {_INHERITED}".split())
    infix: ClassVar = C.infix
    forms: ClassVar = {
        "where": _choice,
        **COMPARISONS,
        **{name: call(name) for name in (*FUNCTIONS, "maximum", "minimum")},
        "pow": call("power"),
    }
    helpers: ClassVar = {
        "maximum": _CHOICE.format(name="maximum", which="larger", sign=">="),
        "minimum": _CHOICE.format(name="minimum", which="smaller", sign="<="),
        "power": _POWER,
        "erf": _ERF,
    }
    spelling: ClassVar = {name: f"Math.{name}" for name in FUNCTIONS if name != "erf"}
    comment = "// {}"
    assign = "const {name} = {value};"
    indent = "  "

    def number(self, value: float) -> str:
        """The shortest text that reads back as the same number."""
        if value - value == 0:
            return super().number(value)
        return "NaN" if value != value else ("-" * (value < 0) + "Infinity")

    def whole(self, value: int) -> str:
        """Without a point: every number is a double."""
        return str(value)


class JavaScriptSource(JavaScript, StraightLineLanguage):
    """Straight-line JavaScript."""

    def source(self) -> str:
        """A module that exports the function."""
        what, body = self.program.what, self.body()
        lines = [
            "/**",
            f" * {self.headline()}.",
            " *",
            " * Straight-line JavaScript; every operation stands where it is computed.  In Node:",
            " *",
            f' *     import {{ {what} }} from "./{what}.mjs";',
            f" *     console.log({what}());",
            " */",
            "",
            *(line for text in self.used_helpers() for line in [*text.splitlines(), ""]),
            f"/** Gives {self.gives()}, by name. */",
            f"export function {what}({{",
            *self._parameters(),
            "} = {}) {",
            *body,
            "",
            "  return {",
            *(self._result(label, name) for label, name in self.program.results),
            "  };",
            "}",
        ]
        return "\n".join(lines) + "\n"

    def _parameters(self) -> Iterator[str]:
        for name, value in self.program.given:
            remark = self.remark(name)
            yield f"  {self.identifiers[name]} = {self.number(value)}," + (
                f"  {remark}" if remark else ""
            )

    def _result(self, label: str, name: str) -> str:
        own, value = self.identifiers[label], self.identifiers[name]
        return f"    {own}," if own == value else f"    {own}: {value},"
