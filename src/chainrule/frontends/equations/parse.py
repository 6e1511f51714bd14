"""From a file of equations to its model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Mapping, Sequence

from chainrule.errors import Fault, Faults, InputError, closest
from chainrule.frontends.equations.read import Parsed, faults_of, read_tree
from chainrule.frontends.equations.roles import (
    RATE_NAMES,
    Leaf,
    cast,
    choose_trained,
    split_names,
)
from chainrule.frontends.equations.statements import Statements
from chainrule.frontends.equations.values import describe
from chainrule.frontends.files import Source
from chainrule.graph.model import Convention, Model, Phrase
from chainrule.graph.node import Node, Origin, topological
from chainrule.graph.passes.unroll import entry_labels

__all__ = ["parse_equations"]

MOST_FAULTS = 20


def parse_equations(
    source: Source, loss: str | None = None, trained: Sequence[str] | None = None
) -> Model:
    """The model that equations in Python's notation mean; the text is parsed, never run.

    A name that is given a number, or a list or array of numbers, is a leaf; a
    name that is given anything else is a quantity.  The loss is the last
    computed scalar, unless `loss` or a comment `# loss: NAME` names another.
    Leaves called like weights (`w`, `W`, `w1`, `theta`) are trained and all
    others held fixed, unless `trained` or a comment `# trained: NAMES` says
    which; see `equations.roles` for the other roles.  A scalar called `alpha`,
    `eta`, `lr` or `learning_rate` that the loss does not use is the learning
    rate.

    Raises:
        InputError: with every fault of the file: what is not Python, what
            equations lack (loops, attributes, imports), names, calls, shapes
            and numbers that do not fit, or no computed scalar.

    Example:
        >>> model = parse_equations(Source("w = 3.0\\nE = 0.5 * w**2", "e.txt", "equations"))
        >>> model.loss.name, model.trained
        ('E', ('w',))
    """
    faults = faults_of(source)
    try:
        parsed = read_tree(source, faults)
        return _Assembly(source, parsed, faults).model(loss, trained)
    except InputError as error:
        raise _shortened(error.faults) from None


def _shortened(faults: Sequence[Fault]) -> InputError:
    """Each fault once, and no more of them than a person reads."""
    distinct = list(dict.fromkeys(faults))
    shown = distinct[:MOST_FAULTS]
    if len(distinct) > MOST_FAULTS:
        rest = len(distinct) - MOST_FAULTS
        shown.append(Fault("More", f"and {rest} more; mend these first"))
    return InputError(*shown)


class _Assembly:
    """Loss, learning rate and roles, once the statements are read."""

    def __init__(self, source: Source, parsed: Parsed, faults: Faults) -> None:
        self.source = source
        self.faults = faults
        self.directives = parsed.directives
        self.read = Statements(source.name, source.text, faults)
        self.read.read(parsed.tree)

    def model(self, loss: str | None, trained: Sequence[str] | None) -> Model:
        """The model. Raises: InputError with everything that is noted by then."""
        node = self._loss(loss)
        leaves = list(self.read.leaves.values())
        used = set(topological([node])) if node is not None else set()
        rate = next((leaf for leaf in leaves if _is_rate(leaf, used)), None)
        if rate is not None and rate.node not in topological(self.read.quantities):
            leaves.remove(rate)
        chosen = self._trained(trained, leaves, used)
        self.faults.raise_if_any()
        assert node is not None
        assert node.name is not None
        entries = {label for leaf in leaves for label in leaf.labels}
        aliases = {name: own for name, own in self.read.aliases.items() if own in entries}
        return Model(
            title=self.source.title,
            loss=node,
            leaves=tuple(cast(leaf, leaf.node in chosen) for leaf in leaves),
            quantities=tuple(self.read.quantities),
            learning_rate=rate.values[0] if rate else None,
            learning_rate_name=rate.base if rate else "η",
            conventions=(
                Convention("loss", (Phrase("verbatim", {"text": node.name}),)),
                Convention("trained", (Phrase("verbatim", {"text": _bases(leaves, chosen)}),)),
            ),
            aliases=aliases,
            rewrite=self._rewriter(aliases, rate),
        )

    def _rewriter(
        self, aliases: Mapping[str, str], rate: Leaf | None
    ) -> Callable[[Mapping[str, float]], str]:
        """The file's text with other numbers, by any name that the model knows them by."""
        own = {**aliases, "learning_rate": rate.base} if rate else aliases

        def rewrite(changes: Mapping[str, float]) -> str:
            plain = {name.replace(" ", ""): value for name, value in changes.items()}
            return self.read.numerals.rewritten(
                {own.get(name, name): value for name, value in plain.items()}
            )

        return rewrite

    # ---------------------------------------------------------------------------- loss

    def _loss(self, wanted: str | None) -> Node | None:
        directive = self.directives.get("loss")
        if wanted is not None:
            return self._called(wanted, None)
        if directive is not None:
            return self._called(directive.text, directive.line)
        if self.read.last is None:
            if not self.faults.found:
                self._refuse_no_loss()
            return None
        if self.read.last.name is None:
            self.read.op.origin = Origin(self.source.name, self.read.last_line)
            return self.read.named(self.read.last, self._free_name())
        return self.read.last

    def _free_name(self) -> str:
        """`E`, or the next name like it that the file does not use."""
        names = itertools.chain(("E",), (f"E{number}" for number in itertools.count(1)))
        return next(name for name in names if name not in self.read.evaluator.names)

    def _refuse_no_loss(self) -> None:
        given = ", ".join(list(self.read.evaluator.names)[:8])
        self.faults.add(
            "ValueError",
            "no number is computed" + (f" from {given}" if given else ": the file gives nothing"),
            needs="a loss: one number, computed from numbers that have names",
            hint="E = 1/2*(y - o)**2, or np.sum(...) of an array",
        )

    def _called(self, name: str, line: int | None) -> Node | None:
        """The computed scalar of that name, or None once the faults say why it is none."""
        name = name.replace(" ", "")
        scalars = {node.name: node for node in self.read.quantities if not node.shape}
        names = self.read.evaluator.names
        value = names[name] if name in names else scalars.get(name)
        if value is None:
            if name not in names:
                hint = closest(name, [*names, *(key for key in scalars if key)])
                self._refuse_loss(f'no quantity is called "{name}"', line, hint, "NameError")
            return None
        if isinstance(value, Node) and self.read.is_computed(value):
            return value
        if isinstance(value, tuple) or (isinstance(value, Node) and value.shape):
            what = f"{name} is {describe(value)}"
            self._refuse_loss(what, line, f"E = np.sum({name})", "ShapeError")
        else:
            self._refuse_loss(f"{name} is not computed from other numbers", line, None)
        return None

    def _refuse_loss(
        self, what: str, line: int | None, hint: str | None, kind: str = "ValueError"
    ) -> None:
        self.faults.add(
            kind, f"loss: {what}", line=line, needs="the name of one computed number", hint=hint
        )

    # ------------------------------------------------------------------------- trained

    def _trained(
        self, wanted: Sequence[str] | None, leaves: Sequence[Leaf], used: set[Node]
    ) -> set[Node]:
        directive = self.directives.get("trained")
        line = None
        if wanted is None and directive is not None:
            wanted, line = split_names(directive.text), directive.line
        names = self.read.evaluator.names
        if wanted is not None:  # a name whose line is faulty is told of there
            wanted = [name for name in wanted if names.get(name, name) is not None]
        computed = {label for node in self.read.quantities for label in entry_labels(node) or ()}
        return choose_trained(leaves, wanted, used, computed | names.keys(), self.faults, line)


def _is_rate(leaf: Leaf, used: Container[Node]) -> bool:
    is_scalar = not leaf.in_list and not leaf.node.shape
    return is_scalar and leaf.base in RATE_NAMES and leaf.node not in used


def _bases(leaves: Sequence[Leaf], chosen: Container[Node]) -> str:
    """The names of what is trained, each list once."""
    return ", ".join(dict.fromkeys(leaf.base for leaf in leaves if leaf.node in chosen)) or "none"
