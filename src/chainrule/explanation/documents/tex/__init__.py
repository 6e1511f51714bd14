"""Documents in LaTeX."""

from chainrule.explanation.documents.tex.document import latex

__all__ = ["latex"]
