"""Documents as the terminal shows them, and that every number in them was computed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from cli.invoking import succeed

import chainrule as cr
from chainrule.explanation.derivation import Line
from chainrule.explanation.documents.article import PICTURE_DIGITS
from chainrule.explanation.documents.rounding import significant
from chainrule.explanation.matrices import Matrices
from chainrule.explanation.printers.unicode import pretty_number
from chainrule.explanation.shortening import shortened
from chainrule.graph.model import Model
from chainrule.primitives import REGISTRY, Apply, Formula, Number, Pointwise
from golden.comparing import HERE, compare

CASES: dict[str, tuple[str, ...]] = {
    "show-seed": ("show", "seed"),
    "explain-seed-w7": ("explain", "seed", "w7"),
    "explain-seed-w1": ("explain", "seed", "w1"),
    "explain-seed": ("explain", "seed"),
    "explain-flowers-w1-b5": ("explain", "flowers", "w1", "b5"),
    "explain-macleod": ("explain", "macleod"),
    "article-seed": ("article", "seed"),
    "article-flowers-zh": ("article", "flowers", "--lang", "zh", "--digits", "4"),
    "explain-seed-digits": ("explain", "seed", "w1", "--digits", "3", "--level", "brief"),
    "explain-wide": ("explain", "wide.toml", "w1", "--digits", "6"),
    "step-seed": ("step", "seed"),
    "step-seed-300": ("step", "seed", "--steps", "300"),
    "check-seed": ("check", "seed"),
    "explain-kink": ("explain", "kink.toml"),
    "check-kink": ("check", "kink.toml"),
    "show-saturated": ("show", "saturated.toml"),
    "explain-saturated": ("explain", "saturated.toml"),
    "explain-unconnected": ("explain", "unconnected.txt", "a", "b", "x"),
    "show-batch": ("show", "batch.toml"),
    "explain-batch": ("explain", "batch.toml", "b", "v1", "x1[1]"),
}
WIDTHS = (80, 160)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = HERE / "models"
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_document(case: str, width: int, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    compare(f"terminal/{case}-{width}.txt", succeed(*CASES[case]))


def test_no_stored_document_is_left_over() -> None:
    stored = {file.name for file in (HERE / "terminal").iterdir()}
    assert stored == {f"{case}-{width}.txt" for case in CASES for width in WIDTHS}


# ------------------------------------------------------------------- the numbers shown

SHOWN = re.compile(r"(?<![\w.\[,])([−-]?)(\d+(?:\.\d+)?(?:e[+−-]?\d+)?)(?!\.?\d|[A-Za-z_\]])")
NUMBERED = re.compile(r"^ \d+\. ")
SHARES = re.compile(r"\(?\d+(?:\.\d+)?%\)?|共 \d+ 个|共有 \d+ 条|\d+ 个输入")
COUNTS = re.compile(r"\d+ (?:steps?|derivatives|examples|inputs?)\b|→ \d+ |direction \d+")


def shown(text: str) -> list[tuple[str, float]]:
    """The numbers of a document, each with the minus that stands right before it."""
    found = []
    for line in text.splitlines():
        body = COUNTS.sub("", SHARES.sub("", NUMBERED.sub("", line)))
        for minus, digits in SHOWN.findall(body):
            found.append((minus, float(digits.replace("−", "-"))))
    return found


def literals(formula: Formula) -> Iterable[float]:
    """The numbers that a formula itself is written with."""
    if isinstance(formula, Number):
        yield formula.value
    elif isinstance(formula, Apply):
        for item in formula.arguments:
            yield from literals(item)


class Computed:
    """Every number that a document may show."""

    def __init__(self) -> None:
        self.values: set[float] = set()

    def add(self, *values: object) -> None:
        for value in values:
            if isinstance(value, (tuple, list)):
                self.add(*value)
            elif isinstance(value, float):
                self.values.add(value)

    def lines(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self.add(line.value, *line.numbers.values(), *literals(line.tree))
            self.add(*written_out(line.tree))
            asked = line.symbol.partition("/∂")[2]
            for whole in (line, getattr(line, "quantity", None)):
                if isinstance(whole, Line):
                    for rest in shortened(whole.tree, whole.numbers, asked).rests:
                        self.add(rest.value, float(rest.count))

    def matrices(self, form: Matrices | None) -> None:
        if form is None:
            return
        for array in form.arrays:
            self.add(*map(float, array.shape))
        for line in (*form.forward, *form.adjoints, *form.gradients, *form.updates):
            self.add(*literals(line.formula))

    def holds(self, minus: str, value: float) -> bool:
        """As a computed number, or as the opposite of one that a formula subtracts."""
        return (-value if minus else value) in self.values or value in self.values


def rounded(slope: float) -> float:
    """A slope on one side of a kink, which is a difference and good for a few digits only."""
    return float(f"{slope:.6g}") if abs(slope) > 1e-6 else 0.0


def written_out(formula: Formula) -> set[float]:
    """The literals of the definitions that printers write out: of sigmoid, relu and so on."""
    found: set[float] = set()
    if isinstance(formula, Apply):
        record = REGISTRY[formula.operation]
        if isinstance(record, Pointwise) and not record.is_basic:
            found |= set(literals(record.formula)) | written_out(record.formula)
        for item in formula.arguments:
            found |= written_out(item)
    return found


def collect(arguments: tuple[str, ...]) -> tuple[Computed, list[float]]:
    """The numbers behind a document, and those that it must not leave out."""
    name, source, *rest = arguments
    options = dict(zip(*[iter(rest[next_option(rest) :])] * 2, strict=True))
    parameters = rest[: next_option(rest)]
    known, needed = whole(name, cr.load(source), parameters, options)
    if "--digits" in options:
        digits = int(options["--digits"])
        known.values |= {significant(value, digits) for value in known.values} | {float(digits)}
        needed = [significant(value, digits) for value in needed]
    return known, [] if options.get("--level") == "brief" else needed


def next_option(arguments: list[str]) -> int:
    """Where the options begin."""
    return next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))


def whole(
    name: str, model: Model, parameters: list[str], options: dict[str, str]
) -> tuple[Computed, list[float]]:
    known, needed = Computed(), []
    known.add(*model.numbers.values())
    if name == "show":
        values = cr.show(model)
        known.lines(values.lines)
        needed += [line.value for line in values.lines]
        needed += [value for _, _, value in values.given]
    elif name == "explain":
        needed += explained(known, model, parameters)
    elif name == "article":
        article = cr.article(model)
        for part in ("show", "explain", "step", "check"):
            also, more = whole(part, model, [], {})
            known.values |= also.values
            needed += more if part != "explain" else []
        for unit in (unit for column in article.picture.columns for unit in column):
            known.add(significant(unit.value, PICTURE_DIGITS))
        cost = article.cost
        known.add(*map(float, (cost.apart, cost.together, cost.apart - cost.together)))
        known.add(*(float(len(part)) for part in (model.trained, article.picture.edges)))
        for entry in article.report.entries:
            row = (entry.gradient, entry.complex_step, entry.central_difference)
            needed += [value for value in row if value is not None]
        known.add(*needed)
    elif name == "step":
        taken = cr.step(model, int(options.get("--steps", 1)))
        needed += [taken.losses[0], taken.losses[-1], *taken.parameters.values()]
        known.add(*needed)
    else:
        report = cr.check(model)
        known.add(report.complex_tolerance, report.central_tolerance, 0.001)
        for item in report.kinks:
            assert item.one_sided is not None
            known.add(*map(rounded, item.one_sided))
            needed.append(item.gradient)
        assert report.worst is not None
        known.add(*needed, float(f"{report.worst.error:.2g}"))
    return known, needed


def explained(known: Computed, model: Model, parameters: list[str]) -> list[float]:
    explanation = cr.explain(model, parameters)
    known.lines(explanation.shared)
    known.matrices(explanation.matrices)
    needed = [explanation.loss_value, *(line.value for line in explanation.shared)]
    known.add(0.0)  # what a parameter that is not connected is said to be worth
    for item in explanation.derivations:
        lines: list[Line] = [*item.factors]
        for part in item.contributions:
            lines += [part.product, *part.factors]
            needed.append(part.value)
        for factor in item.factors:
            needed.append(factor.value)
            if factor.quantity is not None:
                lines.append(factor.quantity)
        if item.result is not None:
            lines.append(item.result)
            needed.append(item.gradient)
        known.lines(lines)
        if item.update is not None:
            update = item.update
            known.add(update.old, update.rate, update.gradient, update.new)
            needed += [update.old, update.new]
        if item.checks.get("verdict") == "kink":
            known.add(*map(rounded, item.checks["one_sided"]))
        else:
            needed += [
                item.checks[key]
                for key in ("complex_step", "central_difference")
                if item.checks.get(key) is not None
            ]
    known.add(*needed)
    return needed


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", CASES)
def test_every_number_was_computed(
    case: str, width: int, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = succeed(*CASES[case])
    known, needed = collect(CASES[case])
    found = shown(text)
    assert len(found) > 3
    assert [pair for pair in found if not known.holds(*pair)] == []
    missing = [value for value in needed if pretty_number(value) not in text]
    assert missing == []


def test_a_number_that_was_not_computed_is_noticed(models: Path) -> None:
    text = succeed("explain", "seed", "w7")
    known, _ = collect(("explain", "seed", "w7"))
    numbers: list[Any] = [value for _, value in shown(text) if len(str(value)) > 12]
    assert len(numbers) > 10
    for value in numbers:
        digits = str(value)
        wrong = digits[:-1] + str((int(digits[-1]) + 5) % 10)
        assert not all(known.holds(*pair) for pair in shown(text.replace(digits, wrong)))


@pytest.mark.parametrize("case", CASES)
def test_a_minus_is_a_minus_sign_everywhere(case: str, models: Path) -> None:
    text = succeed(*CASES[case])
    assert re.findall(r"(?<![\w.])-\d\S*", text) == []
