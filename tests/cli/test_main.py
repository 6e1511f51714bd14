"""The command line: answers, options, exit statuses, and what it never does."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import numpy
import pytest
from click.testing import CliRunner

import chainrule as cr
import chainrule.api
from chainrule.cli.main import command
from chainrule.explanation.schema import values_as_json
from chainrule.graph.model import Framework
from cli.invoking import (
    EXAMPLES,
    LOCATION,
    NETWORKS,
    Done,
    environment,
    invoke,
    separately,
    succeed,
)

COMMANDS = ("show", "explain", "article", "step", "check")
"""Those that answer in words and numbers."""

EVERY = (*COMMANDS, "source", "why")
SCHEMAS = {
    "show": "chainrule.values/1",
    "explain": "chainrule.derivation/1",
    "article": "chainrule.article/1",
    "step": "chainrule.step/1",
    "check": "chainrule.check/1",
}
LINE = """\
x = 2.0
slope = 0.5   # the slope
offset = 1.0
eta = 0.1
y = 3.0
o = slope * x + offset
E = (y - o)**2
penalty = E + 0.1 * slope**2
"""
NET = """\
# A comment on top.
loss = "half squared error"
learning_rate = 0.5   # half

[inputs]
x = 2.0

[targets]
o = 1.0

[[layers]]
units = ["o"]
activation = "sigmoid"
weights = [[0.25]]   # the weight
weight_names = [["w"]]
biases = [0.5]
bias_names = ["b"]
"""
RUNAWAY = """\
loss = "half squared error"
learning_rate = 1e200

[inputs]
x = 1e10

[targets]
o = 1.0

