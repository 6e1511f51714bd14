"""The workings behind an excerpt: one run of a model, from which entries are read.

As in `workings`, the rooms of the house meet here: the array chain rule and its numbers
(engines), formulas of single terms (differentiate), their telling (explanation).
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chainrule.differentiate.reading import Reading, formula_of_slope
from chainrule.differentiate.reverse import times
from chainrule.engines import reference
from chainrule.engines.backward import Backward, Uses, entries
from chainrule.engines.chains import largest_chain
from chainrule.errors import Fault, InputError
from chainrule.explanation.derivation import Line, partial
from chainrule.explanation.excerpt import Chain, Entry, Excerpt, Link, Term, Use
from chainrule.graph.build import Builder
from chainrule.graph.labels import Labels
from chainrule.graph.model import Model
from chainrule.graph.node import Node, inside, topological
from chainrule.graph.passes.name import MOVES
from chainrule.graph.trace import Trace
from chainrule.primitives import CONSTANT, Linear, Pointwise
from chainrule.verify.framework import FrameworkCheck

__all__ = ["DEPTH", "TERMS", "Reader"]

MOST_FACTORS = 6
"""Ways that a local derivative may take to be written out; a longer one is a number."""

TERMS = 8
DEPTH = 1
"""Terms of a sum that are told, and how deep they are opened, if nothing else is asked."""


class Reader:
    """Reads entries of one model's gradient, all from one run with the numbers it has now."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.backward = Backward(model)
        self._check = FrameworkCheck(model)
        assert model.loss.name is not None
        self.loss = model.loss.name

    def excerpt(
        self,
        names: Sequence[str],
        *,
        terms: int = TERMS,
        depth: int = DEPTH,
        checked: bool = True,
    ) -> Excerpt:
        """The entries of these names, of any quantity.

        Of each `terms` terms are told; to a `depth` of more than 1 these are opened in turn.
        A composite is opened where a step inside it is asked for.

        Raises: InputError with a fault for each name that no quantity has.
        """
        places = [self.model.directory[name] for name in self._known(names)]
        reader = self._opened_towards(node for node, _ in places)
        found = [reader._entry(node, flat, terms, depth, checked) for node, flat in places]
        return Excerpt(
            self.model,
            self.loss,
            self.backward.loss,
            tuple(found),
            "numpy",
            self.model.dtype,
            functools.partial(self.excerpt, terms=terms, depth=depth, checked=checked),
        )

    def _opened_towards(self, nodes: Iterable[Node]) -> Reader:
        """The reader for whom these are quantities, which they are not while they are folded."""
        wanted = {node for node in nodes if not self.backward.pullbacks.is_quantity(node)}
        if not wanted:
            return self
        reader = copy.copy(self)
        reader.backward = self.backward.open(
            node for node in self.model.nodes if not wanted.isdisjoint(inside(node))
        )
        return reader

    def _known(self, names: Iterable[str]) -> list[str]:
        faults: list[Fault] = []
        found = []
        for name in names:
            try:
                found.append(self.model.quantity(name))
            except InputError as error:
                faults.extend(error.faults)
        if faults:
            raise InputError(*faults)
        return list(dict.fromkeys(found))

    def _label(self, node: Node, flat: int) -> str:
        return self.model.labels[node][flat]

    # -------------------------------------------------------------------- an entry

    def _entry(self, node: Node, flat: int, terms: int, depth: int, checked: bool) -> Entry:
        import numpy

        name = self._label(node, flat)
        uses = self.backward.uses(node, flat) if node is not self.model.loss else []
        products = numpy.concatenate([use.products for use in uses]) if uses else numpy.zeros(0)
        gradient = 1.0 if node is self.model.loss else _total(products)
        size = _total(numpy.abs(products))
        zero = int((products == 0).sum())
        most = min(terms, max(1, len(products) - zero))
        sizes = numpy.where(numpy.isnan(products), numpy.inf, numpy.abs(products))
        order = numpy.argsort(-sizes, kind="stable")[:most].tolist()
        told = [self._term(name, node, flat, *_of(uses, place)) for place in order]
        shown = _total(numpy.abs(products[order]))
        rest = _total(numpy.delete(products, order))
        return Entry(
            name,
            float(entries(self.backward.value(node), numpy.array([flat]))[0]),
            gradient,
            tuple(map(self._use, uses)),
            tuple(told),
            len(products),
            zero,
            size,
            shown,
            rest,
            tuple(other for other, own in self.model.aliases.items() if own == node.name),
            self._check.of(node, flat, gradient) if checked else {},
            self._opened(told, terms, depth),
            functools.partial(self._ways, node, flat),
        )

    def _opened(self, told: Iterable[Term], terms: int, depth: int) -> Mapping[str, Entry]:
        if depth <= 1:
            return {}
        return {
            term.through: self._entry(
                *self.model.directory[term.through], terms, depth - 1, checked=False
            )
            for term in told
            if term.through != self.loss
        }

    def _use(self, uses: Uses) -> Use:
        import numpy

        node = uses.use
        assert node.name is not None or node in self.model.labels
        return Use(
            self._names(node, uses.reading.found),
            steps_of(node, self.backward),
            node.fold.composite.notation if node.fold else getattr(node.primitive, "notation", ""),
            node.origin,
            len(uses.products),
            _total(uses.products),
            _total(numpy.abs(uses.products)),
            bool((uses.slopes == 1.0).all()),
        )

    def _names(self, node: Node, flats: Any) -> tuple[str, ...]:
        """The array's name, or those of the entries where they have names of their own."""
        labels = self.model.labels[node]
        if isinstance(labels, Labels):
            return (labels.name,)
        return tuple(labels[flat] for flat in flats.tolist()) or (labels[0],)

    # --------------------------------------------------------------------- a term

    def _term(self, name: str, node: Node, flat: int, uses: Uses, place: int) -> Term:
        at = int(uses.reading.found[place])
        through = self._label(uses.use, at)
        adjoint, slope = float(uses.adjoints[place]), float(uses.slopes[place])
        op = Builder()
        given: dict[Node, float] = {}
        written = self._slope(op, given, uses.reading, at)
        if written is None:
            written = op.variable(f"d{through}_d{name}")
            given[written] = slope
        factors = written
        if uses.use is not self.model.loss:
            delta = op.variable(f"d{self.loss}_d{through}")
            given[delta] = adjoint
            factors = times(op, delta, written)
        trace = Trace(reference.run([written, factors], given))
        symbol = partial(through, name)
        product = symbol if factors is written else f"{partial(self.loss, through)} · {symbol}"
        return Term(
            through,
            adjoint,
            Line(symbol, written, trace),
            Line(product, factors, trace),
        )

    def _slope(
        self, op: Builder, given: dict[Node, float], reading: Reading, at: int
    ) -> Node | None:
        """The local derivative as a formula of named entries, where it is short."""
        scalars = _Scalars(self, op, given)
        try:
            return formula_of_slope(op, reading, at, scalars.entry, MOST_FACTORS)
        except _TooLongError:
            return None

    # ---------------------------------------------------------------- chain and check

    def _ways(self, node: Node, flat: int) -> tuple[float, Chain]:
        """The sum over all paths to the loss, and the largest of them."""
        import numpy

        paths = float(self.backward.paths.at(node, numpy.array([flat]))[0])
        return paths, self._chain(node, flat)

    def _chain(self, node: Node, flat: int) -> Chain:
        steps, is_largest = largest_chain(self.backward, node, flat)
        links = [
            Link(self._label(step.node, step.flat), step.slope, step.product) for step in steps
        ]
        return Chain(tuple(links), is_largest)


