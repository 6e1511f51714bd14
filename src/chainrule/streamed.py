"""Derivations one after another, in memory that does not grow with their number.

The chain rule is worked out once, from the loss to the quantities in whose formulas
the parameters stand; of each parameter there remains the last step.  Where that is a
product with one number, as in a net input, the text of one derivation is the pattern
for the others.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainrule.differentiate.chain import Chain
from chainrule.differentiate.update import descend
from chainrule.engines import reference
from chainrule.engines.scalars import (
    asked_entries,
    first_non_finite,
    given_numbers,
    ordered_arrays,
)
from chainrule.explanation.derivation import SATURATED_BELOW, Derivations, Update
from chainrule.explanation.schema import (
    DERIVATIONS_SCHEMA,
    Explanation,
    derivation_as_json,
    shared_as_json,
)
from chainrule.explanation.stamps import Factor, Stamp, dumps
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.coefficients import Coefficient, Coefficients, Entry
from chainrule.graph.passes.demand import users
from chainrule.graph.trace import Trace
from chainrule.primitives import VARIABLE
from chainrule.wire import number
from chainrule.workings import Workings, checks_of

__all__ = ["lines"]

CHUNK = 4096
"""Parameters that are worked out together."""

Use = tuple[Node, Coefficient]
"""A quantity that uses a parameter, and the parameter's coefficient in it."""


def lines(model: Model, names: Sequence[str], order: Order, checked: bool) -> Iterator[str]:
    """The lines of a stream of derivations, each a JSON object (see `docs/json.md`).

    Raises: NumericError where a quantity or a derivative is not finite.
    """
    updates_all = order == "sequential" and model.learning_rate is not None
    streamed = None if updates_all else _Streamed.of(model, names)
    if streamed is None:
        # An update needs all gradients at hand; a parameter stands in no sum; or there is
        # a number to be blamed.
        explanation = Workings(model, names, order).explanation(checked)
        yield dumps(explanation.header(DERIVATIONS_SCHEMA))
        yield dumps({"values": {key: number(value) for key, value in explanation.values.items()}})
        yield from (dumps({"shared": shared_as_json(line)}) for line in explanation.shared)
        yield from (dumps(derivation_as_json(item)) for item in explanation.derivations)
        return
    checks = checks_of(model, streamed.gradient, names) if checked else {}
    yield dumps(streamed.header(order))
    yield from streamed.values()
    yield from streamed.derivations(checks)


class NotASum(ValueError):  # noqa: N818 (never told to a user)
    """A parameter stands in a formula otherwise than as a summand, or a factor of one."""


