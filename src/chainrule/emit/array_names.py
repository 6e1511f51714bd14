"""What the arrays of a model are called, by what their owner calls them or their entries."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence

from chainrule.graph.model import LeafValue, Model
from chainrule.graph.node import Node

__all__ = ["array_names", "stem"]

_INDEX = re.compile(r"\[[\d,]*\]$")


def array_names(model: Model, nodes: Iterable[Node]) -> dict[Node, str]:
    """A name for each leaf, and for each of `nodes` that is a quantity; no two are alike.

    Entries `net_h1`, `net_h2` make an array `net_h`.  Weights that are w1 to w12 are `W1`,
    `W2`: a matrix to each layer.
    """
    leaves = {leaf.node: leaf for leaf in model.leaves}
    quantities = [
        node for node in dict.fromkeys([model.loss, *leaves, *nodes]) if node in model.labels
    ]
    own = {node: stem(model.labels[node], node.shape) for node in quantities}
    taken = {name for name in own.values() if name is not None}
    taken.add(model.learning_rate_name)
    names: dict[Node, str] = {}
    for node in quantities:
        name = own[node]
        if name is None or name in names.values():
            base = _base(model.labels[node], leaves.get(node))
            name = _free(f"{base}_parts" if base == model.loss.name else base, taken)
            taken.add(name)
        names[node] = name
    return names


def stem(labels: Sequence[str], shape: tuple[int, ...]) -> str | None:
    """`w` where the entries are called w[0,0], w[0,1], and so on, by their places."""
    found = _INDEX.sub("", labels[0]) if shape else labels[0]
    indices = itertools.product(*map(range, shape))
    wanted = (f"{found}[{','.join(map(str, index))}]" if index else found for index in indices)
    return found if all(map(str.__eq__, labels, wanted)) else None


def _base(labels: Sequence[str], leaf: LeafValue | None) -> str:
    """What the names of all entries begin with; for parameters, W or b."""
    if leaf is not None and leaf.role == "parameter":
        return "W1" if len(leaf.node.shape) == 2 else "b1"
    bare = {_INDEX.sub("", label) for label in labels}
    if len(bare) == 1:
        return bare.pop()
    numbered = {label.rstrip("0123456789") for label in bare}
    if len(numbered) == 1 and (letters := numbered.pop()):
        return letters.rstrip("_") or "x"
    fronts = {label.partition("_")[0] for label in bare if "_" in label[1:]}
    if len(fronts) == 1 and all("_" in label for label in bare):
        return fronts.pop()
    return {"input": "x", "target": "t"}.get("" if leaf is None else leaf.role, "q")


def _free(base: str, taken: Collection[str]) -> str:
    """The base, or the first of h2, h3, ... that is free; of W1, W2, ... where it has a number."""
    if base not in taken:
        return base
    letters = base.rstrip("0123456789")
    numbers = itertools.count(2)
    return next(name for number in numbers if (name := f"{letters}{number}") not in taken)
