"""From data to blocks: what each document says, in which order, in which words."""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from chainrule.explanation.derivation import Contribution, Derivation, Factor, Line, Update
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Derivative,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Piece,
    Recomputed,
    Right,
    Series,
    Style,
    Table,
    Title,
    Words,
    Written,
)
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.curves import scale_of, sparkline, steps_title
from chainrule.explanation.documents.rounding import rounded, significant
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.printers.unicode import pretty_number
from chainrule.explanation.schema import Explanation
from chainrule.explanation.shortening import Rest, shortened
from chainrule.explanation.values import Values
from chainrule.graph.model import Convention
from chainrule.primitives import Formula, Symbol
from chainrule.primitives.formula import symbols_within
from chainrule.primitives.record import evaluate

if TYPE_CHECKING:
    from chainrule.train.steps import Steps
    from chainrule.verify.differences import Checked
    from chainrule.verify.report import Report

__all__ = [
    "explanation_document",
    "framework_blocks",
    "report_document",
    "steps_document",
    "values_document",
]

FULL = Choices()

HANDFUL = 5
"""Units of a layer up to which the matrix form adds nothing."""

MOST_LISTED = 60
"""Quantities or parameters of a list that are written out."""

MOST_TERMS = 8
"""Terms of a sum over paths that are written out; of a longer one, the largest."""

ROLES = ("input", "target", "parameter", "constant")