[[layers]]
units = ["o"]
weights = [[1.0]]
weight_names = [["w"]]
"""
JSON_NET = """\
{
  "loss": "half squared error",
  "learning_rate": 0.5,
  "inputs": {"x": 2.0},
  "targets": {"o": 1.0},
  "layers": [
    {"units": ["o"], "activation": "sigmoid",
     "weights": [[0.25]], "weight_names": [["w"]], "biases": [0.5], "bias_names": ["b"]}
  ]
}
"""
ESCAPE = "\x1b"
BIDI = "\u202e"
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --------------------------------------------------------------------------- answers


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_on_every_example(name: str, example: str) -> None:
    result = CliRunner().invoke(command, [name, example])
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].startswith(example)
    assert len(lines) > 3
    assert all(line == line.rstrip() for line in lines)
    assert result.stdout.endswith("\n")
    assert not result.stdout.endswith("\n\n")


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_one_document_and_nothing_else(name: str, example: str) -> None:
    printed = succeed(name, example, "--json")
    assert printed.count("\n") == 1
    assert printed.endswith("\n")
    data = json.loads(printed, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert data["schema"] == SCHEMAS[name]
    assert data["model"] == example


@pytest.mark.parametrize("example", EXAMPLES)
def test_json_numbers_are_those_of_the_python_interface(example: str) -> None:
    model = cr.load(example)
    shown = json.loads(succeed("show", example, "--json"))
    values = cr.show(model)
    assert shown["given"] == {name: value for name, _, value in values.given}
    assert shown["values"] == {line.symbol: line.value for line in values.lines}
    assert shown == values_as_json(values)
    explained = json.loads(succeed("explain", example, "--json"))
    explanation = cr.explain(model)
    assert [item["gradient"] for item in explained["derivations"]] == [
        item.gradient for item in explanation.derivations
    ]
    assert explained == json.loads(json.dumps(explanation.as_json()))
    stepped = json.loads(succeed("step", example, "--steps", "3", "--json"))
    taken = cr.step(model, 3)
    assert stepped["parameters"] == taken.parameters
    assert stepped["loss"] == {"before": taken.losses[0], "after": taken.losses[-1]}
    checked = json.loads(succeed("check", example, "--json"))
    assert checked == json.loads(json.dumps(cr.check(model).as_json()))


def test_explain_takes_several_parameters_in_the_order_asked() -> None:
    data = json.loads(succeed("explain", "seed", "w7", "l1", "target_o1", "w1", "--json"))
    assert [item["parameter"] for item in data["derivations"]] == ["w7", "l1", "target_o1", "w1"]


def test_explain_tells_the_largest_terms_and_opens_them() -> None:
    found = json.loads(
        succeed("explain", "flowers", "w1", "out_h1[0]", "--terms", "2", "--depth", "3", "--json")
    )
    assert found["schema"] == "chainrule.excerpt/1"
    first, second = found["entries"]
    assert (first["name"], second["name"]) == ("w1", "out_h1[0]")
    assert [len(first["terms"]), first["count"]] == [2, 3]
    (opened, _) = first["opened"].values()
    assert opened["opened"]["out_h1[2]"]["opened"] == {}
    assert found == cr.explain(cr.load("flowers"), ["w1", "out_h1[0]"], terms=2, depth=3).as_json()
    text = succeed("explain", "seed", "w1", "--depth", "2", "--lang", "zh")
    assert "∂E/∂net_h1" in text
    assert "局部导数" in text


@pytest.mark.parametrize("ending", ["md", "tex", "html", "ipynb", "txt", "json"])
def test_largest_terms_in_a_file(folder: Path, ending: str) -> None:
    done = invoke("explain", "seed", "l1", "--terms", "1", "-o", f"answer.{ending}")
    assert (done.status, done.err) == (0, f"wrote answer.{ending}\n")
    assert "0.000468773" in (folder / f"answer.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--terms", "0"), "Invalid value for '--terms'"),
        (("--depth", "7"), "Invalid value for '--depth'"),
        (("--terms", "2", "--format", "jsonl"), "jsonl is of whole derivations"),
    ],
)
def test_terms_that_cannot_be_told(options: tuple[str, ...], said: str) -> None:
    done = invoke("explain", "seed", "w1", *options)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_explain_names_every_unknown_parameter_together() -> None:
    done = invoke("explain", "seed", "w7", "w77", "nothing", "out_h1")
    assert (done.status, done.out) == (2, "")
    needs = "  needs: a name that the model gives a number: l1, l2, w1, w2, w3, w4, w5, w6, ...\n"
    assert done.err == (
        f'NameError: there is no number called "w77"\n{needs}  try: did you mean "w7"?\n'
        f'NameError: there is no number called "nothing"\n{needs}'
        f'NameError: "out_h1" is computed, not given\n{needs}'
    )


# --------------------------------------------------------------------------- the model


@pytest.mark.parametrize(
    ("file", "text"), [("net.toml", NET), ("net.json", JSON_NET), ("net.txt", LINE)]
)
def test_standard_input_is_read_as_the_file_is(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    for name in COMMANDS:
        extra = ("--loss", "E", "--train", "slope,offset") if file == "net.txt" else ()
        from_file = succeed(name, file, *extra, "--json")
        from_stdin = succeed(name, "-", *extra, "--json", stdin=text)
        assert json.loads(from_stdin)["model"] == "<stdin>"
        assert json.loads(from_file)["model"] == file.partition(".")[0]
        title = f'"model": "{file.partition(".")[0]}"'
        assert from_stdin.replace('"model": "<stdin>"', title) == from_file


def test_a_file_wins_over_an_example_of_its_name(folder: Path) -> None:
    assert json.loads(succeed("show", "seed", "--json"))["given"]["w7"] == 0.4
    (folder / "seed").write_text(NET)
    assert json.loads(succeed("show", "seed", "--json"))["given"]["w"] == 0.25


def test_loss_and_train_choose_in_a_sheet_of_equations(folder: Path) -> None:
    (folder / "line.txt").write_text(LINE)
    data = json.loads(
        succeed("explain", "line.txt", "--loss", "E", "--train", " slope , offset", "--json")
    )
    assert data["loss"] == {"name": "E", "value": 1.0}
    assert [item["parameter"] for item in data["derivations"]] == ["slope", "offset"]
    other = json.loads(
        succeed("explain", "line.txt", "--loss", "penalty", "--train", "offset", "--json")
    )
    assert other["loss"] == {"name": "penalty", "value": 1.025}
    assert [item["parameter"] for item in other["derivations"]] == ["offset"]
    done = invoke("show", "line.txt", "--loss", "Q", "--train", "slope,nothing")
    assert (done.status, done.out) == (2, "")
    assert "Q" in done.err
    assert "nothing" in done.err


@pytest.mark.parametrize("choice", [("--loss", "E"), ("--train", "w7")])
@pytest.mark.parametrize("name", EVERY)
def test_loss_and_train_are_refused_for_a_network(name: str, choice: tuple[str, str]) -> None:
    done = invoke(name, "seed", *choice)
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "OptionError: a network file says itself what its loss is and what it trains\n"
        "  needs: --loss and --train with a file of equations only\n"
    )


# ----------------------------------------------------------------------------- --set


def given(*arguments: str, command: str = "show") -> dict[str, float]:
    data: dict[str, float] = json.loads(succeed(command, *arguments, "--json"))["given"]
    return data


def test_set_changes_numbers_by_name() -> None:
    before = given("seed")
    after = given("seed", "--set", "w7=0.125", "--set", " l1 = -3e-2", "--set", "b1=7")
    assert after == {**before, "w7": 0.125, "l1": -0.03, "b1": 7.0}


@pytest.mark.parametrize("name", ["o1", "target_o1"])
def test_set_changes_a_target_by_the_unit_or_by_its_own_name(name: str) -> None:
    assert given("seed", "--set", f"{name}=0") == {**given("seed"), "target_o1": 0.0}


def test_set_reaches_the_entries_of_a_batch() -> None:
    after = given("flowers", "--set", "length[1]=5", "--set", "setosa[0]=0.5")
    assert after == {**given("flowers"), "length[1]": 5.0, "target_setosa[0]": 0.5}


@pytest.mark.parametrize("name", ["learning_rate", "η"])
def test_set_changes_the_learning_rate(name: str) -> None:
    data = json.loads(succeed("step", "seed", "--set", f"{name}=0.25", "--json"))
    assert data["learning_rate"] == 0.25
    gradient = cr.explain(cr.load("seed"), ["w7"]).derivations[0].gradient
    assert data["parameters"]["w7"] == 0.4 - 0.25 * gradient


def test_set_gives_a_rate_to_a_sheet_without_one(folder: Path) -> None:
    (folder / "line.txt").write_text(LINE.replace("eta = 0.1\n", ""))
    chosen = ("line.txt", "--loss", "E", "--train", "slope")
    assert invoke("step", *chosen).status == 2
    data = json.loads(succeed("step", *chosen, "--set", "learning_rate=0.25", "--json"))
    assert data["learning_rate"] == 0.25


def test_bad_settings_are_told_together() -> None:
    pairs = ["w7", "=1", "w8=abc", "w9=nan", "w10=inf", "w11=1e999", "w12="]
    done = invoke("show", "seed", *(part for pair in pairs for part in ("--set", pair)))
    assert (done.status, done.out) == (2, "")
    assert done.err == "".join(
        f"OptionError: --set {pair}\n"
        "  needs: NAME=VALUE with a finite number, for example --set w7=0.5\n"
        for pair in pairs
    )


def test_unknown_names_of_settings_are_told_together() -> None:
    done = invoke("show", "seed", "--set", "w77=1", "--set", "w7=1", "--set", "net_o1=2")
    assert (done.status, done.out) == (2, "")
    assert [line for line in done.err.splitlines() if "Error:" in line] == [
        'NameError: there is no number called "w77"',
        'NameError: "net_o1" is computed, not given',
    ]


@pytest.mark.parametrize("name", EVERY)
def test_the_file_is_not_changed_by_set(folder: Path, name: str) -> None:
    (folder / "net.toml").write_text(NET)
    succeed(name, "net.toml", "--set", "w=9")
    assert (folder / "net.toml").read_text() == NET
    assert os.listdir(folder) == ["net.toml"]


# ---------------------------------------------------------------------------- step


FORMATS = {
    "net.toml": (NET, ()),
    "net.json": (JSON_NET, ()),
    "net.txt": (LINE, ("--loss", "E", "--train", "slope,offset")),
}


@pytest.mark.parametrize("file", FORMATS)
def test_step_writes_what_reads_back_exactly(folder: Path, file: str) -> None:
    text, chosen = FORMATS[file]
    (folder / file).write_text(text)
    ending = Path(file).suffix
    done = invoke("step", file, *chosen, "--steps", "7", "-o", f"new{ending}", "--json")
    assert (done.status, done.err) == (0, f"wrote new{ending}\n")
    stepped = json.loads(done.out)
    again = json.loads(succeed("show", f"new{ending}", *chosen, "--json"))
    before = json.loads(succeed("show", file, *chosen, "--json"))
    assert len(stepped["parameters"]) == 2
    assert again["given"] == {**before["given"], **stepped["parameters"]}
    assert again["loss"] == stepped["loss"]["after"]
    assert (folder / file).read_text() == text
    assert sorted(os.listdir(folder)) == sorted([file, f"new{ending}"])
    # Ten steps are ten steps, written in between or not.
    more = json.loads(succeed("step", f"new{ending}", *chosen, "--steps", "3", "--json"))
    whole = json.loads(succeed("step", file, *chosen, "--steps", "10", "--json"))
    assert more["parameters"] == whole["parameters"]


@pytest.mark.parametrize("file", FORMATS)
def test_step_changes_nothing_but_numbers(folder: Path, file: str) -> None:
    text, chosen = FORMATS[file]
    (folder / file).write_text(text)
    written = succeed("step", file, *chosen, "-o", "-")
    number = re.compile(r"(?<![\w.])-?\d+(\.\d+)?(e[+-]?\d+)?(?![\w.])")
    assert number.sub("0", written) == number.sub("0", text)
    old, new = ([found[0] for found in number.finditer(part)] for part in (text, written))
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 2


def test_step_in_the_stable_form_changes_nothing_but_numbers(folder: Path) -> None:
    text = (
        NET.replace("half squared error", "binary cross-entropy")
        .replace("x = 2.0", "x = 400")
        .replace("o = 1.0", "o = 0")
        .replace("0.5   # half", "0.50   # half")
    )
    (folder / "net.toml").write_text(text)
    assert "an output is" in succeed("explain", "net.toml", "w")  # saturated: 1 − out_o is 0
    stepped = json.loads(succeed("step", "net.toml", "--json"))["parameters"]
    assert succeed("step", "net.toml", "-o", "-") == text.replace(
        "[[0.25]]", f"[[{stepped['w']!r}]]"
    ).replace("[0.5]", f"[{stepped['b']!r}]")


@pytest.mark.parametrize("example", EXAMPLES)
def test_step_to_standard_output_prints_the_model_alone(example: str) -> None:
    text = succeed("step", example, "--steps", "2", "-o", "-")
    stepped = json.loads(succeed("step", example, "--steps", "2", "--json"))
    again = json.loads(succeed("show", "-", "--json", stdin=text))
    assert {name: again["given"][name] for name in stepped["parameters"]} == stepped["parameters"]
    assert again["loss"] == stepped["loss"]["after"]
    original = next(file for file in LOCATION.iterdir() if file.stem == example).read_text()
    comments = re.findall("#.*", original)
    assert comments
    assert re.findall("#.*", text) == comments


def test_step_overwrites_its_own_file(folder: Path) -> None:
    (folder / "net.toml").write_text(NET)
    os.chmod(folder / "net.toml", 0o640)
    for _ in range(2):
        assert invoke("step", "net.toml", "-o", "net.toml").status == 0
    data = json.loads(succeed("show", "net.toml", "--json"))
    (folder / "other.toml").write_text(NET)
    two = json.loads(succeed("step", "other.toml", "--steps", "2", "--json"))
    assert {name: data["given"][name] for name in ("w", "b")} == two["parameters"]
    assert (folder / "net.toml").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(folder)) == ["net.toml", "other.toml"]


def test_step_writes_what_was_set(folder: Path) -> None:
    text = succeed("step", "seed", "--steps", "0", "--set", "w7=0.125", "--set", "η=2", "-o", "-")
    original = (LOCATION / "seed.toml").read_text()
    assert text == original.replace("[0.4, 0.5, 0.6]", "[0.125, 0.5, 0.6]").replace(
        "learning_rate = 0.5", "learning_rate = 2.0"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("step", "bad.toml"),
        ("step", "net.toml", "--set", "q=1"),
        ("step", "net.toml", "--set", "w=x"),
        ("step", "net.toml", "--loss", "E"),
        ("step", "net.toml", "--steps", "-1"),
        ("step", "absent.toml"),
        ("step", "line.txt", "--loss", "E", "--train", "nothing"),
        ("step", "runaway.toml", "--steps", "5"),
        ("step", "net.toml", "--plot", "out.jpg"),
        ("step", "bad.toml", "--plot", "out.svg"),
        ("step", "runaway.toml", "--steps", "5", "--plot", "out.svg"),
    ],
)
def test_nothing_is_written_when_input_is_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    for name, text in (
        ("net.toml", NET),
        ("bad.toml", NET.replace('"sigmoid"', '"sigmud"')),
        ("line.txt", LINE),
        ("runaway.toml", RUNAWAY),
    ):
        (folder / name).write_text(text)
    (folder / "out.toml").write_text("mine")
    before = sorted(os.listdir(folder))
    done = invoke(*arguments, "-o", "out.toml")
    assert done.status == (3 if "runaway.toml" in arguments else 2)
    assert done.out == ""
    assert "wrote" not in done.err
    assert (folder / "out.toml").read_text() == "mine"
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("target", [".", "absent/new.toml", "file/new.toml", "", "fifo", "a\0b"])
def test_an_unwritable_target_is_bad_input(folder: Path, target: str) -> None:
    (folder / "file").write_text("")
    os.mkfifo(folder / "fifo")
    before = sorted(os.listdir(folder))
    done = invoke("step", "seed", "-o", target)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("FileError: ")
    assert UNSEEN.search(done.err) is None
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("target", ["absent/new.svg", "folder.svg", "a\0b.svg"])
def test_an_unwritable_plot_is_bad_input(folder: Path, target: str) -> None:
    os.mkdir(folder / "folder.svg")
    done = invoke("step", "seed", "--plot", target)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("FileError: ")
    assert os.listdir(folder) == ["folder.svg"]


@pytest.mark.parametrize("target", ["curves.svg", "curves.PNG", "curves.pdf", "\u202e\x1b.svg"])
@pytest.mark.parametrize("others", [(), ("--json",), ("-o", "-"), ("-o", "after.toml")])
def test_a_plot_is_written_beside_the_answer(
    folder: Path, target: str, others: tuple[str, ...]
) -> None:
    plain = invoke("step", "seed", "--steps", "3", *others)
    done = invoke("step", "seed", "--steps", "3", *others, "--plot", target)
    assert (done.status, done.out) == (0, plain.out)
    assert len((folder / target).read_bytes()) > 10_000
    assert len(done.err.splitlines()) == 1 + len(plain.err.splitlines())
    assert UNSEEN.search(done.err) is None


def test_a_plot_of_hostile_names_is_an_svg(folder: Path) -> None:
    names = ("<script>alert(1)</script>", "$x^", "n" * 10_000, "权重", "a--b-->", BIDI)
    for name in names:
        text = NET.replace('[["w"]]', json.dumps([[name]]))
        (folder / "net.toml").write_text(text, encoding="utf-8")
        done = invoke("step", "net.toml", "--steps", "3", "--plot", "curves.svg")
        if done.status == 0:
            data = (folder / "curves.svg").read_text(encoding="utf-8")
            assert ElementTree.fromstring(data).tag.endswith("svg")
            assert "<script" not in data
            assert UNSEEN.search(data) is None
        else:
            assert done.status == 2
            assert not (folder / "curves.svg").exists()
        (folder / "curves.svg").unlink(missing_ok=True)


def test_a_plot_speaks_the_language(folder: Path) -> None:
    for language, title in (("en", "seed: 3 steps"), ("zh", "seed：3 步")):
        done = invoke("step", "seed", "--steps", "3", "--lang", language, "--plot", "curves.svg")
        assert done.err == "wrote curves.svg\n"
        assert title in (folder / "curves.svg").read_text(encoding="utf-8")


def test_a_plot_without_a_chinese_font_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib import font_manager

    latin = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", latin)
    done = invoke("step", "seed", "--lang", "zh", "--plot", "curves.svg")
    assert done.status == 0
    assert done.err == (
        "no font here has Chinese characters: the plot is labelled in English\nwrote curves.svg\n"
    )
    assert "seed: 1 step" in (folder / "curves.svg").read_text(encoding="utf-8")


def test_a_plot_without_matplotlib_says_what_to_install(folder: Path) -> None:
    (folder / "matplotlib").mkdir()
    (folder / "matplotlib" / "__init__.py").write_text("raise ImportError")
    done = separately(
        *("step", "seed", "--plot", "curves.svg"),
        cwd=folder,
        env=environment(PYTHONPATH=str(folder)),
    )
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "PackageError: a plot needs matplotlib, which is not installed\n"
        "  try: pip install 'chainrule[plot]'\n"
    )
    assert os.listdir(folder) == ["matplotlib"]


def test_no_steps_change_nothing() -> None:
    data = json.loads(succeed("step", "seed", "--steps", "0", "--json"))
    model = cr.load("seed")
    assert data["steps"] == 0
    assert data["loss"]["before"] == data["loss"]["after"]
    assert data["parameters"] == {name: model.value(name) for name in model.trained}
    assert "seed: 0 steps, simultaneous" in succeed("step", "seed", "--steps", "0")
    text = succeed("step", "seed", "--steps", "0", "-o", "-")
    assert text == (LOCATION / "seed.toml").read_text()


def test_the_order_of_an_update_can_be_chosen() -> None:
    both = {
        order: json.loads(succeed("step", "seed", "--order", order, "--json"))
        for order in ("simultaneous", "sequential")
    }
    assert both["simultaneous"] == json.loads(succeed("step", "seed", "--json"))
    assert both["sequential"]["order"] == "sequential"
    one, other = (data["parameters"] for data in both.values())
    differ = {name for name in one if one[name] != other[name]}
    assert differ == {"w1", "w2", "w3", "w4", "w5", "w6"}
    for order, data in both.items():
        explained = json.loads(succeed("explain", "seed", "--order", order, "--json"))
        new = {item["parameter"]: item["update"]["new"] for item in explained["derivations"]}
        assert new == data["parameters"]
    assert json.loads(succeed("step", "macleod", "--json"))["order"] == "sequential"
    after = json.loads(succeed("explain", "macleod", "wA1", "w1o", "--json"))["derivations"]
    assert [item["update"]["after"] for item in after] == [["w1o"], []]


# ---------------------------------------------------------------------- exit statuses


WRONG_SLOPE = """
import sys
from chainrule.primitives import REGISTRY
object.__setattr__(REGISTRY["sigmoid"], "slopes", ("y * (1 - y) * 1.0001",))
from chainrule.cli.main import run
run(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "seed"), "✗ 12 disagree; the worst is "),
        (("explain", "seed", "w7"), "✗ DISAGREES"),
        (("check", "seed", "--json"), '"passed": false'),
        (("explain", "seed", "w7", "--json"), '"verdict": "disagrees"'),
    ],
)
def test_a_wrong_gradient_ends_with_status_1(arguments: tuple[str, ...], said: str) -> None:
    done = separately(*arguments, program=("-c", WRONG_SLOPE))
    assert (done.status, done.err) == (1, "")
    assert said in done.out


