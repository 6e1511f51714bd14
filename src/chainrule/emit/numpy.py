"""Python with NumPy: a statement for each array, as a whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from chainrule.emit.array_program import (
    ArrayProgram,
    Computed,
    Entries,
    FirstMax,
    Joined,
    Product,
    Reduction,
    Shape,
    View,
)
from chainrule.emit.language import WIDTH, Language, broken, rows, table
from chainrule.emit.python import PythonSource
from chainrule.primitives import Formula, Number
from chainrule.primitives.code import FUNCTIONS, Code, call
from chainrule.primitives.notation import ATOM, MATRIX, PRODUCT, Values
from chainrule.primitives.python import Python

__all__ = ["NumPySource"]

_ERF = """\
erf = np.vectorize(math.erf, otypes=[float])  # the error function, which NumPy has not
"""
_FIRST_MAX = '''\
def first_max(a, axes):
    """1 at the first of the largest entries along some axes, else 0."""
    order = [axis for axis in range(a.ndim) if axis not in axes] + list(axes)
    moved = a.transpose(order)
    rows = moved.reshape(*moved.shape[: a.ndim - len(axes)], -1)
    first = np.arange(rows.shape[-1]) == np.argmax(rows, axis=-1)[..., np.newaxis]
    return first.astype(float).reshape(moved.shape).transpose(np.argsort(order))
'''
_WORDS = "np math model name value index entry labels LABELS dict zip str map join"


def _quotient(to: Code, arguments: tuple[Formula, ...], values: Values) -> tuple[str, int]:
    """A division, which Python itself refuses where both are literals and one is 0."""
    if all(isinstance(item, Number) for item in arguments) and arguments[1] == Number(0.0):
        return call("divide")(to, arguments, values)
    left, right = arguments
    divided = to.within(left, values, PRODUCT)
    return f"{divided}/{to.within(right, values, PRODUCT + 1, right=True)}", PRODUCT


class NumPySource(Language, Python):
    """Whole arrays in Python, with NumPy."""

    program: ArrayProgram

    reserved = PythonSource.reserved | frozenset(_WORDS.split())
    infix: ClassVar = {name: sign for name, sign in Python.infix.items() if name != "div"}
    forms: ClassVar = {
        **Python.forms,
        "div": _quotient,
        **{name: call(name) for name in ("where", "maximum", "minimum")},
    }
    helpers: ClassVar = {"erf": _ERF, "first_max": _FIRST_MAX}
    spelling: ClassVar = {
        name: f"np.{name}"
        for name in (*FUNCTIONS, "where", "maximum", "minimum", "divide")
        if name != "erf"
    }
    comment = "# {}"

    def __init__(self, program: ArrayProgram) -> None:
        super().__init__(program)
        self._shapes = program.shapes
        reads = Counter(program.reads)
        self._inlined = {
            item.name
            for item in program.statements
            if item.is_part and reads[item.name] == 1 and not isinstance(item, Joined)
        }
        self._written: dict[str, tuple[str, int]] = {}
        self._reads: dict[str, tuple[str, int]] = {}

    def number(self, value: float) -> str:
        """The shortest text that reads back as the same float."""
        if value - value == 0:
            return super().number(value)
        return "np.nan" if value != value else ("-" * (value < 0) + "np.inf")

    # ---------------------------------------------------------------------- operands

    def symbol(self, name: str) -> str:
        """The array as it is read."""
        return self._reads[name][0]

    def symbol_binding(self, name: str) -> int:
        """An array may be an expression."""
        return self._reads[name][1]

    def _read(self, view: View, full: bool = False) -> tuple[str, int]:
        """An operand that broadcasts to the reader's shape; with `full`, that has it."""
        text, binding = self._written.get(view.array, (self.identifiers[view.array], ATOM))
        moved = "".join(_moved(view, self._shapes[view.array], full))
        if moved:
            text, binding = (text if binding == ATOM else f"({text})") + moved, ATOM
        if full and _natural(view) != view.sizes:
            return f"np.broadcast_to({text}, {_tuple(view.sizes)})", ATOM
        return text, binding

    def _whole(self, of: Entries) -> tuple[str, int]:
        """The entries as an array of their shape."""
        # One operand at least has to have the first axis.
        full = bool(of.shape) and all(view.axes[0] is None for view in of.views)
        for symbol, view in of.reads.items():
            self._reads[symbol] = self._read(view, full)
        written, binding = self.printed(of.formula, None)
        shapes = [_natural(view) for view in of.views]
        if of.shape and not shapes:
            return f"np.full({_tuple(of.shape)}, {written})", ATOM
        if _broadcast(shapes, len(of.shape)) != of.shape:
            return f"np.broadcast_to({written}, {_tuple(of.shape)})", ATOM
        return written, binding

    # -------------------------------------------------------------------- statements

    def _right_side(self, item: Computed) -> tuple[str, int]:
        """The right side of a statement."""
        if isinstance(item, Product):
            return self._product(item)
        if isinstance(item, FirstMax):
            name = self.function("first_max")
            return f"{name}({self._whole(item.of)[0]}, {_tuple(item.axes)})", ATOM
        if isinstance(item, Reduction):
            return self._reduction(item)
        if isinstance(item, Joined):
            pieces = ", ".join(self._whole(entries)[0] for _, entries in item.pieces)
            return f"np.concatenate([{pieces}], axis={item.axis})", ATOM
        return self._whole(item.of)  # type: ignore[attr-defined]

    def _product(self, item: Product) -> tuple[str, int]:
        left, binding = self._read(item.left, full=True)
        if binding < MATRIX:
            left = f"({left})"
        right, binding = self._read(item.right, full=True)
        if binding != ATOM:
            right = f"({right})"
        product = f"{left} @ {right}"
        if item.shape == (item.left.sizes[0], item.right.sizes[1]):
            return product, MATRIX
        return f"({product}).reshape({_tuple(item.shape)})", ATOM

    def _reduction(self, item: Reduction) -> tuple[str, int]:
        shape, axes = item.of.shape, item.axes
        kept = tuple(size for axis, size in enumerate(shape) if axis not in axes)
        everything = math.prod(kept) == 1 and item.shape == ()
        along = "" if everything or len(axes) == len(shape) else f", axis={_axes(axes)}"
        text = f"np.{item.operation}({self._whole(item.of)[0]}{along})"
        if item.shape not in (kept, ()):
            text += f".reshape({_tuple(item.shape)})"
        return text, ATOM

    def body(self) -> list[str]:
        """The lines of all sections."""
        lines: list[str] = []
        for section in self.program.sections:
            lines += ["", f"    # {section.title}"]
            for item in section.statements:
                if item.name in self._inlined:
                    self._written[item.name] = self._right_side(item)
                else:
                    lines += self._statement(item)
        return lines[1:]

    def _statement(self, item: Computed) -> Iterator[str]:
        remark = self.remark(item.name, item.meaning)
        name = self.identifiers[item.name]
        if isinstance(item, Joined) and item.axis is None:
            yield f"    {name} = np.zeros({_tuple(item.shape)})" + (f"  {remark}" * bool(remark))
            for place, entries in item.pieces:
                index = _index([_range(place, axis, axis) for axis in range(len(item.shape))])
                yield f"    {name}[{index}] = {self._whole(entries)[0]}"
            return
        value, _ = self._right_side(item)
        yield from _assigned(name, value, remark)

    # ------------------------------------------------------------------------ source

    def source(self) -> str:
        """A module with the function and the numbers, which can be run as a script, too."""
        what, body = self.program.what, self.body()
        title = self.headline().replace("\\", "\\\\").replace('"', '\\"')
        read = set(self.program.reads)
        given = [self.identifiers[item.name] for item in self.program.given if item.name in read]
        uses_math = "erf" in self._used
        lines = [
            f'"""{title}.',
            "",
            "Loops and matrix products, as NumPy has them: a statement for each array.",
            '"""',
            "",
            *(["import math", ""] if uses_math else []),
            "import numpy as np",
            "",
            "",
            *(line for text in self.used_helpers() for line in [*text.splitlines(), "", ""]),
            '@np.errstate(all="ignore")',
            f"def {what}(",
            "    *,",
            *rows(given, "    "),
            "):",
            f'    """Gives {self.gives()}, by name."""',
            *body,
            "",
            "    return {",
            *(
                f'        "{self.identifiers[item.label]}": {self._result(item.name)},'
                for item in self.program.results
            ),
            "    }",
            "",
            "",
            "# The numbers of the model.",
            "model = {",
            *self._numbers(),
            "}",
            "",
            "# What entries are called, where it is not by their index.",
            *table("LABELS = {", self._labels(), "}"),
            "",
            'if __name__ == "__main__":',
            f"    for name, value in {what}(**model).items():",
            "        labels = iter(LABELS.get(name, ()))",
            "        for index, entry in np.ndenumerate(value):",
            '            print(next(labels, "_".join(map(str, (name, *index)))), "=", entry)',
        ]
        return "\n".join(lines) + "\n"

    def _result(self, name: str) -> str:
        return self._written.get(name, (self.identifiers[name], ATOM))[0]

    def _numbers(self) -> Iterator[str]:
        read = set(self.program.reads)
        for item in self.program.given:
            if item.name not in read:
                continue
            name = self.identifiers[item.name]
            remark = self.remark(item.name)
            remark = f"  {remark}" if remark else ""
            if not item.shape:
                yield f'    "{name}": np.float64({self.number(item.values[0])}),{remark}'
                continue
            yield f'    "{name}": np.array([{remark}'
            yield from rows(map(self.number, item.values), " " * 8)
            yield f"    ]){'' if len(item.shape) == 1 else f'.reshape({_tuple(item.shape)})'},"

    def _labels(self) -> Iterator[str]:
        for item in self.program.results:
            if item.shape and not item.is_indexed:
                yield f'    "{self.identifiers[item.label]}": ['
                yield from rows((f'"{name}"' for name in self.entry_names(item.labels)), " " * 8)
                yield "    ],"