def values_document(values: Values, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule show`."""
    blocks: list[Block] = [
        Title(values.title),
        *conventions_blocks(values.conventions, say, choices),
        *given_blocks(values, say),
        Heading(say("forward_pass")),
        *forward_blocks(values, values.lines, say, choices),
    ]
    return finished(Document(values.title, tuple(blocks), say.language), choices)


def given_blocks(
    values: Values, say: Messages, level: int = 1, most: int = sys.maxsize
) -> list[Block]:
    """The numbers that the model gives, role by role, `most` of each."""
    blocks: list[Block] = []
    for role in ROLES:
        own = tuple((name, value) for name, kind, value in values.given if kind == role)
        if own:
            blocks += [Heading(say(f"role.{role}"), level=level), Entries(own[:most])]
        if len(own) > most:
            blocks.append(Paragraph(say("more", count=len(own) - most), "note"))
    return blocks


def forward_blocks(
    values: Values, lines: Iterable[Line], say: Messages, choices: Choices
) -> list[Block]:
    """Quantities of the forward pass, each as formula, numbers, result."""
    blocks: list[Block] = []
    for item in lines:
        blocks += line_blocks(Name(item.symbol), item, say, choices, level=1)
        if item.symbol in values.saturated:
            text = say("saturated_quantity", name=item.symbol)
            blocks.append(Paragraph(text, "note", level=2))
    return blocks


def finished(document: Document, choices: Choices) -> Document:
    """The document with as many digits as were chosen."""
    return rounded(document, choices.digits)


def explanation_document(
    explanation: Explanation, say: Messages, choices: Choices = FULL
) -> Document:
    """The document of `chainrule explain`."""
    blocks = Derived(explanation, say, choices).blocks()
    symbols = symbols_of(explanation)
    return finished(Document(explanation.title, tuple(blocks), say.language, symbols), choices)


def _is_large(explanation: Explanation) -> bool:
    """Whether a layer has more than a handful of units, so that single entries say little."""
    model = explanation.model
    sizes = (math.prod(node.shape[1:]) for node in model.nodes if node in model.labels)
    return max(sizes, default=0) > HANDFUL


def symbols_of(explanation: Explanation) -> dict[str, str]:
    """How the shared derivatives that have no δ are written: ∂E/∂out_h1 for `dE_dout_h1`."""
    return {
        line.node.name: line.symbol
        for line in explanation.shared
        if line.node.name is not None and not line.node.name.startswith("δ_")
    }


def conventions_blocks(
    conventions: Iterable[Convention], say: Messages, choices: Choices
) -> list[Block]:
    """The choices that a document declares at its top."""
    pairs = [say.convention(convention) for convention in conventions]
    digits = choices.digits
    chosen = say("digits.all") if digits is None else say("digits.some", count=digits)
    pairs.append((say("topic.digits"), chosen))
    return [Paragraph(say("colon", topic=topic, text=text), "note") for topic, text in pairs]


def line_blocks(
    left: Piece, item: Line, say: Messages, choices: Choices, level: int = 2
) -> list[Block]:
    """A line of working: formula, numbers put in, value; and what a shortened sum leaves out."""
    rights, rests = _rights(item, choices)
    return [Equation(left, rights, level=level), *_rest_blocks(rests, say)]


def _rest_blocks(rests: Iterable[Rest], say: Messages) -> list[Block]:
    """What a shortened sum leaves out, and its number."""
    blocks: list[Block] = []
    for rest in rests:
        text = say("rest", name=rest.name, count=rest.count, share=f"{rest.coverage:.1%}")
        blocks.append(Paragraph(text, "note", level=2))
        blocks.append(Equation(Name(rest.name), (Right(Number(rest.value)),), style="plain"))
    return blocks


def _rights(
    item: Line, choices: Choices, asked: str = ""
) -> tuple[tuple[Right, ...], tuple[Rest, ...]]:
    """Formula, numbers put in, value; what repeats itself is left out."""
    tree, numbers = item.tree, item.numbers
    rests: tuple[Rest, ...] = ()
    sign: Literal["=", "≈"] = "="
    if choices.level != "everything":
        short = shortened(tree, numbers, asked)
        tree, numbers, rests = short.formula, short.values, short.rests
        if rests and evaluate(tree, numbers) != item.value:
            sign = "≈"  # the terms are added in another order
    rights: list[Piece] = [Written(tree)]
    if not isinstance(tree, Symbol) and any(symbols_within(tree)) and choices.level != "brief":
        rights.append(Written(tree, numbers))
    return (*map(Right, rights), Right(Number(item.value), sign)), rests


def _derivative(item: Line) -> Derivative:
    over, _, by = item.symbol.partition("/")
    return Derivative(over.removeprefix("∂"), by.removeprefix("∂"))


def _product(factors: Iterable[Factor]) -> Piece:
    parts = tuple(Derivative(factor.over, factor.by) for factor in factors)
    return parts[0] if len(parts) == 1 else Series(parts)


class Derived:
    """The blocks of an explanation, part by part."""

    def __init__(self, explanation: Explanation, say: Messages, choices: Choices) -> None:
        self.explanation = explanation
        self.say = say
        self.choices = choices
        self.symbols = symbols_of(explanation)
        self.parts = {part.node.name or "": part for part in explanation.shared}

    def blocks(self) -> list[Block]:
        explanation, say = self.explanation, self.say
        blocks: list[Block] = [
            Title(explanation.title),
            *conventions_blocks(explanation.conventions, say, self.choices),
            *self.rate(),
        ]
        loss = Right(Number(explanation.loss_value))
        blocks.append(Equation(Name(explanation.loss), (loss,), level=0, style="note"))
        # One weight with one path is read from its factors to what they share; wherever
        # paths are added, or more is asked, the shared parts come first.
        simple = len(explanation.derivations) == 1 and not explanation.derivations[0].contributions
        if explanation.shared and not simple:
            parts = explanation.shared[: self.most_listed]
            blocks += [Heading(say("common_parts")), *self.shared(parts)]
            blocks += self.more(len(explanation.shared) - len(parts))
        for derivation in explanation.derivations:
            blocks += self.derivation(derivation, set() if simple else None)
            blocks += self.recomputed(derivation)
        if _is_large(explanation) and explanation.matrices is not None:
            from chainrule.explanation.documents.passes import matrix_blocks

            blocks += matrix_blocks(explanation.matrices, say)
        return blocks

    def recomputed(self, item: Derivation) -> list[Block]:
        """The gradient, and the update where there is one, to be computed again."""
        order = self.explanation.order
        call = f"cr.explain(model, {item.parameter!r}, order={order!r}).derivations[0]"
        blocks: list[Block] = [Recomputed(f"{call}.gradient", item.gradient)]
        if item.update is not None:
            blocks.append(Recomputed(f"{call}.update.new", item.update.new))
        return blocks

    @property
    def most_listed(self) -> int:
        """Items of a list that are written out."""
        return sys.maxsize if self.choices.level == "everything" else MOST_LISTED

    def more(self, count: int) -> list[Block]:
        """A note on what a list leaves out."""
        return [Paragraph(self.say("more", count=count), "note")] if count else []

    def rate(self) -> list[Block]:
        """How parameters are updated: the order and the learning rate."""
        if self.explanation.learning_rate is None:
            return []
        say = self.say
        name, rate = self.explanation.learning_rate
        chosen = say.listed([say(f"order.{self.explanation.order}"), f"{name} = {rate}"])
        return [Paragraph(say("colon", topic=say("topic.update"), text=chosen), "note")]

    def shared(self, lines: Iterable[Line]) -> list[Block]:
        """Lines that several derivations refer to, each once."""
        blocks: list[Block] = []
        for item in lines:
            left: Piece = _derivative(item)
            name = item.node.name
            if name is not None and name not in self.symbols:
                left = Series((Name(name), left), "=")
            blocks += [*line_blocks(left, item, self.say, self.choices), Break()]
        return blocks

    def derivation(self, item: Derivation, introduced: set[str] | None = None) -> list[Block]:
        """One parameter's section.

        With `introduced`, the common parts that it speaks of and that are not among these
        are worked out within it, where they are first needed; their names are added.
        """
        say = self.say
        heading = Derivative(item.loss, item.parameter)
        blocks: list[Block] = [Heading(item.symbol, heading, item.parameter)]
        if item.result is None:
            text = say("zero_because", symbol=item.symbol, reason=self._reason("not connected"))
            return [*blocks, Paragraph(text, "value", level=1), *self.update(item.update)]
        gradient = Derivative(item.loss, item.parameter)
        if len(item.factors) > 1:
            chain = Right(_product(item.factors))
            blocks.append(Equation(gradient, (chain,), level=1, style="plain"))
        known = set(self.parts) if introduced is None else introduced
        own = {factor.symbol for factor in item.factors}
        known |= {name for name, part in self.parts.items() if part.symbol in own}
        if self.choices.level != "brief":
            terms = [part.product.tree for part in item.contributions]
            blocks += self._introduced(terms, known)
            for number, factor in enumerate(item.factors, start=1):
                blocks += [Break(), *self._factor(number, factor, item)]
        blocks += self._introduced([item.result.tree], known)
        if len(item.factors) > 1 or self.choices.level == "brief":
            blocks.append(Break())
            if self.choices.level != "brief":
                blocks.append(Paragraph(say("multiplied"), level=1))
            blocks.append(Equation(gradient, self._multiplied(item, item.result)))
        said = {factor.reason for factor in item.factors}
        if item.reason is not None and item.reason not in said:
            text = say("note", text=self._reason(item.reason))
            blocks.append(Paragraph(text, "note", level=1))
        return [*blocks, *self.update(item.update), *self._checks(item.checks)]

    def _checks(self, checks: Mapping[str, Any]) -> list[Block]:
        own = checks.get("framework")
        framework = [] if own is None else framework_blocks(own, self.say, self.choices)
        return [*_checks(checks, self.say), *framework]

    def _introduced(self, formulas: Iterable[Formula], known: set[str]) -> list[Block]:
        """The common parts that the formulas speak of, but for the `known` ones."""
        spoken_of = {name for formula in formulas for name in symbols_within(formula)}
        new = [name for name in self.parts if name in spoken_of and name not in known]
        known.update(new)
        if not new:
            return []
        key = "common.one" if len(new) == 1 else "common.many"
        parts = [self.parts[name] for name in new]
        return [Break(), Paragraph(self.say(key), level=1), *self.shared(parts)]

    def _factor(self, number: int, factor: Factor, item: Derivation) -> list[Block]:
        say = self.say
        blocks: list[Block]
        if factor.quantity is None:
            uses = [part.through for part in item.contributions[: self._most]]
            uses += ["…"] if len(item.contributions) > self._most else []
            text = say("factor.used_by", number=number, name=factor.by, uses=say.names(uses))
            blocks = [Paragraph(text, level=1), *self._contributions(factor, item.contributions)]
        else:
            origin = factor.quantity
            left = Series((Words(say("factor.from", number=number)), Name(origin.symbol)), "")
            rights, rests = _rights(origin, self.choices, factor.by)
            blocks = [
                Equation(left, rights[:1], level=1, style="plain"),
                *_rest_blocks(rests, say),
                *line_blocks(Derivative(factor.over, factor.by), factor, say, self.choices),
            ]
        if factor.reason is not None:
            blocks.append(Paragraph(self._reason(factor.reason), "note", level=2))
        return blocks

    def _contributions(self, factor: Factor, parts: Sequence[Contribution]) -> list[Block]:
        shown = list(parts)
        if len(shown) > self._most:
            by_size = sorted(range(len(shown)), key=lambda place: -abs(parts[place].value))
            shown = [parts[place] for place in sorted(by_size[: self._most])]
        blocks: list[Block] = []
        for part in shown:
            blocks += line_blocks(_product(part.factors), part.product, self.say, self.choices)
        rights = [Right(Number(factor.value))]
        if len(shown) == len(parts):
            terms = Series(tuple(Number(part.value) for part in parts), "+")
            rights.insert(0, Right(terms))
        else:
            total = sum(abs(part.value) for part in parts)
            covered = sum(abs(part.value) for part in shown) / total if total else 1.0
            rest = len(parts) - len(shown)
            text = self.say("more_terms", rest=rest, shown=len(shown), share=f"{covered:.1%}")
            blocks.append(Paragraph(text, "note", level=2))
        return [*blocks, Equation(Derivative(factor.over, factor.by), tuple(rights))]

    def in_short(self, item: Derivation) -> list[Block]:
        """One parameter's gradient as a formula of the common parts, and its update."""
        if item.result is None:
            text = self.say(
                "zero_because", symbol=item.symbol, reason=self._reason("not connected")
            )
            return [Paragraph(text, "value", level=1), *self._step(item.update)]
        gradient = Derivative(item.loss, item.parameter)
        lines = line_blocks(gradient, item.result, self.say, self.choices)
        return [*lines, *self._step(item.update)]

    def _reason(self, reason: str) -> str:
        return self.say(f"reason.{reason}")

    def update(self, update: Update | None) -> list[Block]:
        """The step on a parameter, under its label."""
        if update is None:
            return []
        return [Break(), Paragraph(self.say("update"), level=1), *self._step(update)]

    def _step(self, update: Update | None) -> list[Block]:
        """The step on a parameter, with the gradient that it used."""
        if update is None:
            return []
        say = self.say
        blocks: list[Block] = []
        gradient: Piece = Derivative(self.explanation.loss, update.parameter)
        if update.after:
            after = [*update.after[: self._most], *["…"][: len(update.after) > self._most]]
            text = say("update.sequential", names=say.names(after))
            gradient = Series((gradient, Words("*")), "")
            number = (Right(Number(update.gradient)),)
            blocks += [Paragraph(text, "note", level=2), Equation(gradient, number, style="plain")]
        step = Series((Name(update.rate_name), gradient))
        numbers = Series((Number(update.rate), Number(update.gradient)))
        rights = (
            Right(Series((Name(update.parameter), step), "−")),
            Right(Series((Number(update.old), numbers), "−")),
            Right(Number(update.new)),
        )
        return [*blocks, Equation(Name(update.parameter, "⁺"), rights)]

    def _multiplied(self, item: Derivation, result: Line) -> tuple[Right, ...]:
        """The factors' numbers, then what was computed; one by one, they may miss a digit."""
        product = functools.reduce(operator.mul, (factor.value for factor in item.factors))
        numbers = Series(tuple(Number(factor.value) for factor in item.factors))
        sign: Literal["=", "≈"] = "=" if product == item.gradient else "≈"
        return Right(numbers, sign), *_rights(result, self.choices)[0]

    @property
    def _most(self) -> int:
        """Terms of a sum over paths that are written out."""
        return sys.maxsize if self.choices.level == "everything" else MOST_TERMS


def framework_blocks(own: Mapping[str, Any], say: Messages, choices: Choices) -> list[Block]:
    """The gradient of the framework that the model came from, and the verdict."""
    agrees = own["verdict"] == "agrees"
    text = say(
        "check.framework",
        framework=f"{own['framework']} {own['version']}",
        value=_plain(own["value"], choices),
        verdict=say("agrees" if agrees else "disagrees"),
    )
    return [Break(), Paragraph(text, "good" if agrees else "bad")]


def _checks(checks: Mapping[str, object], say: Messages) -> list[Block]:
    if not checks:
        return []
    verdict = checks["verdict"]
    if "method" in checks:
        return [Break(), Paragraph(say(f"check.directions.{verdict}"), level=1)]
    if verdict == "kink":
        left, right = map(_about, checks["one_sided"])  # type: ignore[call-overload]
        return [Break(), Paragraph(say("check.kink", left=left, right=right), "note", level=1)]
    if verdict == "not judged":
        return [Break(), Paragraph(say("check.not_judged"), "note", level=1)]
    agrees = verdict == "agrees"
    mark = say("agrees" if agrees else "disagrees")
    rows: list[tuple[Cell, ...]] = []
    for key in ("complex_step", "central_difference"):
        value = checks.get(key)
        if value is not None:
            shown = value if isinstance(value, float) else str(value)
            rows.append((say(f"check.{key}"), shown, mark))
    style: Style = "good" if agrees else "bad"
    return [Break(), Paragraph(say("check"), level=1), Table(tuple(rows), level=2, style=style)]


def _plain(value: float, choices: Choices) -> str:
    shown = value if choices.digits is None else significant(value, choices.digits)
    return pretty_number(shown)


def _about(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def steps_document(taken: Steps, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule step`."""
    title = steps_title(taken, say)
    rate = taken.model.learning_rate
    assert rate is not None
    before = taken.before.numbers
    blocks: tuple[Block, ...] = (
        Title(title),
        Equation(Name(taken.model.learning_rate_name), (Right(Number(rate)),), 0, "note"),
        Heading(say("steps.loss")),
        *_losses(taken, say),
        Heading(say("role.parameter")),
        Table(
            tuple((Name(name), before[name], value) for name, value in taken.parameters.items()),
            arrow=True,
        ),
    )
    return finished(Document(title, blocks, say.language), choices)


def _losses(taken: Steps, say: Messages) -> list[Block]:
    """The loss before and after, and its course in a row of bars."""
    rows: list[tuple[Cell, ...]] = [
        (say("steps.before"), taken.losses[0]),
        (say("steps.after"), taken.losses[-1]),
    ]
    scale = scale_of(taken.losses)
    if taken.count < 2 or scale is None:
        return [Table(tuple(rows))]
    rows.append((say("steps.course"), sparkline(taken.losses, scale)))
    rows += [("▁", scale.lowest), ("█", scale.highest)]
    note = [Paragraph(say("steps.logarithmic"), "note", level=1)] if scale.logarithmic else []
    return [Table(tuple(rows)), *note]


def report_document(report: Report, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule check`."""
    title = say("report.title", title=report.title, count=report.total)
    blocks: list[Block] = [
        Title(title),
        Paragraph(
            say(
                "report.tolerance",
                complex=f"{report.complex_tolerance:g}",
                central=f"{report.central_tolerance:g}",
            ),
            "note",
        ),
    ]

    def note(key: str, **values: object) -> None:
        blocks.append(Paragraph(say(key, **values), "note"))

    if report.directions:
        note("report.sample", count=len(report.entries), directions=len(report.directions))
    if not all(item.complex_step is not None or item.verdict == "kink" for item in report.entries):
        note("report.no_complex")
    for item in report.kinks:
        assert item.one_sided is not None
        left, right = map(_about, item.one_sided)
        value = _plain(item.gradient, choices)
        note("report.kink", name=item.parameter, left=left, right=right, value=value)
    if report.unjudged:
        names = say.names(item.parameter for item in report.unjudged[:MOST_TERMS])
        note("report.not_judged", names=names)
    document = Document(title, (*blocks, *verdict_blocks(report, say)), say.language)
    return finished(document, choices)


def verdict_blocks(report: Report, say: Messages) -> list[Block]:
    """What the check found."""
    judged = (*report.entries, *report.directions)
    broken = sorted(
        (item for item in judged if item.verdict == "disagrees"), key=lambda item: -item.error
    )
    worst = report.worst
    if worst is None:
        return [Paragraph(say("report.nothing"), "note")]
    if broken:
        text = say("report.broken", count=len(broken), name=worst.parameter)
        blocks: list[Block] = []
        for item in broken[:MOST_TERMS]:
            blocks += [Paragraph(f"✗ {item.parameter}", "bad"), _disagreement(item, say)]
        return [*blocks, Paragraph(text, "bad")]
    if worst.error == 0:
        return [Paragraph(say("report.exact"), "good")]
    text = say("report.agrees", name=worst.parameter, share=f"{worst.error:.2g}")
    return [Paragraph(text, "good")]


def _disagreement(item: Checked, say: Messages) -> Table:
    rows: list[tuple[Cell, ...]] = [(say("check.gradient"), item.gradient)]
    if item.complex_step is not None:
        rows.append((say("check.complex_step"), item.complex_step))
    rows.append((say("check.central_difference"), item.central_difference))
    return Table(tuple(rows), level=2)