def test_largest_terms_that_a_framework_does_not_share_end_with_status_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Framework("Other", "1.0", lambda name: numpy.zeros((3, 2)))
    wrong = replace(cr.load("seed"), framework=other)
    monkeypatch.setattr(chainrule.api, "load", lambda *arguments, **choices: wrong)
    done = invoke("explain", "seed", "w1", "--terms", "2")
    assert (done.status, done.err) == (1, "")
    assert "Check: Other 1.0 computes 0.0: ✗ DISAGREES" in done.out


def test_statuses_of_the_program_itself(tmp_path: Path) -> None:
    assert separately("show", "seed").status == 0
    done = separately("show", "nothing", cwd=tmp_path)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("FileError: there is no file or example named nothing\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("shwo", "seed"),
        ("show",),
        ("show", "seed", "--colour"),
        ("show", "seed", "seed"),
        ("check", "seed", "--steps", "2"),
        ("step", "seed", "--steps", "-1"),
        ("step", "seed", "--steps", "1.5"),
        ("step", "seed", "--order", "nearest"),
        ("show", "seed", "--set"),
        ("--frobnicate",),
    ],
)
def test_a_wrong_command_or_option_ends_with_status_2(arguments: tuple[str, ...]) -> None:
    done = invoke(*arguments)
    assert (done.status, done.out) == (2, "")
    assert re.search("^Error: .", done.err, re.MULTILINE)
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_number_that_is_not_finite_ends_with_status_3(folder: Path, name: str) -> None:
    (folder / "line.txt").write_text(LINE)
    done = invoke(name, "line.txt", "--set", "x=1e200", "--train", "slope")
    assert done.status == 3
    if name in ("show", "explain"):  # the first of two: o is finite, penalty comes later
        assert done.err == (
            "NumericError: E is inf: (y - o)**2 = (3.0 - 5e+199)**2\n"
            "  at line.txt:7\n"
            "  needs: finite numbers all the way; this is the first that is not\n"
        )
    else:
        assert done.err.startswith("NumericError: ")
    assert bool(done.out) == (name == "show")


