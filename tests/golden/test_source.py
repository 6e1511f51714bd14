"""The programs of the seed in every language, to the letter."""

from __future__ import annotations

import itertools
import py_compile
import subprocess
from pathlib import Path

import pytest
from helpers.programs import tool

import chainrule as cr
from golden.comparing import HERE, compare

ENDINGS = {"python": "py", "c": "c", "javascript": "mjs"}
CASES = {
    (what, lang): f"seed-{what}.{ending}.txt"
    for what, (lang, ending) in itertools.product(("forward", "gradient", "step"), ENDINGS.items())
}


@pytest.mark.parametrize(("what", "lang"), CASES)
def test_source(what: str, lang: str) -> None:
    text = cr.source(cr.load("seed"), lang=lang, what=what)  # type: ignore[arg-type]
    compare(f"source/{CASES[what, lang]}", text)
    assert max(map(len, text.splitlines())) <= 100


def test_no_stored_source_is_left_over() -> None:
    assert {file.name for file in (HERE / "source").iterdir()} == set(CASES.values())


@pytest.mark.parametrize(("what", "lang"), CASES)
def test_the_language_itself_reads_it(what: str, lang: str, tmp_path: Path) -> None:
    file = tmp_path / f"{what}.{ENDINGS[lang]}"
    file.write_bytes((HERE / "source" / CASES[what, lang]).read_bytes())
    if lang == "python":
        py_compile.compile(str(file), doraise=True)
        return
    command = ("cc", "-fsyntax-only") if lang == "c" else ("node", "--check")
    subprocess.run([tool(command[0]), *command[1:], str(file)], check=True, timeout=60)
