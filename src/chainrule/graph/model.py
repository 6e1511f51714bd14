"""A model: a graph of a loss, the numbers of its leaves, and what training does with them.

Every frontend and importer ends here; everything below the waist of the
hourglass starts here.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chainrule.errors import Fault, InputError, closest
from chainrule.graph.labels import Directory
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.demand import Asked, demand
from chainrule.graph.passes.name import name_quantities
from chainrule.graph.passes.unroll import Unrolled, entry_labels, unroll, unrolled_size
from chainrule.mime import Displayed

__all__ = ["Convention", "Framework", "LeafValue", "Model", "Order", "Phrase"]

Order = Literal["simultaneous", "sequential"]
Role = Literal["input", "target", "parameter", "constant"]

_DIGITS = re.compile(r"([0-9]+)")

MOST_COMPARED = 10_000
"""Names up to which all are compared with one that is not known."""

MOST_NAMED = 2_000_000
"""Trained entries up to which all are listed by their names."""

UNROLL_LIMIT = 1_000_000
"""The most scalar steps that are spelt out; a larger model is run as arrays only."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A message by its key in the catalogue, with what fills its placeholders."""

    key: str
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Convention:
    """A choice that every document declares: a topic, and phrases that say what was chosen."""

    topic: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class Framework:
    """The framework that a model came from, which is asked for its own gradient.

    `gradient(name)` is its derivative of the loss by the whole array of that leaf, in the
    leaf's shape.  `largest` is the largest number of the narrowest format that it computes in.
    """

    name: str
    version: str
    gradient: Callable[[str], Any]
    largest: float = math.inf


@dataclass(frozen=True, slots=True)
class LeafValue:
    """A leaf's numbers, row-major, and its part in the model.

    The numbers of a large leaf are a flat NumPy array.
    """

    node: Node
    values: Sequence[float]
    role: Role
    trained: bool = False

    @property
    def labels(self) -> Sequence[str]:
        """The names of the entries."""
        labels = entry_labels(self.node)
        assert labels is not None
        return labels

    @property
    def entries(self) -> list[tuple[str, float]]:
        """Names and numbers as one lists them: w7, w8, w9, w10, however they are laid out."""
        pairs = list(zip(self.labels, map(float, self.values), strict=True))
        return sorted(pairs, key=lambda pair: _natural(pair[0])) if len(pairs) < 1000 else pairs


