"""Pages: valid, nothing in them that acts, the numbers of the text, everything said in words."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from helpers.documents import EXAMPLES, values
from helpers.pages import formula, parsed, text
from helpers.typeset import HOSTILE
from properties.test_formulas import same, value

import chainrule as cr
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Derivative,
    Details,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Recomputed,
    Right,
    Series,
    Style,
    Table,
    Title,
    Words,
    Written,
)
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.html import html
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.messages import LANGUAGES, Language
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.picture import Edge, Picture, Unit

each_language = pytest.mark.parametrize("language", LANGUAGES)
each_example = pytest.mark.parametrize("example", EXAMPLES)


def explained(example: str, language: Language = "en") -> Document:
    return explanation_document(cr.explain(cr.load(example)), Messages(language))


def worked(example: str, language: Language = "en") -> Document:
    return article_document(cr.article(cr.load(example)), Messages(language))


@functools.cache
def read(write: Callable[..., Document], example: str, language: Language = "en") -> Any:
    """The tree of a document's page."""
    return parsed(html(write(example, language)))


def every_block(name: str = "w[0,1]", words: str = "words") -> tuple[Block, ...]:
    """One of each, in each of its forms."""
    styles: tuple[Style, ...] = ("plain", "value", "good", "bad", "note")
    unit, other = Unit(name, 0.5, "input"), Unit("net_h1", -1e-7, "hidden", (name, 0.25))
    picture = Picture(((unit,), (other,)), (Edge(name, "net_h1", (name, -0.4)),))
    long = Series(tuple(Name(f"{'long' * 9}_{number}") for number in range(5)), "+")
    return (
        Title(words),
        *(Paragraph(words, style, level) for style in styles for level in range(3)),
        *(Heading(f"{words} {number}") for number in range(6)),
        Heading(words, level=2),
        Heading(name, Derivative("E", name), name),
        Entries(((name, 0.4), ("x1", -1.5e-9))),
        Equation(Name(name, "⁺"), (Right(Number(0.5)),), level=0, style="note"),
        Equation(Series((Words("1. from "), Name(name)), ""), (Right(long),)),
        Equation(long, (Right(Number(1.0)),)),
        Break(),
        Equation(
            Series((Name("δ_o1"), Derivative("E", name)), "="),
            (Right(Series((Number(1.0), Number(-2.0)), "+"), "≈"), Right(Number(-1.0))),
        ),
        Table(((words, 0.4, Name(name)), (words, -1e-9, Derivative("E", name)))),
        Table(((words, -0.5, words),), head=(words, words, "number"), style="good"),
        Table(((Name(name), 0.3, 0.25),), arrow=True, style="bad"),
        Table((("wide" * 20, 0.4, words),), level=2),
        Diagram(picture, words),
        Recomputed("cr", 1.0),
        Details(
            Heading(words, Derivative("E", name), level=2),
            (Paragraph(words), Details(Heading(words, level=2), (Table(((words, 0.5),)),))),
        ),
    )


# ---------------------------------------------------------------------------- the page


@each_language
@each_example
def test_pages_are_valid_and_small(example: str, language: Language) -> None:
    for write in (explained, worked):
        page = html(write(example, language))
        assert example in read(write, example, language).find("head/title").text
        assert len(page.encode()) < 400_000
        assert page == html(write(example, language))


