"""SHP: the label names the better comment; scores follow the sides."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, assistant, user

ROW: dict[str, Any] = {
    "post_id": "qt3nxl",
    "domain": "askculinary_train",
    "upvote_ratio": 0.98,
    "history": "What is the best way?",
    "c_root_id_A": "hkh25sc",
    "c_root_id_B": "hkh25lp",
    "created_at_utc_A": 1636822112,
    "created_at_utc_B": 1636822110,
    "score_A": 340,
    "score_B": 166,
    "human_ref_A": "Slowly.",
    "human_ref_B": "Fast.",
    "labels": 1,
    "seconds_difference": 2.0,
    "score_ratio": 2.0481927711,
}


def pair(path) -> Preference:
    (record,) = read(path)
    assert isinstance(record, Preference)
    return record


def test_label_1_prefers_a_and_the_margin_is_in_votes(jsonl) -> None:
    record = pair(jsonl([ROW]))

    assert record.prompt == (user("What is the best way?"),)
    assert (record.chosen, record.rejected) == ((assistant("Slowly."),), (assistant("Fast."),))
    assert (record.margin, record.probability) == (174.0, None)


def test_label_0_prefers_b_and_its_columns_become_the_chosen_sides(jsonl) -> None:
    record = pair(jsonl([ROW | {"labels": 0, "score_A": 3, "score_B": 9, "score_ratio": 3.0}]))

    assert (record.chosen, record.margin) == ((assistant("Fast."),), 6.0)
    assert record.metadata == {
        "post_id": "qt3nxl",
        "domain": "askculinary_train",
        "upvote_ratio": 0.98,
        "c_root_id_chosen": "hkh25lp",
        "c_root_id_rejected": "hkh25sc",
        "created_at_utc_chosen": 1636822110,
        "created_at_utc_rejected": 1636822112,
        "score_chosen": 9,
        "score_rejected": 3,
        "seconds_difference": 2.0,
        "score_ratio": 3.0,
    }


def test_scores_that_contradict_the_label_give_a_negative_margin(jsonl) -> None:
    record = pair(jsonl([ROW | {"labels": 0}]))

    assert (record.chosen, record.margin) == ((assistant("Fast."),), -174.0)


def test_without_both_scores_there_is_no_margin(jsonl) -> None:
    row = {key: value for key, value in ROW.items() if key != "score_A"}

    assert pair(jsonl([row])).margin is None
    assert pair(jsonl([ROW | {"score_B": None}])).margin is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": 2}, "bad_value"),
        ({"labels": "1"}, "wrong_type"),
        ({"labels": None}, "wrong_type"),
        ({"score_A": "many"}, "wrong_type"),
        ({"history": ["x"]}, "wrong_type"),
        ({"history": " "}, "empty_prompt"),
        ({"human_ref_A": ""}, "empty_chosen"),
        ({"human_ref_B": ""}, "empty_rejected"),
        ({"human_ref_A": "Fast. "}, "equal_sides"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, change, reason: str) -> None:
    assert read(jsonl([ROW, ROW | change])).counts.quarantined == {reason: 1}
