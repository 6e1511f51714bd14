"""From a model's array graph and its adjoints to a program on arrays.

What has a name is a statement; so is what is used more than once, and each product and
sum.  Composites are differentiated as one step.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from chainrule.differentiate.reverse import reverse
from chainrule.differentiate.update import descend, update_groups
from chainrule.emit.array_names import array_names
from chainrule.emit.array_program import (
    ArrayProgram,
    ArraySection,
    Computed,
    Entries,
    Entrywise,
    FirstMax,
    Given,
    Joined,
    Product,
    Reduction,
    Result,
    View,
    changes_rows,
)
from chainrule.emit.straight_line import DEEPEST, LIMIT, Formulas, What, check_what
from chainrule.errors import Fault, InputError
from chainrule.graph.build import Builder
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.merge import merge
from chainrule.primitives import CONSTANT, Apply, Formula, Linear, Number, Pointwise, Symbol
from chainrule.primitives.index import contraction

__all__ = ["MOST_NUMBERS", "array_program"]

MOST_NUMBERS = 2_000_000
"""Numbers of a model up to which they are written into a program."""

MOVES = ("broadcast", "reshape", "transpose", "slice", "stop")
"""Steps whose result is the operand's entries: they are read through a view."""

PRODUCTS = ("linear", "matmul")
REDUCTIONS = ("sum", "max")
JOINTS = ("pad", "concat")


def array_program(model: Model, what: What, order: Order) -> ArrayProgram:
    """The forward pass, the gradient of what is trained, or a step of gradient descent.

    Raises: InputError when the model is too large, has nothing to train, or has no
    learning rate for a step.
    """
    _check_size(model)
    check_what(model, what)
    return _Writer(model, what, order).program()


def _check_size(model: Model) -> None:
    numbers = sum(math.prod(leaf.node.shape) for leaf in model.leaves)
    for count, most, what in (
        (numbers, MOST_NUMBERS, "numbers"),
        (len(model.nodes), LIMIT, "steps on arrays"),
    ):
        if count > most:
            raise InputError(
                Fault(
                    "SizeError",
                    f"the model has {count:,} {what}",
                    needs=f"at most {most:,} to be written as a program",
                    hint="`chainrule step` and `chainrule check` run it",
                )
            )


