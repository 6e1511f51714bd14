"""A document says the same numbers in every language."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from chainrule.cli.main import command

NUMBER = re.compile(r"(?<![\w.])−?\d+\.\d+(?:e[+−]\d+)?")
DOCUMENTS = (
    ["show", "flowers"],
    ["explain", "seed", "w1", "w7"],
    ["explain", "flowers"],
    ["explain", "macleod"],
    ["step", "mazur", "--steps", "3"],
    ["check", "negnevitsky"],
)


def printed(*arguments: str, **environment: str) -> str:
    result = CliRunner(env={"COLUMNS": "80", **environment}).invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("arguments", DOCUMENTS, ids=" ".join)
def test_the_numbers_are_the_same(arguments: list[str]) -> None:
    english, chinese = (printed(*arguments, "--lang", language) for language in ("en", "zh"))
    assert NUMBER.findall(english) == NUMBER.findall(chinese)
    assert english != chinese
    assert re.search("[\u4e00-\u9fff]", chinese)
    assert not re.search("[\u4e00-\u9fff]", english)


def test_json_is_the_same_in_every_language() -> None:
    asked = ("explain", "seed", "--json")
    assert printed(*asked, "--lang", "zh") == printed(*asked, "--lang", "en")


def test_the_environment_is_followed_and_the_option_wins() -> None:
    chinese = printed("check", "seed", "--lang", "zh")
    assert printed("check", "seed", LANG="zh_CN.UTF-8", LC_ALL="") == chinese
    english = printed("check", "seed", "--lang", "en", LANG="zh_CN.UTF-8", LC_ALL="")
    assert english == printed("check", "seed", "--lang", "en")
