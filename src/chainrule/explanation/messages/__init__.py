"""The words of all documents, in every language: one JSON catalogue each, same keys.

Other front ends may read the catalogues themselves.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, cast

from chainrule.graph.model import Convention

__all__ = ["LANGUAGES", "Language", "Words", "language_of"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Words:
    """The messages of one language: `words("loss.before")`."""

    def __init__(self, language: Language = "en") -> None:
        self.language = language
        self._texts = _catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The message, its placeholders filled in."""
        return self._texts[key].format(**values)

    def listed(self, items: Iterable[str]) -> str:
        """Several phrases one after another."""
        return self._texts["separator"].join(items)

    def names(self, names: Iterable[str]) -> str:
        """Several names one after another."""
        return self._texts["names"].join(names)

    def convention(self, convention: Convention) -> tuple[str, str]:
        """A convention's topic and choice."""
        phrases = (self(phrase.key, **phrase.values) for phrase in convention.phrases)
        return self(f"topic.{convention.topic}"), self.listed(phrases)


@functools.cache
def _catalogue(language: Language) -> Mapping[str, str]:
    path = Path(__file__).with_name(f"{language}.json")
    return cast(Mapping[str, str], json.loads(path.read_text(encoding="utf-8")))


def language_of(environment: Mapping[str, str] = os.environ) -> Language:
    """The language that `LC_ALL`, `LC_MESSAGES` or `LANG` asks for, English where none is known."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        wanted = environment.get(name, "")
        if wanted:
            return next((known for known in LANGUAGES if wanted.lower().startswith(known)), "en")
    return "en"
