"""C99 on arrays: loops, and one function that multiplies matrices."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import ClassVar

from chainrule.emit.array_program import ArrayProgram, Result
from chainrule.emit.c import C
from chainrule.emit.language import rows
from chainrule.emit.loops import COUNTERS, Loops

__all__ = ["CArraysSource"]

_TRANSPOSE = """\
/* b = the transpose of a, which is m by n. */
static void transpose(int m, int n, const double *restrict a, double *restrict b)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            b[m*j + i] = a[n*i + j];
}
"""
_MULTIPLY = """\
/*
 * c = a b, where a is m by k, and b is k by n.  The terms of an entry are added one by one, in
 * their order; the inner loop runs along rows of b and c, so that it can be vectorised.
 */
static void multiply(int m, int n, int k, const double *restrict a, const double *restrict b,
                     double *restrict c)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++)
            c[n*i + j] = -0.0;  /* to which adding any number gives that number */
        for (int l = 0; l < k; l++)
            for (int j = 0; j < n; j++)
                c[n*i + j] += a[k*i + l]*b[n*l + j];
    }
}
"""


class CArraysSource(Loops, C):
    """Loops and matrix products in C."""

    loop = "for (int {i} = 0; {i} < {size}; {i}++)"
    variable = "double {name} = {value};"
    flag = "int {name} = 0;"
    array = "static double {name}[{size}];"
    kernels: ClassVar = {"transpose": _TRANSPOSE, "multiply": _MULTIPLY}

    def __init__(self, program: ArrayProgram) -> None:
        super().__init__(program)
        computed = {item.name for item in program.statements}
        self._own: dict[str, Result] = {}
        for item in program.results:
            if item.shape and item.name in computed:
                self._own.setdefault(item.name, item)
        self._declared.update(self._own)

    def source(self) -> str:
        """A translation unit with the function, and a `main` that prints its results."""
        what, body = self.program.what, self.body()
        lines = [
            f"/* {self.headline()}.",
            " *",
            " * C99 with loops and matrix products; an array is one row of numbers, its last index",
            " * the fastest.  Compile with",
            " *",
            f" *     cc -std=c99 -O3 -ffp-contract=off {what}.c -lm",
            " *",
            " * Without -ffp-contract=off a product and a sum may be rounded once, not twice, and",
            " * the last digits differ.  -DNO_MAIN leaves model and main out.  Arrays are static:",
            " * one thread at a time.",
            " */",
            "",
            "#include <math.h>",
            "#include <stdio.h>",
            "",
            *(
                line
                for text in (*self.used_helpers(), *self.used_kernels(body))
                for line in [*text.splitlines(), ""]
            ),
            "/* What is given. */",
            "struct given {",
            *(self._field(item.name, item.shape) for item in self.program.given),
            "};",
            "",
            f"/* {self.gives().capitalize()}. */",
            "struct result {",
            *(self._field(item.label, item.shape) for item in self.program.results),
            "};",
            "",
            f"void {what}(const struct given *given, struct result *result)",
            "{",
            *self._pointers(),
            "",
            *body,
            "",
            *self._outputs(),
            "}",
            "",
            "#ifndef NO_MAIN",
            "/* The numbers of the model. */",
            "static const struct given model = {",
            *self._numbers(),
            "};",
            "",
            "static struct result result;",
            "",
            "int main(void)",
            "{",
            f"    {what}(&model, &result);",
            *itertools.chain.from_iterable(map(self._printed, self.program.results)),
            "    return 0;",
            "}",
            "#endif",
        ]
        return "\n".join(lines) + "\n"

    def _field(self, name: str, shape: tuple[int, ...]) -> str:
        size = f"[{' * '.join(map(str, shape))}]" if shape else ""
        remark = self.remark(name)
        return f"    double {self.identifiers[name]}{size};" + (f"  {remark}" if remark else "")

    def _pointers(self) -> Iterator[str]:
        read = set(self.program.reads)
        for item in self.program.given:
            name = self.identifiers[item.name]
            if item.name in read:
                yield f"    const double {'*' if item.shape else ''}{name} = given->{name};"
        for computed, result in self._own.items():
            name, label = self.identifiers[computed], self.identifiers[result.label]
            yield f"    double *{name} = result->{label};"

    def _outputs(self) -> Iterator[str]:
        """What does not lie in the result yet."""
        for item in self.program.results:
            name, label = self.identifiers[item.name], self.identifiers[item.label]
            if not item.shape:
                yield f"    result->{label} = {name};"
            elif self._own.get(item.name) is not item:
                size = " * ".join(map(str, item.shape))
                yield f"    for (int i = 0; i < {size}; i++)"
                yield f"        result->{label}[i] = {name}[i];"

    def _numbers(self) -> Iterator[str]:
        for item in self.program.given:
            name = self.identifiers[item.name]
            if not item.shape:
                yield f"    .{name} = {self.number(item.values[0])},"
                continue
            yield f"    .{name} = {{"
            yield from rows(map(self.number, item.values), " " * 8)
            yield "    },"

    def _printed(self, item: Result) -> Iterator[str]:
        """The lines that print a result, each entry with its name."""
        label = self.identifiers[item.label]
        if not item.shape:
            yield f'    printf("{label} = %.17g\\n", result.{label});'
            return
        if not item.is_indexed:
            size = " * ".join(map(str, item.shape))
            yield "    {"
            yield "        static const char *const names[] = {"
            yield from rows(map(json.dumps, self.entry_names(item.labels)), " " * 12)
            yield "        };"
            yield f"        for (int i = 0; i < {size}; i++)"
            yield f'            printf("%s = %.17g\\n", names[i], result.{label}[i]);'
            yield "    }"
            return
        for depth, times in enumerate(item.shape):
            yield self.indent * (depth + 1) + self.loop.format(i=COUNTERS[depth], size=times)
        counters = COUNTERS[: len(item.shape)]
        flat = " + ".join(
            i if stride == 1 else f"{stride}*{i}"
            for i, stride in zip(counters, item.strides, strict=True)
        )
        yield self.indent * (len(counters) + 1) + (
            f'printf("{label}{"_%d" * len(counters)} = %.17g\\n", '
            f"{', '.join(counters)}, result.{label}[{flat}]);"
        )