def _assigned(name: str, value: str, remark: str) -> Iterator[str]:
    """An assignment and what is said beside it, or above where there is no room."""
    line = f"    {name} = {value}"
    if remark and len(line) + 2 + len(remark) <= WIDTH:
        yield f"{line}  {remark}"
        return
    if remark:
        yield f"    {remark}"
    # In brackets, without which a line would end the statement.
    yield from [line] if len(line) <= WIDTH else broken(f"    {name} = ({value})", " " * 8)


def _tuple(shape: Shape) -> str:
    return repr(tuple(shape))


def _axes(axes: Shape) -> str:
    return str(axes[0]) if len(axes) == 1 else _tuple(axes)


def _index(places: list[str]) -> str:
    """The places of an index; what is whole at its end goes without saying."""
    while places and places[-1] == ":":
        places.pop()
    return ", ".join(places) or "..."


def _range(view: View, axis: int, place: int) -> str:
    """What is taken along an axis of the array."""
    start, step, count = view.start[axis], view.step[axis], view.sizes[place]
    if (start, step, count) == (0, 1, view.shape[axis]):
        return ":"
    end = start + step * (count - 1) + 1
    return f"{start}:{end}" + (f":{step}" if step != 1 else "")


def _moved(view: View, own: Shape, full: bool) -> Iterator[str]:
    """What is written after an array to read it so; what is repeated is left to broadcasting.

    With `full`, the reader's first axes are there, too.
    """
    every = view.is_contiguous and math.prod(view.sizes) == math.prod(own)
    if full and every and view.axes[:1] == (None,):
        yield f".reshape({_tuple(view.sizes)})" if own != view.sizes else ""
        return
    if own != view.shape:
        yield f".reshape({_tuple(view.shape)})"
    used = [axis for axis in view.axes if axis is not None]
    taken = [
        _range(view, axis, view.axes.index(axis)) if axis in used else str(view.start[axis])
        for axis in range(len(view.shape))
    ]
    if any(place != ":" for place in taken):
        yield f"[{_index(taken)}]"
    order = tuple(sorted(used).index(axis) for axis in used)
    if order == (1, 0):
        yield ".T"
    elif used != sorted(used):
        yield f".transpose({_tuple(order)})"
    new = ["np.newaxis" if axis is None else ":" for axis in view.axes]
    while new and new[0] != ":" and not full:
        new.pop(0)
    if "np.newaxis" in new:
        yield f"[{_index(new)}]"


def _natural(view: View) -> Shape:
    """The shape of what is read before it is broadcast."""
    return tuple(
        1 if axis is None else size for axis, size in zip(view.axes, view.sizes, strict=True)
    )


def _broadcast(shapes: list[Shape], rank: int) -> Shape:
    return tuple(max((shape[axis] for shape in shapes), default=1) for axis in range(rank))
