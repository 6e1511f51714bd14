"""A document as a PDF that can be read aloud: tagged, every formula with its words."""

from __future__ import annotations

import json

from chainrule.explanation.documents.blocks import Document
from chainrule.explanation.documents.pdf.compiler import compiled
from chainrule.explanation.documents.pdf.content import content

__all__ = ["pdf"]


def pdf(document: Document) -> bytes:
    """The document as PDF/UA-1, the same bytes each time.

    Raises:
        InputError: typst is not installed; no font has a character of the document;
            the document is too long to be typeset within the limits.
    """
    return compiled(json.dumps(content(document)))