class _Streamed:
    """The chain from the loss to the quantities that use parameters."""

    def __init__(self, model: Model, names: Sequence[str], found: Mapping[Node, list[int]]) -> None:
        self.model = model
        self.names = names
        self.arrays = ordered_arrays(model)
        used = {node: set(entries) for node, entries in found.items()}
        unrolled = model.unrolled_towards({model.loss: {0}}, used)
        self.unrolled = unrolled
        self.loss = unrolled.at[model.loss][0]
        order = {node: place for place, node in enumerate(topological([self.loss]))}
        entries = [
            (order[scalar], (node, flat), scalar)
            for node, own in used.items()
            for flat in own
            if (scalar := unrolled.at[node].get(flat)) in order
        ]
        self.quantity = {entry: scalar for _, entry, scalar in sorted(entries, key=lambda e: e[0])}
        self.chain = Chain(unrolled, self.loss, self.quantity.values())
        self.op = self.chain.op
        connected = [entry for entry, node in self.quantity.items() if node in self.chain.adjoint]
        self.rank = {entry: place for place, entry in enumerate(connected)}
        outputs = [self.loss, *self.chain.adjoint.values()]
        for use, derivative in (use for own in self.chain.uses.values() for use in own):
            outputs += [derivative, self.chain.share(use, derivative)]
        self.trace = reference.run(outputs, given_numbers(unrolled, self.arrays))
        self.gradient: dict[str, float] = {}

    @classmethod
    def of(cls, model: Model, names: Sequence[str]) -> _Streamed | None:
        """None where a parameter is not used as a summand or a factor of one.

        Or where a number is not finite.
        """
        asked = asked_entries(model, names)
        found = users(topological([model.loss]), model.labels, asked)
        rows = Coefficients(model.labels, asked)
        if any(rows.of(node, own[0]) is None for node, own in found.items() if own):
            return None
        streamed = cls(model, names, found)
        if first_non_finite(model, streamed.arrays):
            return None
        try:
            streamed.gradient = streamed._derivatives()
        except NotASum:
            return None
        numbers = (*streamed.trace.values(), *streamed.gradient.values())
        return streamed if all(map(math.isfinite, numbers)) else None

    # ------------------------------------------------------------------- before the lines

    def header(self, order: Order) -> dict[str, Any]:
        loss = self.loss.name or ""
        explanation = Explanation(self.model, loss, self.trace[self.loss], order, (), (), {})
        return explanation.header(DERIVATIONS_SCHEMA)

    def values(self) -> Iterator[str]:
        """The numbers of the model's leaves and quantities, a line for each array."""
        model = self.model
        if model.learning_rate is not None:
            yield dumps({"values": {model.learning_rate_name: model.learning_rate}})
        for node, labels in model.labels.items():
            if node in self.arrays:
                flat = self.arrays[node].ravel().tolist()
                yield dumps({"values": dict(zip(labels, map(number, flat), strict=True))})

    # ------------------------------------------------------------------------ the lines

    def _chunks(self) -> Iterator[list[tuple[str, list[Use]]]]:
        """The parameters in their order, with their uses in the order of the chain."""
        for start in range(0, len(self.names), CHUNK):
            names = self.names[start : start + CHUNK]
            asked = asked_entries(self.model, names)
            found = users(topological([self.model.loss]), self.model.labels, asked)
            rows = Coefficients(self.model.labels, asked)
            uses: dict[Entry, list[Use]] = {}
            entries = [(node, flat) for node, own in found.items() for flat in own]
            for entry in sorted(filter(self.rank.__contains__, entries), key=self.rank.__getitem__):
                coefficients = rows.of(*entry)
                if coefficients is None:
                    raise NotASum
                for leaf, coefficient in coefficients.items():
                    uses.setdefault(leaf, []).append((self.quantity[entry], coefficient))
            yield [(name, uses.get(self._leaf(name), [])) for name in names]

    def _leaf(self, name: str) -> Entry:
        place, flat = self.model.entry_of[name]
        return self.model.leaves[place].node, flat

    def number(self, coefficient: Coefficient) -> float:
        if isinstance(coefficient, float):
            return coefficient
        node, flat = coefficient
        return float(self.arrays[node].flat[flat])

    def _derivatives(self) -> dict[str, float]:
        """The derivative by each parameter, by name."""
        found = {}
        for chunk in self._chunks():
            for name, uses in chunk:
                total = 0.0
                for place, (quantity, coefficient) in enumerate(uses):
                    adjoint = self.trace[self.chain.adjoint[quantity]]
                    share = adjoint * self.number(coefficient)
                    total = total + share if place else share
                found[name] = total
        return found

    def derivations(self, checks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """The lines of the derivations, those of what they share before them."""
        told: set[str | None] = set()
        for chunk in self._chunks():
            yield from _Chunk(self, chunk, checks, told).lines()

    @functools.cached_property
    def updated(self) -> frozenset[Node]:
        """The leaves that an update changes."""
        if self.model.learning_rate is None:
            return frozenset()
        return frozenset(leaf.node for leaf in self.model.leaves if leaf.trained)


class _Chunk:
    """Some parameters: those that are worked out, and those that follow one of them."""

    def __init__(
        self,
        streamed: _Streamed,
        chunk: list[tuple[str, list[Use]]],
        checks: Mapping[str, Mapping[str, Any]],
        told: set[str | None],
    ) -> None:
        self.streamed, self.chunk, self.checks, self.told = streamed, chunk, checks, told
        self._factors: dict[Entry, Factor] = {}
        self._stamps: dict[Any, Stamp] = {}
        self._values = dict(streamed.trace)
        streamed.chain.op = streamed.op.above()  # what is made here goes with the chunk
        self._kinds = [self._kind(name, uses) for name, uses in chunk]
        first_of: dict[Any, str] = {}
        for kind, (name, _) in zip(self._kinds, chunk, strict=True):
            first_of.setdefault(kind, name)
        firsts = set(first_of.values())
        self.reader, self.node_of = self._worked_out(
            [(name, uses) for name, uses in chunk if name in firsts]
        )

    def _factor(self, entry: Entry) -> Factor:
        known = self._factors.get(entry)
        if known is None:
            node, flat = entry
            name = self.streamed.model.labels[node][flat]
            known = self._factors[entry] = Factor(name, self.streamed.number(entry))
        return known

    def _kind(self, name: str, uses: list[Use]) -> Any:
        """Parameters of one kind have the same derivation, but for one coefficient."""
        quantity, entry = uses[0] if len(uses) == 1 else (None, 0.0)
        if quantity is None or isinstance(entry, float):
            return name
        value = self._factor(entry).value
        gradient = self.streamed.trace[self.streamed.chain.adjoint[quantity]] * value
        return quantity, value == 0, abs(value) < SATURATED_BELOW, gradient == 0

    def _worked_out(
        self, chosen: list[tuple[str, list[Use]]]
    ) -> tuple[Derivations, dict[str, Node]]:
        """The derivations' reader, with these parameters attached to the chain."""
        chain = self.streamed.chain
        values = self._values
        variables = {node.name: node for node in values if node.primitive is VARIABLE}

        def local(coefficient: Coefficient) -> Node:
            if isinstance(coefficient, float):
                return chain.op.constant(coefficient)
            known = self._factor(coefficient)
            if known.name not in variables:
                variables[known.name] = chain.op.variable(known.name)
                values[variables[known.name]] = known.value
            return variables[known.name]

        node_of, outputs = {}, []
        for name, uses in chosen:
            leaf = chain.op.variable(name)
            steps = [(quantity, local(coefficient)) for quantity, coefficient in uses]
            chain.attach(leaf, steps)
            node_of[name] = leaf
            outputs += [derivative for _, derivative in steps]
            if leaf in chain.adjoint:
                outputs += [chain.adjoint[leaf], *(chain.share(*use) for use in chain.uses[leaf])]
        self._values = reference.run(outputs, values)
        return Derivations(chain, Trace(self._values)), node_of

    def lines(self) -> Iterator[str]:
        for kind, (name, uses) in zip(self._kinds, self.chunk, strict=True):
            stamp = self._stamps.get(kind)
            if stamp is not None:
                yield self._stamped(stamp, name, uses)
            elif name in self.node_of:
                yield from self._first_of(kind, name, uses)
            else:  # its kind has no pattern
                self.reader, more = self._worked_out([(name, uses)])
                self.node_of |= more
                yield from self._first_of(name, name, uses)
        for leaf in self.node_of.values():
            self.streamed.chain.detach(leaf)

    def _first_of(self, kind: Any, name: str, uses: list[Use]) -> Iterator[str]:
        """The lines of a parameter that is worked out; it may be the pattern of its kind."""
        chain = self.streamed.chain
        for line in self.reader.adjoints(chain.adjoint[use] for use, _ in uses):
            if line.node.name not in self.told:
                self.told.add(line.node.name)
                yield dumps({"shared": shared_as_json(line)})
        derivation = self.reader.derive(self.node_of[name])
        derivation = dataclasses.replace(
            derivation,
            update=self._update(name, derivation.gradient),
            checks=self.checks.get(name, {}),
        )
        yield dumps(derivation_as_json(derivation))
        if kind != name:
            ((_, entry),) = uses
            assert not isinstance(entry, float)
            stamp = Stamp(derivation, self._factor(entry))
            if stamp.fits:
                self._stamps[kind] = stamp

    def _stamped(self, stamp: Stamp, name: str, uses: list[Use]) -> str:
        ((quantity, entry),) = uses
        assert not isinstance(entry, float)
        factor = self._factor(entry)
        adjoint = self.streamed.trace[self.streamed.chain.adjoint[quantity]]
        gradient = adjoint * factor.value
        update = self._update(name, gradient)
        return stamp.line(name, gradient, factor, update, self.checks.get(name, {}))

    def _update(self, name: str, gradient: float) -> Update | None:
        model = self.streamed.model
        place, flat = model.entry_of[name]
        leaf, rate = model.leaves[place], model.learning_rate
        if leaf.node not in self.streamed.updated or rate is None:
            return None
        old = leaf.values[flat]
        new = descend(operator, old, rate, gradient)
        gradient_name = f"d{self.streamed.loss.name}_d{name}"
        return Update(name, gradient_name, model.learning_rate_name, old, rate, gradient, new)
