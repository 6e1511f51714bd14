"""From data to blocks: what each document says, in which order, in which words."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

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
    Right,
    Series,
    Style,
    Table,
    Title,
    Words,
    Written,
)
from chainrule.explanation.documents.curves import scale_of, sparkline, steps_title
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import Values
from chainrule.graph.model import Convention
from chainrule.primitives import Apply, Formula, Symbol

if TYPE_CHECKING:
    from chainrule.train.steps import Steps
    from chainrule.verify.differences import Checked
    from chainrule.verify.report import Report

__all__ = [
    "explanation_document",
    "report_document",
    "steps_document",
    "values_document",
]

MOST_TERMS = 8
"""Terms of a sum over paths that are written out; of a longer one, the largest."""

ROLES = ("input", "target", "parameter", "constant")


def values_document(values: Values, say: Messages) -> Document:
    """The document of `chainrule show`."""
    blocks: list[Block] = [Title(values.title), *_conventions(values.conventions, say)]
    for role in ROLES:
        own = tuple((name, value) for name, kind, value in values.given if kind == role)
        if own:
            blocks += [Heading(say(f"role.{role}")), Entries(own)]
    blocks.append(Heading(say("forward_pass")))
    for item in values.lines:
        blocks.append(Equation(Name(item.symbol), _rights(item), level=1))
        if item.symbol in values.saturated:
            text = say("saturated_quantity", name=item.symbol)
            blocks.append(Paragraph(text, "note", level=2))
    return Document(values.title, tuple(blocks), say.language)


def explanation_document(explanation: Explanation, say: Messages) -> Document:
    """The document of `chainrule explain`."""
    blocks = _Derivations(explanation, say).blocks()
    return Document(explanation.title, tuple(blocks), say.language, _symbols(explanation))


def _symbols(explanation: Explanation) -> dict[str, str]:
    """How the shared derivatives that have no δ are written: ∂E/∂out_h1 for `dE_dout_h1`."""
    return {
        line.node.name: line.symbol
        for line in explanation.shared
        if line.node.name is not None and not line.node.name.startswith("δ_")
    }


def _conventions(conventions: Iterable[Convention], say: Messages) -> list[Block]:
    pairs = (say.convention(convention) for convention in conventions)
    return [Paragraph(say("colon", topic=topic, text=text), "note") for topic, text in pairs]


def _rights(item: Line) -> tuple[Right, ...]:
    """Formula, numbers put in, value; what repeats itself is left out."""
    rights: list[Piece] = [Written(item.tree)]
    if not isinstance(item.tree, Symbol) and _speaks_of_names(item.tree):
        rights.append(Written(item.tree, item.numbers))
    return (*map(Right, rights), Right(Number(item.value)))


def _speaks_of_names(formula: Formula) -> bool:
    match formula:
        case Symbol():
            return True
        case Apply(_, arguments):
            return any(_speaks_of_names(item) for item in arguments)
    return False


def _derivative(item: Line) -> Derivative:
    over, _, by = item.symbol.partition("/")
    return Derivative(over.removeprefix("∂"), by.removeprefix("∂"))


def _product(factors: Iterable[Factor]) -> Piece:
    parts = tuple(Derivative(factor.over, factor.by) for factor in factors)
    return parts[0] if len(parts) == 1 else Series(parts)


class _Derivations:
    def __init__(self, explanation: Explanation, say: Messages) -> None:
        self.explanation = explanation
        self.say = say
        self.symbols = _symbols(explanation)

    def blocks(self) -> list[Block]:
        explanation, say = self.explanation, self.say
        blocks: list[Block] = [
            Title(explanation.title),
            *_conventions(explanation.conventions, say),
        ]
        if explanation.learning_rate is not None:
            name, rate = explanation.learning_rate
            chosen = say.listed([say(f"order.{explanation.order}"), f"{name} = {rate}"])
            text = say("colon", topic=say("topic.update"), text=chosen)
            blocks.append(Paragraph(text, "note"))
        loss = Right(Number(explanation.loss_value))
        blocks.append(Equation(Name(explanation.loss), (loss,), level=0, style="note"))
        # One weight with one path is read from its factors to what they share; wherever
        # paths are added, or more is asked, the shared parts come first.
        simple = len(explanation.derivations) == 1 and not explanation.derivations[0].contributions
        if explanation.shared and not simple:
            blocks += [Heading(say("common_parts")), *self._shared(explanation.shared)]
        for derivation in explanation.derivations:
            blocks += self._derivation(derivation, simple)
        return blocks

    def _shared(self, lines: Iterable[Line]) -> list[Block]:
        blocks: list[Block] = []
        for item in lines:
            left: Piece = _derivative(item)
            name = item.node.name
            if name is not None and name not in self.symbols:
                left = Series((Name(name), left), "=")
            blocks += [Equation(left, _rights(item)), Break()]
        return blocks

    def _derivation(self, item: Derivation, simple: bool) -> list[Block]:
        say = self.say
        heading = Derivative(item.loss, item.parameter)
        blocks: list[Block] = [Heading(item.symbol, heading, item.parameter)]
        if item.result is None:
            reason = say("reason.not connected")
            text = say("zero_because", symbol=item.symbol, reason=reason)
            return [*blocks, Paragraph(text, "value", level=1), *self._update(item.update)]
        gradient = Derivative(item.loss, item.parameter)
        if len(item.factors) > 1:
            chain = Right(_product(item.factors))
            blocks.append(Equation(gradient, (chain,), level=1, style="plain"))
        for number, factor in enumerate(item.factors, start=1):
            blocks += [Break(), *self._factor(number, factor, item)]
        shown = {factor.symbol for factor in item.factors}
        shared = [part for part in self.explanation.shared if part.symbol not in shown]
        if simple and shared:
            key = "common.one" if len(shared) == 1 else "common.many"
            blocks += [Break(), Paragraph(say(key), level=1), *self._shared(shared)]
        if len(item.factors) > 1:
            blocks += [Break(), Paragraph(say("multiplied"), level=1)]
            blocks.append(Equation(gradient, _multiplied(item, item.result)))
        said = {factor.reason for factor in item.factors}
        if item.reason is not None and item.reason not in said:
            text = say("note", text=say(f"reason.{item.reason}"))
            blocks.append(Paragraph(text, "note", level=1))
        return [*blocks, *self._update(item.update), *_checks(item.checks, say)]

    def _factor(self, number: int, factor: Factor, item: Derivation) -> list[Block]:
        say = self.say
        blocks: list[Block]
        if factor.quantity is None:
            uses = [part.through for part in item.contributions[:MOST_TERMS]]
            uses += ["…"] if len(item.contributions) > MOST_TERMS else []
            text = say("factor.used_by", number=number, name=factor.by, uses=say.names(uses))
            blocks = [Paragraph(text, level=1), *self._contributions(factor, item.contributions)]
        else:
            origin = factor.quantity
            left = Series((Words(say("factor.from", number=number)), Name(origin.symbol)), "")
            blocks = [
                Equation(left, (Right(Written(origin.tree)),), level=1, style="plain"),
                Equation(Derivative(factor.over, factor.by), _rights(factor)),
            ]
        if factor.reason is not None:
            blocks.append(Paragraph(say(f"reason.{factor.reason}"), "note", level=2))
        return blocks

    def _contributions(self, factor: Factor, parts: Sequence[Contribution]) -> list[Block]:
        shown = list(parts)
        if len(shown) > MOST_TERMS:
            largest = sorted(shown, key=lambda part: -abs(part.value))[:MOST_TERMS]
            shown = [part for part in shown if part in largest]
        blocks: list[Block] = [
            Equation(_product(part.factors), _rights(part.product)) for part in shown
        ]
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

    def _update(self, update: Update | None) -> list[Block]:
        if update is None:
            return []
        say = self.say
        blocks: list[Block] = [Break(), Paragraph(say("update"), level=1)]
        gradient: Piece = Derivative(self.explanation.loss, update.parameter)
        if update.after:
            value = _plain(update.gradient)
            names = say.names(update.after)
            text = say("update.sequential", names=names, value=value)
            blocks.append(Paragraph(text, "note", level=2))
            gradient = Series((gradient, Words("*")), "")
        step = Series((Name(update.rate_name), gradient))
        numbers = Series((Number(update.rate), Number(update.gradient)))
        rights = (
            Right(Series((Name(update.parameter), step), "−")),
            Right(Series((Number(update.old), numbers), "−")),
            Right(Number(update.new)),
        )
        return [*blocks, Equation(Name(update.parameter, "⁺"), rights)]


def _multiplied(item: Derivation, result: Line) -> tuple[Right, ...]:
    """The factors' numbers, then what was computed; rounded one by one, they may miss a digit."""
    product = functools.reduce(operator.mul, (factor.value for factor in item.factors))
    numbers = Series(tuple(Number(factor.value) for factor in item.factors))
    return Right(numbers, "=" if product == item.gradient else "≈"), *_rights(result)


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


def _plain(value: float) -> str:
    return repr(value + 0.0).replace("-", "−")


def _about(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def steps_document(taken: Steps, say: Messages) -> Document:
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
    return Document(title, blocks, say.language)


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
    key = "steps.range.logarithmic" if scale.logarithmic else "steps.range"
    text = say(key, lowest=_plain(scale.lowest), highest=_plain(scale.highest))
    return [Table(tuple(rows)), Paragraph(text, "note", level=1)]


def report_document(report: Report, say: Messages) -> Document:
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
        value = _plain(item.gradient)
        note("report.kink", name=item.parameter, left=left, right=right, value=value)
    if report.unjudged:
        names = say.names(item.parameter for item in report.unjudged[:MOST_TERMS])
        note("report.not_judged", names=names)
    return Document(title, (*blocks, *_verdict(report, say)), say.language)


def _verdict(report: Report, say: Messages) -> list[Block]:
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
