"""Statements: which names a file gives, which of them are leaves, and what it computes."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chainrule.errors import Faults
from chainrule.frontends.equations.evaluate import Evaluator, ExhaustedError, RefusalError
from chainrule.frontends.equations.rewrite import Numerals
from chainrule.frontends.equations.roles import Leaf
from chainrule.frontends.equations.values import Defined, Value, describe
from chainrule.graph.build import Builder
from chainrule.graph.node import Node, Origin
from chainrule.graph.passes.unroll import entry_labels
from chainrule.primitives import VARIABLE

__all__ = ["Statements"]

Path = tuple[int, ...]

_MODULES = ("numpy", "math")
_UNROLLED = "write the steps out, or use lists and sums"
_REFUSED: dict[type[ast.stmt], tuple[str, str | None]] = {
    ast.For: ("for loop", _UNROLLED),
    ast.While: ("while loop", _UNROLLED),
    ast.If: ("if statement", "a choice is an expression: a if c else b"),
    ast.ClassDef: ("class", None),
    ast.With: ("with statement", None),
    ast.Try: ("try statement", None),
    ast.Delete: ("del statement", None),
    ast.Global: ("global statement", None),
    ast.Nonlocal: ("nonlocal statement", None),
    ast.Raise: ("raise statement", None),
    ast.Assert: ("assert statement", None),
    ast.Match: ("match statement", None),
    ast.Return: ("return outside a def", "begin the line that belongs to the def with four spaces"),
    ast.AsyncFunctionDef: ("async def", "def"),
    ast.AsyncFor: ("for loop", _UNROLLED),
    ast.AsyncWith: ("with statement", None),
}


class Statements:
    """Reads statement after statement; `read` goes on after a faulty one.

    `leaves`, `quantities` and `aliases` grow in the order of the file.  `last`
    is the last computed scalar, `lists` what each name holds.
    """

    def __init__(self, place: str, text: str, faults: Faults) -> None:
        self.op = Builder()
        self.evaluator = Evaluator(text, faults, self.op)
        self.numerals = Numerals(text)
        self.leaves: dict[Node, Leaf] = {}
        self.quantities: dict[Node, None] = {}
        self.aliases: dict[str, str] = {}
        self.last: Node | None = None
        self.last_line: int | None = None
        self._place = place
        self._given: dict[str, int] = {}

    def read(self, tree: ast.Module) -> None:
        """Everything in the file."""
        for statement in tree.body:
            for name in _names_given(statement):
                self.evaluator.later.setdefault(name, statement.lineno)
        for statement in tree.body:
            self.op.origin = Origin(self._place, statement.lineno)
            try:
                _STATEMENTS.get(type(statement), Statements._refuse)(self, statement)
            except RefusalError:
                for name in _names_given(statement):
                    self.evaluator.names.setdefault(name, None)
                    self._given.setdefault(name, statement.lineno)
            except ExhaustedError:
                return

    def _refuse(self, statement: ast.stmt) -> None:
        name, hint = _REFUSED.get(type(statement), (type(statement).__name__, None))
        raise self.evaluator.form_refusal(statement, name, hint)

    # ------------------------------------------------------------------- what is given

    def _assign(self, statement: ast.Assign) -> None:
        self._give(statement, statement.targets, statement.value)

    def _annotated(self, statement: ast.AnnAssign) -> None:
        if statement.value is None:
            what = f"{self.evaluator.offsets.written(statement.target)} has no value"
            raise self.evaluator.refusal(statement, "SyntaxError", what, needs="name = value")
        self._give(statement, [statement.target], statement.value)

    def _augmented(self, statement: ast.AugAssign) -> None:
        self._declare(statement, statement.target)
        raise self.evaluator.form_refusal(
            statement, "update in place", "give the result a new name"
        )

    def _give(self, where: ast.stmt, targets: list[ast.expr], expression: ast.expr) -> None:
        for target in targets:
            self._declare(where, target)
        if isinstance(expression, ast.Lambda):
            self._define_lambda(where, targets, expression)
            return
        value = self.evaluator.value(expression)
        fresh: set[Node] = set()
        for target in targets:  # a second target finds the value named: it is an alias
            value = self._bind(target, value, fresh)
        self._note_numerals(expression, value, fresh)
        self._note_last(value, where)

    def _declare(self, where: ast.stmt, target: ast.expr) -> None:
        """Refuse what cannot be assigned, and a name that has a value already."""
        if isinstance(target, ast.Tuple | ast.List):
            for item in target.elts:
                self._declare(where, item)
            return
        written = self.evaluator.offsets.written(target)
        root = target
        while isinstance(root, ast.Subscript):
            root = root.value
        if not isinstance(root, ast.Name) or isinstance(target, ast.Starred):
            raise self.evaluator.form_refusal(where, f"assignment to {written}", "name = value")
        if root.id in self._given:
            raise self._twice_refusal(where, written, self._given[root.id])
        if root is not target:
            what = f"{written} is assigned, but {root.id} is not given"
            raise self.evaluator.refusal(
                where, "NameError", what, needs=f"the whole list: {root.id} = [...]"
            )
        self._given[root.id] = where.lineno

    def _twice_refusal(self, where: ast.stmt, written: str, line: int) -> RefusalError:
        return self.evaluator.refusal(
            where,
            "NameError",
            f"{written} is given twice (line {line} and line {where.lineno})",
            needs="one value for each name",
            hint="give it a new name; an update of a parameter is left out: "
            "`chainrule step` does it",
        )

    def _bind(self, target: ast.expr, value: Value, fresh: set[Node]) -> Value:
        if isinstance(target, ast.Name):
            settled = self._settle(target.id, (), value, fresh)
            self.evaluator.names[target.id] = settled
            return settled
        assert isinstance(target, ast.Tuple | ast.List)
        values = self._unpacked(target, value)
        return tuple(
            self._bind(item, part, fresh) for item, part in zip(target.elts, values, strict=True)
        )

    def _unpacked(self, target: ast.Tuple | ast.List, value: Value) -> tuple[Value, ...]:
        if isinstance(value, Node) and value.shape:
            value = tuple(self._row(value, index) for index in range(value.shape[0]))
        if not isinstance(value, tuple) or len(value) != len(target.elts):
            count = len(target.elts)
            what = f"{count} names for {describe(value)}"
            raise self.evaluator.refusal(
                target, "ValueError", what, needs=f"a list of {count} values"
            )
        return value

    def _row(self, x: Node, index: int) -> Node:
        rest = x.shape[1:]
        start, step = (index, *(0 for _ in rest)), (1,) * len(x.shape)
        return self.op.reshape(self.op.slice(x, start, step, (1, *rest)), rest)

    # ------------------------------------------------------------- leaves and quantities

    def _settle(self, base: str, path: Path, value: Value, fresh: set[Node]) -> Value:
        """The value under its name: numbers become leaves, computed nodes quantities."""
        if isinstance(value, tuple):
            return tuple(
                self._settle(base, (*path, index), item, fresh) for index, item in enumerate(value)
            )
        if not isinstance(value, Node) or value.dtype == "bool":
            return value
        numbers = self.evaluator.numbers.of(value)
        if numbers is not None:
            leaf = self._leaf(base, path, value.shape, numbers)
            fresh.add(leaf)
            return leaf
        if value.name is None:
            return self._quantity(base, path, value)
        if value.primitive is VARIABLE:
            own = _labels(base, path, value.shape)
            for label, other in zip(own, entry_labels(value) or (), strict=True):
                self.aliases[label] = other
        return value

    def _leaf(self, base: str, path: Path, shape: Path, numbers: Any) -> Node:
        labels = _labels(base, path, shape)
        node = self.op.variable(_label(base, path), shape, labels if path and shape else None)
        self.leaves[node] = Leaf(node, base, _flat(numbers), bool(path))
        for label, index in zip(labels, _indices(shape), strict=True):
            for spelling in _spellings(base, path, index):
                if spelling != label:
                    self.aliases[spelling] = label
        return node

    def _quantity(self, base: str, path: Path, node: Node) -> Node:
        labels = _labels(base, path, node.shape) if path and node.shape else None
        return self.named(node, _label(base, path), labels)

    def named(self, node: Node, name: str, labels: tuple[str, ...] | None = None) -> Node:
        """The node under a name, as a quantity of the model; what it is folded from stays."""
        named = self.op.named(node, name, labels)
        self.quantities[named] = None
        return named

    def is_computed(self, value: Value | None) -> bool:
        """Whether the value is a number that depends on leaves."""
        return (
            isinstance(value, Node)
            and value.shape == ()
            and value.dtype != "bool"
            and value.primitive is not VARIABLE
            and self.evaluator.numbers.of(value) is None
        )

    def _note_last(self, value: Value, where: ast.stmt) -> None:
        if isinstance(value, tuple) and isinstance(where, ast.Assign):
            names_one = isinstance(where.targets[0], ast.Name)
            found = None if names_one else next(filter(self.is_computed, reversed(value)), None)
        else:
            found = value if self.is_computed(value) else None
        if isinstance(found, Node):
            self.last, self.last_line = found, where.lineno

    # ------------------------------------------------------------------------- numerals

    def _note_numerals(self, expression: ast.expr, value: Value, fresh: set[Node]) -> None:
        """Note where the numbers of new leaves stand: entry by entry, if they are written so."""
        if isinstance(value, tuple):
            entries = _entries(expression)
            if entries is not None and len(entries) == len(value):
                for entry, item in zip(entries, value, strict=True):
                    self._note_numerals(entry, item, fresh)
                return
        leaves = [node for node in _nodes(value) if node in fresh]
        if len(leaves) < len(list(_nodes(value))) or not leaves:
            return
        if isinstance(value, Node) and value.shape:
            scalars = self._array_entries(expression)
            if len(scalars) == len(self.leaves[value].values):
                pairs = zip(self.leaves[value].labels, self.leaves[value].values, strict=True)
                for scalar, pair in zip(scalars, pairs, strict=True):
                    self._note_numeral(scalar, [pair], pair[0])
                return
        held = [
            pair
            for node in leaves
            for pair in zip(self.leaves[node].labels, self.leaves[node].values, strict=True)
        ]
        self._note_numeral(expression, held, _template(value))

    def _note_numeral(
        self, expression: ast.expr, held: list[tuple[str, float]], template: Any
    ) -> None:
        span = self.evaluator.offsets.span(expression)
        self.numerals.add(span, held, lambda values: _written(template, values))

    def _array_entries(self, expression: ast.expr) -> list[ast.expr]:
        """The expressions of an array's entries, if it is written as `array([...])`."""
        if not isinstance(expression, ast.Call) or not expression.args:
            return []
        function = expression.func
        name = function.attr if isinstance(function, ast.Attribute) else None
        name = function.id if isinstance(function, ast.Name) else name
        if name not in ("array", "asarray") or name in self._given:
            return []
        return list(_scalars(expression.args[0]))

    # -------------------------------------------------------------------------- functions

    def _define(self, statement: ast.FunctionDef) -> None:
        refusal = self.evaluator.form_refusal
        if statement.name in self._given:
            raise self._twice_refusal(statement, statement.name, self._given[statement.name])
        self._given[statement.name] = statement.lineno
        if statement.decorator_list:
            raise refusal(statement, "decorators", None)
        body = statement.body[1:] if _is_text(statement.body[0]) else statement.body
        returned = body[0] if len(body) == 1 else None
        if not isinstance(returned, ast.Return) or returned.value is None:
            raise self.evaluator.refusal(
                statement,
                "SyntaxError",
                f"def {statement.name} is more than one returned expression",
                needs="return EXPRESSION, after a docstring if you like",
                hint="give the steps between names outside, or write them into the expression",
            )
        self._define_as(statement, statement.name, statement.args, returned.value)

    def _define_lambda(
        self, where: ast.stmt, targets: list[ast.expr], function: ast.Lambda
    ) -> None:
        if len(targets) != 1 or not isinstance(targets[0], ast.Name):
            raise self.evaluator.form_refusal(
                where, "lambda for several names", "f = lambda z: ..."
            )
        self._define_as(where, targets[0].id, function.args, function.body)

    def _define_as(
        self, where: ast.stmt, name: str, parameters: ast.arguments, body: ast.expr
    ) -> None:
        if parameters.vararg or parameters.kwarg:
            raise self.evaluator.form_refusal(where, "*args or **kwargs", "name each parameter")
        self.evaluator.check_forms(body)
        positional = [*parameters.posonlyargs, *parameters.args]
        names = [item.arg for item in (*positional, *parameters.kwonlyargs)]
        optional = positional[len(positional) - len(parameters.defaults) :]
        pairs = [
            *zip(optional, parameters.defaults, strict=True),
            *zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True),
        ]
        given = {item.arg: default for item, default in pairs if default is not None}
        values = self.evaluator.values(given.values())
        defaults = dict(zip(given, values, strict=True))
        self.evaluator.names[name] = Defined(name, tuple(names), body, defaults)

    # ----------------------------------------------------------------- imports, the rest

    def _import(self, statement: ast.Import) -> None:
        for item in statement.names:
            if item.name not in _MODULES:
                raise self._import_refusal(statement, item.name)
            self.evaluator.modules.add(item.asname or item.name)

    def _import_from(self, statement: ast.ImportFrom) -> None:
        module = "." * statement.level + (statement.module or "")
        if module not in _MODULES:
            raise self._import_refusal(statement, module)
        for item in statement.names:
            if item.name == "*":
                continue
            member = ast.Attribute(ast.Name(module), item.name, lineno=statement.lineno)
            self.evaluator.names[item.asname or item.name] = self.evaluator.value(member)

    def _import_refusal(self, statement: ast.stmt, module: str) -> RefusalError:
        return self.evaluator.refusal(
            statement,
            "ImportError",
            f"equations cannot import {module}",
            needs="import numpy as np, or import math; the text is read, never run",
            hint="leave the line out",
        )

    def _expression(self, statement: ast.Expr) -> None:
        expression = statement.value
        if _is_text(statement) or self._is_print(expression):
            return
        value = self.evaluator.value(expression)
        if not isinstance(value, tuple):
            self._note_last(value, statement)

    def _is_print(self, expression: ast.expr) -> bool:
        return (
            isinstance(expression, ast.Call)
            and isinstance(expression.func, ast.Name)
            and expression.func.id == "print"
            and "print" not in self._given
        )

    def _nothing(self, statement: ast.stmt) -> None:
        """A statement that means nothing here."""


