"""What `why` answers: the reason of a gradient entry with its evidence, or a map of many.

It is data alone; the words stand in the catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from chainrule.graph.model import Model, Phrase
from chainrule.mime import Displayed
from chainrule.wire import number

__all__ = [
    "CAUSES",
    "SHOWN",
    "WHY_SCHEMA",
    "Born",
    "Cause",
    "Layer",
    "Part",
    "Says",
    "Spot",
    "Term",
    "Terms",
    "Why",
    "WhyMap",
]

WHY_SCHEMA = "chainrule.why/1"

Cause = Literal[
    "ordinary",
    "not connected",
    "frozen",
    "stopped",
    "masked",
    "saturated",
    "cancelled",
    "multiplied by zero",
    "vanishing",
    "exploding",
    "not finite",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)

Says = Literal["operand", "slope", "value", "derivative"]
"""What a number of a place is: the operand of the step there, its slope, its value, or the
derivative of the loss."""

SHOWN = 5
"""Entries that are told one by one."""


@dataclass(frozen=True)
class Spot:
    """A step, and some entries of a quantity there.

    `quantity` names the array, `pattern` the entries in it, `[:,3]`; `places` are their flat
    indices.  `step` is the primitive or composite, `module` and `line` where it stands.
    `numbers` are the first of them: by name, of the kind that `says` names.  `cause` is the
    reason that ends there.
    """

    quantity: str
    step: str
    module: str | None
    line: str | None
    shape: tuple[int, ...]
    places: Any
    pattern: str
    says: Says
    numbers: tuple[tuple[str, float], ...]
    cause: Cause | None = None

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self.places)

    @property
    def name(self) -> str:
        """The quantity with its entries, `relu1[:,3]`."""
        return f"{self.quantity}{self.pattern}"

    def as_json(self) -> dict[str, Any]:
        """Its documented form."""
        return {
            "quantity": self.quantity,
            "step": self.step,
            "module": self.module,
            "line": self.line,
            "entries": self.pattern,
            "count": self.count,
            "cause": self.cause,
            "numbers": {
                "kind": self.says,
                "values": {name: number(value) for name, value in self.numbers},
            },
        }


@dataclass(frozen=True, slots=True)
class Term:
    """A term of an adjoint: through which entry, the local derivative, the adjoint there."""

    through: str
    slope: float
    adjoint: float
    product: float


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms that an entry's adjoint is the sum of, the largest of them, and their sizes."""

    of: str
    largest: tuple[Term, ...]
    count: int
    total: float
    sizes: float


@dataclass(frozen=True, slots=True)
class Layer:
    """A quantity that every way passes: how large its adjoint is.

    `factor` is the change of that size through the quantity's own step, towards the parameter.
    """

    quantity: str
    module: str | None
    size: float
    factor: float | None


@dataclass(frozen=True, slots=True)
class Born:
    """Where the first number that is not finite is born: `spot`, and the numbers there.

    `backward` tells a derivative from a value.  `largest`, where it is given, is the largest
    number of the framework's format, which the value exceeds.
    """

    spot: Spot
    backward: bool
    value: float
    operands: tuple[tuple[str, float], ...]
    largest: float | None = None


@dataclass(frozen=True)
class Why(Displayed):
    """Why the derivative of the loss by one entry is what it is.

    `paragraph` says it by keys of the message catalogue.  `repaired` is what the derivative
    would be if a product 0 · ∞ counted as 0.
    """

    model: Model
    loss: str
    parameter: str
    gradient: float
    cause: Cause
    paragraph: tuple[Phrase, ...]
    spots: tuple[Spot, ...] = ()
    terms: Terms | None = None
    layers: tuple[Layer, ...] = ()
    born: Born | None = None
    repaired: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.why/1`."""
        evidence: dict[str, Any] = {"spots": [spot.as_json() for spot in self.spots]}
        if self.terms is not None:
            evidence["terms"] = {
                "of": self.terms.of,
                "count": self.terms.count,
                "sum": number(self.terms.total),
                "sizes": number(self.terms.sizes),
                "largest": [
                    {
                        "through": term.through,
                        "slope": number(term.slope),
                        "adjoint": number(term.adjoint),
                        "product": number(term.product),
                    }
                    for term in self.terms.largest
                ],
            }
        if self.layers:
            evidence["layers"] = [
                {
                    "quantity": layer.quantity,
                    "module": layer.module,
                    "size": number(layer.size),
                    "factor": None if layer.factor is None else number(layer.factor),
                }
                for layer in self.layers
            ]
        if self.born is not None:
            evidence["born"] = {
                **self.born.spot.as_json(),
                "direction": "backward" if self.born.backward else "forward",
                "value": number(self.born.value),
                "operands": {name: number(value) for name, value in self.born.operands},
                "largest": None if self.born.largest is None else number(self.born.largest),
            }
            evidence["repaired"] = None if self.repaired is None else number(self.repaired)
        return {
            "schema": WHY_SCHEMA,
            "model": self.model.title,
            "loss": self.loss,
            "parameter": self.parameter,
            "gradient": number(self.gradient),
            "cause": self.cause,
            "evidence": evidence,
        }


@dataclass(frozen=True)
class Part:
    """Some entries of one array with one reason, and the step that it leads to."""

    array: str
    cause: Cause
    count: int
    pattern: str
    spot: Spot | None


@dataclass(frozen=True)
class WhyMap(Displayed):
    """How many entries of each array have which reason.

    `sizes` are the entries of each array that was asked for, by its name.
    """

    model: Model
    loss: str
    sizes: Mapping[str, int]
    parts: Sequence[Part]

    @property
    def counts(self) -> dict[Cause, int]:
        """How many entries have each reason, of all arrays together."""
        found: dict[Cause, int] = {}
        for part in self.parts:
            found[part.cause] = found.get(part.cause, 0) + part.count
        return found

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.why/1`."""
        return {
            "schema": WHY_SCHEMA,
            "model": self.model.title,
            "loss": self.loss,
            "counts": dict(self.counts),
            "arrays": [
                {
                    "name": name,
                    "count": size,
                    "parts": [
                        {
                            "cause": part.cause,
                            "count": part.count,
                            "entries": part.pattern,
                            "place": None if part.spot is None else part.spot.as_json(),
                        }
                        for part in self.parts
                        if part.array == name
                    ],
                }
                for name, size in self.sizes.items()
            ],
        }
