"""A whole worked article on one network, as data: what each of its sections speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainrule.explanation.cost import Cost
from chainrule.explanation.derivation import Derivation
from chainrule.explanation.picture import Picture
from chainrule.explanation.schema import Explanation, values_as_json
from chainrule.explanation.values import Values
from chainrule.wire import plain

if TYPE_CHECKING:
    from chainrule.train.steps import Steps
    from chainrule.verify.report import Report

__all__ = ["ARTICLE_SCHEMA", "Article", "Variant"]

ARTICLE_SCHEMA = "chainrule.article/1"


@dataclass(frozen=True)
class Variant:
    """The same step with other numbers."""

    changes: Mapping[str, float]
    steps: Steps


@dataclass(frozen=True)
class Article:
    """The forward pass, the derivations of all trained parameters, one step, the check.

    `parts_of_loss` names the quantities that compare outputs with targets; `chosen` are
    the parameters derived in full: a weight nearest to the loss and one farthest from it.
    `steps` is None for a model without a learning rate.
    """

    values: Values
    parts_of_loss: frozenset[str]
    picture: Picture
    examples: int
    explanation: Explanation
    chosen: tuple[str, ...]
    cost: Cost
    steps: Steps | None
    report: Report
    variants: tuple[Variant, ...] = ()

    def derivation(self, name: str) -> Derivation:
        """One of the derivations."""
        return next(item for item in self.explanation.derivations if item.parameter == name)

    def as_json(self) -> dict[str, Any]:
        """The documented form, schema `chainrule.article/1`: the parts in theirs."""
        return {
            "schema": ARTICLE_SCHEMA,
            "model": self.values.title,
            "values": values_as_json(self.values),
            "explanation": self.explanation.as_json(),
            "in_full": list(self.chosen),
            "multiplications": {"apart": self.cost.apart, "together": self.cost.together},
            "step": None if self.steps is None else self.steps.as_json(),
            "check": self.report.as_json(),
            "variants": [
                {"changes": plain(dict(item.changes)), "step": item.steps.as_json()}
                for item in self.variants
            ],
        }