@dataclass(frozen=True)
class Model(Displayed):
    """A scalar loss over named leaves.

    `quantities` are the named steps that people ask for even when the loss does
    not need them.  `rewrite`, where the model came from a file, gives that
    file's text with other numbers; `choices` are what `loads` has to be given beside
    that text.  `stable`, where it is given, makes the same
    function in steps that stay finite where these round to an infinity; its leaves
    are the same, in the same order.  `conventions` are the choices that
    every document declares.  `dtype` is the type in which the numbers came, `framework` the
    one that the model came from.
    """

    title: str
    loss: Node
    leaves: tuple[LeafValue, ...]
    quantities: tuple[Node, ...] = ()
    learning_rate: float | None = None
    learning_rate_name: str = "η"
    order: Order = "simultaneous"
    conventions: tuple[Convention, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    rewrite: Callable[[Mapping[str, float]], str] | None = None
    choices: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    stable: Callable[[], Model] | None = None
    dtype: str = "float64"
    framework: Framework | None = None

    # ------------------------------------------------------------------- the leaves

    @functools.cached_property
    def entry_of(self) -> Directory[int]:
        """Where each leaf entry's number lies: (leaf, flat index) by name."""
        return Directory((number, leaf.labels) for number, leaf in enumerate(self.leaves))

    @property
    def trained(self) -> tuple[str, ...]:
        """The names of the entries that an update changes, leaf by leaf.

        Raises: InputError where nobody could read them all.
        """
        count = sum(len(leaf.values) for leaf in self.leaves if leaf.trained)
        if count > MOST_NAMED:
            raise InputError(
                Fault(
                    "SizeError",
                    f"the model trains {count:,} numbers",
                    needs=f"at most {MOST_NAMED:,} to be taken one by one",
                    hint="ask for the entries that matter, or for the reasons of a whole tensor",
                )
            )
        return tuple(name for leaf in self.leaves if leaf.trained for name, _ in leaf.entries)

    def resolve_all(self, names: Iterable[str]) -> list[str]:
        """The leaf entries that `names` mean, once each. Raises: InputError with every fault."""
        faults: list[Fault] = []
        found: dict[str, None] = {}
        for name in names:
            try:
                found[self.resolve(name)] = None
            except InputError as error:
                faults.extend(error.faults)
        if faults:
            raise InputError(*faults)
        return list(found)

    @property
    def numbers(self) -> dict[str, float]:
        """Every given number by its name, the learning rate's included."""
        found = {name: value for leaf in self.leaves for name, value in leaf.entries}
        if self.learning_rate is not None:
            found[self.learning_rate_name] = self.learning_rate
        return found

    def value(self, name: str) -> float:
        """The number of one leaf entry. Raises: InputError when there is no such leaf."""
        leaf, flat = self.entry_of[self.resolve(name)]
        return float(self.leaves[leaf].values[flat])

    def resolve(self, name: str) -> str:
        """The leaf entry that `name` means. Raises: InputError with a did-you-mean."""
        wanted = self._meant(name)
        if wanted in self.entry_of:
            return wanted
        raise InputError(self._unknown(name, wanted, self.entry_of))

    def quantity(self, name: str) -> str:
        """The entry of any quantity that `name` means. Raises: InputError with a did-you-mean."""
        wanted = self._meant(name)
        if wanted in self.directory:
            return wanted
        raise InputError(self._unknown(name, wanted, self.directory))

    def _meant(self, name: str) -> str:
        """The name of an entry, where it or its array was given by another of its names."""
        wanted = name.replace(" ", "")
        array, bracket, index = wanted.partition("[")
        own = self.aliases.get(array, array) + bracket + index
        return self.aliases.get(wanted, own)

    def _unknown(self, name: str, wanted: str, known: Directory[Any]) -> Fault:
        """What is wrong with a name that no entry has, of leaves or of all quantities."""
        array = known.array(wanted) or known.array(wanted.partition("[")[0])
        if array is not None:
            sizes = "one number" if len(array.shape) == 1 else f"{len(array.shape)} numbers"
            return Fault(
                "NameError",
                f'"{name}" is no entry of {array.name}, whose shape is {array.shape}',
                needs=f"{sizes} from 0 on, each below its axis's size",
                hint=f"{array[0]} is the first",
            )
        if wanted in self.directory:
            what = f'"{name}" is computed, not given'
        else:
            what = f'there is no number called "{name}"'
        is_given = known is self.entry_of
        needs = "a name that the model gives a number" if is_given else "an entry of a quantity"
        is_listed = is_given and len(known) <= MOST_COMPARED
        names = list(known) if is_listed else known.names
        some, more = ", ".join(names[:8]), ", ..." if len(names) > 8 else ""
        return Fault(
            "NameError",
            what,
            needs=f"{needs}: {some}{more}",
            hint=closest(wanted, _candidates(wanted, known)),
        )

    def with_values(self, changes: Mapping[str, float]) -> Model:
        """The same model with other numbers; the learning rate goes by its name too.

        Raises: InputError with a fault for each unknown name or unusable number.
        """
        faults: list[Fault] = []
        rate = self.learning_rate
        values: dict[int, Any] = {}
        for name, value in changes.items():
            if not math.isfinite(value):
                faults.append(Fault("ValueError", f"{name} = {value}", needs="a finite number"))
                continue
            if name in ("learning_rate", self.learning_rate_name):
                rate = value
                if name not in self.entry_of:
                    continue
            try:
                leaf, flat = self.entry_of[self.resolve(name)]
            except InputError as error:
                faults.extend(error.faults)
                continue
            own = self.leaves[leaf].values
            if leaf not in values:
                values[leaf] = list(own) if isinstance(own, tuple) else copy.copy(own)
            values[leaf][flat] = value
        if faults:
            raise InputError(*faults)
        return self.with_leaves(values, rate)

    def with_leaves(
        self, values: Mapping[int, Sequence[float]], learning_rate: float | None = None
    ) -> Model:
        """The same graph with other numbers for whole leaves, by their place.

        The framework that it came from knows nothing of these.
        """
        leaves = tuple(
            dataclasses.replace(leaf, values=_kept(values[number])) if number in values else leaf
            for number, leaf in enumerate(self.leaves)
        )
        rate = self.learning_rate if learning_rate is None else learning_rate
        framework = None if values else self.framework
        changed = dataclasses.replace(self, leaves=leaves, learning_rate=rate, framework=framework)
        for name in ("labels", "directory", "unrolled", "scalar_size"):  # the graph is the same
            if name in self.__dict__:
                changed.__dict__[name] = self.__dict__[name]
        return changed

    @property
    def examples(self) -> int:
        """How many examples the inputs hold: the rows of an input that is a table."""
        tables = (leaf.node for leaf in self.leaves if leaf.role == "input")
        return next((node.shape[0] for node in tables if len(node.shape) == 2), 1)

    def in_stable_form(self) -> Model | None:
        """The same function of the same numbers by `stable`, or None where there is none."""
        if self.stable is None:
            return None
        values = {number: leaf.values for number, leaf in enumerate(self.leaves)}
        stable = dataclasses.replace(self.stable(), rewrite=self.rewrite)
        return stable.with_leaves(values, self.learning_rate)

    # ---------------------------------------------------------------- the scalar view

    @functools.cached_property
    def outputs(self) -> list[Node]:
        """The quantities in the order in which they were written down, and the loss."""
        return list(dict.fromkeys([*self.quantities, self.loss]))

    @functools.cached_property
    def labels(self) -> dict[Node, Sequence[str]]:
        """The entry names of every quantity, leaves included."""
        return name_quantities([*self.outputs, *(leaf.node for leaf in self.leaves)])

    @functools.cached_property
    def directory(self) -> Directory[Node]:
        """Where each quantity's name leads, leaves included: (array node, flat index)."""
        return Directory(self.labels.items())

    @functools.cached_property
    def scalar_size(self) -> int:
        """How many scalar steps the model has, about."""
        return unrolled_size(self.outputs)

    @functools.cached_property
    def unrolled(self) -> Unrolled:
        """The scalar graph. Raises: InputError when the model is too large to spell out."""
        if self.scalar_size > UNROLL_LIMIT:
            raise InputError(
                Fault(
                    "SizeError",
                    f"the model has about {self.scalar_size:,} scalar steps",
                    needs=f"at most {UNROLL_LIMIT:,} to be written out step by step",
                    hint="`chainrule explain` of a few parameters writes out what they need; "
                    "`chainrule step` and `chainrule check` run it as arrays",
                )
            )
        return unroll(self._roots, self.labels)

    def unrolled_towards(self, roots: Asked, asked: Asked) -> Unrolled:
        """The scalar graph of the entries `roots`, as far as it depends on those `asked`.

        The other quantities are variables in it, with their names.

        Raises: InputError when even that is too large to spell out.
        """
        needed = demand(self._roots, self.labels, roots, asked, UNROLL_LIMIT)
        if needed.size > UNROLL_LIMIT:
            raise InputError(
                Fault(
                    "SizeError",
                    f"more than {UNROLL_LIMIT:,} scalar steps lead from what is asked to the loss",
                    needs=f"at most {UNROLL_LIMIT:,} to be written out step by step",
                    hint="ask for fewer parameters, or for some nearer to the loss",
                )
            )
        return unroll(self._roots, self.labels, needed)

    @property
    def _roots(self) -> list[Node]:
        return [*self.outputs, *(leaf.node for leaf in self.leaves)]

    @functools.cached_property
    def nodes(self) -> list[Node]:
        """Every node of the array graph, inputs first."""
        return topological(self.outputs)


def _candidates(wanted: str, known: Directory[Any]) -> Iterable[str]:
    """What somebody may have meant: of large arrays, the entry with the same numbers."""
    if len(known) <= MOST_COMPARED:
        return known
    _, bracket, index = wanted.partition("[")
    return [
        name if known.array(name) is None else f"{name}{bracket}{index}" for name in known.names
    ]


def _kept(values: Sequence[float]) -> Sequence[float]:
    """Numbers as a leaf keeps them: a list becomes a tuple, an array stays one."""
    return tuple(values) if isinstance(values, list) else values


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts w9 before w10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]
