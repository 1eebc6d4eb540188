"""Plain columns under any names: demonstrations, thumbs and pairs, and labels that are never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Demonstration, Feedback, Message, Preference, assistant, user

ONE: dict[str, Any] = {"prompt": "q", "response": "a"}
THUMB: dict[str, Any] = ONE | {"label": True}
PAIR: dict[str, Any] = {"prompt": "q", "response_a": "x", "response_b": "y", "label": "a"}


def test_the_columns_say_what_a_row_is(jsonl) -> None:
    (shown,) = read(jsonl([ONE | {"system": "s", "topic": "t"}], "one.jsonl"))
    (thumb,) = read(jsonl([THUMB], "thumb.jsonl"))
    (pair,) = read(jsonl([PAIR | {"id": 7, "source": "book"}], "pair.jsonl"))

    assert shown == Demonstration(
        (Message("system", "s"), user("q")), (assistant("a"),), id="one:1", source="one.jsonl"
    )
    assert shown.metadata == {"topic": "t"}
    assert thumb == Feedback((user("q"),), (assistant("a"),), True, id="thumb:1", source="thumb.jsonl")
    assert pair == Preference((user("q"),), (assistant("x"),), (assistant("y"),), id="7", source="book")
    assert pair.metadata == {"shown_first": "chosen"}


def test_columns_of_any_name_are_read_once_they_are_named(jsonl) -> None:
    row = {"question": "q", "left reply": "x", "right reply": "y", "who won": "right", "rater": 12, "by": 2.5}
    names = {
        "prompt": "question", "response_a": "left reply", "response_b": "right reply", "label": "who won",
        "annotator": "rater", "margin": "by",
    }  # fmt: skip
    (pair,) = read(jsonl([row]), columns=names)

    assert isinstance(pair, Preference)
    assert (pair.chosen, pair.rejected, pair.margin) == ((assistant("y"),), (assistant("x"),), 2.5)
    assert pair.metadata == {"annotator": "12", "shown_first": "rejected"}


@pytest.mark.parametrize(
    ("label", "desirable"),
    [
        (True, True), (1, True), (1.0, True), ("1", True), ("up", True), ("Good", True), ("TRUE", True),
        ("thumbs_up", True), ("desirable", True),
        (False, False), (0, False), ("0", False), ("down", False), ("bad", False), ("False", False),
        ("no", False),
    ],
)  # fmt: skip
def test_a_thumb_is_true_or_false_one_or_zero_or_a_word(jsonl, label: Any, desirable: bool) -> None:
    (record,) = read(jsonl([THUMB | {"label": label}]))

    assert isinstance(record, Feedback)
    assert record.desirable is desirable


@pytest.mark.parametrize(
    ("label", "chosen", "probability", "verdict"),
    [
        ("a", "x", None, None), ("A", "x", None, None), ("model_a", "x", None, None),
        ("response_b", "y", None, None), ("b", "y", None, None), ("tie", "x", 0.5, None),
        ("both_bad", "x", 0.5, "both_bad"),
    ],
)  # fmt: skip
def test_a_pairs_label_names_a_side_a_tie_or_both_bad(jsonl, label, chosen, probability, verdict) -> None:
    (record,) = read(jsonl([PAIR | {"label": label}]))

    assert isinstance(record, Preference)
    assert record.chosen == (assistant(chosen),)
    assert record.probability == probability
    assert record.metadata.get("verdict") == verdict


def test_a_table_writes_its_margin_as_text(jsonl) -> None:
    with_margin, without = read(jsonl([PAIR | {"margin": "1.5"}, PAIR | {"margin": ""}]))

    assert (with_margin.margin, without.margin) == (1.5, None)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "change", "reason"),
    [
        (PAIR, {"label": 1}, "wrong_type"),
        (PAIR, {"label": "1"}, "bad_value"),
        (PAIR, {"label": "x"}, "bad_value"),
        (PAIR, {"label": None}, "no_vote"),
        (PAIR, {"label": ""}, "no_vote"),
        (PAIR, {"label": "skip"}, "no_vote"),
        (PAIR, {"margin": "much"}, "bad_value"),
        (PAIR, {"response_b": None}, "wrong_type"),
        (PAIR, {"response_b": "x"}, "equal_sides"),
        (PAIR, {"response_b": "x", "label": "tie"}, "equal_sides"),
        (PAIR, {"response_a": ""}, "empty_chosen"),
        (PAIR, {"response_a": "", "label": "b"}, "empty_rejected"),
        (PAIR, {"prompt": " "}, "empty_prompt"),
        (PAIR, {"system": 3}, "wrong_type"),
        (THUMB, {"label": 2}, "bad_value"),
        (THUMB, {"label": "maybe"}, "bad_value"),
        (THUMB, {"label": None}, "no_vote"),
        (THUMB, {"label": [True]}, "wrong_type"),
        (THUMB, {"response": " "}, "empty_response"),
        (ONE, {"response": ""}, "empty_response"),
        (ONE, {"score": 3}, "unknown_field"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, change, reason: str) -> None:
    assert read(jsonl([row, row, row | change])).counts.quarantined == {reason: 1}


def test_a_pair_without_one_of_its_columns_is_quarantined(jsonl) -> None:
    rows = [{key: value for key, value in PAIR.items() if key != missing} for missing in PAIR]

    assert read(jsonl([PAIR, PAIR, *rows])).counts.quarantined == {"missing_field": 4}
