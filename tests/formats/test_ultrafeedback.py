"""UltraFeedback: every rating of every completion is a record, and what was not rated is counted."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Rating, assistant, user

AN_ASPECT = {"Rating": "4", "Rationale": "Mostly right."}
COMPLETION: dict[str, Any] = {
    "model": "gpt-4",
    "principle": "helpfulness",
    "custom_system_prompt": "Be helpful.",
    "response": "Cairo.",
    "annotations": {
        "Helpfulness": {"Type": ["1"], "Rationale": "Clear.", "Rating": "5", "Rationale For Rating": "Good."},
        "honesty": {"Rating": "3", "Rationale": "Unsure."},
        "instruction_following": {"Rating": "4", "Rationale": "Does."},
        "truthfulness": {"Type": "None", "Rationale": "None.", "Rating": "2", "Rationale For Rating": "No."},
    },
    "critique": "Say more.",
    "overall_score": 7.5,
    "fine-grained_score": 3.5,
}
ROW: dict[str, Any] = {
    "source": "sharegpt",
    "instruction": "Where to?",
    "models": ["gpt-4"],
    "completions": [COMPLETION],
    "correct_answers": ["None"],
}


def ratings(path) -> dict[str, Rating]:
    kept = read(path)
    assert all(isinstance(record, Rating) for record in kept)
    return {record.aspect: record for record in kept}  # type: ignore[union-attr]


def rated(overall: Any, *aspects: Any) -> dict[str, Any]:
    annotations = {f"aspect{n}": {"Rating": rating} for n, rating in enumerate(aspects)}
    return COMPLETION | {"annotations": annotations, "overall_score": overall}


def test_each_rating_is_a_record_under_its_aspect(jsonl) -> None:
    found = ratings(jsonl([ROW]))

    assert {aspect: record.score for aspect, record in found.items()} == {
        "helpfulness": 5.0,
        "honesty": 3.0,
        "instruction_following": 4.0,
        "truthfulness": 2.0,
        "overall": 7.5,
    }
    assert {(r.prompt, r.response, r.source) for r in found.values()} == {
        ((user("Where to?"),), (assistant("Cairo."),), "sharegpt")
    }
    assert found["honesty"].id == "data:1.1.honesty"


def test_the_overall_score_stands_beside_the_mean_of_the_aspects_and_the_critique(jsonl) -> None:
    found = ratings(jsonl([ROW]))
    common = {"correct_answers": ["None"], "generator": "gpt-4", "principle": "helpfulness"}

    assert found["honesty"].metadata == common
    assert found["overall"].metadata == common | {"critique": "Say more.", "aspects_mean": 3.5}


@pytest.mark.parametrize(
    ("overall", "aspects", "suspect"),
    [
        (10, ("1", "2", "1", "2"), True),
        (10, ("4", "4", "4", "4"), True),
        (10, ("5", "4", "4", "4"), False),
        (10, ("5", "5", "5", "5"), False),
        (9, ("1", "1", "1", "1"), False),
        (1, ("1", "1", "1", "1"), False),
        (10, (), False),
    ],
)
def test_a_ten_that_the_aspects_do_not_bear_out_is_marked_and_kept_as_it_came(
    jsonl, overall, aspects, suspect: bool
) -> None:
    record = ratings(jsonl([ROW | {"completions": [rated(overall, *aspects)]}]))["overall"]

    assert record.score == overall
    assert record.metadata.get("suspect_score", False) is suspect


def test_ratings_are_numbers_or_text_and_an_aspect_may_be_a_list_of_one(jsonl) -> None:
    completion = COMPLETION | {
        "annotations": {"honesty": [AN_ASPECT], "helpfulness": AN_ASPECT | {"Rating": 2}},
        "overall_score": "8",
    }
    found = ratings(jsonl([ROW | {"completions": [completion]}]))

    assert {name: r.score for name, r in found.items()} == {"honesty": 4, "helpfulness": 2, "overall": 8}


def test_what_was_not_rated_is_counted_and_left_out_of_the_mean(jsonl) -> None:
    kept = read(jsonl([ROW | {"completions": [rated(6, "N/A", "2", None, "4")]}]))

    assert [(r.aspect, r.score) for r in kept] == [("aspect1", 2), ("aspect3", 4), ("overall", 6)]  # type: ignore[union-attr]
    assert kept[2].metadata["aspects_mean"] == 3.0  # type: ignore[union-attr]
    assert (kept.counts.read, kept.counts.quarantined) == (5, {"unrated": 2})
    assert kept.quarantined[0].raw == {"model": "gpt-4", "aspect": "aspect0", "rating": "N/A"}


def test_what_is_left_out_is_the_rating_or_the_completion_not_the_row(jsonl) -> None:
    kept = read(jsonl([ROW | {"completions": [rated("seven", "3"), "text"]}]))

    assert [row.raw for row in kept.quarantined] == [
        {"model": "gpt-4", "aspect": "overall", "rating": "seven"},
        "text",
    ]


@pytest.mark.parametrize(
    ("completion", "kept", "reasons"),
    [
        (rated("N/A"), 0, {"unrated": 1}),
        (rated(None, "3"), 1, {"unrated": 1}),
        (rated("seven", "3"), 1, {"bad_value": 1}),
        (rated(7, "3 of 5", ["1", "2"]), 1, {"bad_value": 1, "wrong_type": 1}),
        ({"response": "x"}, 0, {"unrated": 1}),
        ({"response": "x", "overall_score": 3}, 1, {}),
        ({"overall_score": 3}, 0, {"missing_field": 1}),
        (COMPLETION | {"response": None}, 0, {"wrong_type": 1}),
        (COMPLETION | {"annotations": "good"}, 0, {"wrong_type": 1}),
        ("text", 0, {"wrong_type": 1}),
        (COMPLETION | {"response": " "}, 0, {"empty_response": 5}),
    ],
)
def test_a_completion_that_cannot_be_used_leaves_the_others(jsonl, completion, kept: int, reasons) -> None:
    found = read(jsonl([ROW | {"completions": [completion, COMPLETION]}]))

    assert (len(found), found.counts.quarantined) == (kept + 5, reasons)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"completions": []}, "no_responses"),
        ({"completions": {}}, "wrong_type"),
        ({"instruction": None}, "wrong_type"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, change, reason: str) -> None:
    kept = read(jsonl([ROW, ROW | change]), format="ultrafeedback")

    assert (len(kept), kept.counts.quarantined) == (5, {reason: 1})