_STATEMENTS: dict[type[ast.stmt], Callable[[Statements, Any], None]] = {
    ast.Assign: Statements._assign,
    ast.AnnAssign: Statements._annotated,
    ast.AugAssign: Statements._augmented,
    ast.FunctionDef: Statements._define,
    ast.Import: Statements._import,
    ast.ImportFrom: Statements._import_from,
    ast.Expr: Statements._expression,
    ast.Pass: Statements._nothing,
}


# ------------------------------------------------------------------------ syntax, looked at


def _names_given(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement would give, those of its loops and branches included."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (item.asname or item.name for item in statement.names)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for part in ast.walk(statement):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _entries(expression: ast.expr) -> list[ast.expr] | None:
    """The expressions of a list's entries, if they are written out."""
    if isinstance(expression, ast.List | ast.Tuple):
        return expression.elts
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
        left, right = _entries(expression.left), _entries(expression.right)
        return None if left is None or right is None else left + right
    return None


def _scalars(expression: ast.expr) -> Iterator[ast.expr]:
    entries = _entries(expression)
    if entries is None:
        yield expression
        return
    for entry in entries:
        yield from _scalars(entry)


# ------------------------------------------------------------------------- names of entries


def _label(base: str, path: Path) -> str:
    return f"{base}[{','.join(map(str, path))}]" if path else base


def _indices(shape: Path) -> Iterator[Path]:
    return itertools.product(*(range(size) for size in shape))


def _labels(base: str, path: Path, shape: Path) -> tuple[str, ...]:
    return tuple(_label(base, (*path, *index)) for index in _indices(shape))


def _spellings(base: str, path: Path, index: Path) -> Iterable[str]:
    """The other ways to write an entry in Python: `w[0][1]`, and `w[0][1,2]` for an array."""
    yield base + "".join(f"[{item}]" for item in (*path, *index))
    if path and index:
        yield _label(base + "".join(f"[{item}]" for item in path), index)


# ------------------------------------------------------------------- numbers, written again


def _nodes(value: Value) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def _template(value: Value) -> Any:
    """A label for a scalar, a list of templates for a list, ("array", ...) for an array."""
    if isinstance(value, tuple):
        return [_template(item) for item in value]
    assert isinstance(value, Node)
    labels = entry_labels(value) or ()
    if not value.shape:
        return labels[0]
    import numpy

    return ("array", numpy.array(labels, dtype=object).reshape(value.shape).tolist())


def _flat(numbers: Any) -> tuple[float, ...]:
    """The numbers of a leaf, row-major; NumPy is not loaded for a single one."""
    if isinstance(numbers, float):
        return (numbers,)
    import numpy

    return tuple(numpy.asarray(numbers, dtype=float).ravel().tolist())


def _written(template: Any, values: Mapping[str, float]) -> str:
    if isinstance(template, str):
        return repr(float(values[template]))
    if isinstance(template, tuple):
        return f"np.array({_written(template[1], values)})"
    return f"[{', '.join(_written(item, values) for item in template)}]"
