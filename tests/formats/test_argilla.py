"""Argilla's records: one record a user's vote, and rankings whose ties the export has lost say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, Ranking, Rating, assistant, user

FIELDS: dict[str, Any] = {"prompt": "q", "response1": "one", "response2": "two"}
ROW: dict[str, Any] = {
    "id": "r1",
    "fields": FIELDS,
    "metadata": {"topic": "t"},
    "suggestions": {},
    "responses": {"preference": [{"value": "response2", "user_id": "u1"}]},
    "vectors": {"v": [0.1, 0.2]},
    "_server_id": None,
}


def row(responses: Any, **fields: Any) -> dict[str, Any]:
    return ROW | {"responses": responses, "fields": fields or FIELDS}


def answer(value: Any, user_id: str = "u1", **more: Any) -> dict[str, Any]:
    return {"value": value, "user_id": user_id} | more


def by_rank(*ranks: Any) -> list[dict[str, Any]]:
    """A ranking as the server has it: response1, response2, ... with these ranks."""
    return [{"value": f"response{number}", "rank": rank} for number, rank in enumerate(ranks, 1)]


def one(path: Path, **options: Any) -> Any:
    kept = read(path, **options)
    assert kept.quarantined == []
    (record,) = kept
    return record


def test_a_label_names_the_better_response(jsonl) -> None:
    record = one(jsonl([ROW]))

    assert record == Preference(
        (user("q"),), (assistant("two"),), (assistant("one"),), id="r1.u1", source="data.jsonl"
    )
    assert record.metadata == {
        "topic": "t", "annotator": "u1", "question": "preference", "shown_first": "rejected",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "chosen", "tie", "verdict"),
    [
        ("response1", "one", False, None),
        ("Response 2", "two", False, None),
        ("B", "two", False, None),
        ("tie", "one", True, None),
        ("both_bad", "one", True, "both_bad"),
    ],
)
def test_a_label_may_be_a_word(jsonl, value: str, chosen: str, tie: bool, verdict: str | None) -> None:
    record = one(jsonl([row({"preference": [answer(value)]})]))

    assert (record.chosen, record.tie, record.metadata.get("verdict")) == ((assistant(chosen),), tie, verdict)


def test_each_users_vote_is_a_record_and_answers_not_sent_are_no_vote(jsonl) -> None:
    answers = [
        answer("response1", "u1"),
        answer("response2", "u2", status="submitted"),
        answer("response1", "u3", status="draft"),
        answer("response1", "u4", status="discarded"),
        answer(None, "u5"),
        {"user_id": "u6"},
        "nonsense",
    ]
    kept = read(jsonl([row({"preference": answers}), row({}), row({"preference": []}), row(None), ROW]))

    assert [(r.id, r.metadata["annotator"]) for r in kept] == [  # type: ignore[union-attr]
        ("r1.u1", "u1"), ("r1.u2", "u2"), ("r1.u1", "u1"),
    ]  # fmt: skip
    assert kept.counts.read == 7 + 3 + 1
    assert kept.counts.quarantined == {"no_vote": 6, "wrong_type": 2}


def test_a_ranking_of_two_names_is_a_pair_that_says_its_ties_are_lost(jsonl) -> None:
    record = one(jsonl([row({"preference": [answer(["response2", "response1"])]})]))

    assert (record.chosen, record.tie) == ((assistant("two"),), False)
    assert record.metadata["ties_lost"] is True
    assert record.metadata["shown_first"] == "rejected"


@pytest.mark.parametrize(
    ("ranks", "chosen", "tie"), [((1, 2), "one", False), ((2, 1), "two", False), ((1, 1), "one", True)]
)
def test_a_ranking_with_ranks_keeps_its_ties(jsonl, ranks: tuple[int, int], chosen: str, tie: bool) -> None:
    record = one(jsonl([row({"preference": [answer(by_rank(*ranks))]})]))

    assert (record.chosen, record.tie) == ((assistant(chosen),), tie)
    assert "ties_lost" not in record.metadata


THREE: dict[str, Any] = FIELDS | {"response3": "three"}


def test_a_ranking_of_three_is_a_ranking(jsonl) -> None:
    names = one(jsonl([row({"order": [answer(["response3", "response1", "response2"])]}, **THREE)]))
    told = one(jsonl([row({"order": [answer(by_rank(2, 1, 2))]}, **THREE)]))

    assert isinstance(names, Ranking)
    assert isinstance(told, Ranking)
    assert (
        names.responses == told.responses == ((assistant("one"),), (assistant("two"),), (assistant("three"),))
    )
    assert (names.ranks, told.ranks) == ((2, 3, 1), (2, 1, 2))
    assert (names.metadata["ties_lost"], names.metadata["items"]) == (
        True,
        ["response1", "response2", "response3"],
    )


@pytest.mark.parametrize(
    ("value", "reasons", "kept"),
    [
        (by_rank(1, 2, None), {"unranked": 1}, 1),
        (by_rank(1, None), {"too_few_ranked": 1}, 0),
        (["response1"], {"too_few_ranked": 1}, 0),
        (["response1", "response1"], {"bad_value": 1}, 0),
        (by_rank(0, 1), {"bad_value": 1}, 0),
        (by_rank("1", 2), {"bad_value": 1}, 0),
        (by_rank(True, 2), {"bad_value": 1}, 0),
        (["response1", "other"], {"no_vote": 1}, 0),
        ("response1", {"ambiguous": 1}, 0),
    ],
)
def test_what_a_ranking_leaves_out_is_counted(jsonl, value: Any, reasons: dict[str, int], kept: int) -> None:
    got = read(jsonl([ROW, row({"order": [answer(value)]}, **THREE)]))

    assert (got.counts.quarantined, got.counts.kept) == (reasons, kept + 1)


def test_a_rating_question_names_the_response_it_rates(jsonl) -> None:
    fields = {"instruction": "q", "generation-0": "one", "generation-1": "two"}
    responses = {
        "generation-0-rating": [answer(4), answer(5, "u2")],
        "generation-1-helpfulness": [answer(2)],
        "generation-1-rationale": [answer("Because it says so.")],
    }
    kept = read(jsonl([row(responses, **fields)]))

    assert kept.quarantined == []
    assert [(r.response, r.score, r.aspect, r.id) for r in kept if isinstance(r, Rating)] == [
        ((assistant("one"),), 4.0, "overall", "r1.u1.generation-0-rating"),
        ((assistant("two"),), 2.0, "helpfulness", "r1.u1.generation-1-helpfulness"),
        ((assistant("one"),), 5.0, "overall", "r1.u2"),
    ]
    assert kept[0].metadata["answers"] == {  # type: ignore[union-attr]
        "generation-1-rationale": "Because it says so."
    }


def test_fields_of_any_name_are_read_once_the_prompt_is_named(jsonl) -> None:
    fields = {"ask": "q", "response-1": "one", "response-2": "two"}
    record = one(
        jsonl([row({"p": [answer(["response-2", "response-1"])]}, **fields)]), columns={"prompt": "ask"}
    )

    assert (record.prompt, record.chosen) == ((user("q"),), (assistant("two"),))


def test_fields_that_are_named_are_compared_by_words(jsonl) -> None:
    fields = {"ask": "q", "l": "one", "r": "two"}
    names = {"prompt": "ask", "response_a": "l", "response_b": "r"}
    record = one(jsonl([row({"p": [answer("right")]}, **fields)]), columns=names)

    assert record.chosen == (assistant("two"),)


def test_the_servers_own_form_is_read_too(jsonl) -> None:
    responses = [
        {"values": {"preference": {"value": "response1"}}, "user_id": "u1", "status": "submitted"},
        {"values": {"preference": {"value": "response2"}}, "user_id": "u2", "status": "draft"},
        {"values": None, "user_id": "u3", "status": "discarded"},
        {"user_id": "u4"},
        "nonsense",
    ]
    kept = read(jsonl([row(responses), ROW]))

    assert [record.id for record in kept] == ["r1.u1", "r1.u1"]  # type: ignore[union-attr]
    assert kept.counts.quarantined == {"no_vote": 2, "wrong_type": 2}


@pytest.mark.parametrize(
    ("responses", "fields", "reason"),
    [
        (
            {"preference": [answer("response1")]},
            {"ask": "q", "response1": "1", "response2": "2"},
            "missing_field",
        ),
        ({"preference": [answer("response1")]}, {"prompt": "q", "response1": "1"}, "ambiguous"),
        (
            {"preference": [answer("response1")]},
            {"prompt": "q", "response1": "", "response2": "2"},
            "empty_chosen",
        ),
        (
            {"preference": [answer("response1")]},
            {"prompt": "q", "response1": "1", "response2": "1"},
            "equal_sides",
        ),
        (
            {"preference": [answer("response1")]},
            {"prompt": "q", "response1": 1, "response2": "2"},
            "wrong_type",
        ),
        ({"quality": [answer(3)]}, FIELDS, "ambiguous"),
        ({"comment": [answer("Well.")]}, FIELDS, "no_vote"),
        ({"spans": [answer([{"start": 0, "end": 2, "label": "x"}])]}, FIELDS, "no_vote"),
        ({"flag": [answer(True)]}, FIELDS, "no_vote"),
        ("response1", FIELDS, "wrong_type"),
    ],
)
def test_a_record_that_does_not_fit_is_quarantined_with_its_reason(
    jsonl, responses, fields, reason: str
) -> None:
    assert read(jsonl([ROW, ROW, row(responses, **fields)])).counts.quarantined == {reason: 1}
