"""The catalogues: same keys and placeholders in each language, all of them used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Formatter

import pytest

import chainrule
from chainrule.explanation.derivation import Reason
from chainrule.explanation.messages import LANGUAGES, Words, language_of
from chainrule.frontends.network.words import LOSSES
from chainrule.graph.model import Convention, Phrase

ROOT = Path(chainrule.__file__).parent
CATALOGUES = {
    language: json.loads(
        (ROOT / "explanation" / "messages" / f"{language}.json").read_text(encoding="utf-8")
    )
    for language in LANGUAGES
}


def distinct(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("catalogue", ["", "speech."])
def test_no_key_stands_twice(catalogue: str, language: str) -> None:
    file = ROOT / "explanation" / "messages" / f"{catalogue}{language}.json"
    assert json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=distinct)


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def test_every_language_has_every_message() -> None:
    english, *others = CATALOGUES.values()
    assert all(list(other) == list(english) for other in others)


@pytest.mark.parametrize("key", list(CATALOGUES["en"]))
def test_placeholders_are_the_same(key: str) -> None:
    wanted = placeholders(CATALOGUES["en"][key])
    assert all(placeholders(texts[key]) == wanted for texts in CATALOGUES.values())


@pytest.mark.parametrize("key", [key for key in CATALOGUES["zh"] if key not in ("verbatim",)])
def test_chinese_is_chinese(key: str) -> None:
    text = re.sub(r"\{\w+\}", "", CATALOGUES["zh"][key])
    assert re.search(r"[\u4e00-\u9fff，：、]", text), text


def test_no_message_is_left_over() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    made_up = (
        "reason.",
        "role.",
        "order.",
        "topic.",
        "loss.",
        "check.",
        "article.",
        "verdict.",
        "cause.",
        "why.",
    )  # by f-strings
    unused = [
        key for key in CATALOGUES["en"] if f'"{key}"' not in source and not key.startswith(made_up)
    ]
    assert unused == []


def test_what_is_made_up_exists() -> None:
    reasons = [f"reason.{reason}" for reason in Reason.__args__]  # type: ignore[attr-defined]
    losses = [f"loss.{loss}" for loss in set(LOSSES.values())]
    assert [key for key in (*reasons, *losses) if key not in CATALOGUES["en"]] == []


def test_what_fills_a_placeholder_is_not_read_again() -> None:
    convention = Convention("loss", (Phrase("verbatim", {"text": "{0} {text!r:{width}}"}),))
    assert Words("zh").convention(convention) == ("损失函数", "{0} {text!r:{width}}")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_CN", "LC_ALL": ""}, "zh"),
    ],
)
def test_the_environment_chooses(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language
