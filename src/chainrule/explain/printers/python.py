"""Formulas as Python writes them: `1/(1 + exp(-net_h1))`.

What is printed here evaluates, with Python's own floats and the functions of
`math`, to the number that the reference engine computes, digit for digit: a
step that Python does not know by name is written out as its record defines it.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.primitives import REGISTRY, Apply, Formula, Number, Pointwise, Symbol
from chainrule.primitives.formula import substitute

__all__ = ["python", "python_number"]

CHOICE, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)
"""How tightly a form binds, loosest first."""

BINARY = {
    "add": (SUM, " + "),
    "sub": (SUM, " - "),
    "mul": (PRODUCT, "*"),
    "div": (PRODUCT, "/"),
}
COMPARISONS = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
CALLS = {"maximum": "max", "minimum": "min"} | {
    name: name
    for name in ("exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "tanh", "erf")
}

Printed = tuple[str, int]


def python(formula: Formula, values: Mapping[str, float] | None = None) -> str:
    """The formula as text; with `values`, its symbols replaced by their numbers."""
    if isinstance(formula, Symbol) and values is not None:
        return python_number(values[formula.name])
    return _print(formula, values)[0]


def python_number(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(float(value))


def _number(value: float) -> Printed:
    text = python_number(value)
    return (f"({text})" if text.startswith("-") else text), ATOM


def _print(formula: Formula, values: Mapping[str, float] | None) -> Printed:
    match formula:
        case Number(value):
            whole = value.is_integer() and abs(value) < 1e15
            return (str(int(value)), SIGN if value < 0 else ATOM) if whole else _number(value)
        case Symbol(name):
            return (name, ATOM) if values is None else _number(values[name])
    operation, arguments = formula.operation, formula.arguments
    if operation in BINARY:
        return _chain(formula, values)
    if operation == "neg":
        return "-" + _within(arguments[0], values, POWER), SIGN
    if operation == "pow":
        base = _within(arguments[0], values, ATOM)
        return f"{base}**{_within(arguments[1], values, POWER)}", POWER
    if operation in COMPARISONS:
        left, right = (_within(item, values, SUM) for item in arguments)
        return f"{left} {COMPARISONS[operation]} {right}", COMPARISON
    if operation == "where":
        condition, first, second = (_within(item, values, COMPARISON) for item in arguments)
        return f"{first} if {condition} else {second}", CHOICE
    if operation in CALLS:
        inner = ", ".join(_print(item, values)[0] for item in _flattened(formula))
        return f"{CALLS[operation]}({inner})", ATOM
    return _print(defined(formula), values)


def defined(formula: Apply) -> Formula:
    """The definition of a step, written out for its arguments."""
    record = REGISTRY[formula.operation]
    assert isinstance(record, Pointwise)
    assert not record.is_basic, f"no notation for {formula.operation}"
    return substitute(record.formula, dict(zip(record.operands, formula.arguments, strict=True)))


def _flattened(formula: Apply) -> list[Formula]:
    """The arguments of max(max(a, b), c) as a, b, c; of other calls, their own."""
    arguments = list(formula.arguments)
    if formula.operation in ("maximum", "minimum"):
        while isinstance(arguments[0], Apply) and arguments[0].operation == formula.operation:
            arguments[:1] = arguments[0].arguments
    return arguments


def _chain(formula: Apply, values: Mapping[str, float] | None) -> Printed:
    """A sum or a product, from left to right, without recursing down its left side."""
    binding, _ = BINARY[formula.operation]
    parts: list[str] = []
    left: Formula = formula
    while isinstance(left, Apply) and left.operation in BINARY:
        own, sign = BINARY[left.operation]
        if own != binding:
            break
        parts.append(sign + _within(left.arguments[1], values, binding + 1, right=True))
        left = left.arguments[0]
    parts.append(_within(left, values, binding))
    return "".join(reversed(parts)), binding


def _within(
    formula: Formula, values: Mapping[str, float] | None, needed: int, right: bool = False
) -> str:
    text, binding = _print(formula, values)
    loose = binding < needed or (right and binding == SIGN)
    return f"({text})" if loose else text


