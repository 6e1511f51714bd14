"""The scanner agrees with the real parsers on what stands where."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.frontends.network.text import (
    KeyPath,
    deepest,
    find,
    line_of,
    removal,
    repeated,
    replace,
    scan,
)

TOML = '''# a "comment" = [
loss = "a # b" # after
dotted.key."with.dot" = 1
[inputs]
l1 = 5_0.0
m = """x""y
""""
lit = 'C:\\[x'
mlit = \'\'\'it's ] fine\'\'\'
inl = {u = [1, 2, {z = 3}], "w" = 1979-05-27 07:32:00 }
[dotted.more]
k = -1e-3
[[layers]]
weights = [[1, 2], # c ]
  [3, 4,],
]
[layers.sub]
"q\\u0041" = true
[[layers]]
[[layers.deep]]
n = 1
'''


def leaves(data: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    """Every scalar of parsed data by its key path."""
    if isinstance(data, dict):
        entries = list(data.items())
    elif isinstance(data, list):
        entries = list(enumerate(data))
    else:
        return {path: data}
    return {
        where: leaf for key, entry in entries for where, leaf in leaves(entry, (*path, key)).items()
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_toml_scalar_is_found_where_it_stands(newline: str) -> None:
    text = TOML.replace("\n", newline)
    places = find(text, "toml")
    expected = leaves(tomllib.loads(text))
    assert expected
    for path, value in expected.items():
        token = text[places[path].start : places[path].end]
        assert tomllib.loads(f"value = {token}")["value"] == value, path


def test_toml_lines_keys_and_headers() -> None:
    places = find(TOML, "toml")
    assert line_of(TOML, places["layers", 0, "weights", 1, 0].start) == 15
    assert TOML[slice(*places["inputs", "l1"].key or ())] == "l1"
    assert TOML[places["layers", 1].start : places["layers", 1].end] == "[[layers]]"
    assert line_of(TOML, places["layers", 1].start) == 19
    assert line_of(TOML, places["dotted",].start) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=25,
)


@given(json_values, st.sampled_from([None, 2]), st.booleans())
def test_every_json_scalar_is_found_where_it_stands(
    data: Any, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    places = find(text, "json")
    for path, value in leaves(json.loads(text)).items():
        assert json.loads(text[places[path].start : places[path].end]) == value


@given(st.text(alphabet="[]{}=.,:#\"'\\ab1 \n\r", max_size=40), st.sampled_from(["toml", "json"]))
def test_any_text_is_scanned_to_an_end(text: str, kind: Any) -> None:
    for _, place in scan(text, kind):
        assert 0 <= place.start <= place.end <= len(text)


def test_deep_nesting_is_measured_not_followed() -> None:
    text = 'a = "]" # [\nb = ' + "[" * 200_000
    assert deepest(text)[0] == 200_000
    assert line_of(text, deepest(text)[1]) == 2
    assert set(find(text, "toml")) == {("a",)}


def test_json_keys_given_twice() -> None:
    text = '{"a": {"b": 1,\n "\\u0062": 2}, "b": 3}'
    [(path, first, again)] = repeated(text)
    assert path == ("a", "b")
    assert (line_of(text, first.start), line_of(text, again.start)) == (1, 2)


def test_replace_refuses_overlap() -> None:
    assert replace("abc", {(2, 3): "z", (0, 1): "xy"}) == "xybz"
    with pytest.raises(ValueError, match="overlap at offset 1"):
        replace("abc", {(0, 2): "x", (1, 3): "y"})


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("toml", "a = 1\nseed = 7\nb = 2\n", "a = 1\nb = 2\n"),
        ("toml", "a = 1\r\nseed = 7\r\nb = 2", "a = 1\r\nb = 2"),
        ("toml", "a = 1\nseed = 7  # why\n", "a = 1\n# why\n"),
        ("toml", "a = 1\nseed = 7", "a = 1\n"),
        ("toml", "t = { a = 1, seed = 7 }", "t = { a = 1 }"),
        ("json", '{"seed": 7, "a": 1}', '{"a": 1}'),
        ("json", '{"a": 1,\n "seed": 7\n}', '{"a": 1\n}'),
        ("json", '{"a": 1,\n "seed": 7,\n "b": 2}', '{"a": 1,\n "b": 2}'),
    ],
)
def test_removal(kind: Any, before: str, after: str) -> None:
    path = ("t", "seed") if before.startswith("t") else ("seed",)
    assert replace(before, {removal(before, find(before, kind)[path]): ""}) == after