def test_largest_terms_that_are_not_finite_are_printed_and_end_with_status_3(
    folder: Path,
) -> None:
    (folder / "root.txt").write_text("a = 0.0\nE = np.sqrt(a)\n")
    done = invoke("explain", "root.txt", "a", "--terms", "2")
    assert done.status == 3
    assert "∂E/∂a" in done.out
    assert done.err == (
        "NumericError: the derivative by a is inf\n"
        "  needs: finite numbers\n"
        "  try: `chainrule why` of a tells where that comes from\n"
    )


def test_show_prints_what_is_not_finite_as_json(folder: Path) -> None:
    (folder / "line.txt").write_text(LINE)
    done = invoke("show", "line.txt", "--set", "x=1e200", "--json")
    data = json.loads(done.out)
    assert done.status == 3
    assert data["values"] == {"o": 5e199, "E": "inf", "penalty": "inf"}
    assert data["loss"] == "inf"


def test_a_derivative_that_is_not_finite_ends_with_status_3(folder: Path) -> None:
    (folder / "root.txt").write_text("a = 0.0\nE = np.sqrt(a)\n")
    for name, called in (("explain", "∂E/∂a"), ("check", "the derivative by a")):
        done = invoke(name, "root.txt", "--train", "a")
        assert (done.status, done.out) == (3, "")
        assert done.err.startswith(f"NumericError: {called} is inf")
    assert invoke("show", "root.txt", "--train", "a").status == 0


