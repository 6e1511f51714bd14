"""Boxes on their baselines, and pages: what is wrapped, where, and what never is."""

from __future__ import annotations

import random
import re

import pytest

from chainrule.explanation.documents.layout import MOST_ROWS, Page, Row, Side
from chainrule.explanation.printers.boxes import Box, beside, cells, fraction, line
from chainrule.explanation.printers.unicode import inline, stacked
from chainrule.primitives.formula import parse

# ------------------------------------------------------------------------------- boxes


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("∂E/∂w⁺", 6),
        ("漢字", 4),
        ("ｗ", 2),
        ("e\u0301", 1),
        ("x̂ = 漢", 6),
        ("ﾊﾝ", 2),
        ("─ ⎛⎝", 4),
    ],
)
def test_the_cells_of_a_text(text: str, width: int) -> None:
    assert cells(text) == width
    assert line(text).width == width


def test_a_line_is_a_box_of_one_row() -> None:
    box = line("abc")
    assert (box.rows, box.width, box.height, box.baseline) == (("abc",), 3, 1, 0)


def test_a_fraction_has_its_bar_on_the_baseline() -> None:
    box = fraction(line("a"), line("b + c"))
    assert box.rows == ("   a   ", "───────", " b + c ")
    assert box.baseline == 1
    assert fraction(line("∂E"), line("∂w7")).rows == (" ∂E  ", "─────", " ∂w7 ")


def test_a_fraction_in_a_fraction() -> None:
    box = fraction(line("1"), beside([line("1 + "), fraction(line("a"), line("b"))]))
    assert box.rows == (
        "    1    ",
        "─────────",
        "      a  ",
        " 1 + ─── ",
        "      b  ",
    )
    assert box.baseline == 1
    over = fraction(fraction(line("a"), line("b")), line("c"))
    assert over.rows == ("  a  ", " ─── ", "  b  ", "─────", "  c  ")
    assert over.baseline == 3


def test_boxes_side_by_side_share_their_baseline() -> None:
    box = beside([line("y = "), fraction(line("a"), line("b")), line(" + c")])
    assert box.rows == (
        "     a     ",
        "y = ─── + c",
        "     b     ",
    )
    assert box.baseline == 1
    low = beside([Box(("p", "q"), 0), Box(("r", "s"), 1)])
    assert low.rows == (" r", "ps", "q ")
    assert low.baseline == 1


def test_one_box_beside_nothing_is_itself() -> None:
    box = fraction(line("a"), line("b"))
    assert beside([box]) is box


def test_wide_characters_are_counted_by_their_cells() -> None:
    box = fraction(line("漢字"), line("a"))
    assert box.rows == (" 漢字 ", "──────", "  a   ")
    assert {cells(row) for row in box.rows} == {6}
    joined = beside([fraction(line("漢"), line("b")), line(" = 漢")])
    assert {cells(row) for row in joined.rows} == {joined.width}


def random_box(chance: random.Random, depth: int) -> Box:
    if depth == 0:
        return line(chance.choice(("a", "b + c", "漢字", "x̂", "0.5", "")))
    parts = [random_box(chance, depth - 1) for _ in range(chance.randint(1, 3))]
    return fraction(parts[0], parts[-1]) if chance.random() < 0.5 else beside(parts)


@pytest.mark.parametrize("seed", range(30))
def test_rows_of_a_box_are_of_one_width(seed: int) -> None:
    box = random_box(random.Random(seed), 4)
    assert {cells(row) for row in box.rows} == {box.width}
    assert 0 <= box.baseline < box.height


# ------------------------------------------------------------------------------- words


def texts(page: Page) -> list[str]:
    return [row.text for row in page.rows]


def test_words_are_wrapped_between_single_spaces() -> None:
    page = Page(20)
    page.add("one two three four five six", "note", indent=2)
    assert page.rows == [
        Row("  one two three four", "note"),
        Row("  five six", "note"),
    ]


def test_wider_gaps_are_kept() -> None:
    page = Page(20)
    page.add("complex step       0.25 agrees with it", indent=1)
    assert texts(page) == [" complex", " step       0.25", " agrees with it"]


def test_a_word_that_is_too_long_is_left_whole() -> None:
    page = Page(20)
    page.add(f"a {'x' * 30} b")
    assert texts(page) == ["a", "x" * 30, "b"]


def test_wide_words_are_wrapped_by_their_cells() -> None:
    page = Page(20)
    page.add("漢字漢字 漢字漢字 漢字漢字，漢字")
    # Chinese may be broken between any two characters, but a comma begins no row.
    assert texts(page) == ["漢字漢字 漢字漢字 漢", "字漢字，漢字"]


def test_there_is_never_an_empty_row_first_or_twice() -> None:
    page = Page(40)
    page.add()
    page.heading("Head")
    page.add()
    page.add()
    page.heading("Other")
    assert page.rows == [Row("Head", "heading"), Row(""), Row("Other", "heading")]


def test_items_are_not_broken() -> None:
    page = Page(30)
    page.items(["x1 = 0.5", "a long one = 0.25", "y = 1.0", "z" * 40], indent=2)
    assert texts(page) == [
        "  x1 = 0.5   a long one = 0.25",
        "  y = 1.0",
        "  " + "z" * 40,
    ]


