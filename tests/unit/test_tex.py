"""LaTeX documents: the numbers of the text, formulas that say what they show, nothing that acts."""

from __future__ import annotations

import re

import pytest
from golden.comparing import compare
from helpers.documents import EXAMPLES, values
from helpers.typeset import HOSTILE, read_latex
from properties.test_formulas import value

import chainrule as cr
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Derivative,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Right,
    Series,
    Table,
    Title,
    Words,
)
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.documents.tex import latex
from chainrule.explanation.documents.tex.document import COMMANDS
from chainrule.explanation.messages import Language
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.picture import Edge, Picture, Unit

PICTURE = Picture(
    ((Unit("x", 0.5, "input"),), (Unit("o", 0.25, "output"),)), (Edge("x", "o", ("w", -0.75)),)
)
WORKING = re.compile(r"\\begin\{working\}\{[\d.]+em\}\{(.*)\}\n((?:  \\side.*\n)+)\\end\{working\}")
SIDE = re.compile(r"  \\side\{(=|\\approx)\}\{(.*)\}\n")


def written(*blocks: Block, language: Language = "en") -> str:
    """The blocks alone, without what they need."""
    text = latex(Document("", blocks, language), standalone=False)
    return text.partition(COMMANDS.read_text(encoding="utf-8"))[2].strip()


def explained(example: str, language: Language = "en") -> Document:
    return explanation_document(cr.explain(cr.load(example)), Messages(language))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_numbers_are_those_of_the_text(example: str, language: Language) -> None:
    document = explained(example, language)
    text = "\n".join(row.text for row in terminal_rows(document, 400))
    body = re.sub(r"[\d.]+em", "", written(*document.blocks, language=language))
    assert values(body) == values(text)


@pytest.mark.parametrize("example", EXAMPLES)
def test_formulas_read_back_evaluate_to_the_number_beside_them(example: str) -> None:
    explanation = cr.explain(cr.load(example))
    checked = 0
    for _, sides in WORKING.findall(latex(explanation_document(explanation, Messages()))):
        *formulas, (_, result) = SIDE.findall(sides)
        for sign, formula in formulas:
            if sign == "=" and r"\partial" not in formula:
                found = value(read_latex(formula), dict(explanation.values))
                assert found == value(read_latex(result), {}), formula
                checked += 1
    assert checked > 20


def test_each_block() -> None:
    assert written(Title("net_1")) == r"\section{\texorpdfstring{net\_1}{net\_1}}"
    assert written(Heading("b", None, "w[0]", 2)) == (
        r"\subsubsection{\texorpdfstring{b}{b}}"
        r"\hypertarget{w-5b0-5d}{}\label{chainrule:w-5b0-5d}"
    )
    assert r"{$\displaystyle \frac{\partial E}{\partial w_{7}}$}{" in written(
        Heading("∂E/∂w7", Derivative("E", "w7"))
    )
    assert written(Paragraph("1 → 2", "note", 2)) == (
        r"\par{\leftskip=1.5em\noindent \small 1 \ensuremath{\to} 2\par}"
    )
    assert written(Paragraph("✗ w", "bad")).endswith(r"\bfseries \ensuremath{\times} w\par}")
    assert written(
        Equation(
            Series((Words("from "), Name("E")), ""),
            (Right(Series((Number(1.0), Number(-2.0)), "+"), "≈"), Right(Number(-1.0))),
        )
    ) == (
        "\\begin{working}{1.5em}{\\text{from }E}\n"
        "  \\side{\\approx}{1.0 + (-2.0)}\n  \\side{=}{-1.0}\n\\end{working}"
    )
    assert r"\mbox{$w_{7} = 0.4$}" in written(Entries((("w7", 0.4),)))
    assert written(Break()) == r"\smallskip"


def test_a_table() -> None:
    table = Table((("a" * 30, 0.5, Name("w7")),), head=("a", "b", "c"))
    text = written(table)
    assert r"\begin{longtable}{@{}p{0.28\linewidth}ll@{}}" in text
    assert text.count(r"\textbf{a} & \textbf{b} & \textbf{c} \\\hline") == 2  # and on later pages
    assert r"$0.5$ & $w_{7}$ \\" in text
    arrow = written(Table((("w7", 0.5, 0.25),), arrow=True))
    assert r"w7 & $0.5$ & $\to$ & $0.25$ \\" in arrow


def test_a_picture_has_names_numbers_and_words_for_it() -> None:
    text = written(Diagram(PICTURE, "a line from x to o"))
    assert r"\begin{picture}" in text
    assert r"$w = -0.75$" in text
    assert r"\qbezier" in text
    assert text.endswith(r"\par{\raggedright\noindent\small a line from x to o\par}")


def test_what_is_wide_is_fitted_and_what_cannot_be_is_shown_as_its_source() -> None:
    assert r"\fitted{\mathrm{aaa" in written(Entries((("a" * 100, 1.0),)))
    assert r"\parbox[t]" in written(Entries((("a" * 10_000, 1.0),)))
    assert len(written(Entries((("a" * 10_000, 1.0),)))) < 2_000


def test_letters_that_a_font_may_lack_are_given_with_their_codes() -> None:
    assert written(Paragraph("é 权 😀")).endswith(
        r"é \character{6743}{权} \character{1F600}{😀}\par}"
    )
    assert written(Paragraph("权 é"), language="zh").endswith(r"权 \character{00E9}{é}\par}")


def test_a_part_says_what_it_needs() -> None:
    text = latex(Document("t", (Title("t"),)), standalone=False)
    assert r"\usepackage{amsmath, amssymb, graphicx, color, longtable}" in text.split("\n")[0]
    assert r"\documentclass" not in text
    chinese = latex(Document("t", (Title("t"),), "zh"), standalone=False)
    assert "ctex" in chinese.split("\n")[1]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_hostile_words_are_inert(name: str) -> None:
    text = written(Title(name), Paragraph(name), Entries(((name, 1.0),)), Table(((name,),)))
    assert r"\input{" not in text
    assert r"\end{document}" not in text
    assert "^^" not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)


def test_small_documents_as_they_are_written() -> None:
    blocks = (
        Title("net_1"),
        Paragraph("update: simultaneous, η = 0.5", "note"),
        Heading("∂E/∂w7", Derivative("E", "w7"), "w7"),
        Equation(Derivative("E", "w7"), (Right(Number(0.5)),)),
        Diagram(PICTURE, "a line"),
    )
    compare("documents/small.tex", latex(Document("net_1", blocks)))
    chinese = (Title("权重"), Heading("公共部分"), Equation(Name("权重"), (Right(Number(1.0)),)))
    compare("documents/chinese.tex", latex(Document("权重", chinese, "zh")))
