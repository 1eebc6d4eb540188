"""Scored responses: one a row or several, each a rating with its score as it is."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Rating, assistant, user

ROW: dict[str, Any] = {"prompt": "Why?", "response": "Because.", "score": 4.5, "topic": "logic"}
SEVERAL: dict[str, Any] = {
    "prompt": [{"role": "user", "content": "Why?"}],
    "responses": [
        {"response": "Because.", "score": 4.5, "name": "A"},
        {"response": [{"role": "assistant", "content": "No."}], "score": "2.1", "name": "B", "seconds": 3},
    ],
    "topic": "logic",
}


def test_a_row_is_one_rating(jsonl) -> None:
    (record,) = read(jsonl([ROW]))

    assert record == Rating((user("Why?"),), (assistant("Because."),), 4.5, id="data:1", source="data.jsonl")
    assert record.metadata == {"topic": "logic"}


@pytest.mark.parametrize(("given", "score"), [(4, 4.0), ("4", 4.0), (" -0.5 ", -0.5), ("1e1", 10.0)])
def test_scores_may_be_text(jsonl, given, score: float) -> None:
    (record,) = read(jsonl([ROW | {"score": given}]))

    assert isinstance(record, Rating)
    assert record.score == score


def test_several_responses_share_their_prompt_and_say_who_wrote_them(jsonl) -> None:
    first, second = read(jsonl([SEVERAL]))

    assert isinstance(first, Rating)
    assert isinstance(second, Rating)
    assert first.prompt == second.prompt == (user("Why?"),)
    assert (first.response, first.score, first.aspect) == ((assistant("Because."),), 4.5, "overall")
    assert (second.response, second.score) == ((assistant("No."),), 2.1)
    assert (first.id, second.id) == ("data:1.1", "data:1.2")
    assert first.metadata == {"topic": "logic", "generator": "A"}
    assert second.metadata == {"topic": "logic", "generator": "B", "seconds": 3}


def test_an_aspect_is_the_rows_or_the_responses_own(jsonl) -> None:
    named = [SEVERAL["responses"][0], SEVERAL["responses"][1] | {"aspect": "style"}]
    rows = [ROW | {"aspect": "tone"}, SEVERAL | {"aspect": "tone", "responses": named}]

    assert [record.aspect for record in read(jsonl(rows), format="scored")] == ["tone", "tone", "style"]  # type: ignore[union-attr]


def test_a_response_that_cannot_be_used_leaves_the_others(jsonl) -> None:
    good = SEVERAL["responses"][0]
    bad = [good | {"score": None}, good | {"score": "?"}, {"score": 1}, "text", good | {"response": ""}]
    kept = read(jsonl([SEVERAL | {"responses": [good, *bad]}]))

    assert len(kept) == 1
    assert kept.counts.quarantined == {
        "unrated": 1,
        "bad_value": 1,
        "missing_field": 1,
        "wrong_type": 1,
        "empty_response": 1,
    }
    assert kept.quarantined[0].raw == good | {"score": None}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW | {"score": None}, "unrated"),
        (ROW | {"score": "N/A"}, "bad_value"),
        (ROW | {"score": True}, "wrong_type"),
        (ROW | {"aspect": 3}, "wrong_type"),
        (ROW | {"prompt": None}, "wrong_type"),
        (ROW | {"prompt": ""}, "empty_prompt"),
        (ROW | {"response": " "}, "empty_response"),
        ({"prompt": "Why?", "response": "x"}, "missing_field"),
        (SEVERAL | {"responses": []}, "no_responses"),
        (SEVERAL | {"responses": "x"}, "wrong_type"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    kept = read(jsonl([ROW, row]), format="scored")

    assert (len(kept), kept.counts.quarantined) == (1, {reason: 1})
