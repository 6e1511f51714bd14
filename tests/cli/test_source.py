"""The command `source`: its languages, what it computes, where it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.engines import numba
from chainrule.engines.run import Task
from cli.invoking import EXAMPLES, invoke, separately, succeed

UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
LANGUAGES = ("python", "c", "javascript")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("what", ["forward", "gradient", "step"])
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_it_prints_what_the_python_interface_gives(example: str, lang: str, what: str) -> None:
    printed = succeed("source", example, "--lang", lang, "--what", what)
    assert printed == cr.source(cr.load(example), lang=lang, what=what)  # type: ignore[arg-type]
    assert all(line == line.rstrip() for line in printed.splitlines())
    assert printed.endswith("\n")
    assert not printed.endswith("\n\n")


def test_the_gradient_in_python_is_what_is_printed_by_default() -> None:
    assert succeed("source", "seed") == cr.source(cr.load("seed"))


@pytest.mark.parametrize(
    ("file", "lang"),
    [("g.py", "python"), ("g.c", "c"), ("g.mjs", "javascript"), ("g.JS", "javascript")],
)
def test_the_ending_of_the_file_chooses_the_language(folder: Path, file: str, lang: str) -> None:
    done = invoke("source", "seed", "-o", file)
    assert (done.status, done.out, done.err) == (0, "", f"wrote {file}\n")
    assert (folder / file).read_text("utf-8") == succeed("source", "seed", "--lang", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_form_can_be_chosen(lang: str) -> None:
    arrays = succeed("source", "seed", "--lang", lang, "--form", "arrays")
    scalars = succeed("source", "seed", "--lang", lang, "--form", "scalars")
    assert "oops and matrix products" in arrays
    assert "Straight-line" in scalars
    assert scalars == succeed("source", "seed", "--lang", lang)
    assert arrays == cr.source(cr.load("seed"), lang=lang, form="arrays")
    assert all(line == line.rstrip() for line in arrays.splitlines())


@pytest.mark.parametrize("what", ["forward", "gradient", "step"])
def test_both_forms_of_a_script_print_the_same_names(folder: Path, what: str) -> None:
    printed = []
    for form in ("scalars", "arrays"):
        options = ("--what", what, "--form", form, "-o", "program.py")
        assert invoke("source", "mazur", *options).status == 0
        command = [sys.executable, "program.py"]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        printed.append(dict(line.split(" = ") for line in run.stdout.splitlines()))
    scalars, arrays = printed
    assert scalars.keys() == arrays.keys()
    for name, value in scalars.items():
        assert float(arrays[name]) == pytest.approx(float(value), rel=1e-12)


def test_numba_is_the_text_that_is_compiled() -> None:
    model = cr.load("mazur")
    assert model.learning_rate is not None
    run = numba.prepare(Task(model, model.learning_rate))
    assert isinstance(run, numba.ScalarRun)
    for options in ((), ("--what", "step"), ("--order", "simultaneous")):
        assert succeed("source", "mazur", "--lang", "numba", *options) == run.source


def test_numba_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert "def run(count, values, losses):" in succeed("source", "seed", "--lang", "numba")


@pytest.mark.parametrize("option", [("--what", "gradient"), ("--form", "arrays")])
def test_numba_has_one_program_for_a_model(option: tuple[str, str]) -> None:
    done = invoke("source", "seed", "--lang", "numba", *option)
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"OptionError: numba has one program for a model: it takes no {option[0][2:]} "
        f"{option[1]}\n  needs: a run of steps, in the form that the engine chooses\n"
        f"  try: leave out {option[0]}, or choose python, c or javascript\n"
    )


def test_what_numba_does_not_take_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba, "SPELT_OUT", 0)
    done = invoke("source", "seed", "--lang", "numba", "--order", "sequential")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(
        "OptionError: the numba engine does not take this model: numba takes simultaneous steps"
    )


def test_the_language_that_is_named_wins_over_the_ending(folder: Path) -> None:
    assert invoke("source", "seed", "-o", "program.txt", "--lang", "c").status == 0
    assert (folder / "program.txt").read_text("utf-8").startswith("/* seed")


def test_an_unknown_ending_is_refused(folder: Path) -> None:
    done = invoke("source", "seed", "-o", "program.f90")
    assert (done.status, done.out) == (2, "")
    assert "program.f90 has none of the endings .py, .c, .mjs, .js: give --lang" in done.err
    assert list(folder.iterdir()) == []


def test_the_order_is_that_of_the_model_or_of_the_option() -> None:
    default = succeed("source", "macleod", "--what", "step")
    assert default == succeed("source", "macleod", "--what", "step", "--order", "sequential")
    assert default != succeed("source", "macleod", "--what", "step", "--order", "simultaneous")


def test_other_numbers_are_the_defaults_of_the_program() -> None:
    assert "    w7=0.125,\n" in succeed("source", "seed", "--set", "w7=0.125")


@pytest.mark.parametrize("option", [("--json",), ("--digits", "4"), ("--lang", "zh")])
def test_options_of_documents_are_refused(option: tuple[str, ...]) -> None:
    assert invoke("source", "seed", *option).status == 2


def test_a_script_prints_what_step_does(folder: Path) -> None:
    assert invoke("source", "macleod", "--what", "step", "-o", "macleod.py").status == 0
    space: dict[str, object] = {"__name__": "program"}
    exec((folder / "macleod.py").read_text("utf-8"), space)
    stepped = json.loads(succeed("step", "macleod", "--json"))
    found = space["step"]()  # type: ignore[operator]
    assert found == {"E": stepped["loss"]["before"], **stepped["parameters"]}


@pytest.mark.parametrize("stem", ["\x1b]0;owned\x07", "\u202egnp", "a\u2066b", "*/ x", '"""'])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_name_stays_in_its_comment(folder: Path, lang: str, stem: str) -> None:
    name = f"{stem.replace('/', '⁄')}.txt"
    (folder / name).write_text("w = 2.0; x = 3.0; E = w * x")
    done = separately("source", name, "--lang", lang)
    assert done.status == 0
    assert UNSEEN.search(done.out + done.err) is None
