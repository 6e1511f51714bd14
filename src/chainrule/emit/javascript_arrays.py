"""JavaScript on arrays: a module with loops over arrays of doubles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

from chainrule.emit.array_program import Result
from chainrule.emit.javascript import JavaScript
from chainrule.emit.language import rows, table
from chainrule.emit.loops import Loops

__all__ = ["JavaScriptArraysSource"]

_TRANSPOSE = """\
/** b = the transpose of a, which is m by n. */
function transpose(m, n, a, b) {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      b[m*j + i] = a[n*i + j];
}
"""
_MULTIPLY = """\
/**
 * c = a b, where a is m by k, and b is k by n.  The terms of an entry are added one by one, in
 * their order.
 */
function multiply(m, n, k, a, b, c) {
  c.fill(-0.0); // to which adding any number gives that number
  for (let i = 0; i < m; i++)
    for (let l = 0; l < k; l++)
      for (let j = 0; j < n; j++)
        c[n*i + j] += a[k*i + l]*b[n*l + j];
}
"""
_ENTRIES = """\
/** The name and the number of each entry of a result. */
export function* entries(result) {
  for (const [name, value] of Object.entries(result)) {
    if (typeof value !== "object") yield [name, Number(value)];
    else for (let i = 0; i < value.length; i++) yield [entryName(name, i), value[i]];
  }
}

function entryName(name, place) {
  if (names[name]) return names[name][place];
  const index = [];
  for (const size of [...shapes[name]].reverse()) {
    index.unshift(place % size);
    place = Math.floor(place / size);
  }
  return [name, ...index].join("_");
}
"""


class JavaScriptArraysSource(Loops, JavaScript):
    """Loops and matrix products in JavaScript."""

    loop = "for (let {i} = 0; {i} < {size}; {i}++)"
    variable = "let {name} = {value};"
    flag = "let {name} = false;"
    array = "const {name} = new Float64Array({size});"
    kernels: ClassVar = {"transpose": _TRANSPOSE, "multiply": _MULTIPLY}
    reserved = JavaScript.reserved | {"Float64Array", "entries", "entryName", "names", "shapes"}

    def source(self) -> str:
        """A module that exports the function, the numbers and the names of results."""
        what, body = self.program.what, self.body()
        read = set(self.program.reads)
        taken = [self.identifiers[item.name] for item in self.program.given if item.name in read]
        lines = [
            "/**",
            f" * {self.headline()}.",
            " *",
            " * JavaScript with loops and matrix products; an array is one row of numbers, its",
            " * last index the fastest.  In Node:",
            " *",
            f' *     import {{ {what}, entries }} from "./{what}.mjs";',
            f" *     for (const [name, value] of entries({what}())) console.log(name, value);",
            " */",
            "",
            *(
                line
                for text in (*self.used_helpers(), *self.used_kernels(body))
                for line in [*text.splitlines(), ""]
            ),
            f"/** Gives {self.gives()}, by name. */",
            f"export function {what}(given = model) {{",
            "  const {",
            *rows(taken, "    "),
            "  } = given;",
            "",
            *body,
            "",
            "  return {",
            *map(self._result, self.program.results),
            "  };",
            "}",
            "",
            *_ENTRIES.splitlines(),
            "",
            "/** The numbers of the model. */",
            "export const model = {",
            *self._numbers(),
            "};",
            "",
            "/** What the entries of results are called, where it is not by their index. */",
            *table("const names = {", self._names(), "};"),
            "",
            *table("const shapes = {", self._shapes_of_results(), "};"),
        ]
        return "\n".join(lines) + "\n"

    def _result(self, item: Result) -> str:
        own, value = self.identifiers[item.label], self.identifiers[item.name]
        return f"    {own}," if own == value else f"    {own}: {value},"

    def _numbers(self) -> Iterator[str]:
        for item in self.program.given:
            name = self.identifiers[item.name]
            remark = self.remark(item.name)
            remark = f" {remark}" if remark else ""
            if not item.shape:
                yield f"  {name}: {self.number(item.values[0])},{remark}"
                continue
            yield f"  {name}: new Float64Array([{remark}"
            yield from rows(map(self.number, item.values), "    ")
            yield "  ]),"

    def _shapes_of_results(self) -> Iterator[str]:
        for item in self.program.results:
            if item.shape and item.is_indexed:
                yield f"  {self.identifiers[item.label]}: {list(item.shape)},"

    def _names(self) -> Iterator[str]:
        for item in self.program.results:
            if item.shape and not item.is_indexed:
                yield f"  {self.identifiers[item.label]}: ["
                yield from rows(map(json.dumps, self.entry_names(item.labels)), "    ")
                yield "  ],"
