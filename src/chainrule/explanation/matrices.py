"""The matrix form of a model: forward and backward pass, gradients and updates, by whole arrays.

The lines are read off the array graph and its adjoints (`differentiate.reverse`,
composites as one step), as the engine for arrays runs them.  An array that its owner
named keeps its name; one whose entries alone have names is called as textbooks do:
W⁽¹⁾, b⁽¹⁾, z⁽¹⁾, a⁽¹⁾, x, y, with the number of the layer.
"""

from __future__ import annotations

import itertools
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chainrule.differentiate.reverse import reverse
from chainrule.differentiate.update import descend, distance_from_loss
from chainrule.explanation.arrays import Arrays, NoMatrixFormError, operands, view
from chainrule.explanation.derivation import partial
from chainrule.graph.build import Builder
from chainrule.graph.model import LeafValue, Model
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.primitives import Formula
from chainrule.primitives.formula import symbols_within

__all__ = ["Array", "Matrices", "MatrixLine", "matrices"]

Shape = tuple[int, ...]
_INSTEAD = {"x": "u", "X": "U", "y": "t", "Y": "T"}
"""What is taken where a letter is the user's."""

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Array:
    """What a symbol stands for: an array of the graph, or its `transposed`.

    Shapes: `shape` is (rows, columns), a vector being a column; () for a number.
    """

    symbol: str
    node: Node
    transposed: bool
    labels: Sequence[str]

    @property
    def shape(self) -> Shape:
        """Its rows and columns, as it is written."""
        shape = view(self.node.shape) if self.node.shape else ()
        return shape[::-1] if self.transposed else shape

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The names of its entries, as it is written."""
        _, width = view(self.node.shape)
        flat = range(0, len(self.labels), width)
        rows = tuple(tuple(self.labels[start : start + width]) for start in flat)
        return tuple(zip(*rows, strict=True)) if self.transposed else rows


@dataclass(frozen=True, slots=True)
class MatrixLine:
    """One line of working: `symbol` = `formula`, the value of `node`, or its `transposed`.

    `shapes` holds the shape of each symbol in the formula.  `after` is for an update:
    whose new values a sequential step computes this gradient with; the forward values
    stay those of the step's beginning.
    """

    symbol: str
    formula: Formula
    shape: Shape
    shapes: Mapping[str, Shape]
    node: Node
    transposed: bool
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrices:
    """The lines of a model by whole arrays, each in the symbols of those before.

    With `columns`, the single example is written as columns, the arrays of the graph
    (where every example is a row) being transposed; without, all stands as it runs.
    A number beside an array stands for each of its entries; a function is applied to
    each entry, a composite to a vector or to each row of a matrix.
    """

    columns: bool
    arrays: tuple[Array, ...]
    forward: tuple[MatrixLine, ...]
    adjoints: tuple[MatrixLine, ...]
    gradients: tuple[MatrixLine, ...]
    updates: tuple[MatrixLine, ...]


def matrices(model: Model) -> Matrices | None:
    """The matrix form of a model; None for one that has no arrays, or steps matrices have not.

    Example:
        >>> from chainrule.api import load
        >>> form = matrices(load("seed"))
        >>> [line.symbol for line in form.adjoints]
        ['δ⁽²⁾', 'δ⁽¹⁾']
    """
    order = _order(model.loss)
    if all(node.shape == () for node in order):
        return None
    try:
        return _Reading(model, order).matrices()
    except NoMatrixFormError:
        return None


def _order(loss: Node) -> list[Node]:
    """What the loss needs, composites read as one step, inputs first."""
    order = topological([loss])
    needed = {loss}
    for node in reversed(order):
        if node in needed:
            needed.update(operands(node))
    return [node for node in order if node in needed]


class _Reading:
    """One model's symbols, and the lines in them."""

    def __init__(self, model: Model, order: list[Node]) -> None:
        self.model = model
        self.order = order
        self.names = _Names(model, order)
        self.symbols = self.names.symbols
        self.arrays = Arrays(self.symbols, self.names.columns)
        self.shapes: dict[str, Shape] = {}
        self.op = Builder()

    def matrices(self) -> Matrices:
        model, names = self.model, self.names
        leaves = [leaf.node for leaf in model.leaves if leaf.node in names.symbols]
        computed = [node for node in self.order if node.inputs and node in names.symbols]
        quantities = [*leaves, *computed]
        arrays = tuple(
            Array(names.symbols[node], node, node in names.columns, model.labels[node])
            for node in quantities
        )
        self.shapes.update({array.symbol: array.shape for array in arrays})
        forward = [self._line(names.symbols[node], node, node) for node in computed]
        trained = [leaf.node for leaf in model.leaves if leaf.trained]
        found = reverse(self.op, model.loss, {*quantities, *trained}, folded=True)
        trained = [node for node in trained if node in found]
        adjoints = self._adjoints(computed, found, trained)
        gradients = [self._line(self._partial(node), node, found[node]) for node in trained]
        return Matrices(
            bool(names.columns),
            arrays,
            tuple(forward),
            tuple(adjoints),
            tuple(gradients),
            tuple(self._updates({node: found[node] for node in trained})),
        )

    def _line(self, symbol: str, like: Node, node: Node, after: tuple[str, ...] = ()) -> MatrixLine:
        """`symbol` = the formula of `node`, which is oriented as `like` is."""
        transposed = like in self.names.columns
        known = self.symbols.get(node, symbol)
        write = self.arrays.formula if known == symbol else self.arrays.reference
        formula = write(node, transposed)
        shape = view(like.shape) if like.shape else ()
        self.shapes[symbol] = shape[::-1] if transposed else shape
        shapes = {name: self.shapes[name] for name in dict.fromkeys(symbols_within(formula))}
        return MatrixLine(symbol, formula, self.shapes[symbol], shapes, node, transposed, after)

    def _partial(self, node: Node) -> str:
        return partial(self.symbols[self.model.loss], self.symbols[node])

    # -------------------------------------------------------------------- adjoints

    def _adjoints(
        self, computed: Sequence[Node], found: Mapping[Node, Node], trained: Iterable[Node]
    ) -> list[MatrixLine]:
        """The adjoints that have names: all but what is written out in the δ right below."""
        uses = Counter(
            item for node in topological([found[node] for node in trained]) for item in node.inputs
        )
        named = []
        for node in reversed(computed):
            adjoint = found.get(node)
            if adjoint is None or adjoint in self.symbols or not uses[adjoint]:
                continue
            if constant_value(adjoint) is not None or (
                uses[adjoint] == 1 and self._feeds_a_delta(node)
            ):
                continue
            is_net = self.names.is_net(node)
            self.symbols[adjoint] = self.names.delta(node) if is_net else self._partial(node)
            if node in self.names.columns:
                self.names.columns.add(adjoint)
            named.append((node, adjoint))
        return [self._line(self.symbols[adjoint], node, adjoint) for node, adjoint in named]

    def _feeds_a_delta(self, node: Node) -> bool:
        """Whether `node` is a function of one net input alone."""
        quantities = {
            name for item in operands(node) for name in symbols_within(self.arrays.reference(item))
        }
        nets = {self.symbols[item] for item in self.order if self.names.is_net(item)}
        return len(quantities) == 1 and quantities <= nets

    # --------------------------------------------------------------------- updates

    def _updates(self, gradients: Mapping[Node, Node]) -> Iterable[MatrixLine]:
        model = self.model
        if model.learning_rate is None:
            return
        rate = self.op.variable(model.learning_rate_name)
        self.symbols[rate] = model.learning_rate_name
        self.shapes[model.learning_rate_name] = ()
        after: Mapping[Node, tuple[str, ...]] = {}
        if model.order == "sequential":
            after = self._updated_before(gradients)
        for node in gradients:
            gradient = self.op.variable(self._partial(node), node.shape)
            self.symbols[gradient] = self._partial(node)
            updated = descend(self.op, node, rate, gradient)
            yield self._line(self.symbols[node], node, updated, after.get(node, ()))

    def _updated_before(self, gradients: Mapping[Node, Node]) -> Mapping[Node, tuple[str, ...]]:
        """What each gradient reads beyond the forward values that lies nearer the loss."""
        distance = distance_from_loss(self.model.loss, gradients)
        forward = set(topological([self.model.loss]))
        found = {}
        for node, gradient in gradients.items():
            read = topological([gradient], forward.__contains__)
            nearer = [item for item in read if distance.get(item, distance[node]) < distance[node]]
            found[node] = tuple(self.symbols[item] for item in nearer)
        return found