@each_language
def test_the_page_around_the_blocks(language: Language) -> None:
    tree = parsed(html(Document("title", every_block(), language)))
    assert tree.get("lang") == {"en": "en", "zh": "zh-Hans"}[language]
    assert [child.tag for child in tree.find("body")] == ["a", "nav", "main", "footer"]
    skip = tree.find("body/a")
    assert skip.get("href") == f"#{tree.find('body/main').get('id')}"
    assert "STIX Two Math" in text(tree.find("body/footer"))
    (policy,) = (item.get("content") for item in tree.iter("meta") if item.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; font-src data:")


def test_few_headings_need_no_contents() -> None:
    assert parsed(html(explained("seed"))).find("body/nav") is not None
    one = explanation_document(cr.explain(cr.load("seed"), ["w7"]), Messages())
    assert parsed(html(one)).find("body/nav") is None


def test_headings_are_in_order() -> None:
    tree = parsed(html(Document("title", every_block())))
    levels = [int(item.tag[1]) for item in tree.iter() if re.fullmatch("h[1-6]", str(item.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


# ------------------------------------------------------------------------------- links


def _ids(tree: Any) -> list[str]:
    return [item.get("id") for item in tree.iter() if item.get("id") is not None]


@pytest.mark.parametrize("name", ["w7", "main", "diagram", "w[0,1]", "权重_1", "a b", "", *HOSTILE])
def test_links_lead_to_one_place_each(name: str) -> None:
    blocks = (*every_block(), *(Heading(name, None, name) for _ in range(3)))
    tree = parsed(html(Document("", blocks)))
    ids = _ids(tree)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w.-]{1,70}", identifier) for identifier in ids)
    links = [item.get("href") for item in tree.iter("a")]
    assert len(links) > 10
    assert {unquote(link.removeprefix("#")) for link in links} <= set(ids)


@pytest.mark.parametrize(
    ("name", "anchor"),
    [("w7", "w7"), ("w[0,1]", "w-0-1"), ("fc1.weight[3]", "fc1.weight-3"), ("权重", "权重")],
)
def test_a_parameter_is_found_by_its_name(name: str, anchor: str) -> None:
    assert anchor in _ids(parsed(html(Document("", (Heading("", None, name),)))))


# -------------------------------------------------------------------------- mathematics


@each_language
@each_example
def test_the_numbers_are_those_of_the_text(example: str, language: Language) -> None:
    for write in (explained, worked):
        rows = "\n".join(row.text for row in terminal_rows(write(example, language), 400))
        main = read(write, example, language).find("body/main")
        assert values(text(main)) == values(rows)
        assert len(values(rows)) > 20


@each_example
def test_equations_read_back_and_hold(example: str) -> None:
    """Each right side, in names or in numbers, has the value that is printed last."""
    document = explained(example)
    equations = [block for block in document.blocks if isinstance(block, Equation)]
    drawn = [
        item
        for item in read(explained, example).iter("div")
        if "equation" in item.get("class", "").split()
    ]
    judged = 0
    for equation, element in zip(equations, drawn, strict=True):
        *_, last = equation.rights
        if not isinstance(last.piece, Number):
            continue
        environment = _environment(equation, document)
        for right, row in zip(equation.rights, element.iter("mtr"), strict=True):
            sign, side = row[1]
            assert sign.text == right.sign
            try:
                found = value(formula(side), environment) + 0.0
            except KeyError:
                continue  # a name whose number this equation does not put in
            close = right.sign == "≈" and found == pytest.approx(last.piece.value, rel=1e-14)
            assert close or same(found, last.piece.value)
            judged += 1
    assert judged > 40


def _environment(equation: Equation, document: Document) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for right in equation.rights:
        if isinstance(right.piece, Written) and right.piece.values:
            numbers |= right.piece.values
    return numbers | {
        symbol: numbers[name] for name, symbol in document.symbols.items() if name in numbers
    }


SPOKEN = {
    "en": r"(\d+\.\d+)(?: times ten to the (minus )?(\d+))?",
    "zh": r"(\d+\.\d+)(?: 乘以十的 (负 )?(\d+) 次方)?",
}


@each_language
@each_example
def test_all_mathematics_is_said(example: str, language: Language) -> None:
    """Its alternative text is words, and has the same numbers."""
    for element in read(worked, example, language).iter("math"):
        said = element.get("alttext")
        assert said.strip()
        assert not re.search(r"[=≈·−+∂<>{}_^]", said), said
        heard = {
            float(f"{digits}e{'-' if minus else ''}{power or 0}")
            for digits, minus, power in re.findall(SPOKEN[language], said)
        }
        assert heard == values(text(element))


def test_an_equation_is_said_as_a_whole() -> None:
    updated = Series((Name("w7"), Series((Name("η"), Derivative("E", "w7")))), "−")
    rights = (Right(updated), Right(Number(-0.5), "≈"))
    said = [
        next(parsed(html(Document("", (block,), language))).iter("math")).get("alttext")
        for block in (Equation(Name("w7", "⁺"), rights),)
        for language in LANGUAGES
    ]
    assert said == [
        "w 7 after the update equals w 7 minus eta times the derivative of E with respect to w 7 "
        "is approximately minus 0.5",
        "更新后的 w 7 等于 w 7 减 伊塔 乘以 E 对 w 7 的偏导数 约等于 负 0.5",
    ]


# ----------------------------------------------------------------------- tables, pictures


def test_tables_have_heads_and_names() -> None:
    blocks = (
        Paragraph("Check:"),
        Table((("complex step", 0.5, "✓ agrees"),), head=("a", "b", "c"), style="good"),
    )
    (table,) = parsed(html(Document("", blocks))).iter("table")
    assert table.get("aria-label") == "Check"
    assert [item.get("scope") for item in table.iter("th")] == ["col"] * 3 + ["row"]
    assert text(table) == "a b c complex step 0.5 ✓ agrees"


def test_pictures_are_said_and_drawn() -> None:
    tree = parsed(html(Document("", every_block(words="a picture"))))
    (picture,) = tree.iter("svg")
    labels = [text(item).replace(" ", "") for item in picture.iter("text")]
    assert picture.get("role") == "img"
    assert [picture.find(part).get("id") for part in ("title", "desc")] == picture.get(
        "aria-labelledby"
    ).split()
    assert picture.find("desc").text == "a picture"
    assert "net​h1​".replace("​", "") in [label.replace("​", "") for label in labels]
    assert len(list(picture.iter("circle"))) == 2


def test_what_may_be_wider_than_a_phone_is_reached_by_keyboard() -> None:
    tree = parsed(html(Document("", every_block())))
    regions = [item for item in tree.iter() if item.get("tabindex") == "0"]
    assert {item.get("role") for item in regions} == {"region"}
    names = [item.get("aria-label") for item in regions]
    assert len(set(names)) == len(names) >= 3
    narrow = Document("", (Equation(Name("w7"), (Right(Number(0.5)),)),))
    assert 'tabindex="0"' not in html(narrow)


# ------------------------------------------------------------------------------ hostile

ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "a", "nav", "ul", "li", "main"),
    *("h1", "h2", "h3", "p", "div", "table", "thead", "tbody", "tr", "th", "td", "figure"),
    *("details", "summary"),
    *(
        "footer",
        "svg",
        "desc",
        "span",
        "line",
        "circle",
        "text",
        "tspan",
        "math",
        "mtable",
        "mtr",
        "mtd",
    ),
    *("mrow", "mi", "mn", "mo", "mtext", "msub", "msup", "mfrac"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "rel", "href", "class", "id", "scope"),
    *(
        "aria-label",
        "aria-labelledby",
        "aria-hidden",
        "role",
        "tabindex",
        "display",
        "alttext",
        "displaystyle",
    ),
    *("mathvariant", "form", "xmlns", "viewBox", "width", "x", "y", "x1", "y1", "x2"),
    *("y2", "cx", "cy", "r", "dy", "stroke-width", "style"),
}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_hostile_names_are_inert(name: str) -> None:
    page = html(Document(name, every_block(name, name), "zh"))
    tree = parsed(page)
    assert {item.tag for item in tree.iter()} <= ELEMENTS
    assert {key.rpartition("}")[2] for item in tree.iter() for key in item.attrib} <= ATTRIBUTES
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)


# ------------------------------------------------------------------------------ colours

PAIRS = [
    *((ink, paper) for ink in ("ink", "faint", "accent", "good", "bad") for paper in ("paper",)),
    *(("ink", paper) for paper in ("input", "hidden", "output", "bias", "raised")),
    ("accent", "raised"),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_colours_contrast(ink: str, paper: str, scheme: int) -> None:
    page = html(Document("", ()))
    first, second = (re.findall(rf"--{name}: #([0-9a-f]+);", page)[scheme] for name in (ink, paper))
    lighter, darker = sorted(map(_luminance, (first, second)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    channels = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
