"""Which part each leaf plays, read from its name, and which leaves an update changes.

Names are the convention of the field: `w`, `W`, `w1`, `w_h`, `Wxh`, `weights`,
`theta` and `θ` are trained; `y`, `t`, `target`, `label` are what an output should be;
`b` and `bias` are parameters that are held fixed unless the file says
otherwise; lists, arrays, and scalars called `x`, `l`, `i` or `input` are
inputs; any other scalar is a constant.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from chainrule.errors import Faults, closest
from chainrule.graph.model import LeafValue, Role
from chainrule.graph.node import Node
from chainrule.graph.passes.unroll import entry_labels

__all__ = ["RATE_NAMES", "Leaf", "cast", "choose_trained", "split_names"]

RATE_NAMES = ("alpha", "eta", "η", "lr", "learning_rate")

_WEIGHT = re.compile(r"[wW](?:\d\w*|_\w+|[A-Z]\w*|[a-z]{0,2}\d*)|weights?\w*|(?:θ|theta)\w*")
_TARGET = re.compile(r"(?:y|t)\d*|(?:targets?|labels?)\d*|(?:y|t|target|label)_\w*")
_BIAS = re.compile(r"b\d*|b_\w*|bias\w*")
_INPUT = re.compile(r"(?:x|X|l|i|input)(?:\d*|_\w*)")
_NAME = re.compile(r"[^\s,\[]+(?:\[[^\]]*\])*")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf, the name of the list or array that it was given in, and its numbers."""

    node: Node
    base: str
    values: tuple[float, ...]
    in_list: bool

    @property
    def labels(self) -> Sequence[str]:
        """The names of the entries."""
        return entry_labels(self.node) or ()


def split_names(text: str) -> tuple[str, ...]:
    """The names of a list such as `w, b, v[0,1]`."""
    return tuple(found.group().replace(" ", "") for found in _NAME.finditer(text))


def cast(leaf: Leaf, trained: bool) -> LeafValue:
    """The leaf with its role."""
    return LeafValue(leaf.node, leaf.values, _role(leaf, trained), trained)


def _role(leaf: Leaf, trained: bool) -> Role:
    if trained or _WEIGHT.fullmatch(leaf.base) or _BIAS.fullmatch(leaf.base):
        return "parameter"
    if _TARGET.fullmatch(leaf.base):
        return "target"
    is_input = leaf.in_list or leaf.node.shape or _INPUT.fullmatch(leaf.base)
    return "input" if is_input else "constant"


# ----------------------------------------------------------------------------- trained


def by_convention(leaves: Iterable[Leaf], used: Container[Node]) -> set[Node]:
    """The leaves called like weights; without any, all that the loss uses and that no target is."""
    listed = list(leaves)
    weights = {leaf.node for leaf in listed if _WEIGHT.fullmatch(leaf.base)}
    return weights or {
        leaf.node for leaf in listed if leaf.node in used and not _TARGET.fullmatch(leaf.base)
    }


def choose_trained(
    leaves: Sequence[Leaf],
    wanted: Sequence[str] | None,
    used: Container[Node],
    computed: Container[str],
    faults: Faults,
    line: int | None = None,
) -> set[Node]:
    """The leaves that training changes: those `wanted`, else those of the convention.

    A name is that of a leaf, or of the list it stands in, or a pattern with `*`
    and `?`.  Names that fit nothing are noted as faults.
    """
    if wanted is None:
        return by_convention(leaves, used)
    chosen: set[Node] = set()
    for name in wanted:
        fitting = {leaf.node for leaf in leaves if _fits(name, leaf)}
        if not fitting:
            _refuse(name, leaves, computed, faults, line)
        chosen |= fitting
    return chosen


def _fits(name: str, leaf: Leaf) -> bool:
    own = (leaf.base, leaf.node.name or "")
    if not any(sign in name for sign in "*?"):
        return name.replace("][", ",") in own
    pattern = name.replace("[", "[[]")  # a bracket is an index, not a set of characters
    return any(fnmatch.fnmatchcase(item, pattern) for item in own)


def _refuse(
    name: str,
    leaves: Sequence[Leaf],
    computed: Container[str],
    faults: Faults,
    line: int | None,
) -> None:
    whole = next((leaf.base for leaf in leaves if name in leaf.labels), None)
    if whole is not None:
        what = f"trained: {name} is one entry of the array {whole}"
        hint = f"name {whole}: an array is trained as a whole"
    elif name in computed:
        what, hint = f"trained: {name} is computed, not given", None
    else:
        what = f'trained: no number is called "{name}"'
        known = [key for leaf in leaves for key in (leaf.base, leaf.node.name or "")]
        hint = closest(name, dict.fromkeys(known))
    faults.add("NameError", what, line=line, needs="names that the file gives a number", hint=hint)