class _Writer:
    """Writes the statements of one program.

    `version` is as in `emit.straight_line`: the last stage of a sequential step whose
    parameters a node was computed with.
    """

    def __init__(self, model: Model, what: What, order: Order) -> None:
        self.model, self.what, self.order = model, what, order
        self.trained = [leaf.node for leaf in model.leaves if leaf.trained]
        nodes = topological([model.loss] if what != "forward" else model.outputs)
        self.own = array_names(model, nodes)
        self.taken = set(self.own.values())
        self.rate = self._unique(model.learning_rate_name)
        self.quantities = [node for node in nodes if node in self.own and node.inputs]
        self.nets = [node for node in self.quantities if model.labels[node][0].startswith("net_")]
        self.op = Builder()
        found: Mapping[Node, Node] = {}
        if what != "forward":
            wanted = {*self.nets, *self.trained}
            found = reverse(self.op, model.loss, wanted, folded=True)
        zero = self.op.constant(0.0)
        self.merged = merge(
            [*nodes, *(found.get(node, zero) for node in (*self.nets, *self.trained)), zero]
        )
        self.adjoint = {node: self.merged[item] for node, item in found.items()}
        self.zero = self.merged[zero]
        self.name: dict[Node, str] = {}
        for node in self.quantities:
            self.name.setdefault(self.merged[node], self.own[node])
        self.meaning: dict[Node, str] = {}
        self.gradient_of: dict[Node, Node] = {}
        self.called = {leaf.node: self.own[leaf.node] for leaf in model.leaves}
        self.version: dict[Node, int] = {}
        self.known: set[Node] = set()
        self.parts = _Parts([], {}, ())
        self.counted = 0

    def program(self) -> ArrayProgram:
        """All of it."""
        sections, results = self._forward() if self.what == "forward" else self._backward()
        given = [
            Given(self.own[leaf.node], leaf.node.shape, tuple(leaf.values), leaf.labels)
            for leaf in self.model.leaves
        ]
        if self.what == "step":
            rate = self.model.learning_rate
            assert rate is not None
            given.append(Given(self.rate, (), (rate,), (self.model.learning_rate_name,)))
        return ArrayProgram(
            self.model.title,
            self.what,
            self.order,
            tuple(given),
            tuple(section for section in sections if section.statements),
            tuple(results),
        )

    def _forward(self) -> tuple[list[ArraySection], list[Result]]:
        shown = list(dict.fromkeys([*self.quantities, self.model.loss]))
        roots = [self.merged[node] for node in shown]
        self.parts = _Parts(topological(roots), self.name, ())
        section = self._section("forward pass", roots)
        return [section], [self._result(node, self.called[self.merged[node]]) for node in shown]

    def _result(self, node: Node, name: str, prefix: str = "") -> Result:
        labels = tuple(f"{prefix}{label}" for label in self.model.labels[node])
        return Result(f"{prefix}{self.own[node]}", name, node.shape, labels)

    def _backward(self) -> tuple[list[ArraySection], list[Result]]:
        model, loss = self.model, self.merged[self.model.loss]
        self._name_deltas()
        self._name_gradients()
        roots = [self.adjoint.get(node, self.zero) for node in self.trained]
        order = topological([loss, *roots])
        self.parts = _Parts(order, self.name, self.trained)
        sections = [self._section("forward pass", [loss])]
        forward = topological([loss])
        self.known = {node for node in forward if node.primitive.name not in MOVES}
        steps = self.what == "step"
        groups = update_groups(model.loss, self.trained, self.order if steps else "simultaneous")
        results = {model.loss: self._result(model.loss, self.called[loss])}
        for stage, group in enumerate(groups, start=1):
            where = f", stage {stage} of {len(groups)}" if len(groups) > 1 else ""
            statements, names = self._gradients(group)
            sections.append(ArraySection(f"backward pass{where}", statements))
            if steps:
                updates = tuple(self._update(node, names[node]) for node in group)
                sections.append(ArraySection(f"update{where}", updates))
                self.called.update(zip(group, (item.name for item in updates), strict=True))
                self.version.update(dict.fromkeys(group, stage))
            for node in group:
                name = self.called[node] if steps else names[node]
                prefix = "" if steps else f"d{model.labels[model.loss][0]}_d"
                results[node] = self._result(node, name, prefix)
        return sections, [results[node] for node in (model.loss, *self.trained)]

    def _name_deltas(self) -> None:
        """The adjoints of net inputs get names."""
        loss = self.own[self.model.loss]
        for node in self.nets:
            adjoint = self.adjoint.get(node)
            if adjoint is None or adjoint in self.name or constant_value(adjoint) is not None:
                continue
            if adjoint.inputs:
                name = "δ_" + self.own[node].removeprefix("net_").removeprefix("net")
                self.name[adjoint] = self._unique(name.rstrip("_"))
                self.meaning[adjoint] = f"∂{loss}/∂{self.own[node]}"

    def _name_gradients(self) -> None:
        """And so do those of parameters, where they have none yet."""
        for node in self.trained:
            adjoint = self.adjoint.get(node, self.zero)
            if adjoint not in self.name and adjoint.inputs:
                self.name[adjoint] = self._unique(self._derivative(node))
                self.gradient_of[adjoint] = node

    def _derivative(self, node: Node) -> str:
        return f"d{self.own[self.model.loss]}_d{self.own[node]}"

    def _gradients(self, group: Iterable[Node]) -> tuple[tuple[Computed, ...], dict[Node, str]]:
        """Statements of the derivatives by some parameters, and their names."""
        wanted = {node: self.adjoint.get(node, self.zero) for node in group}
        statements = [*self._section("", wanted.values()).statements]
        names = {}
        for node, adjoint in wanted.items():
            if self.gradient_of.get(adjoint) is node:
                names[node] = self.called[adjoint]
                continue
            # It is a δ, a quantity or a constant as well.
            names[node] = self._unique(self._derivative(node))
            reads = _Reads(self.called)
            of = Entries(node.shape, reads.formula(adjoint), reads.views)
            statements.append(Entrywise(name=names[node], shape=node.shape, of=of))
        return tuple(statements), names

    def _update(self, node: Node, gradient: str) -> Computed:
        """The new parameter."""
        views = {
            self.called[node]: View.whole(self.called[node], node.shape),
            self.rate: View.whole(self.rate, ()).repeated(node.shape),
            gradient: View.whole(gradient, node.shape),
        }
        old, rate, slope = map(Symbol, views)
        of = Entries(node.shape, descend(Formulas(), old, rate, slope), views)
        name = self._unique(f"{self.own[node]}⁺", "⁺")
        return Entrywise(name=name, shape=node.shape, of=of)

    def _unique(self, name: str, mark: str = "_") -> str:
        while name in self.taken:
            name += mark
        self.taken.add(name)
        return name

    # -------------------------------------------------------------------- statements

    def _section(self, title: str, roots: Iterable[Node]) -> ArraySection:
        """The statements of what the roots need and what is not computed yet, or is stale."""
        statements = []
        for node in topological(roots, self.known.__contains__):
            if node in self.known or not node.inputs:
                continue
            version = max(self.version.get(item, 0) for item in node.inputs)
            is_new = self.version.get(node) != version
            self.version[node] = version
            if is_new and (node in self.name or node in self.parts.found):
                statement = self._statement(node)
                self.called[node] = statement.name
                statements.append(statement)
        return ArraySection(title, tuple(statements))

    def _statement(self, node: Node) -> Computed:
        is_part = node not in self.name
        name = self._next_part() if is_part else self._again(node)
        about: dict[str, Any] = {
            "name": name,
            "shape": node.shape,
            "meaning": self.meaning.get(node, ""),
            "is_part": is_part,
        }
        reads = _Reads(self.called)
        inner = self.parts.reshaped.get(node, node)
        step = inner.primitive.name
        if step in PRODUCTS:
            left, right = map(reads.view, inner.inputs)
            return Product(
                left=left,
                right=right.transposed((1, 0)) if step == "linear" else right,
                **about,
            )
        if step in JOINTS:
            return self._joined(inner, about)
        if step in (*REDUCTIONS, "first_max"):
            (x,) = inner.inputs
            of = Entries(x.shape, reads.formula(x), reads.views)
            axes = inner.attributes["axes"]
            if step == "first_max":
                return FirstMax(of=of, axes=axes, **about)
            return Reduction(of=of, operation=step, axes=axes, **about)
        if isinstance(inner.primitive, Linear) and step not in MOVES:
            return self._contracted(inner, about)
        return Entrywise(of=Entries(node.shape, reads.opened(node), reads.views), **about)

    def _contracted(self, node: Node, about: Mapping[str, Any]) -> Computed:
        """The sum of products that the index formula of a step says.

        Raises: InputError for a step whose index formula is of another kind.
        """
        record = node.primitive
        assert isinstance(record, Linear)
        try:
            rule = contraction(record.index, record.operands)
        except ValueError:
            raise InputError(
                Fault(
                    "OptionError",
                    f"a step of the model, {record.name}, cannot be written as loops",
                    needs="steps whose index formulas are sums of products",
                    hint="`chainrule step` and `chainrule check` run it",
                )
            ) from None
        indices = [*rule.result, *rule.summed]
        sizes = rule.sizes([item.shape for item in node.inputs])
        shape = tuple(sizes[index] for index in indices)
        reads = _Reads(self.called)
        factors = [
            reads.symbol(reads.view(node.inputs[operand]).spread(shape, [*map(indices.index, own)]))
            for operand, own in rule.factors
        ]
        product = functools.reduce(lambda left, right: Apply("mul", (left, right)), factors)
        axes = tuple(range(len(rule.result), len(indices)))
        of = Entries(shape, product, reads.views)
        return Reduction(of=of, operation="sum", axes=axes, **about)

    def _joined(self, node: Node, about: Mapping[str, Any]) -> Computed:
        """The pieces of a padded array, or of several side by side."""
        whole = View.whole(about["name"], node.shape)
        pieces = []
        start = list(node.attributes.get("start", (0,) * len(node.shape)))
        step = node.attributes.get("step", (1,) * len(node.shape))
        axis = node.attributes.get("axis")
        for item in node.inputs:
            reads = _Reads(self.called)
            place = whole.cut(tuple(start), step, item.shape)
            pieces.append((place, Entries(item.shape, reads.formula(item), reads.views)))
            if axis is not None:
                start[axis] += item.shape[axis]
        return Joined(pieces=tuple(pieces), axis=axis, **about)

    def _again(self, node: Node) -> str:
        """The name of a quantity, with a mark where it is computed anew."""
        name = self.name[node]
        return self._unique(name) if node in self.called else name

    def _next_part(self) -> str:
        self.counted += 1
        while f"t{self.counted}" in self.taken:
            self.counted += 1
        return self._unique(f"t{self.counted}")