class _Names:
    """A symbol for each array that a line speaks of.

    `columns` are the arrays of one row, named here, that are written as columns.
    """

    def __init__(self, model: Model, order: Sequence[Node]) -> None:
        self.model = model
        self.columns: set[Node] = set()
        self.symbols: dict[Node, str] = {}
        leaves = {leaf.node: leaf for leaf in model.leaves}
        own = {node: node.name for node in order if node.name is not None and node.labels is None}
        self._own = {*own.values(), model.learning_rate_name}
        self._layer = _layers(order)
        for node in order:
            letter = _leaf_letter(leaves[node]) if node in leaves else self._letter(node)
            if node in own:
                self.symbols[node] = own[node]
            elif letter is not None:
                if letter != "W" and len(node.shape) == 2 and node.shape[0] == 1:
                    self.columns.add(node)
                elif letter not in "Wb":
                    letter = letter.upper()
                layer = 0 if letter in "xyXY" else self._layer[node]
                self.symbols[node] = self._free(letter, layer)
            elif (stem := self._stem(node)) is not None:
                self.symbols[node] = stem

    def is_net(self, node: Node) -> bool:
        """Whether this is the net input of a layer."""
        return self.model.labels.get(node, ("",))[0].startswith("net_")

    def delta(self, node: Node) -> str:
        """The name of a net input's adjoint."""
        if self._stem(node) == self.symbols[node]:
            name = "δ_" + self.symbols[node].removeprefix("net_")
            return name if name not in self.symbols.values() else f"{name}_"
        letter = "δ" if node in self.columns else "Δ"
        return self._free(letter, self._layer[node])

    def _letter(self, node: Node) -> str | None:
        """z for the net input of a layer, a for its output, whose entries alone have names."""
        if node.labels is None:
            return None
        if self.is_net(node):
            return "z"
        made_of = operands(node)
        return "a" if made_of and self.is_net(made_of[0]) else None

    def _stem(self, node: Node) -> str | None:
        """What the names of all entries begin with, where they are its name and an index."""
        labels = self.model.labels.get(node, ())
        stems = {label.partition("[")[0] for label in labels}
        if len(stems) != 1 or (stem := stems.pop()) in self._own:
            return None
        return stem

    def _free(self, letter: str, layer: int) -> str:
        """A letter, with the number of a layer if there is one, that is nobody else's.

        W⁽²⁾ may be spelt W2, so that this has to be free too.
        """
        letters = dict.fromkeys(letter + _INSTEAD.get(letter, "") + string.ascii_letters)
        taken = self._own.union(self.symbols.values())
        entries = self.model.directory
        free = (name for name in letters if name not in taken and name not in entries)
        alone = () if layer else free
        numbered = (
            f"{base}⁽{str(number).translate(_SUPERSCRIPTS)}⁾"
            for number in itertools.count(layer)
            for base in letters
            if f"{base}{number}" not in taken
        )
        return next(name for name in itertools.chain(alone, numbered) if name not in taken)


def _leaf_letter(leaf: LeafValue) -> str:
    if leaf.role == "parameter":
        return "W" if len(leaf.node.shape) == 2 else "b"
    return {"input": "x", "target": "y"}.get(leaf.role, "c")


def _layers(order: Sequence[Node]) -> dict[Node, int]:
    """The number of each array's layer: how many products with a leaf lie up to it.

    A leaf belongs to the layer that uses it first.
    """
    layer: dict[Node, int] = {}
    for node in order:
        layer[node] = max((layer[item] for item in operands(node)), default=0)
        if node.primitive.name in ("linear", "matmul"):
            layer[node] += any(not item.inputs for item in node.inputs)
    before_any = {node for node in order if not layer[node]}
    for node in reversed(order):
        for item in operands(node):
            if item in before_any:
                layer[item] = layer[node]
    return layer
