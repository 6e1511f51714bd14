"""Names of entries: found both ways by arithmetic, whatever the size of the array."""

from __future__ import annotations

import itertools
import re

import pytest

import chainrule as cr
from chainrule.graph.labels import Directory, Labels

HUGE = Labels("w", (100_000, 2_000, 50))

# ------------------------------------------------------------------------------ Labels


def test_entries_are_numbered_row_by_row() -> None:
    labels = Labels("w", (2, 3))
    names = ["w[0,0]", "w[0,1]", "w[0,2]", "w[1,0]", "w[1,1]", "w[1,2]"]
    assert list(labels) == names == [labels[flat] for flat in range(6)]
    assert len(labels) == 6
    assert (labels[-1], labels[1:3]) == ("w[1,2]", ("w[0,1]", "w[0,2]"))
    assert [labels.index(name) for name in names] == list(range(6))


def test_a_scalar_has_the_name_itself() -> None:
    labels = Labels("loss", ())
    assert (list(labels), labels[0], labels.find("loss")) == (["loss"], "loss", 0)
    assert labels.find("loss[0]") is None
    with pytest.raises(IndexError):
        labels[1]


def test_an_array_without_entries_has_no_names() -> None:
    labels = Labels("w", (0, 3))
    assert (len(labels), list(labels), labels.find("w[0,0]")) == (0, [], None)


@pytest.mark.parametrize("flat", [6, -7])
def test_a_place_outside(flat: int) -> None:
    with pytest.raises(IndexError):
        Labels("w", (2, 3))[flat]


@pytest.mark.parametrize(
    "name",
    [
        *("w", "w[]", "w[0]", "w[0,0,0]", "w[2,0]", "w[0,3]", "w[-1,0]", "w[0, 1]", "w[00,1]"),
        *("v[0,0]", "w[0,0", "[0,0]", "w[٠,٠]", "w[0,0]]", "w[1e0,0]", ""),
    ],
)
def test_what_is_no_name(name: str) -> None:
    labels = Labels("w", (2, 3))
    assert labels.find(name) is None
    assert name not in labels
    with pytest.raises(ValueError, match=f"^{re.escape(name)}$"):
        labels.index(name)


def test_what_is_no_text_is_no_name() -> None:
    assert 0 not in Labels("w", (2,))


def test_names_are_equal_however_they_are_kept() -> None:
    assert Labels("w", (2,)) == ("w[0]", "w[1]")
    assert Labels("w", (2,)) == ["w[0]", "w[1]"]
    assert Labels("w", (2,)) != ("w[0]",)
    assert Labels("w", (2,)) != Labels("v", (2,))
    assert Labels("w", (2,)) != 2
    assert hash(Labels("w", (2,))) == hash(("w[0]", "w[1]"))


def test_the_same_entries_of_an_array_by_another_name() -> None:
    assert list(Labels("w", (2,)).renamed("v.grad")) == ["v.grad[0]", "v.grad[1]"]


def test_ten_thousand_million_names_are_none_that_is_kept() -> None:
    assert len(HUGE) == 10_000_000_000
    assert HUGE[-1] == "w[99999,1999,49]"
    assert HUGE.find("w[99999,1999,49]") == len(HUGE) - 1
    assert list(itertools.islice(HUGE, 2)) == ["w[0,0,0]", "w[0,0,1]"]
    assert HUGE[123_456_789] == "w[1234,1135,39]"
    assert HUGE.find("w[1234,1135,39]") == 123_456_789


# --------------------------------------------------------------------------- Directory


def test_a_name_leads_to_its_array_and_its_place() -> None:
    directory = Directory([("a", Labels("w", (2, 2))), ("b", ["w7", "w8"]), ("c", Labels("E", ()))])
    assert directory["w[1,0]"] == ("a", 2)
    assert directory["w8"] == ("b", 1)
    assert directory["E"] == ("c", 0)
    assert len(directory) == 7
    assert list(directory) == ["w[0,0]", "w[0,1]", "w[1,0]", "w[1,1]", "w7", "w8", "E"]
    assert directory.names == ["w", "w7", "w8", "E"]
    assert "w[1,1]" in directory
    assert directory.get("w[2,0]") is None


@pytest.mark.parametrize("name", ["w", "w[0]", "w[2,0]", "v[0,0]", "", "["])
def test_a_name_that_leads_nowhere(name: str) -> None:
    directory = Directory([("a", Labels("w", (2, 2)))])
    assert name not in directory
    with pytest.raises(KeyError):
        directory[name]


def test_the_entries_of_an_array() -> None:
    directory = Directory([("a", Labels("w", (2,))), ("b", ["b1"])])
    found = directory.array("w")
    assert found is not None
    assert found.shape == (2,)
    assert directory.array("b1") is None


def test_a_large_array_is_not_listed() -> None:
    directory = Directory([("w", HUGE), ("b", ["w7"])])
    assert directory["w[99999,1999,49]"] == ("w", len(HUGE) - 1)
    assert len(directory) == 10_000_000_001
    assert directory.names == ["w", "w7"]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([("a", ["x", "y"]), ("b", ["y"])], "y"),
        ([("a", Labels("w", (2,))), ("b", Labels("w", (3,)))], "w"),
        ([("a", Labels("w", (2,))), ("b", ["w[1]"])], "w[1]"),
        ([("a", ["w[1]"]), ("b", Labels("w", (2,)))], "w[1]"),
    ],
)
def test_two_of_one_name_are_refused(rows: object, name: str) -> None:
    with pytest.raises(cr.InputError) as caught:
        Directory(rows)  # type: ignore[arg-type]
    assert str(caught.value) == f'NameError: two numbers are called "{name}"'


def test_an_entry_beyond_an_array_may_have_a_name_like_one() -> None:
    assert Directory([("a", Labels("w", (2,))), ("b", ["w[2]"])])["w[2]"] == ("b", 0)
