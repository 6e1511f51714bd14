"""Texts as they are stored, and the switch that stores them anew: CHAINRULE_UPDATE=1."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent
UPDATES = os.environ.get("CHAINRULE_UPDATE") == "1"


def compare(file: str, text: str) -> None:
    """Fail where `text` is not what the file holds."""
    path = HERE / file
    if UPDATES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{file} is missing: CHAINRULE_UPDATE=1 writes it"
    assert text == path.read_text(encoding="utf-8"), f"{file}: CHAINRULE_UPDATE=1 writes it anew"