def steps_of(node: Node, backward: Backward) -> tuple[str, ...]:
    """The steps of a quantity's formula: its composite, or what does more than move entries."""
    if node.fold is not None:
        return (node.fold.composite.name,)
    is_quantity = backward.pullbacks.is_quantity
    inside = topological([node], lambda item: item is not node and is_quantity(item))
    names = [
        item.primitive.name
        for item in inside
        if item is node or (item.inputs and not is_quantity(item))
    ]
    working = [name for name in names if name not in MOVES]
    moving = [name for name in names if name not in ("reshape", "transpose", "broadcast")]
    return tuple(dict.fromkeys(working or moving or names))


def _total(products: Any) -> float:
    """The sum, rounded once; NaN or an infinity where IEEE arithmetic has that."""
    import numpy

    try:
        return math.fsum(products)
    except (OverflowError, ValueError):
        with numpy.errstate(all="ignore"):
            return float(products.sum())


def _of(uses: Sequence[Uses], place: int) -> tuple[Uses, int]:
    """Which of the uses a term belongs to, counted through all, and which of its terms it is."""
    for use in uses:
        if place < len(use.products):
            return use, place
        place -= len(use.products)
    raise IndexError(place)


class _TooLongError(Exception):
    """An entry has no short formula in named ones."""


class _Scalars:
    """Scalar nodes for the entries beside a way, by name, with their numbers in `given`."""

    def __init__(self, reader: Reader, op: Builder, given: dict[Node, float]) -> None:
        self.reader, self.op, self.given = reader, op, given
        self.known: dict[str, Node] = {}

    def entry(self, node: Node, flat: int) -> Node:
        """The entry: a name, a number, or what it is made of where that is short."""
        import numpy

        backward = self.reader.backward
        if backward.pullbacks.is_quantity(node):
            label = self.reader._label(node, flat)
            if label not in self.known:
                self.known[label] = self.op.variable(label)
                value = entries(backward.values[node], numpy.array([flat]))[0]
                self.given[self.known[label]] = float(value)
            return self.known[label]
        record = node.primitive
        if record is CONSTANT:
            return self.op.constant(node.attributes["value"])
        if isinstance(record, Pointwise):
            return self.op.apply(record.name, *(self.entry(item, flat) for item in node.inputs))
        if isinstance(record, Linear):
            shapes = [item.shape for item in node.inputs]
            found = record.products(numpy.array([flat]), shapes, node.attributes)
            parts = [factors for rows, factors in found if len(rows)]
            if not parts:
                return self.op.constant(0.0)
            if len(parts) == 1 and len(parts[0]) == 1 and len(parts[0][0][1]) == 1:
                ((number, flats),) = parts[0]
                return self.entry(node.inputs[number], int(flats[0]))
        raise _TooLongError
