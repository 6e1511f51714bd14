"""What is read of a model that is too large to be spelt out: single entries, and their terms.

The gradient of an entry is a sum over the entries of those quantities in whose formulas it
stands, of adjoint times local derivative.  Of a long sum the largest terms are told, with the
share of the whole that they are, and each can be opened in the same way.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule.explanation.derivation import Line
from chainrule.graph.model import Model
from chainrule.graph.node import Origin
from chainrule.mime import Displayed
from chainrule.wire import number, plain

__all__ = ["EXCERPT_SCHEMA", "Chain", "Entry", "Excerpt", "Link", "Term", "Use"]

EXCERPT_SCHEMA = "chainrule.excerpt/1"


@dataclass(frozen=True, slots=True)
class Use:
    """A quantity in whose formula the entry stands, in `count` of its entries.

    `names` is the name of its array, or of each entry where they have names of their own.
    `steps` are the primitives or the composite of its formula, `origin` says where that stands
    in the user's code.  `total` is the sum of its terms, `size` that of their absolute values;
    `unchanged` says that all its local derivatives are 1: the entry is only added there.
    """

    names: tuple[str, ...]
    steps: tuple[str, ...]
    notation: str
    origin: Origin | None
    count: int
    total: float
    size: float
    unchanged: bool


@dataclass(frozen=True, slots=True)
class Term:
    """The share that comes back through one entry: its adjoint times the local derivative."""

    through: str
    adjoint: float
    slope: Line
    product: Line

    @property
    def value(self) -> float:
        """The share's number."""
        return self.product.value


@dataclass(frozen=True, slots=True)
class Link:
    """A step of a chain: the entry it leads to, its local derivative, the product so far."""

    name: str
    slope: float
    product: float


@dataclass(frozen=True, slots=True)
class Chain:
    """The path from an entry to the loss with the largest product of local derivatives.

    It is the largest of all where `is_largest`, else of those that were followed.
    """

    links: tuple[Link, ...]
    is_largest: bool

    @property
    def product(self) -> float:
        """What the path adds to the gradient."""
        return self.links[-1].product if self.links else 1.0


@dataclass(frozen=True)
class Entry:
    """The gradient of one entry of a quantity, as the sum of its terms.

    `terms` are the largest of `count`, in the order of their size; `zero` of all are 0, which
    are told only where there is no other.  `size` is the sum of the
    absolute values of all terms, `shown` that of those told, `rest` the sum of the others.
    `also` are the other names of the parameter, `opened` the entries of some of the terms, by
    their names.  What takes a further pass
    over the model, `paths` and `chain`, is worked out when it is first looked at.
    """

    name: str
    value: float
    gradient: float
    uses: tuple[Use, ...]
    terms: tuple[Term, ...]
    count: int
    zero: int
    size: float
    shown: float
    rest: float
    also: tuple[str, ...]
    checks: Mapping[str, Any]
    opened: Mapping[str, Entry]
    ways: Callable[[], tuple[float, Chain]] = field(repr=False)

    @functools.cached_property
    def _ways(self) -> tuple[float, Chain]:
        return self.ways()

    @property
    def paths(self) -> float:
        """The sum of the absolute values of all paths from the entry to the loss."""
        return self._ways[0]

    @property
    def chain(self) -> Chain:
        """The path with the largest product of local derivatives."""
        return self._ways[1]

    @property
    def coverage(self) -> float:
        """What share of the sum of absolute values the terms that are told make up."""
        return self.shown / self.size if self.size else 1.0

    @property
    def cancellation(self) -> float:
        """The gradient as a share of the sum of its terms' absolute values; 1 if none cancel."""
        return abs(self.gradient) / self.size if self.size else 1.0


@dataclass(frozen=True)
class Excerpt(Displayed):
    """Entries of one model, each with its terms; `open` reads further ones from the same run.

    `engine` and `dtype` say what ran the model, and in which numbers.
    """

    model: Model
    loss: str
    loss_value: float
    entries: tuple[Entry, ...]
    engine: str
    dtype: str
    read: Callable[..., Excerpt] = field(repr=False)

    @property
    def title(self) -> str:
        """The model's title."""
        return self.model.title

    @property
    def checks(self) -> tuple[Mapping[str, Any], ...]:
        """The check of each entry."""
        return tuple(item.checks for item in self.entries)

    @property
    def gradients(self) -> Mapping[str, float]:
        """The gradient of each entry, by its name."""
        return {item.name: item.gradient for item in self.entries}

    def open(self, *names: str, **choices: Any) -> Excerpt:
        """The entries of these names, of any quantity; `choices` are those of `explain`.

        Raises: InputError for a name that no quantity has.
        """
        return self.read(names, **choices)

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.excerpt/1`."""
        return {
            "schema": EXCERPT_SCHEMA,
            "model": self.title,
            "loss": {"name": self.loss, "value": number(self.loss_value)},
            "engine": self.engine,
            "dtype": self.dtype,
            "entries": [_entry(item) | _ways(item) for item in self.entries],
        }


def _ways(item: Entry) -> dict[str, Any]:
    return {"paths": number(item.paths), "chain": plain(dataclasses.asdict(item.chain))}


def _entry(item: Entry) -> dict[str, Any]:
    return {
        "name": item.name,
        "value": number(item.value),
        "gradient": number(item.gradient),
        "uses": [_use(use) for use in item.uses],
        "terms": [_term(term) for term in item.terms],
        "count": item.count,
        "zero": item.zero,
        "also": list(item.also),
        "size": number(item.size),
        "rest": number(item.rest),
        "coverage": number(item.coverage),
        "cancellation": number(item.cancellation),
        "checks": plain(dict(item.checks)),
        "opened": {name: _entry(entry) for name, entry in item.opened.items()},
    }


def _use(use: Use) -> dict[str, Any]:
    origin = {} if use.origin is None else plain(dataclasses.asdict(use.origin))
    return {
        "names": list(use.names),
        "steps": list(use.steps),
        "count": use.count,
        "total": number(use.total),
        "size": number(use.size),
        "unchanged": use.unchanged,
        "origin": origin,
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "through": term.through,
        "adjoint": number(term.adjoint),
        "slope": number(term.slope.value),
        "formula": term.product.formula,
        "substituted": term.product.substituted,
        "value": number(term.value),
    }
