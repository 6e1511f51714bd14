"""Emitted source: names, comments, what is shared, what is refused."""

from __future__ import annotations

import keyword
import re
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from helpers.networks import network
from helpers.programs import run_c, run_javascript, run_python, tool
from helpers.typeset import HOSTILE

import chainrule as cr
from chainrule.emit import straight_line as lowering
from chainrule.emit.c import CSource
from chainrule.emit.identifiers import identifiers, is_plain
from chainrule.emit.javascript import JavaScriptSource
from chainrule.emit.language import inert
from chainrule.emit.python import PythonSource
from chainrule.emit.source import LANGUAGES
from chainrule.emit.straight_line import Section, Statement, StraightLine, straight_line
from chainrule.primitives import Apply, Number, Symbol
from chainrule.primitives.formula import parse

NAMES = {
    "w7": "w7",
    "net_h1": "net_h1",
    "E": "E",
    "w[0,1]": "w_0_1",
    "layer1.weight[0,0]": "layer1_weight_0_0",
    "δ_o1": "delta_o1",
    "η": "eta",
    "Δ": "Delta",
    "dE_dlayer1.weight[0,0]": "dE_dlayer1_weight_0_0",
    "w7⁺": "w7_new",
    "权": "u6743",
    "é": "e",
    "_x": "x",
    "1st": "x1st",
    "": "x",
    "∂E": "dE",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_spelt(name: str) -> None:
    assert identifiers([name], ()) == {name: NAMES[name]}


def test_names_that_would_collide_are_told_apart() -> None:
    found = identifiers(["w[0,1]", "w.0.1", "w_0_1", "lambda", "lambda_"], {"lambda"})
    assert found == {
        "w[0,1]": "w_0_1_",
        "w.0.1": "w_0_1_2",
        "w_0_1": "w_0_1",
        "lambda": "lambda_2",
        "lambda_": "lambda_",
    }


def test_a_legal_name_never_depends_on_the_others() -> None:
    assert identifiers(["δ", "delta"], ()) == {"δ": "delta_", "delta": "delta"}


@pytest.mark.parametrize(
    ("name", "identifier", "plain"),
    [
        ("w7", "w7", True),
        ("w[0,1]", "w_0_1", True),
        ("w[0,1]", "w_0_1_", False),
        ("w7⁺", "w7_new", True),
        ("η", "eta", False),
        ("lambda", "lambda_", False),
    ],
)
def test_a_name_is_said_where_it_does_not_show(name: str, identifier: str, plain: bool) -> None:
    assert is_plain(name, identifier) == plain


STRANGE = tuple(
    dict.fromkeys(
        (
            *HOSTILE,
            *keyword.kwlist,
            *sorted(CSource.reserved | JavaScriptSource.reserved | PythonSource.reserved),
            *PythonSource.helpers,
            *JavaScriptSource.helpers,
            *("w[0,1]", "w_0_1", "w.0.1", "w 0 1", "w_0_1_", "δ_o1", "delta_o1", "∂E/∂w", "w⁺"),
            *("权重", "權重", "е", "e", "é", "ﬁ", "fi", "ℌ", "١", "ß", "א", "_x", "x", "__x", ""),
            *(
                "__proto__",
                "constructor",
                "toString",
                "hasOwnProperty",
                "y0",
                "gamma",
                "I",
                "printf",
            ),
            *("__FILE__", "_Bool", "defined", "sum", "type", "self", "match", "0", "1e5", "0x1p3"),
            *("*/", "/*", "//", "??/", "%d", "%s%n", '"""', "'''", "\\", "\\N{DASH}", "\u2028"),
            *("coding: utf-7", "<!--", "-->", "#define w 1", "a" * 64, "a" * 64 + "b", "a" * 63),
        )
    )
)


def strange_program() -> tuple[StraightLine, dict[str, float]]:
    """Every name as a given number and, doubled, as a quantity; and what they should be."""
    given = tuple((name, float(place)) for place, name in enumerate(STRANGE))
    statements = [
        Statement(f"{name}⁺", Apply("mul", (Number(2.0), Symbol(name))), f"∂{name}")
        for name in STRANGE
    ]
    results = tuple((f"{name}⁺", f"{name}⁺") for name in STRANGE)
    title = " ".join(HOSTILE[:-2])
    program = StraightLine(
        title, "forward", "simultaneous", given, (Section("all", tuple(statements)),), results
    )
    return program, {f"{name}⁺": 2.0 * value for name, value in given}


def test_every_name_can_be_used_in_every_language(tmp_path: Path) -> None:
    program, wanted = strange_program()
    assert len(wanted) == len(STRANGE) > 250
    assert run_python(program) == [wanted]
    assert run_c(tmp_path, [program]) == [[wanted]]
    assert run_javascript(tmp_path, [program]) == [[wanted]]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_stays_in_its_comment(title: str, language: str, tmp_path: Path) -> None:
    program, _ = strange_program()
    one = StraightLine(
        title,
        "forward",
        "simultaneous",
        program.given[:1],
        (Section("all", (Statement("q", Number(1.0), title),)),),
        (("q", "q"),),
    )
    text = LANGUAGES[language](one).source()
    assert all(line.isprintable() for line in text.splitlines())
    plain = LANGUAGES[language](
        StraightLine("t", "forward", "simultaneous", *(one.given, one.sections, one.results))
    ).source()
    assert len(text.splitlines()) == len(plain.splitlines())
    if language == "python":
        assert run_python(one) == [{"q": 1.0}]


@pytest.mark.parametrize("text", [*HOSTILE, *STRANGE])
def test_text_of_a_comment_is_inert(text: str) -> None:
    said = inert(text)
    assert not re.search(r"\*/|/\*|//|\?\?|\\$", said)
    assert all(unicodedata.category(sign)[0] != "C" for sign in said)
    assert "\u2028" not in said


def test_no_macro_of_the_headers_is_an_identifier(tmp_path: Path) -> None:
    file = tmp_path / "headers.c"
    file.write_text("#include <math.h>\n#include <stdio.h>\n")
    for dialect in ("-std=c99", "-std=gnu11"):
        done = subprocess.run(
            [tool("cc"), "-dM", "-E", dialect, str(file)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        macros = re.findall(r"^#define ([A-Za-z]\w*) ", done.stdout, re.MULTILINE)
        assert set(macros) <= CSource.reserved


# ------------------------------------------------------------------------ the programs


def statements(program: StraightLine) -> dict[str, Any]:
    return {item.name: item.formula for section in program.sections for item in section.statements}


def test_the_common_parts_of_the_seed_are_worked_out_once() -> None:
    program = straight_line(cr.load("seed"), "step", "simultaneous")
    found = statements(program)
    assert [name for name in found if name.startswith("δ")] == [
        f"δ_{u}" for u in ("o1", "o2", "h1", "h2", "h3")
    ]
    assert found["dE_dw7"] == parse("δ_o1*out_h1")
    assert found["w7⁺"] == parse("w7 - η*dE_dw7")
    assert [section.title for section in program.sections] == [
        "forward pass",
        "backward pass",
        "update",
    ]


def test_a_sequential_step_reads_the_new_numbers() -> None:
    program = straight_line(cr.load("macleod"), "step", "sequential")
    found = statements(program)
    assert "w1o⁺" in str(found["δ_h1"])
    assert [section.title for section in program.sections] == [
        "forward pass",
        "backward pass, stage 1 of 2",
        "update, stage 1 of 2",
        "backward pass, stage 2 of 2",
        "update, stage 2 of 2",
    ]


def test_a_part_that_is_used_twice_is_a_statement() -> None:
    model = network(
        {
            "loss": "half squared error",
            "inputs": {"x": 2.0},
            "targets": {"o": 1.0},
            "layers": [{"units": ["o"], "activation": "silu", "weights": [[0.25]]}],
        }
    )
    text = cr.source(model)
    assert text.count("exp(-net_o)") == 2  # once in the value, once for the slope
    assert "t1 = 1.0/(1.0 + exp(-net_o))\n" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_source_is_the_same_each_time(language: str) -> None:
    first, second = (cr.source(cr.load("flowers"), lang=language, what="step") for _ in range(2))
    assert first == second


def test_what_the_math_module_refuses_is_guarded_where_it_is_used() -> None:
    text = cr.source(cr.load("seed"), what="forward")
    assert "def exp(a):" in text
    assert "def log(" not in text
    assert "divide" not in text  # 1 + exp(...) is never 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_long_sum_is_in_lines_that_can_be_read(language: str) -> None:
    count = 90
    model = network(
        {
            "loss": "half squared error",
            "inputs": [0.5] * count,
            "targets": [1.0],
            "layers": [{"units": 1, "weights": [[0.01] * count]}],
        }
    )
    text = cr.source(model, lang=language)
    assert max(map(len, text.splitlines())) <= 100


# ------------------------------------------------------------------------------ errors


def test_another_language_is_refused() -> None:
    with pytest.raises(cr.InputError) as error:
        cr.source(cr.load("seed"), lang="fortran")
    assert str(error.value) == (
        'OptionError: there is no language called "fortran"\n'
        "  needs: python or c or javascript or numba"
    )


def test_a_large_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "LIMIT", 20)
    with pytest.raises(cr.InputError) as error:
        cr.source(cr.load("seed"), form="scalars")
    assert str(error.value) == (
        "SizeError: the model has about 72 scalar steps\n"
        "  needs: at most 20 to be written as straight-line code\n"
        "  try: `--form arrays` writes it as loops and matrix products"
    )


def test_a_step_needs_a_learning_rate() -> None:
    model = cr.loads("w = 2.0; x = 3.0; E = w * x")
    assert cr.source(model, what="gradient")
    with pytest.raises(cr.InputError) as error:
        cr.source(model, what="step")
    assert str(error.value) == (
        "ValueError: the model gives no learning rate\n"
        "  needs: a number to multiply the gradient by\n"
        "  try: learning_rate = 0.1 in the file, or --set learning_rate=0.1"
    )


def test_a_gradient_needs_a_parameter() -> None:
    x = cr.var("x", 2.0, trained=False)
    model = cr.model((x * x).named("E"))
    assert cr.source(model, what="forward")
    with pytest.raises(cr.InputError) as error:
        cr.source(model)
    assert str(error.value) == (
        "ValueError: no parameter is trained\n  needs: at least one to derive by"
    )
