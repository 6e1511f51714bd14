"""A model as straight-line code: statements in the order in which they are computed.

What has a name is a statement, and so is what is used more than once; the rest is
written out inside them.  The names are those of the derivation, each given once: a
parameter after the step is `w7⁺`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from chainrule.differentiate.chain import Chain
from chainrule.differentiate.update import descend, update_groups
from chainrule.errors import Fault, InputError
from chainrule.graph.formulas import formula_of, reference
from chainrule.graph.model import Model, Order
from chainrule.graph.node import Node, topological
from chainrule.graph.passes.fold import constant_value
from chainrule.graph.passes.unroll import quantities
from chainrule.primitives import Apply, Formula, Symbol
from chainrule.primitives.formula import symbols_within

__all__ = [
    "DEEPEST",
    "LIMIT",
    "Formulas",
    "Section",
    "Statement",
    "StraightLine",
    "What",
    "check_what",
    "straight_line",
]

What = Literal["forward", "gradient", "step"]

LIMIT = 10_000
"""Scalar steps up to which a model is written out, statement by statement."""

DEEPEST = 48
"""Nesting beyond which an expression gets a name; parsers and people have their limits."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A quantity and the formula that computes it; `meaning` where the name does not say it."""

    name: str
    formula: Formula
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Statements under a title."""

    title: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class StraightLine:
    """A program: the numbers that it is given, its statements, its results.

    `results` are (label, name) pairs: what a result is called, and the quantity that it
    is.  In a step the new number of `w7` is called `w7`.
    """

    title: str
    what: What
    order: Order
    given: tuple[tuple[str, float], ...]
    sections: tuple[Section, ...]
    results: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """Every name once, in the order of the program."""
        own = [item.name for section in self.sections for item in section.statements]
        labels = (label for label, _ in self.results)
        return list(dict.fromkeys([*(name for name, _ in self.given), *own, *labels]))

    @property
    def read(self) -> list[str]:
        """The given names that the statements and the results read."""
        found = {name for _, name in self.results}
        for section in self.sections:
            for statement in section.statements:
                found.update(symbols_within(statement.formula))
        return [name for name, _ in self.given if name in found]


def straight_line(model: Model, what: What, order: Order) -> StraightLine:
    """The forward pass, the gradient of what is trained, or a step of gradient descent.

    Raises: InputError when the model is too large, has nothing to train, or has no
    learning rate for a step.
    """
    _check(model, what)
    return _Writer(model, what, order).program()


def _check(model: Model, what: What) -> None:
    if model.scalar_size > LIMIT:
        raise InputError(
            Fault(
                "SizeError",
                f"the model has about {model.scalar_size:,} scalar steps",
                needs=f"at most {LIMIT:,} to be written as straight-line code",
                hint="`--form arrays` writes it as loops and matrix products",
            )
        )
    check_what(model, what)


def check_what(model: Model, what: What) -> None:
    """Whether the model has what the program needs.

    Raises: InputError when nothing is trained, or there is no learning rate for a step.
    """
    if what != "forward" and not any(leaf.trained for leaf in model.leaves):
        raise InputError(
            Fault("ValueError", "no parameter is trained", needs="at least one to derive by")
        )
    if what == "step" and model.learning_rate is None:
        raise InputError(
            Fault(
                "ValueError",
                "the model gives no learning rate",
                needs="a number to multiply the gradient by",
                hint="learning_rate = 0.1 in the file, or --set learning_rate=0.1",
            )
        )


class Formulas:
    """What makes formulas of an update, as a builder makes nodes."""

    def sub(self, left: Formula, right: Formula) -> Formula:
        """A difference."""
        return Apply("sub", (left, right))

    def mul(self, left: Formula, right: Formula) -> Formula:
        """A product."""
        return Apply("mul", (left, right))


class _Writer:
    """Writes the statements of one program.

    A sequential step computes the derivatives of later stages with parameters that are
    already new, so a node may have to be computed anew: `version` holds the last stage
    whose parameters it was computed with.
    """

    def __init__(self, model: Model, what: What, order: Order) -> None:
        self.model, self.what, self.order = model, what, order
        self.unrolled = model.unrolled
        self.loss = self.unrolled.entries[model.loss][0]
        self.given = {name: value for leaf in model.leaves for name, value in leaf.entries}
        self.taken = set(self.given)
        self.called: dict[Node, str] = {}
        self.meaning: dict[Node, str] = {}
        self.version: dict[Node, int] = {}
        self.known: set[Node] = set()
        self.parts: set[Node] = set()
        self.counted = 0
        for leaf in model.leaves:
            for node in self.unrolled.entries[leaf.node]:
                self.called[node] = node.name or ""

    def program(self) -> StraightLine:
        """All of it."""
        sections, results = self._forward() if self.what == "forward" else self._backward()
        return StraightLine(
            self.model.title,
            self.what,
            self.order,
            tuple(self.given.items()),
            tuple(section for section in sections if section.statements),
            tuple(results),
        )

    def _forward(self) -> tuple[list[Section], list[tuple[str, str]]]:
        shown = quantities(self.unrolled, self.model.outputs)
        self.parts = set(_parts(topological([*shown, self.loss]), ()))
        section = self._section("forward pass", [*shown, self.loss])
        names = dict.fromkeys(self.called[node] for node in [*shown, self.loss])
        return [section], [(name, name) for name in names]

    def _backward(self) -> tuple[list[Section], list[tuple[str, str]]]:
        trained = [self._leaf(name) for name in self.model.trained]
        chain = Chain(self.unrolled, self.loss, trained)
        zero = chain.op.constant(0.0)
        adjoint = {node: chain.adjoint.get(node, zero) for node in trained}
        self.parts = set(_parts(topological([self.loss, *adjoint.values()]), adjoint))
        for derivative, quantity in chain.quantity_of.items():
            is_delta = derivative.name != f"d{self.loss.name}_d{quantity.name}"
            if is_delta and derivative not in chain.forward:
                self.meaning[derivative] = f"∂{self.loss.name}/∂{quantity.name}"
        sections = [self._section("forward pass", [self.loss])]
        self.known = set(chain.forward)
        steps = self.what == "step"
        rate = self._rate() if steps else ""
        loss = self.called[self.loss]
        result = {self.loss: loss}
        groups = update_groups(self.loss, trained, self.order if steps else "simultaneous")
        for stage, group in enumerate(groups, start=1):
            where = f", stage {stage} of {len(groups)}" if len(groups) > 1 else ""
            backward = self._derivatives(chain, {node: adjoint[node] for node in group}, result)
            sections.append(Section(f"backward pass{where}", backward))
            if steps:
                sections.append(Section(f"update{where}", self._updates(group, rate, result)))
                self.version.update(dict.fromkeys(group, stage))
        named = [(node.name or "" if steps else result[node], result[node]) for node in trained]
        label = self._unique("loss") if steps and self.loss in adjoint else loss
        return sections, [(label, loss), *named]

    def _derivatives(
        self, chain: Chain, adjoint: Mapping[Node, Node], result: dict[Node, str]
    ) -> tuple[Statement, ...]:
        """The δ's, then the derivatives by the parameters, whose names go into `result`."""
        roots = set(adjoint.values())
        needed = topological(adjoint.values(), self._is_known)
        between = [node for node in needed if node not in roots]
        statements = [*self._section("", [*between, *adjoint.values()]).statements]
        for node, derivative in adjoint.items():
            name = f"d{self.loss.name}_d{node.name}"
            own = self.called.get(derivative, "")
            if chain.quantity_of.get(derivative) is node and own.startswith(name):
                result[node] = own
            else:  # it is a δ, a quantity or a constant as well
                result[node] = self._unique(name)
                formula = reference(derivative, self.called.get)
                statements.append(Statement(result[node], formula))
        return tuple(statements)

    def _updates(
        self, group: Iterable[Node], rate: str, result: dict[Node, str]
    ) -> tuple[Statement, ...]:
        """The new parameters; from here on they are the ones that are read."""
        statements = []
        for node in group:
            symbols = (Symbol(name) for name in (self.called[node], rate, result[node]))
            result[node] = self._unique(f"{node.name}⁺", "⁺")
            statements.append(Statement(result[node], descend(Formulas(), *symbols)))
        self.called.update((node, result[node]) for node in group)
        return tuple(statements)

    def _leaf(self, name: str) -> Node:
        number, flat = self.model.entry_of[name]
        return self.unrolled.entries[self.model.leaves[number].node][flat]

    def _rate(self) -> str:
        """The name of the learning rate, which joins what is given."""
        assert self.model.learning_rate is not None
        name = self._unique(self.model.learning_rate_name)
        self.given[name] = self.model.learning_rate
        return name

    def _unique(self, name: str, mark: str = "_") -> str:
        while name in self.taken:
            name += mark
        self.taken.add(name)
        return name

    def _is_known(self, node: Node) -> bool:
        return node in self.known

    def _section(self, title: str, roots: Iterable[Node]) -> Section:
        """The statements of what the roots need and what is not computed yet, or is stale."""
        statements = []
        for node in topological(roots, self._is_known):
            if node in self.known or not node.inputs:
                continue
            version = max(self.version.get(item, 0) for item in node.inputs)
            is_new = self.version.get(node) != version
            self.version[node] = version
            if is_new and (node.name is not None or node in self.parts):
                formula = formula_of(node, self.called.get)
                self.called[node] = self._unique(node.name or self._next_part())
                meaning = self.meaning.get(node, "")
                statements.append(Statement(self.called[node], formula, meaning))
        return Section(title, tuple(statements))

    def _next_part(self) -> str:
        self.counted += 1
        while f"t{self.counted}" in self.taken:
            self.counted += 1
        return f"t{self.counted}"


def _parts(order: list[Node], changing: Collection[Node]) -> Iterator[Node]:
    """The steps without a name that become statements: used twice, or nested too deeply."""
    uses = Counter(item for node in order for item in node.inputs)
    depth: dict[Node, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[item] for item in node.inputs), default=-1)
        is_shared = uses[node] > 1 and bool(node.inputs) and not _is_short(node, changing)
        is_part = is_shared or depth[node] > DEEPEST
        if node.name is not None or is_part:
            depth[node] = 0
            if node.name is None:
                yield node


def _is_short(node: Node, changing: Collection[Node]) -> bool:
    """Whether the step reads best written out each time: 1 − out, target − out, 1/3.

    Not with a parameter in it, which is another number once it is updated.
    """
    computed = [item for item in node.inputs if constant_value(item) is None]
    return not computed or (
        node.primitive.name in ("add", "sub", "mul", "neg")
        and all(item.name is not None and item not in changing for item in computed)
    )
