"""Markdown documents: the numbers of the text, valid mathematics, nothing that acts."""

from __future__ import annotations

import re

import pytest
from helpers.documents import EXAMPLES, HOSTILE, values

import chainrule as cr
from chainrule.explanation.documents.blocks import (
    Block,
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
from chainrule.explanation.documents.markdown import markdown
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.messages import Words as Messages


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_numbers_are_those_of_the_text(example: str, language: str) -> None:
    explanation = cr.explain(cr.load(example))
    document = explanation_document(explanation, Messages(language))  # type: ignore[arg-type]
    text = "\n".join(row.text for row in terminal_rows(document, 400))
    assert values(markdown(document)) == values(text)
    assert len(values(text)) > 20


@pytest.mark.parametrize("example", EXAMPLES)
def test_mathematics_is_closed_and_balanced(example: str) -> None:
    explanation = cr.explain(cr.load(example))
    text = markdown(explanation_document(explanation, Messages()))
    displays = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, flags=re.MULTILINE | re.DOTALL)
    assert text.count("$$") == 2 * len(displays)
    for display in displays:
        assert display.count("{") == display.count("}")
        assert display.count(r"\begin") == display.count(r"\end")
        assert "\n\n" not in display


def test_each_block() -> None:
    blocks: tuple[Block, ...] = (
        Title("net_1"),
        Heading("∂E/∂w1"),
        Paragraph("1. a step", level=1),
        Paragraph("aside", "note"),
        Entries((("w7", 0.4),)),
        Equation(Name("w7", "⁺"), (Right(Number(0.5)),)),
        Equation(
            Series((Words("from "), Name("E")), ""),
            (Right(Series((Number(1.0), Number(-2.0)), "+"), "≈"), Right(Number(-1.0))),
        ),
        Table((("w7", 0.4, Name("w7")),), head=("a", "b", "c")),
        Table((("w7", -0.5),)),
    )
    assert markdown(Document("", blocks)) == "\n\n".join(
        (
            r"# net\_1",
            "## ∂E/∂w1",
            r"1\. a step",
            "*aside*",
            "- $w_{7} = 0.4$",
            "$$\nw_{7}^{+} = 0.5\n$$",
            "$$\n\\begin{aligned}\n\\text{from }E &\\approx 1.0 + (-2.0) \\\\\n&= -1.0\n"
            "\\end{aligned}\n$$",
            "| a | b | c |\n| - | - | - |\n| w7 | $0.4$ | $w_{7}$ |",
            "|   |   |\n| - | - |\n| w7 | $-0.5$ |\n",
        )
    )


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_words_are_inert(name: str) -> None:
    text = markdown(Document("", (Title(name), Paragraph(name), Table(((name, name),)))))
    assert not re.search(r"(?<!\\)[<>`$|](?=\S)", text.replace("| ", "").replace(" |", ""))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def test_hostile_names_in_mathematics_are_inert() -> None:
    for name in HOSTILE:
        blocks = (Equation(Name(name), (Right(Number(1.0)),)), Entries(((name, 1.0),)))
        text = markdown(Document("", blocks))
        inside = re.findall(r"\$\$\n(.*?)\n\$\$", text, flags=re.DOTALL)[0]
        assert r"\input{" not in inside
        assert "$" not in inside.replace(r"\$", "").replace(r"\textdollar", "")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
