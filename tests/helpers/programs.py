"""Programs in other languages, many at a time: written, compiled, run, their results read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chainrule.emit.c import CSource
from chainrule.emit.javascript import JavaScriptSource
from chainrule.emit.language import Language
from chainrule.emit.python import PythonSource
from chainrule.emit.straight_line import StraightLine

__all__ = ["COMPILE", "Given", "run_c", "run_javascript", "run_python", "succeed", "tool"]

COMPILE = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-ffp-contract=off")

Given = Mapping[str, float]
"""Numbers for some of a program's names; the others keep those of the model."""


def tool(*names: str) -> str:
    """The first of these that is there; without one the test is skipped, and in CI it fails."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = f"needs {' or '.join(names)}: `make compilers` installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run_python(program: StraightLine, *runs: Given) -> list[dict[str, float]]:
    """What each run gives."""
    language = PythonSource(program)
    space: dict[str, Any] = {"__name__": "program"}
    exec(compile(language.source(), "<source>", "exec"), space)
    own = language.identifiers
    found = []
    for given in runs or ({},):
        values = space[program.what](**{own[name]: value for name, value in given.items()})
        assert len(values) == len(program.results)
        found.append({label: values[own[label]] for label, _ in program.results})
    return found


def _literal(value: float) -> str:
    """A number as C and JavaScript read it."""
    return {"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}.get(repr(value), repr(value))


def run_c(
    folder: Path, programs: Sequence[StraightLine], runs: Sequence[Sequence[Given]] = ()
) -> list[list[dict[str, float]]]:
    """What each run of each program gives: all of them compiled as one file."""
    languages = [CSource(program) for program in programs]
    lines = ["#define NO_MAIN", "#include <math.h>", "#include <stdio.h>"]
    for number, language in enumerate(languages):
        (folder / f"p{number}.c").write_text(language.source(), encoding="utf-8")
        what = language.program.what
        names = ("given", "result", "model", what, *language.helpers)
        lines += [f"#define {name} {name}_{number}" for name in names]
        lines += [f'#include "p{number}.c"', f"static void run_{number}(void)", "{"]
        for given in runs[number] if runs else ({},):
            lines += ["    {", "        struct given at = model;"]
            lines += [
                f"        at.{language.identifiers[name]} = {_literal(value)};"
                for name, value in given.items()
            ]
            lines.append(f"        const struct result found = {what}(&at);")
            lines += [
                f'        printf("%.17g ", found.{language.identifiers[label]});'
                for label, _ in language.program.results
            ]
            lines += ['        printf("\\n");', "    }"]
        lines += ["}", *(f"#undef {name}" for name in names)]
    calls = (f"    run_{number}();" for number in range(len(programs)))
    lines += ["int main(void)", "{", *calls, "    return 0;", "}"]
    (folder / "all.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
    succeed(tool("cc", "gcc"), *COMPILE, "all.c", "-o", "all", "-lm", folder=folder)
    return _read(succeed(str(folder / "all"), folder=folder), languages, runs)


def run_javascript(
    folder: Path, programs: Sequence[StraightLine], runs: Sequence[Sequence[Given]] = ()
) -> list[list[dict[str, float]]]:
    """What each run of each program gives: all of them in one process."""
    languages = [JavaScriptSource(program) for program in programs]
    lines = [
        "const NAN = NaN, INFINITY = Infinity;",
        "const text = (x) => (Object.is(x, -0) ? '-0' : String(x).replace('Infinity', 'inf'));",
        "const show = (found) => console.log(Object.values(found).map(text).join(' '));",
    ]
    for number, language in enumerate(languages):
        (folder / f"p{number}.mjs").write_text(language.source(), encoding="utf-8")
        what = language.program.what
        lines.append(f'import {{ {what} as f{number} }} from "./p{number}.mjs";')
        for given in runs[number] if runs else ({},):
            pairs = (f"{language.identifiers[name]}: {_literal(x)}" for name, x in given.items())
            lines.append(f"show(f{number}({{{', '.join(pairs)}}}));")
    (folder / "all.mjs").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return _read(succeed(tool("node", "nodejs"), "all.mjs", folder=folder), languages, runs)


def _read(
    printed: str, languages: Sequence[Language], runs: Sequence[Sequence[Given]]
) -> list[list[dict[str, float]]]:
    """The results of each run, which stand in a line each, by their labels."""
    rows = iter(printed.splitlines())
    return [
        [
            {
                label: float(number)
                for (label, _), number in zip(
                    language.program.results, next(rows).split(), strict=True
                )
            }
            for _ in (runs[place] if runs else ({},))
        ]
        for place, language in enumerate(languages)
    ]


def succeed(*command: str, folder: Path) -> str:
    """What a command prints that has to end well, and to say nothing else."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]
    assert done.stderr == ""
    return done.stdout
