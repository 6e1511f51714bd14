"""The parts of a worked article, put together: the passes, the derivations, a step, the check.

Of a model that is too large to be spelt out, the article shows the way from a weight of
its first layer and one of its last to the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import chainrule.api as api
from chainrule.differentiate.update import distance_from_loss
from chainrule.engines import reference
from chainrule.engines.gradient import gradient
from chainrule.errors import Fault, InputError
from chainrule.explanation.article import Article, Variant
from chainrule.explanation.cost import cost_of
from chainrule.explanation.picture import picture_of
from chainrule.explanation.values import parts_of_loss, quantities, values_of
from chainrule.graph.model import Model, Order
from chainrule.workings import Workings

__all__ = ["worked_article"]


def worked_article(
    model: Model, order: Order | None = None, also: Sequence[Mapping[str, float]] = ()
) -> Article:
    """The article on a model; each of `also` gives numbers with which the step is taken again.

    Raises: what `chainrule.article` does.
    """
    chosen: Order = order or model.order
    if not model.trained:
        raise InputError(
            Fault("ValueError", "no parameter is trained", needs="at least one to derive")
        )
    whole = reference.takes(model)
    workings = Workings(model, model.trained if whole else _ends(model), chosen)
    unrolled, trace = workings.scalars.unrolled, workings.trace
    if whole:
        values = api.show(model)
    else:
        values = values_of(model, unrolled, quantities(unrolled, [model.loss]), trace)
    others = [model.with_values(changes) for changes in also]
    trains = model.learning_rate is not None
    return Article(
        values,
        parts_of_loss(model, unrolled),
        picture_of(model, unrolled, trace),
        model.examples,
        workings.explanation(),
        workings.worth_showing(),
        cost_of(workings.chain, workings.asked),
        api.step(model, order=chosen) if trains else None,
        api.check(model),
        tuple(
            Variant(changes, api.step(other, order=chosen))
            for changes, other in zip(also, others, strict=True)
        ),
    )


def _ends(model: Model) -> list[str]:
    """Of a trained array nearest to the loss and of one farthest from it, the steepest entry."""
    trained = {leaf.node: leaf.labels for leaf in model.leaves if leaf.trained}
    distance = distance_from_loss(model.loss, trained)
    steepness = gradient(model).entries
    ends = (min(trained, key=distance.__getitem__), max(trained, key=distance.__getitem__))
    steepest = (max(trained[node], key=lambda name: abs(steepness[name])) for node in ends)
    return list(dict.fromkeys(steepest))
