"""Programs of the examples in every language and form, to the letter."""

from __future__ import annotations

import itertools
import py_compile
import subprocess
from pathlib import Path
from typing import Any

import pytest
from helpers.programs import tool

import chainrule as cr
from golden.comparing import HERE, compare

ENDINGS = {"python": "py", "c": "c", "javascript": "mjs"}
CASES: dict[tuple[str, str, str], str] = {
    ("scalars", what, lang): f"seed-{what}.{ending}.txt"
    for what, (lang, ending) in itertools.product(("forward", "gradient", "step"), ENDINGS.items())
} | {
    ("arrays", what, lang): f"{model}-arrays-{what}.{ending}.txt"
    for (model, what), (lang, ending) in itertools.product(
        (("flowers", "gradient"), ("macleod", "step")), ENDINGS.items()
    )
}
"""Files by form, by what is computed and by language; each begins with the model's name."""


@pytest.mark.parametrize(("form", "what", "lang"), CASES)
def test_source(form: Any, what: Any, lang: str) -> None:
    file = CASES[form, what, lang]
    text = cr.source(cr.load(file.partition("-")[0]), lang=lang, what=what, form=form)
    compare(f"source/{file}", text)
    assert max(map(len, text.splitlines())) <= 100


def test_no_stored_source_is_left_over() -> None:
    assert {file.name for file in (HERE / "source").iterdir()} == set(CASES.values())


@pytest.mark.parametrize(("form", "what", "lang"), CASES)
def test_the_language_itself_reads_it(form: str, what: str, lang: str, tmp_path: Path) -> None:
    file = tmp_path / f"{what}.{ENDINGS[lang]}"
    file.write_bytes((HERE / "source" / CASES[form, what, lang]).read_bytes())
    if lang == "python":
        py_compile.compile(str(file), doraise=True)
        return
    command = ("cc", "-fsyntax-only") if lang == "c" else ("node", "--check")
    subprocess.run([tool(command[0]), *command[1:], str(file)], check=True, timeout=60)
