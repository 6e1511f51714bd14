"""The source of a model's program, in the languages that there are."""

from __future__ import annotations

from chainrule.emit.c import CSource
from chainrule.emit.javascript import JavaScriptSource
from chainrule.emit.language import Language
from chainrule.emit.python import PythonSource
from chainrule.emit.straight_line import What, straight_line
from chainrule.errors import Fault, InputError
from chainrule.graph.model import Model, Order

__all__ = ["LANGUAGES", "source"]

LANGUAGES: dict[str, type[Language]] = {
    "python": PythonSource,
    "c": CSource,
    "javascript": JavaScriptSource,
}
"""Every language by its name."""


def source(model: Model, language: str, what: What, order: Order) -> str:
    """The text of a program that computes `what` with the model's numbers.

    Raises: InputError for another language, and when the model is too large or cannot be
    trained.
    """
    if language not in LANGUAGES:
        raise InputError(
            Fault(
                "OptionError",
                f'there is no language called "{language}"',
                needs=" or ".join(LANGUAGES),
            )
        )
    return LANGUAGES[language](straight_line(model, what, order)).source()
