"""What `explain` answers: derivations, the δ's that they share, how they were checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.explanation.derivation import Contribution, Derivation, Factor, Line, Update
from chainrule.explanation.messages import Words
from chainrule.explanation.values import Values
from chainrule.graph.model import Convention
from chainrule.mime import Displayed
from chainrule.wire import number, plain

__all__ = ["DERIVATION_SCHEMA", "VALUES_SCHEMA", "Explanation", "values_as_json"]

DERIVATION_SCHEMA = "chainrule.derivation/1"
VALUES_SCHEMA = "chainrule.values/1"


@dataclass(frozen=True)
class Explanation(Displayed):
    """Derivations of one model, and the lines of working that they share.

    `values` holds the number of every name that a formula may speak of.
    """

    title: str
    loss: str
    loss_value: float
    order: str
    learning_rate: tuple[str, float] | None
    conventions: tuple[Convention, ...]
    derivations: tuple[Derivation, ...]
    shared: tuple[Line, ...]
    values: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.derivation/1`."""
        return {
            "schema": DERIVATION_SCHEMA,
            "model": self.title,
            "conventions": {**_conventions(self.conventions), "update order": self.order},
            "learning_rate": None if self.learning_rate is None else self.learning_rate[1],
            "loss": {"name": self.loss, "value": number(self.loss_value)},
            "values": plain(dict(self.values)),
            "shared": [{"name": line.node.name, **_line(line)} for line in self.shared],
            "derivations": [_derivation(item) for item in self.derivations],
        }


def _conventions(conventions: Iterable[Convention]) -> dict[str, str]:
    """JSON speaks English, whatever the language of the documents."""
    say = Words("en")
    return dict(map(say.convention, conventions))


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


def _update(update: Update | None) -> dict[str, Any] | None:
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


def _derivation(item: Derivation) -> dict[str, Any]:
    result = {"result": _line(item.result)} if item.result is not None else {}
    return {
        "parameter": item.parameter,
        "symbol": item.symbol,
        "gradient": number(item.gradient),
        "factors": [_factor(factor) for factor in item.factors],
        "contributions": [_contribution(part) for part in item.contributions],
        **result,
        "reason": item.reason,
        "update": _update(item.update),
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
