"""What `explain` answers: derivations, the δ's that they share, how they were checked."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainrule.explanation.derivation import Contribution, Derivation, Factor, Line, Update
from chainrule.explanation.messages import Words
from chainrule.explanation.values import Values
from chainrule.graph.model import Convention, Model
from chainrule.mime import Displayed
from chainrule.wire import number, plain

if TYPE_CHECKING:
    from chainrule.explanation.matrices import Matrices

__all__ = [
    "DERIVATIONS_SCHEMA",
    "DERIVATION_SCHEMA",
    "VALUES_SCHEMA",
    "Explanation",
    "derivation_as_json",
    "shared_as_json",
    "update_as_json",
    "values_as_json",
]

DERIVATION_SCHEMA = "chainrule.derivation/1"
DERIVATIONS_SCHEMA = "chainrule.derivations/1"
VALUES_SCHEMA = "chainrule.values/1"


@dataclass(frozen=True)
class Explanation(Displayed):
    """Derivations of one model, and the lines of working that they share.

    `values` holds the number of every name that a formula may speak of.
    """

    model: Model
    loss: str
    loss_value: float
    order: str
    derivations: tuple[Derivation, ...]
    shared: tuple[Line, ...]
    values: Mapping[str, float]

    @property
    def title(self) -> str:
        """The model's title."""
        return self.model.title

    @property
    def conventions(self) -> tuple[Convention, ...]:
        """The choices that every document declares."""
        return self.model.conventions

    @property
    def learning_rate(self) -> tuple[str, float] | None:
        """Its name and number; None where the model has none."""
        rate = self.model.learning_rate
        return None if rate is None else (self.model.learning_rate_name, rate)

    @property
    def checks(self) -> tuple[Mapping[str, Any], ...]:
        """The check of each derivation."""
        return tuple(item.checks for item in self.derivations)

    @functools.cached_property
    def matrices(self) -> Matrices | None:
        """The same by whole arrays; None for a model that has none."""
        from chainrule.explanation.matrices import matrices

        return matrices(self.model)

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.derivation/1`."""
        return {
            **self.header(DERIVATION_SCHEMA),
            "values": plain(dict(self.values)),
            "shared": [shared_as_json(line) for line in self.shared],
            "derivations": [derivation_as_json(item) for item in self.derivations],
        }

    def header(self, schema: str) -> dict[str, Any]:
        """What is said of the model before its derivations."""
        return {
            "schema": schema,
            "model": self.title,
            "conventions": {**_conventions(self.conventions), "update order": self.order},
            "learning_rate": None if self.learning_rate is None else self.learning_rate[1],
            "loss": {"name": self.loss, "value": number(self.loss_value)},
        }


def _conventions(conventions: Iterable[Convention]) -> dict[str, str]:
    """JSON speaks English, whatever the language of the documents."""
    say = Words("en")
    return dict(map(say.convention, conventions))


def shared_as_json(line: Line) -> dict[str, Any]:
    """A line of working that others refer to by its name."""
    return {"name": line.node.name, **_line(line)}


def _line(line: Line) -> dict[str, Any]:
    return {
        "symbol": line.symbol,
        "formula": line.formula,
        "substituted": line.substituted,
        "value": number(line.value),
    }


def _factor(factor: Factor) -> dict[str, Any]:
    noted = {"reason": factor.reason} if factor.reason is not None else {}
    return _line(factor) | noted


def _contribution(item: Contribution) -> dict[str, Any]:
    return {
        "through": item.through,
        **_line(item.product),
        "factors": [_factor(factor) for factor in item.factors],
    }


def update_as_json(update: Update | None) -> dict[str, Any] | None:
    """One step on a parameter, if there is one."""
    if update is None:
        return None
    return {
        "old": number(update.old),
        "new": number(update.new),
        "formula": update.formula,
        "substituted": update.substituted,
        "gradient": number(update.gradient),
        "after": list(update.after),
    }


def derivation_as_json(item: Derivation) -> dict[str, Any]:
    """One derivation, its update and its checks."""
    result = {"result": _line(item.result)} if item.result is not None else {}
    return {
        "parameter": item.parameter,
        "symbol": item.symbol,
        "gradient": number(item.gradient),
        "factors": [_factor(factor) for factor in item.factors],
        "contributions": [_contribution(part) for part in item.contributions],
        **result,
        "reason": item.reason,
        "update": update_as_json(item.update),
        "checks": plain(dict(item.checks)),
    }


def values_as_json(values: Values) -> dict[str, Any]:
    """The documented form, schema `chainrule.values/1`."""
    own = {line.symbol: line.value for line in values.lines}
    return {
        "schema": VALUES_SCHEMA,
        "model": values.title,
        "conventions": _conventions(values.conventions),
        "given": {name: number(value) for name, _, value in values.given},
        "values": {name: number(value) for name, value in own.items()},
        "formulas": {line.symbol: line.formula for line in values.lines},
        "saturated": list(values.saturated),
        "loss": number(own[values.loss]),
    }
