"""Derivations and values for the terminal, laid out as one would on paper."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chainrule.errors import printable
from chainrule.explanation.derivation import Derivation, Factor, Line, Update, partial
from chainrule.explanation.documents.layout import Page, Right, Row
from chainrule.explanation.printers.boxes import Box, beside, cells, fraction, line
from chainrule.explanation.printers.unicode import inline, pretty_number, stacked
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import Values
from chainrule.primitives import Formula

if TYPE_CHECKING:
    from chainrule.train.steps import Steps
    from chainrule.verify.differences import Checked
    from chainrule.verify.report import Report

__all__ = ["explanation_rows", "report_rows", "steps_rows", "values_rows"]

MOST_TERMS = 8
"""Terms of a sum over paths that are written out; of a longer one, the largest."""

REASONS = {
    "not connected": "the loss does not depend on it: no path leads from it to the loss",
    "masked": "masked: a step on the way is switched off here, its slope is 0",
    "at a kink": "exactly on a kink: the slope that is taken here is a convention",
    "saturated": "saturated: a step on the way has all but lost its slope",
    "zero factor": "a factor on the way is 0",
    "cancelled": "the paths cancel: their shares are not 0, but their sum is",
}


def explanation_rows(explanation: Explanation, width: int) -> list[Row]:
    """The document of `chainrule explain`."""
    return _Derivations(explanation, width).rows()


def values_rows(values: Values, width: int) -> list[Row]:
    """The document of `chainrule show`."""
    page = Page(width)
    page.add(printable(values.title), "title")
    for topic, choice in values.conventions:
        page.add(f"{topic}: {choice}", "note")
    for role, title in (
        ("input", "Inputs"),
        ("target", "Targets"),
        ("parameter", "Parameters"),
        ("constant", "Constants"),
    ):
        own = [(name, value) for name, kind, value in values.given if kind == role]
        if own:
            page.heading(title)
            page.items([f"{name} = {pretty_number(value)}" for name, value in own], indent=2)
    page.heading("Forward pass")
    for item in values.lines:
        _line(page, line(item.symbol), item, {})
        if item.symbol in values.saturated:
            page.add(f"saturated: {item.symbol} has all but lost its slope", "note", indent=4)
    return page.rows


def _line(page: Page, left: Box, item: Line, symbols: Mapping[str, str]) -> None:
    """`symbol = formula = numbers put in = value`; what repeats itself is left out."""
    page.equation(left, _rights(item, symbols))


def _rights(item: Line, symbols: Mapping[str, str]) -> list[Right]:
    rights = [
        _both(item.tree, None, symbols),
        _both(item.tree, item.numbers, symbols),
        Right.text(pretty_number(item.value)),
    ]
    texts = [right.inline for right in rights]
    return [right for place, right in enumerate(rights) if right.inline not in texts[:place]]


def _both(
    formula: Formula, values: Mapping[str, float] | None, symbols: Mapping[str, str]
) -> Right:
    return Right(stacked(formula, values, symbols), inline(formula, values, symbols))


def _symbol(over: str, by: str) -> Box:
    return fraction(line(f"∂{over}"), line(f"∂{by}"))


class _Derivations:
    def __init__(self, explanation: Explanation, width: int) -> None:
        self.explanation = explanation
        self.page = Page(width)
        self.symbols = {
            line.node.name: line.symbol
            for line in explanation.shared
            if line.node.name is not None and not line.node.name.startswith("δ_")
        }

    def rows(self) -> list[Row]:
        explanation, page = self.explanation, self.page
        page.add(printable(explanation.title), "title")
        for topic, choice in explanation.conventions:
            page.add(f"{topic}: {choice}", "note")
        if explanation.learning_rate is not None:
            name, rate = explanation.learning_rate
            page.add(f"update: {explanation.order}, {name} = {pretty_number(rate)}", "note")
        loss = explanation.loss
        page.add(f"{loss} = {pretty_number(explanation.loss_value)}", "note")
        # One weight with one path is read from its factors to what they share; wherever
        # paths are added, or more is asked, the shared parts come first.
        simple = len(explanation.derivations) == 1 and not explanation.derivations[0].contributions
        if explanation.shared and not simple:
            page.heading("Common parts, each worked out once")
            self._shared(explanation.shared)
        for derivation in explanation.derivations:
            self._derivation(derivation, simple)
        return page.rows

    def _shared(self, lines: Sequence[Line]) -> None:
        for item in lines:
            name = self.symbols.get(item.node.name or "", item.node.name or "")
            left = beside([line(f"{name} = "), _fraction_of(item.symbol)])
            if name == item.symbol:
                left = _fraction_of(item.symbol)
            self.page.equation(left, _rights(item, self.symbols), 4)
            self.page.add()

    def _derivation(self, item: Derivation, simple: bool) -> None:
        page = self.page
        page.heading(f"{item.symbol}")
        if item.result is None:
            page.add(f"{item.symbol} = 0: {REASONS['not connected']}.", "value", indent=2)
            self._update(item.update)
            return
        if len(item.factors) > 1:
            self._chain(item)
        for number, factor in enumerate(item.factors, start=1):
            self._factor(number, factor, item)
        shown = {factor.symbol for factor in item.factors}
        shared = [part for part in self.explanation.shared if part.symbol not in shown]
        if simple and shared:
            page.add()
            page.add("Common part:" if len(shared) == 1 else "Common parts:", indent=1)
            self._shared(shared)
        self._product(item)
        said = {factor.reason for factor in item.factors}
        if item.reason is not None and item.reason not in said:
            page.add(f"Note: {REASONS[item.reason]}.", "note", indent=2)
        self._update(item.update)
        self._checks(item)

    def _chain(self, item: Derivation) -> None:
        """The gradient as a product of fractions, wrapped before a dot."""
        row = [_symbol(item.loss, item.parameter), line(" = ")]
        margin = line(" " * (beside(row).width - 2))
        for place, factor in enumerate(item.factors):
            fraction_of_factor = _symbol(factor.over, factor.by)
            box = beside([line(" · "), fraction_of_factor]) if place else fraction_of_factor
            if place and beside([*row, box]).width + 2 > self.page.width:
                self.page.box(beside(row), 2)
                row = [margin]
            row.append(box)
        self.page.box(beside(row), 2)

    def _factor(self, number: int, factor: Factor, item: Derivation) -> None:
        page = self.page
        page.add()
        sums_paths = factor.quantity is None
        if sums_paths:
            uses = ", ".join(part.through for part in item.contributions[:MOST_TERMS])
            more = ", ..." if len(item.contributions) > MOST_TERMS else ""
            page.add(
                f"{number}. {factor.by} is used by {uses}{more}: what comes back is added",
                indent=1,
            )
            self._contributions(factor, item)
        else:
            assert factor.quantity is not None
            origin = inline(factor.quantity.tree, None, self.symbols)
            name = line(f"{number}. from {factor.quantity.symbol}")
            page.equation(name, [Right.text(origin)], 1, style="plain")
            page.equation(_symbol(factor.over, factor.by), _rights(factor, self.symbols), 4)
        if factor.reason is not None:
            page.add(REASONS[factor.reason], "note", indent=4)

    def _contributions(self, factor: Factor, item: Derivation) -> None:
        shown = list(item.contributions)
        if len(shown) > MOST_TERMS:
            largest = sorted(shown, key=lambda part: -abs(part.value))[:MOST_TERMS]
            shown = [part for part in shown if part in largest]
        for part in shown:
            left: list[Box] = []
            for place, inner in enumerate(part.factors):
                left += [line(" · ")] if place else []
                left.append(_symbol(inner.over, inner.by))
            whole = beside(left)
            if whole.width + 4 > self.page.width:
                self.page.add(f"through {part.through}:", indent=4)
                whole = line("  ")
            self.page.equation(whole, _rights(part.product, self.symbols), 4)
        rest = len(item.contributions) - len(shown)
        if rest:
            total = sum(abs(part.value) for part in item.contributions)
            covered = sum(abs(part.value) for part in shown) / total if total else 1.0
            self.page.add(
                f"and {rest} more; the {len(shown)} shown make up {covered:.1%} of the sum of "
                "magnitudes",
                "note",
                indent=4,
            )
            rights = [Right.text(pretty_number(factor.value))]
        else:
            numbers = " + ".join(_bracketed(part.value) for part in item.contributions)
            rights = [Right.text(numbers), Right.text(pretty_number(factor.value))]
        self.page.equation(_symbol(factor.over, factor.by), rights, 4)

    def _product(self, item: Derivation) -> None:
        assert item.result is not None
        if len(item.factors) < 2:
            return
        self.page.add()
        self.page.add("Multiplied together:", indent=1)
        numbers = " · ".join(_bracketed(factor.value) for factor in item.factors)
        product = functools.reduce(operator.mul, (factor.value for factor in item.factors))
        # Factors that were rounded one by one may miss the last digit of what was computed.
        sign = "=" if product == item.gradient else "≈"
        rights = [Right.text(numbers, sign), *_rights(item.result, self.symbols)]
        self.page.equation(_symbol(item.loss, item.parameter), rights, 4)

    def _update(self, update: Update | None) -> None:
        if update is None:
            return
        page = self.page
        page.add()
        page.add("Update:", indent=1)
        gradient = partial(self.explanation.loss, update.parameter)
        if update.after:
            gradient += "*"
            page.add(
                f"* sequential: with the new {', '.join(update.after)} it is "
                f"{pretty_number(update.gradient)}",
                "note",
                indent=4,
            )
        formula = f"{update.parameter} − {update.rate_name} · {gradient}"
        numbers = (
            f"{pretty_number(update.old)} − {pretty_number(update.rate)} · "
            f"{_bracketed(update.gradient)}"
        )
        rights = [Right.text(text) for text in (formula, numbers, pretty_number(update.new))]
        page.equation(line(f"{update.parameter}⁺"), rights, 4)

    def _checks(self, item: Derivation) -> None:
        checks = item.checks
        if not checks:
            return
        page, verdict = self.page, checks["verdict"]
        page.add()
        if "method" in checks:
            page.add(f"Check: along {checks['method']} the gradient {verdict}", indent=1)
            return
        if verdict == "kink":
            left, right = checks["one_sided"]
            page.add(
                "Check: a kink lies here, so that no difference can judge; the slope is about "
                f"{_about(left)} on the left, {_about(right)} on the right",
                "note",
                indent=1,
            )
            return
        if verdict == "not judged":
            page.add(
                "Check: not judged: the loss is too rough here, or not finite, for a difference",
                "note",
                indent=1,
            )
            return
        agrees = verdict == "agrees"
        mark = "✓ agrees" if agrees else "✗ DISAGREES"
        page.add("Check:", indent=1)
        for key, called in (
            ("complex_step", "complex step"),
            ("central_difference", "central difference"),
        ):
            if checks.get(key) is not None:
                value = pretty_number(checks[key])
                page.add(f"{called:<18} {value}  {mark}", "good" if agrees else "bad", indent=4)


def _about(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def _fraction_of(symbol: str) -> Box:
    over, _, by = symbol.partition("/")
    return fraction(line(over), line(by))


def _bracketed(value: float) -> str:
    text = pretty_number(value)
    return f"({text})" if text.startswith("−") else text


def steps_rows(taken: Steps, width: int) -> list[Row]:
    """The document of `chainrule step`."""
    page = Page(width)
    count = "1 step" if taken.count == 1 else f"{taken.count} steps"
    page.add(f"{printable(taken.model.title)}: {count}, {taken.order}", "title")
    page.add(f"{taken.model.learning_rate_name} = {taken.model.learning_rate}", "note")
    page.heading("Loss")
    page.add(f"before {pretty_number(taken.losses[0])}", indent=2)
    page.add(f"after  {pretty_number(taken.losses[-1])}", "value", indent=2)
    page.heading("Parameters")
    before = taken.before.numbers
    after = taken.parameters
    name_width = max(cells(name) for name in after)
    old_width = max(len(pretty_number(before[name])) for name in after)
    for name, value in after.items():
        padded = name + " " * (name_width - cells(name))
        old = pretty_number(before[name]).ljust(old_width)
        page.add(f"{padded}  {old}  →  {pretty_number(value)}", indent=2)
    return page.rows


def report_rows(report: Report, width: int) -> list[Row]:
    """The document of `chainrule check`."""
    page = Page(width)
    page.add(f"{printable(report.title)}: {report.total} derivatives", "title")
    page.add(
        f"tolerance: {report.complex_tolerance:g} for complex steps, "
        f"{report.central_tolerance:g} for central differences, relative to the largest of "
        "|gradient|, |loss| and 0.001",
        "note",
    )
    if report.directions:
        page.add(
            f"checked: {len(report.entries)} of them, drawn, and {len(report.directions)} random "
            "directions over all of them",
            "note",
        )
    if not all(item.complex_step is not None or item.verdict == "kink" for item in report.entries):
        page.add("complex steps are left out where a function does not take them", "note")
    for item in report.kinks:
        assert item.one_sided is not None
        left, right = map(_about, item.one_sided)
        page.add(
            f"kink: {item.parameter}: the slope is about {left} on the left and {right} on the "
            f"right; {pretty_number(item.gradient)} is taken",
            "note",
        )
    broken = [item for item in (*report.entries, *report.directions) if item.verdict == "disagrees"]
    for item in sorted(broken, key=lambda item: -item.error)[:MOST_TERMS]:
        _disagreement(page, item)
    if report.unjudged:
        names = ", ".join(item.parameter for item in report.unjudged[:MOST_TERMS])
        page.add(f"not judged: {names}: the loss is too rough there, or not finite", "note")
    worst = report.worst
    if broken:
        assert worst is not None
        page.add(f"✗ {len(broken)} disagree; the worst is {worst.parameter}", "bad")
    elif worst is None:
        page.add("✓ nothing to compare", "note")
    elif worst.error == 0:
        page.add("✓ all agree, to the last digit", "good")
    else:
        page.add(
            f"✓ all agree; {worst.parameter} is nearest its tolerance, at {worst.error:.2g} of it",
            "good",
        )
    return page.rows


def _disagreement(page: Page, item: Checked) -> None:
    page.add(f"✗ {item.parameter}", "bad")
    page.add(f"gradient           {pretty_number(item.gradient)}", indent=4)
    for called, value in (
        ("complex step", item.complex_step),
        ("central difference", item.central_difference),
    ):
        if value is not None:
            page.add(f"{called:<18} {pretty_number(value)}", indent=4)