def test_a_step_that_runs_away_names_the_step_and_the_parameter(folder: Path) -> None:
    (folder / "net.toml").write_text(RUNAWAY)
    done = invoke("step", "net.toml", "--steps", "5")
    assert (done.status, done.out) == (3, "")
    assert done.err == (
        "NumericError: step 2: the loss is no longer a finite number (loss inf)\n"
        "  needs: finite numbers at every step\n"
        "  try: a smaller learning rate: --set learning_rate=...\n"
    )


def test_an_interrupt_ends_with_status_130(tmp_path: Path) -> None:
    target = tmp_path / "out.toml"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "chainrule", "step", "seed", "--steps", "10000000"),
            *("--engine", "reference", "-o", target),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, err.strip()) == (130, "", "interrupted")
    assert os.listdir(tmp_path) == []


def test_the_engine_and_the_reason_are_said_beside_the_answer() -> None:
    arguments = [sys.executable, "-m", "chainrule", "step", "seed"]
    said = {
        options: subprocess.run(
            [*arguments, *options.split()], capture_output=True, text=True, check=True
        )
        for options in ("--engine auto", "--engine numpy", "--dtype float32", "--engine jax")
    }
    assert {options: done.stderr for options, done in said.items()} == {
        "--engine auto": "engine: reference (a small model)\n",
        "--engine numpy": "engine: numpy (as asked)\n",
        "--dtype float32": "engine: numpy, float32 (float32 is for arrays)\n",
        "--engine jax": "engine: jax (as asked)\n",
    }
    assert len({done.stdout.splitlines()[0] for done in said.values()}) == 1


def test_single_precision_is_not_for_the_reference_engine() -> None:
    done = invoke("step", "seed", "--engine", "reference", "--dtype", "float32")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("OptionError: the reference engine has no float32")


# ------------------------------------------------------------------ pipes and terminals


@pytest.mark.parametrize("arguments", [("explain", "seed"), ("explain", "flowers", "--json")])
def test_a_reader_that_leaves_early_is_no_error(arguments: tuple[str, ...]) -> None:
    words = shlex.join([sys.executable, "-m", "chainrule", *arguments])
    script = f"set -o pipefail; for _ in 1 2 3 4 5 6 7 8; do {words}; done | head -c 20 >/dev/null"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0  # that of the last run, whose reader had left


def test_a_closed_pipe_is_silent_at_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "explain", "seed"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}])
@pytest.mark.parametrize("name", EVERY)
def test_a_pipe_gets_no_escape_sequences(name: str, variables: dict[str, str]) -> None:
    done = separately(name, "macleod", env=environment(**variables))
    assert done.status == 0
    assert ESCAPE not in done.out + done.err
    assert done.out == succeed(name, "macleod")


