"""The page around a document's blocks: its head, its table of contents, its footer."""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from pathlib import Path

from chainrule.explanation.documents.blocks import Document
from chainrule.explanation.documents.html.anchors import link
from chainrule.explanation.documents.html.blocks import MAIN, Blocks, Section
from chainrule.explanation.messages import Words
from chainrule.explanation.printers.mathml import text as escaped

__all__ = ["html"]

LANGUAGES = {"en": "en", "zh": "zh-Hans"}

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser may load: nothing from anywhere, and no script at all."""

MOST_WITHOUT_CONTENTS = 5
"""Sections of a page that are found without a table of contents."""


def html(document: Document) -> str:
    """The document as one file of HTML."""
    say = Words(document.language)
    blocks = Blocks(document)
    return f"""<!DOCTYPE html>
<html lang="{LANGUAGES[document.language]}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaped(document.title)}</title>
<link rel="icon" href="data:,">
<style>
{_style()}</style>
</head>
<body>
<a class="skip" href="#{MAIN}">{escaped(say("page.skip"))}</a>
{_contents(blocks.sections, say)}<main id="{MAIN}" tabindex="-1">
{blocks.markup}
</main>
<footer>
<p>{escaped(say("page.made"))}</p>
<p>{escaped(say("page.font"))}</p>
</footer>
</body>
</html>
"""


@functools.cache
def _style() -> str:
    """The style sheet, with the font in it."""
    here = Path(__file__)
    font = base64.b64encode(here.with_name("chainrule-math.woff2").read_bytes()).decode("ascii")
    sheet = here.with_name("page.css").read_text(encoding="utf-8")
    return sheet.replace("chainrule-math.woff2", f"data:font/woff2;base64,{font}")


def _contents(sections: Sequence[Section], say: Words) -> str:
    if len(sections) <= MOST_WITHOUT_CONTENTS:
        return ""
    items = "\n".join(
        f'<li class="level-{section.level}">'
        f'<a href="{link(section.anchor)}" aria-label="{section.spoken}">{section.markup}</a></li>'
        for section in sections
    )
    name = escaped(say("page.contents"))
    return f'<nav aria-label="{name}">\n<ul>\n{items}\n</ul>\n</nav>\n'