def test_a_page_is_twenty_cells_wide_at_least() -> None:
    assert Page(1).width == 20
    assert Page(-5).width == 20
    assert Page(81).width == 81


# --------------------------------------------------------------------------- equations


def equation(width: int, left: str, *formulas: str, indent: int = 2) -> list[str]:
    page = Page(width)
    rights = [Side(stacked(parse(item)), inline(parse(item))) for item in formulas]
    page.equation(Side.text(left), rights, indent)
    return texts(page)


def test_right_sides_stand_below_one_another() -> None:
    assert equation(40, "y", "a + b", "a / b", "c") == [
        "  y = a + b",
        "       a",
        "    = ───",
        "       b",
        "    = c",
    ]


def test_the_last_right_side_is_the_result() -> None:
    page = Page(40)
    page.equation(Side.text("y"), [Side.text("a"), Side.text("b", "≈"), Side.text("c")])
    assert page.rows == [Row("  y = a"), Row("    ≈ b"), Row("    = c", "value")]
    other = Page(40)
    other.equation(Side.text("y"), [Side.text("a")], style="bad")
    assert other.rows == [Row("  y = a", "bad")]


def test_a_fraction_that_is_too_wide_is_written_on_one_line() -> None:
    names = " + ".join(f"name{number}" for number in range(3))
    assert equation(30, "y", f"({names}) / {'d' * 8}") == [
        "       name0 + name1 + name2",
        "  y = ───────────────────────",
        "             dddddddd",
    ]
    narrow = equation(24, "y", f"({names}) / {'d' * 8}")
    assert narrow == ["  y = (name0 + name1", "      + name2)/dddddddd"]


def test_a_formula_is_broken_before_its_signs() -> None:
    assert equation(24, "y", "aaaa + bbbb - cccc + dddd + eeee") == [
        "  y = aaaa + bbbb − cccc",
        "      + dddd + eeee",
    ]


def test_a_break_outside_brackets_is_preferred() -> None:
    assert equation(36, "y", "aaaaaaaa * bbbb + (cccc + dddd + eeee)") == [
        "  y = aaaaaaaa · bbbb",
        "      + (cccc + dddd + eeee)",
    ]
    # A break between terms before one between factors.
    assert equation(36, "y", "aaaaaaaa * bbbb + cccc * dddd * eeee") == [
        "  y = aaaaaaaa · bbbb",
        "      + cccc · dddd · eeee",
    ]


def test_inside_brackets_is_broken_where_nothing_else_is_left() -> None:
    rows = equation(26, "y", "(aaaaaa + bbbbbb + cccccc + dddddd)**2")
    assert rows == ["  y = (aaaaaa + bbbbbb", "      + cccccc + dddddd)²"]


def test_a_wide_left_side_has_a_row_of_its_own() -> None:
    page = Page(40)
    page.equation(Side.text("a_very_long_left_side"), [Side.text("0.123456789 + 0.123456789")])
    assert texts(page) == ["  a_very_long_left_side", "     = 0.123456789 + 0.123456789"]
    short = Page(60)
    short.equation(Side.text("a_very_long_left_side"), [Side.text("0.123456789 + 0.123456789")])
    assert texts(short) == ["  a_very_long_left_side = 0.123456789 + 0.123456789"]


NUMBER = re.compile(r"\d+\.\d+")


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 120])
@pytest.mark.parametrize("seed", range(12))
def test_no_number_is_broken_and_nothing_is_lost(width: int, seed: int) -> None:
    chance = random.Random(seed)

    def draw(depth: int) -> str:
        if depth == 0:
            return repr(chance.uniform(0.1, 9.0))
        parts = [draw(depth - 1) for _ in range(chance.randint(1, 3))]
        joined = chance.choice((" + ", " - ", " * ")).join(parts)
        return chance.choice((f"({joined})", joined, f"exp({joined})"))

    formula = parse(draw(3))
    text = inline(formula)
    page = Page(width)
    page.equation(Side.text("y"), [Side(line(text), text)])
    rows = texts(page)
    if not rows[-1].lstrip().startswith("…"):
        joined = " ".join(row.strip() for row in rows).removeprefix("y = ")
        assert joined == text
    for row in rows:
        assert set(NUMBER.findall(row)) <= set(NUMBER.findall(text))
        if cells(row) > width:  # one piece that has no sign to be broken before
            assert len(re.findall(r"(?<=\S) [+−·] ", row.replace("y = ", ""))) == 0


def test_of_a_very_long_formula_the_rest_is_counted() -> None:
    text = " + ".join(f"x{number}" for number in range(1000))
    page = Page(40)
    page.equation(Side.text("y"), [Side.text(text)])
    rows = texts(page)
    assert len(rows) == MOST_ROWS + 1
    shown = " ".join(rows[:-1]).count("x")
    assert shown > MOST_ROWS
    assert rows[-1] == f"      … and {1000 - shown} more terms and factors"
    page = Page(40)
    page.equation(Side.text("y"), [Side.text(" + ".join(text.split(" + ")[:shown]))])
    assert texts(page) == rows[:-1]


def test_rows_have_no_spaces_at_their_end() -> None:
    rows = equation(40, "y", "a / bbb", "1 / (1 + a / b)")
    assert rows == [row.rstrip() for row in rows]
