"""Blocks as one HTML page that needs nothing else: no script, no network, its own font."""

from chainrule.explanation.documents.html.page import html

__all__ = ["html"]
