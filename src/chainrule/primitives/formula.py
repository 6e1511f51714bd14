"""The formula language: one small expression tree, and how to read it from text.

A value or a slope is written once, as text (`y * (1 - y)`).  This module turns
the text into a tree of `Number`, `Symbol` and `Apply`; everything else (the
evaluators, the lowering into the graph, the printers) reads the tree.  The
syntax is that of Python expressions over numbers, names, `+ - * / **`,
comparisons, `a if c else b`, and calls of primitives by name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

__all__ = [
    "Apply",
    "Formula",
    "Number",
    "Symbol",
    "interpret",
    "parse",
    "substitute",
    "symbols_within",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number."""

    value: float


@dataclass(frozen=True, slots=True)
class Symbol:
    """A quantity referred to by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A primitive applied to arguments; `operation` is the primitive's name."""

    operation: str
    arguments: tuple[Formula, ...]


Formula = Number | Symbol | Apply

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
FUNCTION_ALIASES = {"max": "maximum", "min": "minimum"}


@cache
def parse(text: str) -> Formula:
    """The tree of a formula's text.

    Raises: ValueError when the text leaves the formula language.

    Example:
        >>> parse("y * 2")
        Apply(operation='mul', arguments=(Symbol(name='y'), Number(value=2.0)))
    """
    return _convert(ast.parse(text.strip(), mode="eval").body)


def _convert(tree: ast.expr) -> Formula:
    match tree:
        case ast.Constant(value=bool()):
            raise ValueError("a truth value is not part of the formula language")
        case ast.Constant(value=int() | float() as value):
            return Number(float(value))
        case ast.Name(id=name):
            return Symbol(name)
        case ast.Attribute() | ast.Subscript():
            return Symbol(ast.unparse(tree).replace(" ", ""))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Apply("neg", (_convert(operand),))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in BINARY:
            return Apply(BINARY[type(operator)], (_convert(left), _convert(right)))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return Apply(COMPARISONS[type(comparison)], (_convert(left), _convert(right)))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return Apply("where", (_convert(test), _convert(body), _convert(orelse)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            operation = FUNCTION_ALIASES.get(name, name)
            converted = [_convert(argument) for argument in arguments]
            if operation in ("maximum", "minimum"):
                return _left_nested(operation, converted)
            return Apply(operation, tuple(converted))
    raise ValueError(f"{ast.unparse(tree)!r} is not part of the formula language")


def _left_nested(operation: str, arguments: list[Formula]) -> Formula:
    result = arguments[0]
    for argument in arguments[1:]:
        result = Apply(operation, (result, argument))
    return result


def substitute(formula: Formula, bindings: Mapping[str, Formula]) -> Formula:
    """`formula` with each symbol that `bindings` names replaced."""
    match formula:
        case Symbol(name):
            return bindings.get(name, formula)
        case Apply(operation, arguments):
            return Apply(operation, tuple(substitute(item, bindings) for item in arguments))
    return formula


def symbols_within(formula: Formula) -> Iterator[str]:
    """The names that a formula speaks of, from left to right."""
    stack = [formula]
    while stack:
        item = stack.pop()
        if isinstance(item, Symbol):
            yield item.name
        elif isinstance(item, Apply):
            stack.extend(reversed(item.arguments))


def interpret(
    formula: Formula,
    environment: Mapping[str, T],
    number: Callable[[float], T],
    apply: Callable[..., T],
) -> T:
    """Read `formula` in any algebra: floats, arrays, graph nodes.

    `number` makes a literal, `apply(operation, *arguments)` applies a primitive,
    `environment` holds what the symbols stand for.
    """
    # A long sum leans to the left: walk down it instead of recursing.
    spine: list[Apply] = []
    while isinstance(formula, Apply):
        spine.append(formula)
        formula = formula.arguments[0]
    value = number(formula.value) if isinstance(formula, Number) else environment[formula.name]
    for step in reversed(spine):
        rest = (interpret(item, environment, number, apply) for item in step.arguments[1:])
        value = apply(step.operation, value, *rest)
    return value