class _Reads:
    """Makes a formula, and notes what its symbols stand for."""

    def __init__(self, called: Mapping[Node, str]) -> None:
        self.called = called
        self.views: dict[str, View] = {}

    def formula(self, node: Node, moves: tuple[Node, ...] = ()) -> Formula:
        """`node` as it stands inside another formula, read through `moves`, the inner first."""
        if node not in self.called:
            return self.opened(node, moves)
        return self.symbol(self.view(node, moves))

    def symbol(self, view: View) -> Formula:
        """A symbol that stands for a view."""
        symbol = view.array
        while self.views.setdefault(symbol, view) != view:
            symbol += "\N{PRIME}"
        return Symbol(symbol)

    def opened(self, node: Node, moves: tuple[Node, ...] = ()) -> Formula:
        """The formula that computes `node`."""
        if node.primitive is CONSTANT:
            return Number(node.attributes["value"])
        if node.primitive.name in MOVES:
            return self.formula(node.inputs[0], (node, *moves))
        arguments = tuple(self.formula(item, moves) for item in node.inputs)
        return Apply(node.primitive.name, arguments)

    def view(self, node: Node, moves: tuple[Node, ...] = ()) -> View:
        """What one reads that reads `node` through `moves`."""
        while node not in self.called:
            node, moves = node.inputs[0], (node, *moves)
        view = View.whole(self.called[node], node.shape)
        for step in moves:
            view = view.moved(step)
        return view


