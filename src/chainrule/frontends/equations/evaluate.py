"""Expressions: from syntax to nodes, with a budget; nothing of the user's is ever run."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chainrule.errors import Faults, InputError, closest
from chainrule.frontends.equations.functions import (
    KNOWN,
    METHODS,
    NAMED_NUMBERS,
    NOT_FINITE,
    matmul,
)
from chainrule.frontends.equations.rewrite import Offsets
from chainrule.frontends.equations.values import (
    Defined,
    Known,
    MisuseError,
    Numbers,
    Value,
    bind,
    condition,
    describe,
    number,
    whole,
)
from chainrule.graph.build import Builder
from chainrule.graph.node import Node
from chainrule.primitives.formula import BINARY, COMPARISONS

__all__ = ["Evaluator", "ExhaustedError", "RefusalError"]

MOST_STEPS = 1_000_000
PACE = 4
"""What an expression counts beside an entry of an array, as it takes that much longer."""

MOST_AXES = 8
DEEPEST = 120

_CHOICE = "np.where(c, a, b), or a if c else b"
_NOTBINARY: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.BitXor: ("^ between numbers", "a power is written **"),
    ast.FloorDiv: ("// (division without remainder)", "/ is the division that has a derivative"),
    ast.Mod: ("% (remainder)", None),
    ast.Not: ("not", _CHOICE),
    ast.Invert: ("~", None),
}
_REFUSED: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.ListComp: ("comprehension", "write the entries out: [f(a), f(b)]"),
    ast.SetComp: ("comprehension", "write the entries out: [f(a), f(b)]"),
    ast.DictComp: ("comprehension", "write the entries out: [f(a), f(b)]"),
    ast.GeneratorExp: ("generator", "write the terms out: a + b"),
    ast.Lambda: ("lambda inside an expression", "give it a name first: f = lambda z: ..."),
    ast.JoinedStr: ("string", None),
    ast.Dict: ("dictionary", "give each number a name"),
    ast.Set: ("set", "a list is written [a, b]"),
    ast.NamedExpr: (":=", "assign on a line of its own"),
    ast.Await: ("await", None),
    ast.Yield: ("yield", None),
    ast.YieldFrom: ("yield", None),
    ast.Starred: ("*", "write the entries out"),
    ast.BoolOp: ("and, or", _CHOICE),
}
_LITERALS: dict[type, str] = {
    bool: "a truth value",
    str: "a string",
    bytes: "a string of bytes",
    complex: "a complex number",
    type(None): "None",
    type(...): "...",
}


class RefusalError(Exception):
    """An expression has no value; its fault is noted already."""


class ExhaustedError(Exception):
    """The file asks for more steps than there are; its fault is noted already."""


class Evaluator:
    """Names, and the values of expressions in them.

    `names` maps a name to its value, or to None when its definition failed: using
    that raises RefusalError without another fault.  `later` says on which line each
    name of the file is first given.
    """

    def __init__(self, text: str, faults: Faults, op: Builder) -> None:
        self.faults = faults
        self.op = op
        self.numbers = Numbers()
        self.offsets = Offsets(text)
        self.names: dict[str, Value | None] = {}
        self.modules = {"np", "numpy", "math"}
        self.later: dict[str, int] = {}
        self._local: dict[str, Value] = {}
        self._active: list[str] = []
        self._depth = 0
        self._steps = 0

    # ---------------------------------------------------------------------- refusing

    def refusal(
        self,
        where: ast.AST,
        kind: str,
        what: str,
        *,
        needs: str | None = None,
        hint: str | None = None,
    ) -> RefusalError:
        """Note a fault on the line of `where`; what is returned is to be raised."""
        self.faults.add(kind, what, line=getattr(where, "lineno", None), needs=needs, hint=hint)
        return RefusalError()

    def form_refusal(self, where: ast.AST, name: str, hint: str | None) -> RefusalError:
        """Refuse a form of Python that equations lack."""
        needs = "numbers, names, + - * / **, known functions, a if c else b"
        return self.refusal(
            where, "SyntaxError", f"equations have no {name}", needs=needs, hint=hint
        )

    def _spend(self, steps: int, where: ast.expr) -> None:
        self._steps += steps
        if self._steps > MOST_STEPS:
            self.faults.add(
                "SizeError",
                f"the equations take more than {MOST_STEPS:,} steps to write out",
                line=where.lineno,
                needs="functions and arrays that stay small when each call is written out",
                hint="a function that calls another twice doubles the work at every level",
            )
            raise ExhaustedError

    # -------------------------------------------------------------------- expressions

    def value(self, expression: ast.expr) -> Value:
        """What `expression` is. Raises: RefusalError, ExhaustedError."""
        self._spend(PACE, expression)
        form = _FORMS.get(type(expression))
        if form is None:
            raise self._expression_refusal(expression)
        if self._depth >= DEEPEST:
            raise self._depth_refusal(expression)
        self._depth += 1
        try:
            return self._checked(expression, form(self, expression))
        except MisuseError as wrong:
            raise self.refusal(
                expression, wrong.kind, wrong.what, needs=wrong.needs, hint=wrong.hint
            ) from None
        except InputError as error:
            raise self._shape_refusal(expression, error) from None
        except RecursionError:
            raise self._depth_refusal(expression) from None
        finally:
            self._depth -= 1

    def values(self, expressions: Iterable[ast.expr]) -> list[Value]:
        """The values of all; when some have none, the faults of all are noted first."""
        found, refused = [], False
        for expression in expressions:
            try:
                found.append(self.value(expression))
            except RefusalError:
                refused = True
        if refused:
            raise RefusalError
        return found

    def _checked(self, expression: ast.expr, value: Value) -> Value:
        """The value, once its size is paid for and its numbers are known to be finite."""
        if isinstance(value, Node):
            if len(value.shape) > MOST_AXES:
                what = f"an array of {len(value.shape)} axes"
                raise self.refusal(
                    expression, "ShapeError", what, needs=f"at most {MOST_AXES} axes"
                )
            if value.shape:
                self._spend(math.prod(value.shape), expression)
            if not self.numbers.finite(value):
                written = self.offsets.written(expression)
                shown = written if len(written) <= 60 else written[:59] + "…"
                raise self.refusal(
                    expression,
                    "ValueError",
                    f"{shown} is not a finite number",
                    needs="a number below 1.8e308",
                )
        return value

    def _expression_refusal(self, expression: ast.expr) -> RefusalError:
        name, hint = _REFUSED.get(type(expression), (type(expression).__name__, None))
        return self.form_refusal(expression, name, hint)

    def _depth_refusal(self, expression: ast.expr) -> RefusalError:
        return self.refusal(
            expression,
            "SizeError",
            f"an expression is nested more than {DEEPEST} deep, calls written out",
            needs="an expression that a person can read",
            hint="split it: give its parts names on lines of their own",
        )

    def _shape_refusal(self, expression: ast.expr, error: InputError) -> RefusalError:
        """The builder's own faults, on the line of the statement."""
        line = self.op.origin.line if self.op.origin else expression.lineno
        for fault in error.faults:
            self.faults.add(fault.kind, fault.what, line=line, needs=fault.needs, hint=fault.hint)
        return RefusalError()

    # ----------------------------------------------------------- literals, names, lists

    def _constant(self, expression: ast.Constant) -> Value:
        value = expression.value
        if type(value) in _LITERALS:
            what = f"{_LITERALS[type(value)]} where a number belongs"
            raise self.refusal(expression, "TypeError", what, needs="a number such as 0.5")
        assert isinstance(value, int | float)
        try:
            return self.op.constant(float(value))
        except OverflowError:
            what = "a whole number that is too large"
            raise self.refusal(
                expression, "ValueError", what, needs="a number below 1.8e308"
            ) from None

    def _name(self, expression: ast.Name) -> Value:
        name = expression.id
        found = self._find(name)
        if found is not None:
            return found
        if name in NAMED_NUMBERS:
            return self.op.constant(NAMED_NUMBERS[name])
        if name in KNOWN:
            return KNOWN[name]
        if name in self.later:
            line = self.later[name]
            raise self.refusal(
                expression,
                "NameError",
                f"{name} is used before it is given",
                needs=f"line {line}, which gives {name}, above its use",
            )
        known = [*self._local, *self.names, *self.later]
        raise self.refusal(
            expression,
            "NameError",
            f"{name} is not given",
            needs=f"a line that gives it: {name} = ...",
            hint=closest(name, known),
        )

    def _find(self, name: str) -> Value | None:
        """The user's own value of a name. Raises: RefusalError when its definition failed."""
        if name in self._local:
            return self._local[name]
        if name in self.names and self.names[name] is None:
            raise RefusalError
        return self.names.get(name)

    def _display(self, expression: ast.List | ast.Tuple) -> Value:
        return tuple(self.values(expression.elts))

    # ---------------------------------------------------------------------- operations

    def _binary(self, expression: ast.BinOp) -> Value:
        """A sum of thousands of terms leans to the left; that spine is walked in a loop."""
        spine = []
        left: ast.expr = expression
        while isinstance(left, ast.BinOp):
            spine.append(left)
            left = left.left
        refused = False
        result: Value | None = None
        for step in (None, *reversed(spine)):
            try:
                operand = self.value(left if step is None else step.right)
            except RefusalError:
                refused = True
                continue
            if step is None:
                result = operand
            elif not refused and result is not None:
                result = self._checked(step, self._operate(step, result, operand))
        if refused or result is None:
            raise RefusalError
        return result

    def _operate(self, step: ast.BinOp, left: Value, right: Value) -> Value:
        name = BINARY.get(type(step.op))
        if name == "add" and isinstance(left, tuple) and isinstance(right, tuple):
            return left + right
        if isinstance(step.op, ast.MatMult):
            return matmul(self.op, number(self.op, left), number(self.op, right))
        if name is None:
            what, hint = _NOTBINARY.get(type(step.op), ("bit arithmetic", None))
            raise self.form_refusal(step, what, hint)
        a, b = number(self.op, left), number(self.op, right)
        if name == "div" and self.numbers.has_zero(b):
            raise self.refusal(
                step,
                "ZeroDivisionError",
                f"{self.offsets.written(step)} divides by zero",
                needs="a divisor that is not 0",
            )
        return self.op.apply(name, a, b)

    def _unary(self, expression: ast.UnaryOp) -> Value:
        if type(expression.op) in _NOTBINARY:
            raise self.form_refusal(expression, *_NOTBINARY[type(expression.op)])
        operand = number(self.op, self.value(expression.operand))
        return self.op.neg(operand) if isinstance(expression.op, ast.USub) else operand

    def _compare(self, expression: ast.Compare) -> Value:
        name = COMPARISONS.get(type(expression.ops[0]))
        if len(expression.ops) > 1 or name is None:
            raise self.form_refusal(
                expression, "chained comparison, is, in", "compare two numbers with < <= > >= == !="
            )
        left, right = self.values([expression.left, *expression.comparators])
        return self.op.apply(name, number(self.op, left), number(self.op, right))

    def _choice(self, expression: ast.IfExp) -> Value:
        test, yes, no = self.values([expression.test, expression.body, expression.orelse])
        return self.op.where(condition(self.op, test), number(self.op, yes), number(self.op, no))

    # ------------------------------------------------------------------------- entries

    def _subscript(self, expression: ast.Subscript) -> Value:
        container = self.value(expression.value)
        index = expression.slice
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        written = self.offsets.written(expression.value)
        if isinstance(container, tuple):
            return self._list_entry(expression, container, parts, written)
        return self._array_entry(expression, number(self.op, container), parts, written)

    def _list_entry(
        self, where: ast.expr, container: Value, parts: Sequence[ast.expr], written: str
    ) -> Value:
        for part in parts:
            if not isinstance(container, tuple):
                what = f"{written} has fewer than {len(parts)} indices"
                raise self.refusal(
                    where, "IndexError", what, needs="one index for each level of lists"
                )
            if isinstance(part, ast.Slice):
                start, count, step = self._range(part, len(container))
                container = container[start : start + count * step : step]
            else:
                container = container[self._index(part, len(container), written)]
        return container

    def _array_entry(
        self, where: ast.expr, x: Node, parts: Sequence[ast.expr], written: str
    ) -> Value:
        if len(parts) > len(x.shape):
            what = f"{written} is {describe(x)}, indexed {len(parts)} deep"
            raise self.refusal(where, "IndexError", what, needs="one index at most for each axis")
        start, step, shape, kept = [], [], [], []
        for axis, size in enumerate(x.shape):
            part = parts[axis] if axis < len(parts) else ast.Slice()
            if isinstance(part, ast.Slice):
                first, count, stride = self._range(part, size)
                kept.append(count)
            else:
                first, count, stride = self._index(part, size, written), 1, 1
            start.append(first)
            step.append(stride)
            shape.append(count)
        if 0 in shape:
            raise self.refusal(
                where, "IndexError", f"no entry of {written} is left", needs="one or more"
            )
        taken = self.op.slice(x, tuple(start), tuple(step), tuple(shape))
        return self.op.reshape(taken, tuple(kept))

    def _index(self, part: ast.expr, size: int, written: str) -> int:
        index = whole(self.value(part), f"the index of {written}")
        if not -size <= index < size:
            raise MisuseError(
                "IndexError",
                f"{written}[{index}]: {written} has {size} {'entry' if size == 1 else 'entries'}",
                needs=f"an index from 0 to {size - 1}" if size else "a list that is not empty",
            )
        return index % size

    def _range(self, part: ast.Slice, size: int) -> tuple[int, int, int]:
        """Start, number of entries and step of a slice."""
        bounds = [
            None if bound is None else whole(self.value(bound), "the end of a slice")
            for bound in (part.lower, part.upper, part.step)
        ]
        if bounds[2] is not None and bounds[2] < 1:
            raise MisuseError(
                "IndexError", f"a slice with step {bounds[2]}", needs="a step of 1 or more"
            )
        chosen = range(*slice(*bounds).indices(size))
        return chosen.start, len(chosen), chosen.step

    # -------------------------------------------------------------- attributes and calls

    def _module_of(self, expression: ast.expr) -> str | None:
        """The module that a bare name stands for, unless the user took the name."""
        if not isinstance(expression, ast.Name) or expression.id not in self.modules:
            return None
        return (
            None if expression.id in self.names or expression.id in self._local else expression.id
        )

    def _attribute(self, expression: ast.Attribute) -> Value:
        module = self._module_of(expression.value)
        if module is not None:
            return self._member(expression, module)
        if expression.attr == "T":
            return self.op.transpose(number(self.op, self.value(expression.value)))
        raise self._attribute_refusal(expression)

    def _member(self, expression: ast.Attribute, module: str) -> Value:
        name = expression.attr
        if name in NAMED_NUMBERS:
            return self.op.constant(NAMED_NUMBERS[name])
        if name in KNOWN:
            return KNOWN[name]
        if name in NOT_FINITE:
            what = f"{module}.{name} is not a finite number"
            raise self.refusal(expression, "ValueError", what, needs="a number below 1.8e308")
        raise self._unknown_refusal(expression, f"{module}.{name}", name, KNOWN)

    def _attribute_refusal(self, expression: ast.Attribute) -> RefusalError:
        return self.refusal(
            expression,
            "SyntaxError",
            f'equations have no attribute ".{expression.attr}"',
            needs=f"np.NAME, math.NAME, .T, or one of .{'(), .'.join(METHODS)}()",
        )

    def _unknown_refusal(
        self, where: ast.expr, written: str, name: str, known: Iterable[str]
    ) -> RefusalError:
        return self.refusal(
            where,
            "NameError",
            f"there is no function called {written}",
            needs="a known function, or a def of its own above",
            hint=closest(name, known),
        )

    def _call(self, expression: ast.Call) -> Value:
        function, receiver = self._callee(expression.func)
        self._check_arguments(expression)
        given = [*receiver, *self.values(expression.args)]
        named = [keyword.arg for keyword in expression.keywords]
        values = self.values(keyword.value for keyword in expression.keywords)
        keywords = {name: value for name, value in zip(named, values, strict=True) if name}
        bound = bind(function, given, keywords)
        if isinstance(function, Known):
            return function.apply(self.op, *bound)
        return self._inlined(expression, function, bound)

    def _callee(self, called: ast.expr) -> tuple[Known | Defined, list[Value]]:
        """The function that is called, and the array whose method it is."""
        if isinstance(called, ast.Attribute) and self._module_of(called.value) is None:
            if called.attr not in METHODS:
                raise self._attribute_refusal(called)
            return KNOWN[called.attr], [number(self.op, self.value(called.value))]
        if isinstance(called, ast.Name):
            found = self._find(called.id)
            if found is None and called.id not in KNOWN:
                own = [name for name, value in self.names.items() if isinstance(value, Defined)]
                raise self._unknown_refusal(called, called.id, called.id, [*KNOWN, *own])
        function = self.value(called)
        if isinstance(function, Known | Defined):
            return function, []
        written = self.offsets.written(called)
        raise self.refusal(
            called,
            "TypeError",
            f"{written} is {describe(function)}, called like a function",
            hint=f"a product is {written}*(...), an entry {written}[...]",
        )

    def _check_arguments(self, expression: ast.Call) -> None:
        starred = any(isinstance(item, ast.Starred) for item in expression.args)
        if starred or any(keyword.arg is None for keyword in expression.keywords):
            raise self.form_refusal(expression, "* or ** in a call", "write the arguments out")

    def _inlined(self, where: ast.expr, function: Defined, bound: Sequence[Any]) -> Value:
        """The body with the arguments in the place of the parameters."""
        if function.name in self._active:
            raise self.refusal(
                where,
                "SizeError",
                f"{function.name} calls itself",
                needs="functions that can be written out",
            )
        outer = self._local
        self._local = dict(zip(function.parameters, bound, strict=True))
        self._active.append(function.name)
        try:
            return self.value(function.body)
        finally:
            self._active.pop()
            self._local = outer

    def check_forms(self, body: ast.expr) -> None:
        """Refuse what equations lack in a function that may never be called."""
        for part in ast.walk(body):
            if isinstance(part, ast.expr) and type(part) not in (*_FORMS, ast.Slice):
                raise self._expression_refusal(part)


_FORMS: dict[type[ast.AST], Callable[[Evaluator, Any], Value]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.List: Evaluator._display,
    ast.Tuple: Evaluator._display,
    ast.BinOp: Evaluator._binary,
    ast.UnaryOp: Evaluator._unary,
    ast.Compare: Evaluator._compare,
    ast.IfExp: Evaluator._choice,
    ast.Subscript: Evaluator._subscript,
    ast.Attribute: Evaluator._attribute,
    ast.Call: Evaluator._call,
}
