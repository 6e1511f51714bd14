"""Every pointwise primitive, and what else a page has, in LaTeX, MathML, Typst and speech."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chainrule.explanation.printers import latex, mathml, speech, typst
from chainrule.primitives import Formula
from chainrule.primitives.formula import parse
from golden.comparing import HERE, compare
from golden.test_printers import NUMBERS, RECORDS, formulas, matrix_lines

SYMBOLS = {"dE_dout_h1": "∂E/∂out_h1", "dE_dw7": "∂E/∂w7"}
WORKED = (
    "1 / (1 + exp(-net_h1))",
    "w1 * x1 + w2 * x2 + b1",
    "0.5 * (target_o1 - out_o1) ** 2 + 0.5 * (target_o2 - out_o2) ** 2",
    "-(target_o1 - out_o1) * out_o1 * (1 - out_o1) * out_h1",
    "δ_o1 * w5 + δ_o2 * w7",
    "dE_dout_h1 * out_h1 * (1 - out_h1) * x1",
    "dE_dout_h1 ** 2 / (1 + dE_dout_h1)",
    "w7 - η * dE_dw7",
    "hidden.weight[0,1] * x[1] + hidden.bias[0]",
    "(a / b) ** 2 - (a + b) / (c / d) - a / b * c",
    "-(-a) - (b - c) + (-d) ** 2 - a ** b ** c",
    "log(a) ** 2 + log(a ** 2) + sqrt(a) ** 2 + abs(abs(a) - a / b)",
    "max(a, max(b, c), d) * (1 if a > b else 2)",
    "1 if a < 0 else (-1 if a <= 1 else (2 if a == b else 3))",
    "(0 if a >= 0 else 1) if b != 0 else 2",
    "1e-05 * a + 1.25e300 * b ** 1e-7 - (-2.5e-9) * (1e-5) ** 2",
)
NAMES = (
    *("x", "η", "w7", "w_7", "w[7]", "w10", "net_h1", "out_o1", "δ_o1", "δ1", "δ_1", "dE_dE[0]"),
    *("hidden.weight[0,1]", "layer_1.bias[3]", "bias1", "bias_1", "a_b_c", "Δw", "权重", "权重_1"),
    *("é1", "<img onerror>", "\\input{/etc/passwd}", '#read("/etc/passwd")', "$", "\x1b[31m"),
    *("a\u202eb", "W⁽²⁾", "δ⁽¹⁰⁾"),
)
VALUES = (0.0, -0.0, 0.1, -0.75, 123456789.125, 1e-05, -1.25e300, 5e-324, 1e16)
INFINITE = (float("inf"), float("-inf"), float("nan"))


def _speech(lang: Any) -> dict[str, Callable[..., str]]:
    return {
        "write": lambda formula, values, symbols: speech.speech(formula, values, symbols, lang),
        "name": lambda name: speech.name(name, lang),
        "number": lambda value: speech.number(value, lang),
        "derivative": lambda over, by: speech.derivative(over, by, lang),
    }


PRINTERS: dict[str, dict[str, Callable[..., str]]] = {
    "latex": {
        "write": latex.latex,
        "name": latex.name,
        "number": latex.number,
        "derivative": latex.derivative,
    },
    "mathml": {
        "write": mathml.mathml,
        "name": mathml.name,
        "number": mathml.number,
        "derivative": mathml.derivative,
    },
    "typst": {
        "write": typst.typst,
        "name": typst.name,
        "number": typst.number,
        "derivative": typst.derivative,
    },
    "speech.en": _speech("en"),
    "speech.zh": _speech("zh"),
}


def cases() -> Iterator[tuple[str, Formula, dict[str, float] | None]]:
    """Each formula under its title, and with the numbers put in."""
    for record in RECORDS:
        values = dict(zip(record.operands, NUMBERS, strict=False)) | {"y": 0.625}
        for called, formula in formulas(record).items():
            yield f"{record.name}, {called}", formula, None
            if record.name != "where":  # its first operand is a condition, not a number
                yield f"{record.name}, {called}, numbers", formula, values
    for text in WORKED:
        yield text, parse(text), None
    for title, formula in matrix_lines():
        yield title, formula, None


def shown(printer: str) -> Iterator[tuple[str, str]]:
    """All that a golden file holds: what it is, and as it is printed."""
    to = PRINTERS[printer]
    for title, formula, values in cases():
        yield title, to["write"](formula, values, SYMBOLS)
    for name in NAMES:
        yield f"name {name!r}", to["name"](name)
    for value in (*VALUES, *INFINITE):
        yield f"number {value!r}", to["number"](value)
    for by in ("w7", "out_h1", "δ_o1", "hidden.weight[0,1]", "W⁽²⁾"):
        yield f"derivative by {by}", to["derivative"]("E", by)


@pytest.mark.parametrize("printer", list(PRINTERS))
def test_everything_as_it_is_printed(printer: str) -> None:
    text = "".join(f"{title}\n  {written}\n" for title, written in shown(printer))
    compare(f"formats/{printer}.txt", text)


def test_a_formula_with_its_words() -> None:
    formula = parse("y / (1 - y)")
    text = "\n".join(
        mathml.math(formula, None, None, lang, display)
        for lang in ("en", "zh")
        for display in ("block", "inline")
    )
    compare("formats/math.txt", text + "\n")


def test_chinese_cases() -> None:
    formula = parse("z if z > 0 else alpha * z")
    text = "\n".join(
        write(formula, None, None, "zh") for write in (latex.latex, mathml.mathml, typst.typst)
    )
    compare("formats/chinese.txt", text + "\n")


def test_the_stored_texts_have_every_primitive() -> None:
    for printer in PRINTERS:
        stored = (HERE / "formats" / f"{printer}.txt").read_text(encoding="utf-8")
        titles = [row for row in stored.split("\n") if row and not row.startswith("  ")]
        assert {title.partition(",")[0] for title in titles} >= {record.name for record in RECORDS}
