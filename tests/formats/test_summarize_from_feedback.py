"""Votes on summaries: one preference a worker, the prompt as in the paper; axes are ratings."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, Rating, assistant, user

POST = {"id": "t3_2vwp1w", "post": "I had an accident.", "title": "Dutch law?", "subreddit": "legaladvice"}
ARTICLE = {"id": "167f", "site": "dailymail", "title": "A tackle", "article": "He was sent off."}
VOTE: dict[str, Any] = {
    "info": POST,
    "summaries": [
        {"text": " Accident, need info.", "policy": "sup4", "note": "Fast driving."},
        {"text": " Other party sped.", "policy": "ref", "note": None},
    ],
    "choice": 1,
    "worker": "ikNm",
    "batch": "batch9",
    "split": "train",
    "extra": {"confidence": 8},
}
AXES: dict[str, Any] = {
    "info": ARTICLE,
    "split": "test",
    "summary": {
        "text": "Sissoko was sent off.",
        "policy": "ref",
        "note": "13th??",
        "axes": {"overall": 3, "accuracy": 5, "coverage": 4, "coherence": 2},
    },
    "worker": "qo6W",
    "batch": "cnndm1",
}
LEFT, RIGHT = (assistant(" Accident, need info."),), (assistant(" Other party sped."),)


def pair(path) -> Preference:
    (record,) = read(path)
    assert isinstance(record, Preference)
    return record


def test_a_vote_names_the_worker_the_policies_and_what_stood_left(jsonl) -> None:
    record = pair(jsonl([VOTE]))

    assert (record.chosen, record.rejected, record.margin) == (RIGHT, LEFT, None)
    assert record.metadata == {
        "annotator": "ikNm",
        "shown_first": "rejected",
        "generator_chosen": "ref",
        "generator_rejected": "sup4",
        "note_rejected": "Fast driving.",
        "confidence": 8,
        "post_id": "t3_2vwp1w",
        "batch": "batch9",
        "split": "train",
    }


def test_choice_0_prefers_the_left_summary(jsonl) -> None:
    record = pair(jsonl([VOTE | {"choice": 0}]))

    assert (record.chosen, record.rejected) == (LEFT, RIGHT)
    assert record.metadata["shown_first"] == "chosen"
    assert (record.metadata["generator_chosen"], record.metadata["note_chosen"]) == ("sup4", "Fast driving.")


def test_votes_of_one_item_share_their_pair(jsonl) -> None:
    votes = read(jsonl([VOTE, VOTE | {"worker": "other"}]))

    assert [v.metadata["annotator"] for v in votes] == ["ikNm", "other"]  # type: ignore[union-attr]
    assert len({(v.prompt, v.chosen, v.rejected) for v in votes}) == 1  # type: ignore[union-attr]


NULLS = dict.fromkeys(("post", "title", "subreddit", "site", "article"))


@pytest.mark.parametrize(
    ("info", "prompt"),
    [
        (POST, "SUBREDDIT: r/legaladvice\n\nTITLE: Dutch law?\n\nPOST: I had an accident.\n\nTL;DR:"),
        (NULLS | POST, "SUBREDDIT: r/legaladvice\n\nTITLE: Dutch law?\n\nPOST: I had an accident.\n\nTL;DR:"),
        (POST | {"subreddit": None}, "TITLE: Dutch law?\n\nPOST: I had an accident.\n\nTL;DR:"),
        (ARTICLE, "Article:\nHe was sent off.\n\nTL;DR:\n"),
        (NULLS | ARTICLE, "Article:\nHe was sent off.\n\nTL;DR:\n"),
    ],
)
def test_the_prompt_is_the_papers(jsonl, info: dict[str, Any], prompt: str) -> None:
    assert pair(jsonl([VOTE | {"info": info}])).prompt == (user(prompt),)


def test_each_axis_is_a_rating(jsonl) -> None:
    kept = read(jsonl([AXES]))

    assert [(r.aspect, r.score) for r in kept if isinstance(r, Rating)] == [
        ("overall", 3.0),
        ("accuracy", 5.0),
        ("coverage", 4.0),
        ("coherence", 2.0),
    ]
    assert kept[0].response == (assistant("Sissoko was sent off."),)  # type: ignore[union-attr]
    assert kept[0].metadata == {  # type: ignore[union-attr]
        "annotator": "qo6W",
        "generator": "ref",
        "note": "13th??",
        "post_id": "167f",
        "split": "test",
        "batch": "cnndm1",
    }


def test_axes_may_stand_beside_the_summary_and_a_yes_or_no_is_metadata(jsonl) -> None:
    summary = {"text": "Short.", "policy": "ref"}
    axes = {"overall": 6, "compatible": True, "coverage": None}
    kept = read(jsonl([AXES | {"summary": summary, "axes": axes}]))

    assert [(r.aspect, r.score, r.metadata["compatible"]) for r in kept] == [("overall", 6.0, True)]  # type: ignore[union-attr]
    assert (kept.counts.quarantined, kept.quarantined[0].raw) == ({"unrated": 1}, {"coverage": None})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (VOTE | {"choice": 2}, "bad_value"),
        (VOTE | {"choice": None}, "wrong_type"),
        (VOTE | {"summaries": VOTE["summaries"][:1]}, "wrong_type"),
        (VOTE | {"summaries": ["a", "b"]}, "wrong_type"),
        (VOTE | {"summaries": [{}, {}]}, "missing_field"),
        (VOTE | {"info": {"id": "x"}}, "empty_prompt"),
        (VOTE | {"info": "x"}, "wrong_type"),
        (VOTE | {"summaries": VOTE["summaries"][:1] * 2}, "equal_sides"),
        (AXES | {"summary": {"text": "x", "axes": {}}}, "unrated"),
        (AXES | {"summary": {"text": "x", "axes": {"compatible": True}}}, "unrated"),
        (AXES | {"summary": {"text": "x"}}, "missing_field"),
        (AXES | {"summary": {"text": "x", "axes": {"overall": "high"}}}, "bad_value"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    kept = read(jsonl([VOTE, row]))

    assert (len(kept), kept.counts.quarantined) == (1, {reason: 1})
