"""A cell of a table is text unless it is unmistakably something else, and every value's text reads back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.formats.cells import FLAGS, LISTS, NUMBERS, Unreadable, decoder, encode

TURNS = [{"role": "user", "content": "hi"}]
SHAREGPT = [{"from": "human", "value": "hi"}]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("margin", "2", 2),
        ("margin", "-2.50", -2.5),
        ("score", ".5", 0.5),
        ("score", "1e-3", 0.001),
        ("labels", "1", 1),
        ("labels", "[true, false]", [True, False]),
        ("label", "true", True),
        ("label", "True", True),
        ("label", "1", True),
        ("label", "1.0", True),
        ("label", "False", False),
        ("label", "0", False),
        ("kto_tag", "FALSE", False),
        ("messages", json.dumps(TURNS), TURNS),
        ("ranks", "[1, 2]", [1, 2]),
        ("prompt", json.dumps(TURNS), TURNS),
        ("question", json.dumps(SHAREGPT), SHAREGPT),
        ("chosen", json.dumps(SHAREGPT[0]), SHAREGPT[0]),
        ("chosen", "[{'role': 'user', 'content': \"it's\"}]", [{"role": "user", "content": "it's"}]),
        ("input", json.dumps({"messages": TURNS}), {"messages": TURNS}),
        ("history", '[["q", "a"]]', [["q", "a"]]),
    ],
)
def test_what_is_unmistakable_is_decoded(column: str, cell: str, value: Any) -> None:
    decoded = decoder(column)(cell)

    assert (decoded, type(decoded)) == (value, type(value))


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("margin", "much"),
        ("margin", "nan"),
        ("margin", "2,5"),
        ("score", "N/A"),
        ("score", "12345678901234567890"),
        ("label", "a"),
        ("label", "yes"),
        ("answer", "1"),
        ("answer", "true"),
        ("chosen", "[1, 2]"),
        ("chosen", "[]"),
        ("chosen", "{}"),
        ("chosen", '{"role": "user"}'),
        ("chosen", '[{"role": "user", "content": "x"}, 3]'),
        ("chosen", "[{'a': 1}]"),
        ("input", "[3, 1, 2]"),
        ("messages", "[not JSON]"),
        ("messages", '"text"'),
        ("history", "[[1, 2]]"),
        ("chosen", "[" * 2000),
    ],
)
def test_what_could_be_text_stays_text(column: str, cell: str) -> None:
    assert decoder(column)(cell) is cell


def test_turns_that_are_neither_json_nor_python_are_not_taken_for_text() -> None:
    as_numpy_prints = "[{'role': 'user', 'content': 'a'}\n {'role': 'assistant', 'content': 'b'}]"

    with pytest.raises(Unreadable, match="neither JSON nor Python"):
        decoder("chosen")(as_numpy_prints)


JSON = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["1", "true", "[1]", json.dumps(TURNS), "[{'role': x", '"', '""', '"a"', "\r", " [1]"]),
    JSON.map(json.dumps),
)


@pytest.mark.parametrize("column", ["prompt", "score", "label", "labels", "messages", "note"])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=TEXT)
def test_text_reads_back_in_every_column_whatever_it_looks_like(column: str, text: str) -> None:
    for _ in range(3):  # the text of a cell is text too
        cell = encode(text, decoder(column))
        assert cell != ""
        assert decoder(column)(cell) == text
        text = cell


@settings(max_examples=100, deadline=None, derandomize=True)
@given(value=st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_lists_and_objects_read_back_in_their_columns(value: Any) -> None:
    assert decoder("metadata")(encode(value, decoder("metadata"))) == value


def test_numbers_and_flags_read_back_and_null_is_nothing() -> None:
    for value in (3, -2.5, 1e-7, 0):
        assert decoder("margin")(encode(value, decoder("margin"))) == value
    assert decoder("label")(encode(True, decoder("label"))) is True
    assert encode(None, decoder("margin")) == ""
    assert not FLAGS & (NUMBERS | LISTS)
