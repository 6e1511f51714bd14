"""From an array graph to a plan: products, loops, and the arrays that are kept between them.

What is read within the same pass over the columns is a local variable, within the same row
a small buffer, elsewhere an array.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainrule.emit.expressions import Expressions, Names, Text
from chainrule.emit.layout import UnplannedError, View, view
from chainrule.emit.plan import Buffer, Columns, Lines, Loop, Matrix, Plan, Product, Step, Turn
from chainrule.emit.schedule import PRODUCTS, REDUCTIONS, Schedule
from chainrule.graph.build import Builder
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.merge import merge
from chainrule.primitives import CONSTANT

__all__ = ["Roles", "make_plan"]

_RESERVED = (
    *("run", "first", "count", "start", "step", "batches", "losses", "rate", "blas", "gemm"),
    *("multiply", "panel", "numpy", "i", "j", "N", "T", "range", "abs", "float", "real"),
)
_STARTS = {"sum": "real(0.0)", "max": 'real(-float("inf"))'}


@dataclass(frozen=True, slots=True)
class Roles:
    """What the leaves are: `data` have a row for each of `batch` examples, others are `given`."""

    batch: int
    data: Sequence[Node]
    given: Sequence[Node]
    rate: Node


def make_plan(
    op: Builder, loss: Node, gradients: Mapping[Node, Node], roles: Roles, losses: bool = True
) -> Plan:
    """The plan of one step; without `losses`, of what the updates need alone.

    Raises: UnplannedError for a graph with a step that is not known.
    """
    merged = merge([loss, *gradients.values()])
    found = {parameter: merged[gradient] for parameter, gradient in gradients.items()}
    return _Planner(op, merged[loss] if losses else None, found, roles).plan()


class _Planner:
    def __init__(
        self, op: Builder, loss: Node | None, gradients: Mapping[Node, Node], roles: Roles
    ) -> None:
        self.op, self.roles, self.parameters = op, roles, list(gradients)
        self.loss = None if loss is None else view(loss)
        outputs = [] if self.loss is None else [self.loss.base]
        self.folded: dict[Node, list[Node]] = {}
        self.updated: dict[Node, Node] = {}
        self._fold([*outputs, *gradients.values()], gradients)
        operands = (
            view(item).base
            for products in self.folded.values()
            for product in products
            for item in product.inputs
        )
        self.schedule = Schedule(outputs, self.updated, [*operands, *outputs])
        self.names = Names(_RESERVED)
        self.called = {node: self.names.numbered("x") for node in roles.data}
        for node in roles.given:
            self.called[node] = self.names.numbered("w" if len(node.shape) > 1 else "b")
        self.called[roles.rate] = "rate"
        self.given = {node: self.called[node] for node in roles.given}
        self.turned = self._turned()
        for node in self.turned:
            self.called[node] = self.names.new(f"{self.called[node]}_T")
        self.buffers: list[Buffer] = []
        for node in self.schedule.order:
            self._name(node)

    def _fold(self, outputs: Iterable[Node], gradients: Mapping[Node, Node]) -> None:
        """Products that are a gradient, or a term of one, are added to the parameter directly."""
        uses = Counter(item for node in topological(outputs) for item in node.inputs)
        for parameter, gradient in gradients.items():
            rest: list[Node] = []
            self.folded[parameter] = []
            for term, alone in _terms(gradient, uses):
                fits = alone and self._is_foldable(term)
                (self.folded[parameter] if fits else rest).append(term)
            if rest:
                total = functools.reduce(self.op.add, rest)
                step = self.op.mul(self.roles.rate, total)
                self.updated[self.op.sub(parameter, step)] = parameter

    def _is_foldable(self, term: Node) -> bool:
        bases = [view(item).base for item in term.inputs]
        return term.primitive.name in PRODUCTS and not any(
            base in self.parameters for base in bases
        )

    def _turned(self) -> list[Node]:
        """The matrices to keep transposed: those that products read so more often than not.

        It is the right operand that has to lie as it is read.
        """
        votes: Counter[Node] = Counter()
        for node in self.schedule.order:
            if node.primitive.name in PRODUCTS:
                base, transposed = _matrix(node.inputs[1])
                votes[base] += 1 if transposed != (node.primitive.name == "linear") else -1
        return [node for node in self.roles.given if votes[node] > 0]

    def _name(self, node: Node) -> None:
        if node in self.updated:
            self.called[node] = self.called[self.updated[node]]
            return
        self.called[node] = self.names.numbered(node.primitive.name)
        if self.schedule.needs_array(node):
            self.buffers.append(Buffer(self.called[node], node.shape))
        elif self.schedule.needs_row(node):
            self.buffers.append(Buffer(self.called[node], (self.schedule.place[node].columns,)))

    def plan(self) -> Plan:
        """All steps; the loss is known after those of `forward`."""
        steps: list[Step] = []
        split = 0
        for phase in range(self.schedule.last + 1):
            for made, nodes in self._phase(phase):
                steps.extend(made)
                if self.loss is not None and self.loss.base in nodes:
                    split = len(steps)
        given = self.roles.given
        return Plan(
            batch=self.roles.batch,
            data=tuple(self.called[node] for node in self.roles.data),
            given=tuple(self.given[node] for node in given if node.shape),
            scalars=tuple(self.given[node] for node in given if not node.shape),
            parameters=tuple(self.given[node] for node in self.parameters),
            turned=tuple(
                (self.given[node], self.called[node], (node.shape[1], node.shape[0]))
                for node in self.turned
            ),
            buffers=tuple(self.buffers),
            forward=tuple(steps[:split]),
            backward=tuple(steps[split:]),
            loss=None if self.loss is None else self.entry(self.loss, ()),
        )

    def _phase(self, phase: int) -> Iterator[tuple[list[Step], list[Node]]]:
        """Steps, each with the nodes that are known after it."""
        place = self.schedule.place
        inside = [node for node in self.schedule.order if place[node].phase == phase]
        for node in inside:
            if node.primitive.name in PRODUCTS:
                yield self._product(node), [node]
        if phase == self.schedule.last:
            for parameter, products in self.folded.items():
                for product in products:
                    yield self._product(product, parameter), []
        scalars, loops = [], dict[int, list[Node]]()
        for node in inside:
            if place[node].rows:
                loops.setdefault(place[node].rows, []).append(node)
            elif node.primitive.name not in PRODUCTS:
                scalars.append(node)
        if scalars:
            writer = _Pass(self, ())
            for node in scalars:
                writer.write(node)
            yield [Lines(tuple(writer.lines))], scalars
        for rows, nodes in loops.items():
            yield self._loop(rows, nodes), nodes

    # --------------------------------------------------------------------------- products

    def _product(self, node: Node, into: Node | None = None) -> list[Step]:
        """The product, or what it adds to the parameter `into`."""
        left, right = self._operands(node)
        (m, n), k = node.shape, node.inputs[0].shape[1]
        if into in self.turned:
            left, right, m, n = right.turned, left.turned, n, m
        result, scale = (node, None) if into is None else (into, "-rate")
        product = Product(self.called[result], left, right, (m, n, k), scale)
        if not (product.is_tiled and right.transposed):
            return [product]
        own = self.names.new(f"{right.name}_T")
        self.buffers.append(Buffer(own, (k, n)))
        turned = dataclasses.replace(product, right=Matrix(own, transposed=False))
        return [Turn(own, right.name, (k, n)), turned]

    def _operands(self, node: Node) -> tuple[Matrix, Matrix]:
        left, right = (self._matrix(item) for item in node.inputs)
        return left, right.turned if node.primitive.name == "linear" else right

    def _matrix(self, node: Node) -> Matrix:
        base, transposed = _matrix(node)
        return Matrix(self.called[base], transposed != (base in self.turned))

    # ------------------------------------------------------------------------------ loops

    def _loop(self, rows: int, nodes: Sequence[Node]) -> list[Step]:
        schedule = self.schedule
        body: list[str | Columns] = []
        starts = []
        for node in nodes:
            if schedule.gathers(node):
                target = f"{self.called[node]}[:]" if node.shape else self.called[node]
                starts.append(f"{target} = {_STARTS[node.primitive.name]}")
        for level in range(1 + max(schedule.place[node].level for node in nodes)):
            whole = _Pass(self, ("i",))
            passes: dict[int, _Pass] = {}
            sums = []
            for node in nodes:
                place = schedule.place[node]
                if place.level != level:
                    continue
                if not place.columns:
                    whole.write(node)
                    continue
                if schedule.is_row_reduction(node):
                    whole.lines.append(f"{self.local(node)} = {_STARTS[node.primitive.name]}")
                    sums.append(node)
                passes.setdefault(place.columns, _Pass(self, ("i", "j"))).write(node)
            body += whole.lines
            body += [Columns(width, tuple(inner.lines)) for width, inner in passes.items()]
            body += [
                f"{self.called[node]}[i] = {self.local(node)}"
                for node in sums
                if schedule.needs_array(node)
            ]
        return [*([Lines(tuple(starts))] if starts else []), Loop(rows, tuple(body))]

    def local(self, node: Node) -> str:
        """The variable that holds an entry in the pass that computes it."""
        name = self.called[node]
        in_array = self.schedule.needs_array(node) or self.schedule.needs_row(node)
        return f"{name}_here" if in_array else name

    def entry(self, read: View, place: Sequence[str]) -> str:
        """One entry, at a place of the reader."""
        index = ["0" if axis is None else place[axis] for axis in read.axes]
        if read.base in self.turned:
            index.reverse()
        name = self.called[read.base]
        return f"{name}[{', '.join(index)}]" if index else name


class _Pass:
    """Writes steps that are computed at one place, one after another."""

    def __init__(self, planner: _Planner, place: tuple[str, ...]) -> None:
        self.planner, self.place = planner, place
        self.schedule = planner.schedule
        self.lines: list[str] = []
        self._written: dict[Node, Text] = {}
        self._expressions = Expressions(self._bind, "real")

    def _bind(self, text: str) -> str:
        name = self.planner.names.numbered("t")
        self.lines.append(f"{name} = {text}")
        return name

    def write(self, node: Node) -> None:
        """One step: written where it is read, or on a line of its own."""
        operands = [self._operand(node, read) for read in self.schedule.reads[node]]
        name = self.planner.called[node]
        if node.primitive.name in REDUCTIONS:
            self._reduce(node, operands[0])
            return
        text = self._expressions.apply(node.primitive.name, *operands)
        if node in self.planner.updated:
            self.lines.append(f"{self._target(node)} = {text.text}")
            return
        once = len(self.schedule.place[node].uses) == 1
        array, row = self.schedule.needs_array(node), self.schedule.needs_row(node)
        if once and not array and not row and self.place and self._is_read_here(node):
            self._written[node] = text
            return
        local = self.planner.local(node)
        self.lines.append(f"{local} = {text.text}")
        self._written[node] = Text(local)
        if array:
            self.lines.append(f"{self._target(node)} = {local}")
        elif row:
            self.lines.append(f"{name}[j] = {local}")

    def _is_read_here(self, node: Node) -> bool:
        own = self.schedule.place[node]
        use = self.schedule.place[own.uses[0]]
        return (use.level, use.columns) == (own.level, own.columns)

    def _target(self, node: Node) -> str:
        """Where the array of the node has the entry of this place."""
        place = ["0" if size == 1 else at for size, at in zip(node.shape, "ij", strict=False)]
        if self.planner.updated.get(node) in self.planner.turned:
            place.reverse()
        return self.planner.called[node] + (f"[{', '.join(place)}]" if place else "")

    def _reduce(self, node: Node, operand: Text) -> None:
        """One more entry for a sum, or for the largest so far."""
        planner, schedule = self.planner, self.schedule
        if schedule.gathers(node):
            kept = [at for axis, at in enumerate(("i", "j")) if axis not in node.attributes["axes"]]
            target = planner.called[node]
            if node.shape:
                target += f"[{'0' if node.shape[0] == 1 else kept[0]}]"
        elif schedule.is_row_reduction(node):
            target = planner.local(node)
        else:  # over columns of which there is one
            target = planner.local(node)
            self.lines.append(f"{target} = {operand.text}")
            if schedule.needs_array(node):
                self.lines.append(f"{planner.called[node]}[i] = {target}")
            return
        if node.primitive.name == "sum":
            self.lines.append(f"{target} += {operand.within(2)}")
            return
        entry = self._bind(operand.text)
        self.lines.append(
            f"{target} = {entry} if {entry} > {target} or {entry} != {entry} else {target}"
        )

    def _operand(self, reader: Node, read: View) -> Text:
        base = read.base
        if base.primitive is CONSTANT:
            return self._expressions.number(base.attributes["value"])
        if base in self._written:
            return self._written[base]
        schedule, planner = self.schedule, self.planner
        if schedule.shares_loop(reader, read):
            if schedule.place[base].columns and not schedule.is_row_reduction(base):
                if schedule.needs_row(base) and not schedule.needs_array(base):
                    return Text(f"{planner.called[base]}[j]")
            else:
                return Text(planner.local(base))
        return Text(planner.entry(read, self.place))


def _terms(gradient: Node, uses: Counter[Node], readers: int = 0) -> Iterator[tuple[Node, bool]]:
    """The terms of a gradient, each with whether nothing else reads it."""
    alone = uses[gradient] <= readers
    if gradient.primitive.name == "add" and alone:
        for term in gradient.inputs:
            yield from _terms(term, uses, 1)
    else:
        yield gradient, alone


def _matrix(node: Node) -> tuple[Node, bool]:
    """The array that an operand of a product is, and whether it is read transposed."""
    read = view(node)
    if read.base.primitive is CONSTANT or math.prod(read.base.shape) != math.prod(node.shape):
        raise UnplannedError("a product with a repeated operand")
    return read.base, len(read.axes) == 2 and (read.axes[0] == 1 or read.axes[1] == 0)
