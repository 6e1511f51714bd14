"""The shape of every error: its wording, what is escaped, did-you-mean."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from chainrule.errors import (
    ChainruleError,
    Fault,
    Faults,
    InputError,
    NumericError,
    closest,
    printable,
)

# --------------------------------------------------------------------------- printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, ½ · ∂E/∂w⁺ → 漢字 é", "plain text, ½ · ∂E/∂w⁺ → 漢字 é"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u202eabc\u202c", r"\u202eabc\u202c"),
        ("\u2066a\u2069\u200f\u061c", r"\u2066a\u2069\u200f\u061c"),
        ("a\u00a0b\u2028c\u3000d", r"a\xa0b\u2028c\u3000d"),
        ("\ufeffx\u200bz\u00ad", r"\ufeffx\u200bz\xad"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("\ue000", r"\ue000"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_escaped(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_every_character_becomes_visible() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        shown = printable(character)
        assert shown == character or shown.isascii()
        assert all(c == " " or unicodedata.category(c)[0] not in "CZ" for c in shown)
    assert "\u0378" not in printable("\u0378")  # not assigned


def test_long_text_is_cut() -> None:
    assert printable("x" * 160) == "x" * 160
    assert printable("x" * 161) == "x" * 159 + "…"
    assert printable("abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"
    assert len(printable("\x1b" * 10**6)) < 1000


# ------------------------------------------------------------------------------- Fault


def test_a_fault_says_what_where_needed_and_what_to_try() -> None:
    fault = Fault(
        "ShapeError",
        "matmul: inner sizes differ: x is (4, 3), w is (2, 5)",
        "net.toml",
        12,
        "   weights = [[0.1, 0.15]]  ",
        "x (n, k) and w (k, m)",
        "give each row of weights 3 numbers",
    )
    assert str(fault) == (
        "ShapeError: matmul: inner sizes differ: x is (4, 3), w is (2, 5)\n"
        "  at net.toml:12:  weights = [[0.1, 0.15]]\n"
        "  needs: x (n, k) and w (k, m)\n"
        "  try: give each row of weights 3 numbers"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "NameError: what"),
        ({"file": "a.txt"}, "NameError: what\n  at a.txt"),
        ({"file": "a.txt", "line": 3}, "NameError: what\n  at a.txt:3"),
        ({"file": "a.txt", "line": 3, "source": ""}, "NameError: what\n  at a.txt:3"),
        ({"file": "a.txt", "source": " x = 1 "}, "NameError: what\n  at a.txt:  x = 1"),
        ({"line": 3, "source": "x"}, "NameError: what"),
        ({"needs": "this"}, "NameError: what\n  needs: this"),
        ({"hint": "that"}, "NameError: what\n  try: that"),
        ({"needs": "this", "hint": ""}, "NameError: what\n  needs: this"),
    ],
)
def test_the_parts_of_a_fault_that_are_missing_are_left_out(
    fields: dict[str, object], said: str
) -> None:
    assert str(Fault("NameError", "what", **fields)) == said  # type: ignore[arg-type]


def test_every_part_of_a_fault_is_made_printable() -> None:
    evil = "\x1b[31m\nNumericError: forged \u202e"
    text = str(Fault("NameError", evil, evil, 1, evil, evil, evil))
    assert len(text.splitlines()) == 4
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(str(Fault("E", "x" * 10**5, "f" * 10**5, 1, "s" * 10**5, "n" * 10**5))) < 1500


def test_an_error_carries_all_its_faults() -> None:
    first, second = Fault("NameError", "one"), Fault("ValueError", "two", needs="three")
    error = InputError(first, second)
    assert error.faults == (first, second)
    assert str(error) == "NameError: one\nValueError: two\n  needs: three"
    assert isinstance(error, ChainruleError)


def test_the_exit_statuses() -> None:
    assert (ChainruleError.exit_status, InputError.exit_status, NumericError.exit_status) == (
        2,
        2,
        3,
    )


# ------------------------------------------------------------------------------ Faults


def test_the_faults_of_a_file_are_told_together_in_its_order() -> None:
    faults = Faults("net.toml", "first\r\nsecond\rthird\nfourth")
    faults.raise_if_any()
    faults.add("ValueError", "late", line=4, needs="less")
    faults.add("NameError", "nowhere")
    faults.add("TypeError", "early", line=2, hint="more")
    faults.add("TypeError", "beyond", line=9)
    with pytest.raises(InputError) as caught:
        faults.raise_if_any()
    assert str(caught.value) == (
        "NameError: nowhere\n"
        "  at net.toml\n"
        "TypeError: early\n"
        "  at net.toml:2:  second\n"
        "  try: more\n"
        "ValueError: late\n"
        "  at net.toml:4:  fourth\n"
        "  needs: less\n"
        "TypeError: beyond\n"
        "  at net.toml:9"
    )
    assert [fault.what for fault in faults.found] == ["late", "nowhere", "early", "beyond"]


def test_faults_of_one_line_keep_their_order() -> None:
    faults = Faults("a", "x")
    for number in range(5):
        faults.add("ValueError", str(number), line=1)
    with pytest.raises(InputError) as caught:
        faults.raise_if_any()
    assert [fault.what for fault in caught.value.faults] == list("01234")


# ----------------------------------------------------------------------------- closest


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("sigmod", ["tanh", "sigmoid"], 'did you mean "sigmoid"?'),
        ("w77", ["w7", "w1"], 'did you mean "w7"?'),
        ("sede", ("seed", "mazur"), 'did you mean "seed"?'),
        ("learning_rte", {"learning_rate": 1}, 'did you mean "learning_rate"?'),
        ("q", ["sigmoid"], None),
        ("anything", [], None),
        ("", ["w"], None),
    ],
)
def test_did_you_mean(name: str, known: list[str], said: str | None) -> None:
    assert closest(name, known) == said
    assert closest(name, iter(known)) == said
