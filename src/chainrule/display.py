"""How results look in a notebook: each as a document, the document in several formats."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import chainrule.api as api
from chainrule.engines import reference
from chainrule.errors import Fault, InputError
from chainrule.explanation.article import Article
from chainrule.explanation.derivation import Derivation
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.blocks import (
    Derivative,
    Document,
    Equation,
    Name,
    Number,
    Paragraph,
    Right,
    Series,
    Title,
    Written,
)
from chainrule.explanation.documents.choices import Choices, Level
from chainrule.explanation.documents.compose import (
    explanation_document,
    report_document,
    steps_document,
    values_document,
)
from chainrule.explanation.documents.excerpt import excerpt_document
from chainrule.explanation.documents.fragment import fragment
from chainrule.explanation.documents.markdown import markdown
from chainrule.explanation.documents.mathjax import mathjax
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.documents.why import why_document, why_map_document
from chainrule.explanation.excerpt import Excerpt
from chainrule.explanation.messages import Language, Words, language_of
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import Values
from chainrule.explanation.why import Why, WhyMap
from chainrule.frontends.expression import Expression
from chainrule.graph.formulas import formula_of
from chainrule.graph.model import Model
from chainrule.train.steps import Steps
from chainrule.verify.report import Report

__all__ = ["bundle", "write"]

WIDTH = 80
"""Cells of a line of plain text."""


def bundle(shown: Any) -> dict[str, str]:
    """The object by MIME type, in the language of `LANG`."""
    say = Words(language_of())
    document = next(make(shown, say) for kind, make in DOCUMENTS.items() if isinstance(shown, kind))
    return {kind: write(document) for kind, write in FORMATS.items()}


def write(
    shown: Any,
    file: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002, the word that the commands use
    language: Language | None = None,
    digits: int | None = None,
    level: Level = "full",
) -> None:
    """Write what `explain`, `why` or `article` answered as a document.

    The ending of `file` chooses: .txt, .md, .tex, .html, .pdf, .ipynb; or `format` does.  The
    `language` is `en` or `zh`, by default that of `LANG`; `digits` and `level` are those of the
    commands.

    Raises: InputError for an unknown format, and where the file cannot be written.
    """
    from chainrule.explanation.documents.formats import DOCUMENTS as FORMS
    from chainrule.frontends.files import write_atomic

    endings = {form.ending: name for name, form in FORMS.items() if form.ending}
    ending = os.path.splitext(os.fspath(file))[1].lower()
    chosen = endings.get(ending, "") if format is None else format
    if chosen not in FORMS:
        what = f"no format is called {format!r}" if format else f"{os.fspath(file)} has no format"
        raise InputError(Fault("OptionError", what, needs=f"one of {', '.join(FORMS)}"))
    say = Words(language or language_of())
    make = next(make for kind, make in WRITTEN.items() if isinstance(shown, kind))
    document = make(shown, say, Choices(level, digits))
    model = shown.explanation.model if isinstance(shown, Article) else shown.model
    write_atomic(file, FORMS[chosen].write(document, model))


def _plain(document: Document) -> str:
    return "\n".join(row.text for row in terminal_rows(document, WIDTH))


FORMATS: dict[str, Callable[[Document], str]] = {
    "text/html": fragment,
    "text/markdown": markdown,
    "text/latex": mathjax,
    "text/plain": _plain,
}
"""What is offered; a notebook that does not trust HTML shows another one."""


def _model(model: Model, say: Words) -> Document:
    """The forward pass; a model that is too large to be written out says how large it is."""
    if reference.takes(model):
        return values_document(api.show(model), say)
    entries = sum(len(leaf.values) for leaf in model.leaves if leaf.trained)
    text = f"{say('role.parameter')}: {entries:,}"
    return Document(model.title, (Title(model.title), Paragraph(text)), say.language)


def _derivation(derivation: Derivation, say: Words) -> Document:
    """The chain rule on one line, and the gradient."""
    gradient = Derivative(derivation.loss, derivation.parameter)
    rights = [Right(Number(derivation.gradient))]
    if len(derivation.factors) > 1:
        chain = Series(tuple(Derivative(item.over, item.by) for item in derivation.factors))
        rights.insert(0, Right(chain))
    return Document(derivation.symbol, (Equation(gradient, tuple(rights)),), say.language)


def _expression(expression: Expression, say: Words) -> Document:
    """The formula of a number; an array says its name and shape."""
    node = expression.node
    name = node.name or "y"
    if expression.shape:
        size = " × ".join(map(str, expression.shape))
        return Document(name, (Paragraph(f"{name}: {size}"),), say.language)
    equation = Equation(Name(name), (Right(Written(formula_of(node))),))
    return Document(name, (equation,), say.language)


WRITTEN: dict[type, Callable[[Any, Words, Choices], Document]] = {
    Article: article_document,
    Explanation: explanation_document,
    Excerpt: excerpt_document,
    Why: why_document,
    WhyMap: why_map_document,
}
"""What can be written to a file."""

DOCUMENTS: dict[type, Callable[[Any, Words], Document]] = {
    Article: article_document,
    Explanation: explanation_document,
    Excerpt: excerpt_document,
    Why: why_document,
    WhyMap: why_map_document,
    Derivation: _derivation,
    Values: values_document,
    Steps: steps_document,
    Report: report_document,
    Model: _model,
    Expression: _expression,
}
"""What each kind of result says."""
