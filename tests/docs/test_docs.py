"""The documentation is true: every example is run, every excerpt and link is there.

`CHAINRULE_UPDATE=1 pytest tests/docs` writes what the examples print into the pages.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from chainrule.cli.main import command
from chainrule.frontends.network.keys import LAYER_KEYS, NETWORK_KEYS
from docs.pages import ROOT, Run, anchors, blocks, links, matches, pages, prose, refilled

PAGES = [page.relative_to(ROOT).as_posix() for page in pages()]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_examples_print_what_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    run = Run(ROOT / name, folder)
    run.all()
    assert not run.faults, "\n\n" + "\n\n".join(run.faults)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = read(name)
    lost = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        known = anchors(target.read_text(encoding="utf-8")) if anchor and target.exists() else set()
        if not target.exists() or (anchor and anchor not in known):
            lost.append(link)
    assert not lost


def test_every_page_is_linked_from_the_index() -> None:
    targets = {link.partition("#")[0] for link in links(read("docs/index.md"))}
    here = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")}
    assert here - {"index.md"} <= targets


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_blocks_are_of_a_known_kind(name: str) -> None:
    text = read(name)
    known = {"console", "pycon", "sh", "text", "python", "toml", "json"}
    assert {block.language for block in blocks(text)} <= known
    assert text.count("\n```") % 2 == 0


# ------------------------------------------------------------------- nothing is left out


def test_every_command_and_option_is_described() -> None:
    text = read("docs/commands.md")
    assert isinstance(command, click.Group)
    missing = []
    for name, one in command.commands.items():
        if f"## chainrule {name}" not in text.replace("`", ""):
            missing.append(name)
        for option in one.params:
            missing += [
                word
                for word in (*option.opts, *option.secondary_opts)
                if word.startswith("-") and f"`{word}" not in text
            ]
    assert not missing


def test_every_key_of_a_network_is_described() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", read("docs/formats.md"), re.MULTILINE)
    described = {key for row in rows for key in re.findall(r"\w+", row)}
    assert set(NETWORK_KEYS) | set(LAYER_KEYS) <= described


def test_the_walk_names_every_file_of_the_source() -> None:
    text = prose(read("docs/walk.md"))
    files = [
        file.relative_to(ROOT / "src" / "chainrule").as_posix()
        for file in (ROOT / "src" / "chainrule").rglob("*.py")
        if file.name != "__init__.py"
    ]
    assert [file for file in files if f"`{file}`" not in text] == []


# ------------------------------------------------------------------- the runner itself


@pytest.mark.parametrize(
    ("expected", "actual", "is_match"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["..."], [], True),
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["a", "...", "d"], ["a", "b"], False),
        (["a", "...", "a"], ["a"], False),
        (["...", "b", "...", "d"], ["a", "b", "c", "d"], True),
        (["...", "c", "...", "b", "..."], ["a", "b", "c"], False),
    ],
)
def test_dots_stand_for_any_lines(expected: list[str], actual: list[str], is_match: bool) -> None:
    assert matches(expected, actual) is is_match


def test_an_update_keeps_the_lines_around_the_dots() -> None:
    assert refilled(["old", "...", "old"], ["1", "2", "3", "4"]) == ["1", "...", "4"]
    assert refilled(["old"], ["1", "2"]) == ["1", "2"]
    assert refilled(["1", "...", "4"], ["1", "3", "4"]) == ["1", "...", "4"]


def run_page(tmp_path: Path, text: str, *, update: bool = False) -> Run:
    folder = tmp_path / "page"
    folder.mkdir()
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    run = Run(page, folder, update=update)
    run.all()
    return run


def test_the_runner_sees_a_wrong_output(tmp_path: Path) -> None:
    assert run_page(tmp_path, "```console\n$ echo yes\nno\n```\n").faults


def test_the_runner_sees_a_status_that_is_not_shown(tmp_path: Path) -> None:
    assert run_page(tmp_path, "```console\n$ exit 3\n```\n").faults


def test_the_runner_shows_a_status(tmp_path: Path) -> None:
    assert not run_page(tmp_path, "```console\n$ exit 3\n$ echo $?\n3\n```\n").faults


def test_the_runner_sees_a_wrong_session(tmp_path: Path) -> None:
    assert run_page(tmp_path, "```pycon\n>>> 1 + 1\n3\n```\n").faults


def test_the_runner_sees_an_excerpt_that_is_not_there(tmp_path: Path) -> None:
    text = "```python source=src/chainrule/__main__.py\nnot there\n```\n"
    assert run_page(tmp_path, text).faults


def test_an_update_writes_what_was_printed(tmp_path: Path) -> None:
    text = "```console\n$ echo {0}\n{1}\n```\n\n```pycon\n>>> 1 + 1\n{2}\n>>> 3\n3\n```\n"
    assert not run_page(tmp_path, text.format("yes", "no", "3"), update=True).faults
    assert (tmp_path / "page.md").read_text() == text.format("yes", "yes", "2")
