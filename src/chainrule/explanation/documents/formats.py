"""The formats of a document: their names, the endings of their files, what writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.explanation.documents.blocks import Document

__all__ = ["DOCUMENTS", "DocumentFormat"]


@dataclass(frozen=True, slots=True)
class DocumentFormat:
    """A way to write a document to a file."""

    ending: str
    write: Callable[[Document], str | bytes]


def _text(document: Document) -> str:
    from chainrule.explanation.documents.terminal import terminal_text

    return terminal_text(document)


def _markdown(document: Document) -> str:
    from chainrule.explanation.documents.markdown import markdown

    return markdown(document)


def _html(document: Document) -> str:
    from chainrule.explanation.documents.html import html

    return html(document)


DOCUMENTS: Mapping[str, DocumentFormat] = {
    "text": DocumentFormat(".txt", _text),
    "markdown": DocumentFormat(".md", _markdown),
    "html": DocumentFormat(".html", _html),
}
"""By name; what a format needs is imported when it is written."""
