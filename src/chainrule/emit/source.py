"""The source of a model's program, in the languages and forms that there are."""

from __future__ import annotations

from typing import Literal, get_args

from chainrule.emit import straight_line as scalars
from chainrule.emit.array_writer import array_program
from chainrule.emit.c import CSource
from chainrule.emit.c_arrays import CArraysSource
from chainrule.emit.javascript import JavaScriptSource
from chainrule.emit.javascript_arrays import JavaScriptArraysSource
from chainrule.emit.language import StraightLineLanguage
from chainrule.emit.loops import Loops
from chainrule.emit.numpy import NumPySource
from chainrule.emit.python import PythonSource
from chainrule.emit.straight_line import What, straight_line
from chainrule.errors import Fault, InputError
from chainrule.graph.model import Model, Order

__all__ = ["LANGUAGES", "Form", "source"]

Form = Literal["auto", "scalars", "arrays"]
"""Straight-line code, or loops and matrix products."""

LANGUAGES: dict[str, type[StraightLineLanguage]] = {
    "python": PythonSource,
    "c": CSource,
    "javascript": JavaScriptSource,
}
"""Every language by its name, as it writes scalars."""

ARRAYS: dict[str, type[Loops | NumPySource]] = {
    "python": NumPySource,
    "c": CArraysSource,
    "javascript": JavaScriptArraysSource,
}
"""The same as they write arrays."""


def source(model: Model, language: str, what: What, order: Order, form: Form = "auto") -> str:
    """The text of a program that computes `what` with the model's numbers.

    A form that is not chosen is that which suits the model's size.

    Raises: InputError for another language, and when the model is too large or cannot be
    trained.
    """
    for kind, chosen, known in (
        ("language", language, (*LANGUAGES, "numba")),
        ("form", form, get_args(Form)),
    ):
        if chosen not in known:
            raise InputError(
                Fault(
                    "OptionError",
                    f'there is no {kind} called "{chosen}"',
                    needs=" or ".join(known),
                )
            )
    if form == "scalars" or (form == "auto" and model.scalar_size <= scalars.LIMIT):
        return LANGUAGES[language](straight_line(model, what, order)).source()
    return ARRAYS[language](array_program(model, what, order)).source()