class _Parts:
    """Which steps without a name become statements.

    `found` are these; `reshaped` has, for a quantity that is a product or a sum in another
    shape, that step, which is no statement then.
    """

    def __init__(
        self, order: Sequence[Node], names: Mapping[Node, str], changing: Collection[Node]
    ) -> None:
        self.names, self.changing = names, changing
        self.found: set[Node] = set()
        self.reshaped: dict[Node, Node] = {}
        self.uses: Counter[Node] = Counter()
        for node in reversed(order):
            self._use_operands(node)
        depth: dict[Node, int] = {}
        for node in order:
            depth[node] = 1 + max((depth[item] for item in node.inputs), default=-1)
            if self._is_part(node) or (depth[node] > DEEPEST and not _is_move(node)):
                self.found.add(node)
            if node in names or node in self.found:
                depth[node] = 0
        self.found -= {*names, *self.reshaped.values()}

    def _use_operands(self, node: Node) -> None:
        step = node.primitive.name
        for item in node.inputs:
            if isinstance(node.primitive, Linear) and step not in (*MOVES, "sum", *JOINTS):
                self._keep(item)
            elif step == "reshape" and changes_rows(item.shape, node.shape):
                self._keep(item, moved=False)
            elif step == "first_max":  # its entries are looked at twice
                self._keep(item)
            repeats = step == "broadcast" and math.prod(node.shape) != math.prod(item.shape)
            through = self.uses[node] if _is_move(node) and node not in self.names else 0
            self.uses[item] += max(1 + repeats, through)

    def _keep(self, item: Node, moved: bool = True) -> None:
        """An array that is read as it lies, or, where it may be `moved`, through a view."""
        base = item
        while moved and _is_move(base) and base not in self.names:
            base = base.inputs[0]
        if base.inputs:
            self.found.add(base)
        elif base.primitive is CONSTANT:
            self.found.add(item)

    def _is_part(self, node: Node) -> bool:
        if not node.inputs or _is_move(node):
            if node in self.names and node.primitive.name == "reshape":
                (item,) = node.inputs
                wholes = (*PRODUCTS, *REDUCTIONS) if node.shape else REDUCTIONS
                is_free = item.primitive.name in wholes and item not in self.names
                if is_free and self.uses[item] == 1:
                    self.reshaped[node] = item
            return False
        if not isinstance(node.primitive, Pointwise):
            return True
        return self.uses[node] > 1 and not self._is_short(node)

    def _is_short(self, node: Node) -> bool:
        """As in `emit.straight_line`: what reads best written out each time."""
        bases = [_base(item) for item in node.inputs]
        computed = [item for item in bases if constant_value(item) is None]
        return not computed or (
            node.primitive.name in ("add", "sub", "mul", "neg")
            and all(
                (item in self.names or not item.inputs) and item not in self.changing
                for item in computed
            )
        )


def _is_move(node: Node) -> bool:
    return node.primitive.name in MOVES


def _base(node: Node) -> Node:
    """What is read by whom reads a step that only moves entries."""
    while _is_move(node):
        node = node.inputs[0]
    return node
