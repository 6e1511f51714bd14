"""Results in a notebook: in which formats they offer themselves, and what these say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from cli.invoking import succeed
from helpers.documents import HOSTILE, values

import chainrule as cr
from chainrule import display
from chainrule.explanation.documents.article import PICTURE_DIGITS
from chainrule.explanation.documents.blocks import (
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Right,
    Table,
    Title,
)
from chainrule.explanation.documents.fragment import fragment
from chainrule.explanation.documents.mathjax import mathjax
from chainrule.explanation.documents.rounding import rounded_picture
from chainrule.explanation.documents.sketch import sketch
from chainrule.explanation.picture import Picture, Unit

SEED = cr.load("seed")
RESULTS = {
    "explanation": cr.explain(SEED, ["w7"]),
    "article": cr.article(SEED),
    "derivation": cr.explain(SEED, ["w7"]).derivations[0],
    "values": cr.show(SEED),
    "steps": cr.step(SEED),
    "report": cr.check(SEED),
    "model": SEED,
    "expression": (2.0 * cr.var("w", 0.5)).named("o"),
    "array": cr.var("w", [[0.5, 1.0]]),
}


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def bundle(shown: Any, **choices: Any) -> dict[str, str]:
    found: dict[str, str] = shown._repr_mimebundle_(**choices)
    return found


@pytest.mark.parametrize("kind", list(RESULTS))
def test_each_result_has_each_format(kind: str) -> None:
    found = bundle(RESULTS[kind])
    assert set(found) == set(display.FORMATS)
    assert all(found.values())
    assert max(map(len, found["text/plain"].split("\n"))) <= 80


@pytest.mark.parametrize("kind", ["explanation", "article", "values", "steps"])
def test_all_formats_have_the_same_numbers(kind: str) -> None:
    found = bundle(RESULTS[kind])
    drawn = RESULTS[kind].picture if kind == "article" else Picture((), ())
    # Formulas alone hold no sketch.
    sketched = values("\n".join(sketch(rounded_picture(drawn, PICTURE_DIGITS), 80)))
    assert values(found["text/latex"]) | sketched == values(found["text/markdown"])
    assert values(found["text/markdown"]) >= values(found["text/plain"])


def test_plain_text_is_what_the_terminal_prints() -> None:
    assert bundle(RESULTS["explanation"])["text/plain"] + "\n" == succeed("explain", "seed", "w7")


def test_some_formats_can_be_asked_for() -> None:
    assert list(bundle(SEED, include={"text/latex"})) == ["text/latex"]
    assert "text/plain" not in bundle(SEED, exclude={"text/plain"})


def test_the_language_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "公共部分" in bundle(RESULTS["explanation"])["text/markdown"]


def test_an_expression_is_its_formula() -> None:
    assert bundle(RESULTS["expression"])["text/latex"] == "$$\no = 2 \\cdot w\n$$"
    assert bundle(RESULTS["array"])["text/plain"] == "w: 1 × 2"


def test_a_large_model_says_how_large_it_is() -> None:
    w = cr.var("w", [[0.001] * 2000] * 600)
    x = cr.var("x", [[0.5] * 600], trained=False)
    model = cr.model((x @ w).sum(), title="large")
    assert bundle(model)["text/plain"] == "large\nParameters: 1,200,000"


def test_formulas_alone() -> None:
    blocks = (
        Title("a_b"),
        Heading("h"),
        Entries((("w7", 0.4), ("b", -1.0))),
        Equation(Name("w7"), (Right(Number(0.5)),)),
        Table((("w7", 0.5, 0.25),), arrow=True, head=("a", "b", "c")),
    )
    assert mathjax(Document("", blocks)) == (
        "$$\n\\text{a_b}\n$$\n$$\n\\text{h}\n$$\n"
        "$$\nw_{7} = 0.4 \\quad b = -1.0\n$$\n$$\nw_{7} = 0.5\n$$\n"
        "$$\n\\begin{array}{lll}\n\\text{a} & \\text{b} & \\text{c} \\\\\n"
        "\\text{w7} & 0.5 & \\to 0.25\n\\end{array}\n$$"
    )


@pytest.mark.parametrize("name", [*HOSTILE, "}}{{", "\\def\\x{}", "50 %"], ids=ascii)
def test_hostile_words_are_inert(name: str) -> None:
    text = mathjax(Document("", (Title(name), Paragraph(name), Table(((name,),)))))
    assert "<" not in text
    for run in re.findall(r"\\text\{([^}]*)\}", text):
        assert not re.search(r"[\\<>{}$&#%]", run)
    outside = re.sub(r"\\text\{[^}]*\}|\\begin\{array\}\{l\}|\\end\{array\}|\$\$", "", text)
    assert set(re.findall(r"\\[A-Za-z]+", outside)) <= {r"\backslash", r"\lt", r"\gt"}


# --------------------------------------------------------------------------------- HTML

PLAIN_TAGS = {"div", "h2", "h3", "h4", "p", "em", "ul", "li", "table", "tr", "th", "td", "pre"}
"""What every notebook keeps, trusted or not."""


class Read(HTMLParser):
    """The tags, the attributes and the text of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.words = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("kind", ["explanation", "article", "values", "steps"])
def test_html_has_the_same_numbers_and_nothing_that_a_notebook_takes_away(kind: str) -> None:
    found = bundle(RESULTS[kind])
    read = Read(found["text/html"])
    assert read.tags <= PLAIN_TAGS
    assert read.attributes <= {("lang", "en"), ("lang", "zh-Hans"), ("scope", "col")}
    assert values(read.words) == values(found["text/markdown"])
    formulas = re.findall(r"\$\$\n(.*?)\n\$\$", read.words, re.DOTALL)
    assert formulas == re.findall(r"\$\$\n(.*?)\n\$\$", found["text/markdown"], re.DOTALL)


@pytest.mark.parametrize("name", [*HOSTILE, "a $x$ b", r"\(x\)", r"\[x\]", "$$"], ids=ascii)
def test_hostile_words_are_inert_in_html(name: str) -> None:
    unit = Unit(name, 1.0, "input")
    blocks = (
        Title(name),
        Paragraph(name),
        Table(((name,),), head=(name,)),
        Diagram(Picture(((unit,),), ()), name),
    )
    read = Read(fragment(Document("", blocks)))
    assert read.tags <= PLAIN_TAGS
    assert read.attributes <= {("lang", "en"), ("scope", "col")}
    outside = Read(fragment(Document("", blocks[:3]))).words
    assert not re.search(r"(?<!\\)\$|\\[()\[\]]", outside)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", read.words)