def on_a_terminal(
    *arguments: str, columns: int = 80, cwd: Path | None = None, **variables: str
) -> tuple[int, str]:
    """The status and what a terminal receives."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(**variables),
        cwd=cwd,
    )
    os.close(slave)
    received = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        received += piece
    os.close(master)
    return process.wait(timeout=60), received.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, received = on_a_terminal("explain", "macleod", "w1o")
    assert status == 0
    assert f"{ESCAPE}[36m" in received
    assert received.startswith(f"{ESCAPE}[1mmacleod{ESCAPE}[0m\n")
    assert re.sub(r"\x1b\[[\d;]*m", "", received) == succeed("explain", "macleod", "w1o")
    status, received = on_a_terminal("check", "macleod")
    assert f"{ESCAPE}[32m✓ all agree" in received


def test_a_terminal_gets_none_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, received = on_a_terminal("explain", "macleod", "w1o", NO_COLOR="1")
    assert status == 0
    assert received == succeed("explain", "macleod", "w1o")


def test_json_on_a_terminal_has_no_colours() -> None:
    status, received = on_a_terminal("show", "macleod", "--json")
    assert (status, received) == (0, succeed("show", "macleod", "--json"))


def test_a_terminal_gets_no_pdf() -> None:
    status, received = on_a_terminal("explain", "seed", "w7", "--format", "pdf")
    assert status == 2
    assert received.endswith("Error: pdf is not for a terminal: give -o FILE\n")


def test_a_pipe_and_a_file_get_the_same_pdf(folder: Path) -> None:
    words = [sys.executable, "-m", "chainrule", "explain", "seed", "w7", "--lang", "zh"]
    piped = subprocess.run([*words, "--format", "pdf"], capture_output=True, timeout=60, check=True)
    subprocess.run([*words, "-o", "w7.pdf"], cwd=folder, timeout=60, check=True)
    assert piped.stdout.startswith(b"%PDF-")
    assert (folder / "w7.pdf").read_bytes() == piped.stdout


def test_nothing_is_written_where_typst_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = invoke("explain", "seed", "w7", "-o", "w7.pdf")
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith("try: pip install 'chainrule[pdf]'\n")
    assert list(folder.glob("*.pdf")) == []


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    _, received = on_a_terminal("explain", "seed", "w1", columns=50, NO_COLOR="1")
    monkeypatch.setenv("COLUMNS", "50")
    assert received == succeed("explain", "seed", "w1")
    monkeypatch.setenv("COLUMNS", "80")
    assert received != succeed("explain", "seed", "w1")


def test_output_is_utf_8_whatever_the_locale_says() -> None:
    done = separately("show", "macleod", env=environment(LC_ALL="C", PYTHONUTF8="0"))
    assert done.out == succeed("show", "macleod")
    assert "net_h1 = wA1 · A" in done.out


# -------------------------------------------------------------------------- the width


def breakable(line: str) -> bool:
    """Whether `line` could have been broken: it is more than one number, name or piece."""
    body = re.sub(r"^.*? [=≈] ", "", line) if " = " in line or " ≈ " in line else line
    body = re.sub("^[+−·] ", "", body.strip())  # a sign stays with what follows it
    return re.search(r" [+−·] | {3}|(?<! ) (?! )", body) is not None


@pytest.mark.parametrize("columns", [40, 80, 160])
@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal(
    name: str, example: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = succeed(name, example).splitlines()
    wide = [line for line in lines if len(line) > columns and breakable(line)]
    assert wide == []


# ---------------------------------------------------------------------------- help


def help_of(*names: str) -> str:
    return succeed(*names, "--help")


def examples_of(text: str) -> list[str]:
    _, _, rest = text.partition("Examples:\n")
    return [line.strip() for line in rest.split("\n\n")[0].splitlines() if line.strip()]


@pytest.mark.parametrize("names", [(), *((name,) for name in EVERY)], ids=" ".join)
def test_the_examples_of_the_help_run(folder: Path, names: tuple[str, ...]) -> None:
    (folder / "net.toml").write_text(NET.replace("x = 2.0", "x1 = 2.0"))
    (folder / "sheet.txt").write_text((LOCATION / "seed-equations.txt").read_text())
    text = help_of(*names)
    examples = examples_of(text)
    assert len(examples) == 2
    for example in examples:
        program, *arguments = shlex.split(example)
        assert program == "chainrule"
        assert not names or arguments[0] == names[0]
        done = invoke(*arguments)
        assert done.status == 0, done
        assert done.out or "wrote " in done.err
    assert text.startswith("Usage: chainrule")
    assert "Exit status: 0 done, 1 a check failed, 2 bad input" in text
    assert succeed(*names, "-h") == text


def test_the_help_lists_every_command_and_example() -> None:
    text = help_of()
    assert all(re.search(rf"^  {name}  ", text, re.MULTILINE) for name in EVERY)
    assert set(EVERY) == set(command.commands)  # type: ignore[attr-defined]
    words = re.findall(r"[\w-]+", text)
    assert all(example in words for example in EXAMPLES)
    assert {file.stem for file in LOCATION.iterdir() if file.suffix in (".toml", ".txt")} == set(
        EXAMPLES
    )


def test_without_arguments_the_help_is_shown() -> None:
    done = invoke()
    assert (done.status, done.out, done.err) == (2, "", help_of())


def test_the_version_is_that_of_the_package() -> None:
    assert succeed("--version") == f"chainrule {version('chainrule')}\n"
    assert version("chainrule") == cr.__version__
    assert separately("--version").out == f"chainrule {cr.__version__}\n"


def test_every_option_has_a_help_text() -> None:
    assert isinstance(command, click.Group)
    for item in command.commands.values():
        for parameter in item.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (item.name, parameter.name)


# --------------------------------------------------------------------- hostile input


def layers(**changes: Any) -> str:
    layer = {"units": ["o"], "activation": "sigmoid", "weights": [[0.25]], **changes}
    return json.dumps(
        {"loss": "sse", "inputs": {"x": 2.0}, "targets": {"o": 1.0}, "layers": [layer]}
    )


def deep(count: int, opening: str, closing: str, inner: str = "1.0") -> str:
    return opening * count + inner + closing * count


HOSTILE: dict[str, tuple[tuple[str, ...], str | bytes]] = {
    # what the path is
    "a directory": (("show", "."), b""),
    "the root": (("show", "/"), b""),
    "a device": (("show", "/dev/zero"), b""),
    "a terminal that is none": (("show", "/dev/tty"), b""),
    "a FIFO": (("show", "fifo"), b""),
    "a path through a file": (("show", "input.toml/more"), NET),
    "a dangling link": (("show", "dangling"), b""),
    "a link to itself": (("show", "loop"), b""),
    "an empty name": (("show", ""), b""),
    "a long name": (("show", "x" * 5000), b""),
    "a deep path": (("show", "a/" * 3000), b""),
    "a name with ESC": (("show", "\x1b[31mred\x1b[0m.toml"), b""),
    "a name with bidi": (("show", "\u202egnp.toml"), b""),
    "a name with a newline": (("show", "a\nNumericError: forged"), b""),
    # what the file holds
    "empty": (("show", "input.toml"), b""),
    "blank": (("show", "input.toml"), b" \n\t\n"),
    "binary": (("show", "input.toml"), bytes(range(256)) * 20),
    "binary, no ending": (("show", "input"), os.urandom(64) + b"\xff\x00"),
    "NUL": (("show", "input.toml"), NET.encode() + b"\0"),
    "UTF-16": (("show", "input.toml"), NET.encode("utf-16")),
    "latin-1": (("show", "input.txt"), "é = 1.0\nE = é**2\n".encode("latin-1")),
    "cut off": (("show", "input.toml"), NET[: len(NET) // 2]),
    "a number alone": (("show", "input.json"), "1"),
    "JSON null": (("show", "input.json"), "null"),
    "JSON twice": (("show", "input.json"), JSON_NET + JSON_NET),
    "JSON NaN": (("show", "input.json"), layers(weights=[[math.nan]])),
    "JSON infinity": (("show", "input.json"), layers(weights=[[math.inf]])),
    "JSON surrogate": (("show", "input.json"), layers(units=["\ud800"])),
    # too deep
    "deep TOML": (("show", "input.toml"), f"layers = {deep(5000, '[', ']')}"),
    "deep TOML tables": (("show", "input.toml"), "layers = " + deep(5000, "{a=", "}")),
    "deep TOML keys": (("show", "input.toml"), ".".join(["a"] * 5000) + " = 1\n[[layers]]\n"),
    "deep JSON": (("show", "input.json"), deep(5000, "[", "]")),
    "deep JSON objects": (("show", "input.json"), deep(5000, '{"a":', "}")),
    "deep brackets": (("show", "input.txt"), f"w = 1.0\nE = {deep(5000, '(', ')', 'w')}"),
    "deep lists": (("show", "input.txt"), f"w = {deep(5000, '[', ']')}\nE = 1.0"),
    "deep powers": (("show", "input.txt"), "w = 1.0\nE = " + "**".join(["w"] * 5000)),
    "deep minus": (("show", "input.txt"), "w = 1.0\nE = " + "-" * 5000 + "w"),
    "deep calls": (("show", "input.txt"), f"w = 1.0\nE = {deep(5000, 'exp(', ')', 'w')}"),
    # too large
    "long integer in TOML": (("show", "input.toml"), NET.replace("0.25", "9" * 5000)),
    "long integer in JSON": (("show", "input.json"), JSON_NET.replace("0.25", "9" * 5000)),
    "long integer in equations": (("show", "input.txt"), f"w = {'9' * 5000}\nE = w**2"),
    "1e999 in TOML": (("show", "input.toml"), NET.replace("0.25", "1e999")),
    "1e999 in JSON": (("show", "input.json"), JSON_NET.replace("0.25", "1e999")),
    "1e999 in equations": (("show", "input.txt"), "w = 1e999\nE = w**2"),
    "a width of a thousand million": (
        ("show", "input.json"),
        layers(units=10**9, weights=None, init="xavier"),
    ),
    "a seed that is negative": (("show", "input.json"), layers(weights=None, init="he", seed=-1)),
    "a tower of powers": (("show", "input.txt"), "w = 10**10**10\nE = w**2"),
    "an integer tower": (("show", "input.txt"), "E = 9**9**9**9"),
    "a shift": (("show", "input.txt"), "w = 1 << 10**10\nE = w"),
    "a long product": (("show", "input.txt"), "w = 'a' * 10**10\nE = w"),
    "a list product": (("show", "input.txt"), "w = [0.0] * 10**10\nE = w[0]"),
    "a large array": (("show", "input.txt"), "w = np.ones(10**10)\nE = np.sum(w)"),
    "a comprehension bomb": (
        ("show", "input.txt"),
        "w = [[x for x in range(10**9)] for y in range(10**9)]\nE = w[0][0]",
    ),
    "a function bomb": (
        ("show", "input.txt"),
        "w = 1.0\n"
        + "def f0(x):\n    return x + x\n"
        + "".join(f"def f{i}(x):\n    return f{i - 1}(x) + f{i - 1}(x)\n" for i in range(1, 60))
        + "E = f59(w)\n",
    ),
    "a recursion": (("show", "input.txt"), "w = 1.0\ndef f(x):\n    return f(x)\nE = f(w)"),
    # what is not arithmetic
    "an import": (("show", "input.txt"), "w = __import__('os').system('touch owned')\nE = w"),
    "an import of os": (("show", "input.txt"), "import os\nos.system('touch owned')\nE = 1.0"),
    "a file": (("show", "input.txt"), "w = open('owned', 'w')\nE = w"),
    "eval": (("show", "input.txt"), "w = eval('1')\nE = w"),
    "a dunder": (("show", "input.txt"), "w = (1.0).__class__\nE = w"),
    "a lambda": (("show", "input.txt"), "f = lambda x: x\nE = f(1.0)"),
    "a loop": (("show", "input.txt"), "w = 1.0\nwhile True:\n    w = w * 2\nE = w"),
    "an f-string": (("show", "input.txt"), "w = f\"{open('owned','w')}\"\nE = w"),
    # names
    "ESC in a unit's name": (("show", "input.json"), layers(units=["\x1b[31mo"])),
    "bidi in a unit's name": (("show", "input.json"), layers(units=["o\u202e"])),
    "ESC in a key": (("show", "input.json"), layers(**{"\x1b]0;title\x07": 1})),
    "bidi in a comment": (("show", "input.txt"), "w = 1.0 +  # \u202e evil \u2066\nE = w"),
    "ESC in equations": (("show", "input.txt"), "w = 1.0\nE = w \x1b[31m"),
    "a forged line": (("show", "input.json"), layers(units=["o\nNumericError: forged"])),
    # options
    "ESC in --set": (("show", "seed", "--set", "\x1b[31m=1"), b""),
    "bidi in --set": (("show", "seed", "--set", "\u202ew=x"), b""),
    "ESC in a parameter": (("explain", "seed", "\x1b[31mw7"), b""),
    "ESC in --loss": (("show", "seed-equations", "--loss", "\x1b[31mE"), b""),
    "bidi in --train": (("show", "seed-equations", "--train", "\u202ew"), b""),
    "ESC in an order": (("step", "seed", "--order", "\x1b[31m"), b""),
    "ESC in a count": (("step", "seed", "--steps", "\x1b[31m"), b""),
    "ESC in an option": (("show", "seed", "--\x1b[31m"), b""),
    "bidi in an option": (("show", "seed", "--\u202e"), b""),
    "ESC in one argument more": (("check", "seed", "\x1b[31m"), b""),
    "ESC in a command": (("\x1b[31m", "seed"), b""),
    "ESC in -o": (("step", "seed", "-o", "absent/\x1b[31m"), b""),
    "a count of many digits": (("step", "seed", "--steps", "9" * 5000), b""),
    "standard input, empty": (("show", "-"), b""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_refused(name: str, tmp_path: Path) -> None:
    arguments, content = HOSTILE[name]
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    for word in arguments:
        file, _, _ = word.partition("/")
        if file.startswith("input"):
            (tmp_path / file).write_bytes(data)
    before = sorted(os.listdir(tmp_path))
    done = separately(*arguments, cwd=tmp_path)
    assert_refused(done)
    assert sorted(os.listdir(tmp_path)) == before


def assert_refused(done: Done) -> None:
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.strip()
    assert "Traceback" not in done.err
    assert UNSEEN.search(done.err) is None, repr(done.err)
    assert not re.search("^NumericError: forged", done.err, re.MULTILINE)
    assert len(done.err) < 20_000


TITLE = "\x1b]0;owned\x07"
"""Sets the title of a terminal's window, where it gets through."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", f"{TITLE}.toml"),
        ("show", "seed", "--set", f"{TITLE}=1"),
        ("explain", "seed", TITLE),
        ("show", "seed-equations", "--loss", TITLE),
        ("show", "seed-equations", "--train", TITLE),
        ("step", "seed", "--order", TITLE),
        ("step", "seed", "--steps", TITLE),
        ("step", "seed", "-o", f"absent/{TITLE}"),
        ("show", "seed", f"--{TITLE}"),
        ("show", "seed", TITLE),
        (TITLE, "seed"),
    ],
)
def test_errors_on_a_terminal_hold_no_escape_sequences(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    status, received = on_a_terminal(*arguments, cwd=tmp_path)
    assert status == 2
    assert UNSEEN.search(received) is None


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root reads everything: take a file that even root cannot read
        done = separately("show", "/proc/self/mem")
    else:
        (tmp_path / "net.toml").write_text(NET)
        os.chmod(tmp_path / "net.toml", 0)
        done = separately("show", "net.toml", cwd=tmp_path)
    assert_refused(done)


def test_standard_input_that_is_closed_is_refused() -> None:
    words = shlex.join([sys.executable, "-m", "chainrule", "show", "-"])
    done = subprocess.run(
        ["bash", "-c", f"{words} <&-"], capture_output=True, text=True, timeout=60, check=False
    )
    assert_refused(Done(done.returncode, done.stdout, done.stderr))


@pytest.mark.parametrize("stem", ["\x1b]0;owned\x07", "\u202egnp", "a\u2066b"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_name_does_not_reach_the_terminal_raw(folder: Path, name: str, stem: str) -> None:
    (folder / f"{stem}.toml").write_text(NET)
    done = invoke(name, f"{stem}.toml")
    assert done.status == 0
    assert UNSEEN.search(done.out + done.err) is None
    data = json.loads(succeed(name, f"{stem}.toml", "--json"))
    assert data["model"] == stem


@pytest.mark.parametrize("stem", ["\x1b]0;owned\x07", "\u202egnp"])
def test_a_target_does_not_reach_the_terminal_raw(folder: Path, stem: str) -> None:
    done = invoke("step", "seed", "-o", f"{stem}.toml")
    assert done.status == 0
    assert (folder / f"{stem}.toml").exists()
    assert UNSEEN.search(done.err) is None


def test_a_file_name_that_is_not_utf_8_is_no_trouble(folder: Path) -> None:
    raw = os.fsencode(folder) + b"/\xff\xfe.toml"
    with open(raw, "wb") as file:
        file.write(NET.encode())
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "show", raw],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "net_o = w · x + b" in done.stdout.decode()


def test_networks_are_the_examples_that_are_no_equations() -> None:
    assert set(NETWORKS) == {name for name in EXAMPLES if (LOCATION / f"{name}.toml").exists()}
    assert shutil.which("chainrule", path=os.path.dirname(sys.executable)) is not None
