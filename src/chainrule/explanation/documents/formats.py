"""The formats of a document: their names, the endings of their files, what writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.explanation.documents.blocks import Document
    from chainrule.graph.model import Model

__all__ = ["DOCUMENTS", "DocumentFormat"]


@dataclass(frozen=True, slots=True)
class DocumentFormat:
    """A way to write a document to a file; without an `ending` it is asked for by name alone.

    `write` gets the model too, for formats that compute.
    """

    ending: str
    write: Callable[[Document, Model], str | bytes]


def _text(document: Document, _: Model) -> str:
    from chainrule.explanation.documents.terminal import terminal_text

    return terminal_text(document)


def _markdown(document: Document, _: Model) -> str:
    from chainrule.explanation.documents.markdown import markdown

    return markdown(document)


def _latex(document: Document, _: Model) -> str:
    from chainrule.explanation.documents.tex import latex

    return latex(document)


def _latex_fragment(document: Document, _: Model) -> str:
    from chainrule.explanation.documents.tex import latex

    return latex(document, standalone=False)


def _notebook(document: Document, model: Model) -> str:
    from chainrule.explanation.documents.notebook import notebook

    return notebook(document, model)


def _pdf(document: Document, _: Model) -> bytes:
    from chainrule.explanation.documents.pdf import pdf

    return pdf(document)


def _html(document: Document, _: Model) -> str:
    from chainrule.explanation.documents.html import html

    return html(document)


DOCUMENTS: Mapping[str, DocumentFormat] = {
    "text": DocumentFormat(".txt", _text),
    "markdown": DocumentFormat(".md", _markdown),
    "latex": DocumentFormat(".tex", _latex),
    "latex-fragment": DocumentFormat("", _latex_fragment),
    "notebook": DocumentFormat(".ipynb", _notebook),
    "pdf": DocumentFormat(".pdf", _pdf),
    "html": DocumentFormat(".html", _html),
}
"""By name; what a format needs is imported when it is written."""
