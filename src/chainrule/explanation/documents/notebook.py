"""A document as a Jupyter notebook: what it says, and code that computes its numbers again."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chainrule.errors import Fault, InputError
from chainrule.explanation.documents.blocks import (
    Block,
    Document,
    Heading,
    Recomputed,
)
from chainrule.explanation.documents.markdown import markdown
from chainrule.graph.model import Model

__all__ = ["notebook"]


def notebook(document: Document, model: Model) -> str:
    """The document as a notebook, in the format of nbformat 4.5; it holds the model's text.

    A document that computes nothing again needs no text.

    Raises: InputError for a model that did not come from a text, where one is needed.
    """
    first, *sections = _sections(document.blocks)
    computes = any(isinstance(block, Recomputed) for block in document.blocks)
    cells = [
        *_cells(document, first),
        *([_code(_model(model))] if computes or model.rewrite is not None else []),
        *(cell for section in sections for cell in _cells(document, section)),
    ]
    written = {
        "cells": [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells, start=1)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "title": document.title.encode("utf-8", "replace").decode(),
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(written, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _sections(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """The blocks before the first heading, then those of each heading."""
    section: list[Block] = []
    for block in blocks:
        if isinstance(block, Heading):
            yield section
            section = []
        section.append(block)
    yield section


def _cells(document: Document, blocks: Iterable[Block]) -> Iterator[dict[str, Any]]:
    """Text, and code where the document has numbers to compute again."""
    for computes, run in itertools.groupby(blocks, lambda block: isinstance(block, Recomputed)):
        if computes:
            yield _code(_comparison([block for block in run if isinstance(block, Recomputed)]))
        else:
            text = markdown(dataclasses.replace(document, blocks=tuple(run))).strip("\n")
            if text:
                yield {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}


def _code(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": _lines(source),
    }


def _lines(text: str) -> list[str]:
    return text.encode("utf-8", "backslashreplace").decode().splitlines(keepends=True)


# -------------------------------------------------------------------------------- code


def _model(model: Model) -> str:
    """Code that makes the model again, from its text."""
    if model.rewrite is None:
        raise InputError(
            Fault(
                "OptionError",
                "the model was not read from a file, so a notebook cannot hold its text",
                needs="a model from a TOML, JSON or equations file",
            )
        )
    arguments = {"title": model.title, **model.choices}
    rest = "".join(f", {name}={value!a}" for name, value in arguments.items())
    text = _string(model.rewrite(model.numbers))
    return f"import chainrule as cr\n\ntext = {text}\nmodel = cr.loads(text{rest})\nmodel"


def _string(text: str) -> str:
    """A literal of Python, in the lines of the text where that says the same."""
    lines = f'"""\\\n{text}"""'
    seen = all(character == "\n" or character.isprintable() for character in text)
    try:
        same = seen and ast.literal_eval(lines) == text
    except (SyntaxError, ValueError):
        same = False
    return lines if same else ascii(text)


def _comparison(blocks: Sequence[Recomputed]) -> str:
    """Code that computes numbers again, compares them with the text's, and shows them."""
    calls = "".join(f"    {block.call},\n" for block in blocks)
    numbers = "".join(f"    {_number(block.value)},\n" for block in blocks)
    return f"found = [\n{calls}]\nassert found == [\n{numbers}]\nfound"


def _number(value: float) -> str:
    text = repr(value)
    return text if text[-1].isdigit() else f'float("{text}")'
