"""distilabel's pairs: the margin is the difference of the ratings, and equal ratings are a tie."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Message, Preference, assistant, user

ASKED = {"role": "user", "content": "Why?"}
SYSTEM = {"role": "system", "content": "Be brief."}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "No."}
RATINGS = {"chosen_rating": 5, "rejected_rating": 2.5}
ROW: dict[str, Any] = {
    "instruction": "Why?",
    "generations": ["Because.", "No."],
    "ratings": [5, 2.5],
    "prompt": "Why?",
    "prompt_id": "ab12",
    "chosen": [ASKED, GOOD],
    "chosen_model": "large",
    "rejected": [ASKED, BAD],
    "rejected_model": "small",
    "distilabel_metadata": {"raw_output": "long"},
} | RATINGS
TEXT = {"instruction": "Why?", "chosen_response": "Because.", "rejected_response": "No."} | RATINGS


def pair(path) -> Preference:
    (record,) = read(path)
    assert isinstance(record, Preference)
    return record


def test_the_margin_is_the_difference_of_the_ratings(jsonl) -> None:
    record = pair(jsonl([ROW]))

    assert (record.margin, record.probability, record.id) == (2.5, None, "ab12")
    assert record.metadata == {
        "prompt_id": "ab12",
        "ratings": [5, 2.5],
        "score_chosen": 5.0,
        "score_rejected": 2.5,
        "generator_chosen": "large",
        "generator_rejected": "small",
    }


HYPHENS = {"chosen-rating": 5.0, "rejected-rating": 2.5, "chosen-model": "large", "rejected-model": "small"}


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        {"prompt": "Why?", "chosen": "Because.", "rejected": "No."} | RATINGS,
        {"prompt": "Why?", "chosen": [GOOD], "rejected": [BAD]} | RATINGS,
        {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]} | RATINGS,
        {"source": "x", "prompt": "Why?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]} | HYPHENS,
        {"prompt": "Why?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]}
        | {"rating_chosen": 5, "rating_rejected": "2.5"},
        TEXT,
    ],
    ids=["turns", "text", "replies", "no prompt", "hyphens", "rating first", "response"],
)
def test_every_published_spelling_gives_the_same_pair(jsonl, row: dict[str, Any]) -> None:
    record = pair(jsonl([row]))

    assert record.prompt == (user("Why?"),)
    assert (record.chosen, record.rejected) == ((assistant("Because."),), (assistant("No."),))
    assert record.margin == 2.5
    assert (record.metadata["score_chosen"], record.metadata["score_rejected"]) == (5.0, 2.5)


def test_the_prompt_of_turns_is_all_before_the_last_reply(jsonl) -> None:
    before = [SYSTEM, ASKED, GOOD, {"role": "user", "content": "And?"}]
    record = pair(jsonl([ROW | {"chosen": [*before, GOOD], "rejected": [*before, BAD]}]))

    assert record.prompt == (
        Message("system", "Be brief."),
        user("Why?"),
        assistant("Because."),
        user("And?"),
    )
    assert record.chosen == (assistant("Because."),)


def test_a_system_prompt_stands_before_a_prompt_of_text(jsonl) -> None:
    record = pair(jsonl([TEXT | {"system_prompt": "Be brief."}]))

    assert record.prompt == (Message("system", "Be brief."), user("Why?"))


def test_equal_ratings_are_a_tie_and_one_response_on_both_sides_is_left_out(jsonl) -> None:
    tied = {"chosen_rating": 3, "rejected_rating": 3}
    kept = read(jsonl([ROW | tied, ROW | tied | {"rejected": ROW["chosen"]}]))

    assert isinstance(kept[0], Preference)
    assert (kept[0].tie, kept[0].margin, kept[0].chosen) == (True, 0.0, (assistant("Because."),))
    assert (len(kept), kept.counts.quarantined) == (1, {"equal_sides": 1})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW | {"chosen_rating": None}, "unrated"),
        (ROW | {"rejected_rating": "good"}, "bad_value"),
        (ROW | {"chosen_rating": True}, "wrong_type"),
        (ROW | {"rejected": [{"role": "user", "content": "Other?"}, BAD]}, "no_common_prompt"),
        (ROW | {"chosen": [ASKED, GOOD], "rejected": [BAD]}, "no_common_prompt"),
        (ROW | {"chosen": [ASKED], "rejected": [ASKED]}, "no_final_assistant"),
        (ROW | {"chosen": [GOOD, GOOD], "rejected": [GOOD, BAD]}, "prompt_ends_with_assistant"),
        (ROW | {"chosen": []}, "empty_chosen"),
        (ROW | {"rejected": []}, "empty_rejected"),
        (ROW | {"rejected": "No."}, "wrong_type"),
        (ROW | {"chosen": None, "rejected": None}, "wrong_type"),
        ({"chosen": "a", "rejected": "b"} | RATINGS, "missing_field"),
        (TEXT | {"instruction": ""}, "empty_prompt"),
        (TEXT | {"chosen_response": ""}, "empty_chosen"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    kept = read(jsonl([ROW, row]))

    assert (len(kept), kept.counts.quarantined) == (1, {reason: 1})
