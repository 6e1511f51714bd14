"""Derivations that differ in one number: the JSON of one is the pattern for the others.

The weights of one unit share every factor but the last, which is the number that the
weight is multiplied by.  What differs is marked in the document of the first, and its
text cut at the marks.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from typing import Any

from chainrule.explanation.derivation import Derivation, Update, partial
from chainrule.explanation.schema import derivation_as_json, update_as_json
from chainrule.primitives import Apply, Symbol
from chainrule.primitives.python import python
from chainrule.wire import number

__all__ = ["Factor", "Stamp", "dumps"]

quoted = json.encoder.encode_basestring
"""A string as `dumps` writes it."""

dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
MARKED = ("parameter", "symbol", "gradient", "factor", "result", "update", "checks")


class Factor:
    """The number that a parameter is multiplied by, with its texts."""

    def __init__(self, name: str, value: float) -> None:
        self.name = name
        self.value = value
        product = Apply("mul", (Symbol("1"), Symbol(name)))
        self.within = python(product, {"1": 1.0, name: value}).removeprefix("1.0*")
        alone = {"formula": name, "substituted": python(Symbol(name), {name: value})}
        self.text = dumps({**alone, "value": number(value)})[1:]


class Stamp:
    """The pattern of `first`, the derivation of a parameter with that factor.

    `fits` says whether the gradient is written as a product with it.
    """

    def __init__(self, first: Derivation, factor: Factor) -> None:
        assert first.result is not None
        self.over, self.loss = first.factors[-1].over, first.loss
        self.formula, self.substituted = first.result.formula, first.result.substituted
        name, within = factor.name, factor.within
        self.fits = (
            self.formula.endswith(f"*{name}")
            and self.substituted.endswith(f"*{within}")
            and first.factors[-1].formula == name
            and first.factors[-1].reason is None
        )
        self.formula = self.formula.removesuffix(name)
        self.substituted = self.substituted.removesuffix(within)
        document = derivation_as_json(first)
        for key in ("parameter", "symbol", "gradient", "result", "update", "checks"):
            document[key] = _mark(key)
        document["factors"][-1] = _mark("factor")
        text = dumps(document)
        self.parts = []
        for key in MARKED:
            part, text = text.split(dumps(_mark(key)), 1)
            self.parts.append(part)
        self.parts.append(text)

    def line(
        self,
        parameter: str,
        gradient: float,
        factor: Factor,
        update: Update | None,
        checks: Mapping[str, Any],
    ) -> str:
        """The document of another parameter, as text."""
        own = quoted(partial(self.loss, parameter))
        at = self.parts
        return "".join(
            (
                *(at[0], quoted(parameter), at[1], own, at[2], repr(gradient), at[3]),
                *('{"symbol": ', quoted(partial(self.over, parameter)), ", ", factor.text, at[4]),
                *('{"symbol": ', own, ', "formula": ', quoted(self.formula + factor.name)),
                *(', "substituted": ', quoted(self.substituted + factor.within)),
                *(', "value": ', repr(gradient), "}", at[5], _text_of_update(update), at[6]),
                *(_text_of(checks), at[7]),
            )
        )


def _text_of_update(update: Update | None) -> str:
    """`update_as_json` as text, without a dictionary on the way."""
    if update is None or update.after or not math.isfinite(update.new):
        return dumps(update_as_json(update))
    return "".join(
        (
            *('{"old": ', repr(update.old), ', "new": ', repr(update.new)),
            *(', "formula": ', quoted(update.formula)),
            *(', "substituted": ', quoted(update.substituted)),
            *(', "gradient": ', repr(update.gradient), ', "after": []}'),
        )
    )


def _mark(key: str) -> str:
    return f"\0{key}"


def _text_of(checks: Mapping[str, Any]) -> str:
    if len(checks) == 2:  # a method and its verdict, which many share
        return _known(tuple(checks.items()))
    return dumps(dict(checks))


@functools.lru_cache(maxsize=8)
def _known(items: tuple[tuple[str, Any], ...]) -> str:
    return dumps(dict(items))
