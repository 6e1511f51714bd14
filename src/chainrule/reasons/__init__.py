"""Why a gradient is what it is: zero, not finite, lost or grown on its way, or ordinary."""

from __future__ import annotations

from chainrule.explanation.why import Why, WhyMap
from chainrule.graph.model import Model
from chainrule.reasons.entry import Entry
from chainrule.reasons.maps import Map

__all__ = ["why"]


def why(model: Model, wrt: str | None = None) -> Why | WhyMap:
    """The reason of one entry, or a map of the entries of an array or of all that are trained.

    Raises: InputError where nothing has the name `wrt`.
    """
    if wrt is None:
        parameters = [leaf for leaf in model.leaves if leaf.role == "parameter"]
        return Map(model, parameters or list(model.leaves)).why()
    wanted = wrt.replace(" ", "")
    wanted = model.aliases.get(wanted, wanted)
    arrays = [leaf for leaf in model.leaves if leaf.node.name == wanted and leaf.node.shape]
    if arrays:
        return Map(model, arrays).why()
    return Entry(model, model.resolve(wrt)).why()
