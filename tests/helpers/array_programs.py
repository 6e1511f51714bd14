"""Programs on arrays in other languages, many at a time: written, compiled, run, read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from chainrule.emit.array_program import ArrayProgram
from chainrule.emit.c_arrays import CArraysSource
from chainrule.emit.javascript_arrays import JavaScriptArraysSource
from chainrule.emit.numpy import NumPySource
from helpers.programs import COMPILE, succeed, tool

__all__ = ["Arrays", "run_c", "run_javascript", "run_numpy"]

Arrays = dict[str, Any]
"""Results by their labels."""


def run_numpy(program: ArrayProgram) -> Arrays:
    """What it gives."""
    language = NumPySource(program)
    space: dict[str, Any] = {"__name__": "program"}
    exec(compile(language.source(), "<source>", "exec"), space)
    found = space[program.what](**space["model"])
    assert len(found) == len(program.results)
    for item in program.results:
        assert numpy.shape(found[language.identifiers[item.label]]) == item.shape
    return {item.label: found[language.identifiers[item.label]] for item in program.results}


def run_c(folder: Path, programs: Sequence[ArrayProgram]) -> list[Arrays]:
    """What each program gives: all of them compiled as one file."""
    lines = ["#include <math.h>", "#include <stdio.h>"]
    calls = []
    for number, program in enumerate(programs):
        language = CArraysSource(program)
        (folder / f"p{number}.c").write_text(language.source(), encoding="utf-8")
        own = ("given", "result", "model", "main", *language.kernels, *language.helpers)
        names = (program.what, *own)
        lines += [f"#define {name} {name}_{number}" for name in names]
        lines += [f"int main_{number}(void);", f'#include "p{number}.c"']
        lines += [f"#undef {name}" for name in names]
        calls.append(f"    main_{number}();")
    lines += ["int main(void)", "{", *calls, "    return 0;", "}"]
    (folder / "all.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
    succeed(tool("cc", "gcc"), *COMPILE, "-O1", "all.c", "-o", "all", "-lm", folder=folder)
    return _read(succeed(str(folder / "all"), folder=folder), programs)


def run_javascript(folder: Path, programs: Sequence[ArrayProgram]) -> list[Arrays]:
    """What each program gives: all of them in one process."""
    lines = [
        "const text = (x) => (Object.is(x, -0) ? '-0' : String(x).replace('Infinity', 'inf'));",
    ]
    for number, program in enumerate(programs):
        source = JavaScriptArraysSource(program).source()
        (folder / f"p{number}.mjs").write_text(source, encoding="utf-8")
        lines += [
            f'import * as p{number} from "./p{number}.mjs";',
            f"for (const [name, x] of p{number}.entries(p{number}.{program.what}()))",
            "  console.log(`${name} = ${text(x)}`);",
        ]
    (folder / "all.mjs").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return _read(succeed(tool("node", "nodejs"), "all.mjs", folder=folder), programs)


def _read(printed: str, programs: Sequence[ArrayProgram]) -> list[Arrays]:
    """The results of each program, whose entries stand in a line each."""
    rows = iter(printed.splitlines())
    found = []
    for program in programs:
        arrays: Arrays = {}
        for item in program.results:
            size = int(numpy.prod(item.shape))
            numbers = [float(next(rows).partition(" = ")[2]) for _ in range(size)]
            arrays[item.label] = numpy.reshape(numbers, item.shape)
        found.append(arrays)
    assert next(rows, None) is None
    return found
