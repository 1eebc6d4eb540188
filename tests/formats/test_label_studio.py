"""Label Studio's exports: one record a vote, the left shown first, and no annotation lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, Ranking, Rating, assistant, user


def result(kind: str, value: Any, name: str = "comparison", to: str | None = None) -> dict[str, Any]:
    return {
        "id": "x",
        "from_name": name,
        "to_name": to or name,
        "type": kind,
        "origin": "manual",
        "value": value,
    }


def annotation(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An annotation with the keys that an export has."""
    return {
        "id": 68045, "completed_by": 2, "result": list(results), "was_cancelled": False,
        "ground_truth": False, "created_at": "2023-04-17T21:54:20.457543Z", "lead_time": 12.51,
    } | more  # fmt: skip


LEFT, RIGHT = result("pairwise", {"selected": "left"}), result("pairwise", {"selected": "right"})
DATA: dict[str, Any] = {"prompt": "q", "answer1": "one", "answer2": "two"}
TASK: dict[str, Any] = {
    "id": 401635,
    "annotations": [annotation(LEFT)],
    "file_upload": "65af2932-input.json",
    "drafts": [],
    "predictions": [],
    "data": DATA,
    "meta": {},
    "project": 183,
    "total_annotations": 1,
}
ITEMS = [
    {"id": "llm_1", "title": "LLM 1", "body": "first"},
    {"id": "llm_2", "title": "LLM 2", "body": "second"},
    {"id": "llm_3", "title": "LLM 3", "body": "third"},
]


def task(*annotations: Any, **data: Any) -> dict[str, Any]:
    return TASK | {"annotations": list(annotations), "data": data or DATA}


def one(path: Path, **options: Any) -> Any:
    kept = read(path, **options)
    assert kept.quarantined == []
    (record,) = kept
    return record


@pytest.mark.parametrize(
    ("vote", "chosen", "rejected", "shown_first"),
    [(LEFT, "one", "two", "chosen"), (RIGHT, "two", "one", "rejected")],
)
def test_the_selected_side_is_chosen_and_the_left_was_shown_first(
    jsonl, vote, chosen: str, rejected: str, shown_first: str
) -> None:
    record = one(jsonl([task(annotation(vote), **DATA, topic="t")]))

    assert record == Preference(
        (user("q"),), (assistant(chosen),), (assistant(rejected),), id="401635.68045", source="data.jsonl"
    )
    assert record.metadata == {
        "topic": "t",
        "annotator": "2",
        "seconds": 12.51,
        "question": "comparison",
        "created_at": "2023-04-17T21:54:20.457543Z",
        "shown_first": shown_first,
    }


def test_each_annotators_vote_is_a_record_and_each_annotation_counts_one(jsonl) -> None:
    votes = [
        annotation(LEFT, id=1, completed_by=2),
        annotation(RIGHT, id=2, completed_by={"id": 5, "email": "ann@example.org"}),
        annotation(LEFT, id=3, completed_by={"id": 6}),
        annotation(LEFT, id=4, was_cancelled=True),
        annotation(id=5),
        annotation(LEFT, id=6, skipped=True),
        annotation(result("pairwise", {"selected": "middle"}), id=7),
        annotation(result("pairwise", {}), id=8),
        "nonsense",
    ]
    kept = read(jsonl([task(*votes), task(), TASK]))

    assert [(r.id, r.metadata["annotator"]) for r in kept] == [  # type: ignore[union-attr]
        ("401635.1", "2"), ("401635.2", "ann@example.org"), ("401635.3", "6"), ("401635.68045", "2"),
    ]  # fmt: skip
    assert kept.counts.read == 9 + 1 + 1
    assert kept.counts.quarantined == {"no_vote": 4, "bad_value": 1, "missing_field": 1, "wrong_type": 1}
    assert kept.quarantined[0].raw == votes[3]


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ({"prompt": "q", "response_a": "one", "response_b": "two"}, None),
        ({"instruction": "q", "response-1": "one", "response-2": "two"}, None),
        ({"prompt": [{"role": "user", "content": "q"}], "answer1": "one", "answer2": "two"}, None),
        ({"ask": "q", "l": "one", "r": "two"}, {"prompt": "ask", "response_a": "l", "response_b": "r"}),
        (
            {"ask": "q", "answer1": "two", "answer2": "one"},
            {"prompt": "ask", "response_a": "answer2", "response_b": "answer1"},
        ),
    ],
    ids=["ours", "others", "turns", "named", "named the other way round"],
)
def test_the_fields_of_data_are_found_or_named(jsonl, data: dict[str, Any], columns) -> None:
    record = one(jsonl([task(annotation(LEFT), **data)]), columns=columns)

    assert (record.prompt, record.chosen) == ((user("q"),), (assistant("one"),))
    assert record.metadata.keys() == {"annotator", "seconds", "question", "created_at", "shown_first"}


def test_the_result_may_name_the_fields_it_compares_left_first(jsonl) -> None:
    vote = result("pairwise", {"selected": "left"}, to="answer2,answer1")

    assert one(jsonl([task(annotation(vote))])).chosen == (assistant("two"),)


@pytest.mark.parametrize(
    ("word", "chosen", "tie", "verdict"),
    [
        ("answer2", "two", False, None),
        ("Left is better", "one", False, None),
        ("Response B", "two", False, None),
        ("Tie", "one", True, None),
        ("Both bad", "one", True, "both_bad"),
    ],
)
def test_a_choice_names_a_side_a_tie_or_both_bad(jsonl, word: str, chosen: str, tie: bool, verdict) -> None:
    record = one(jsonl([task(annotation(result("choices", {"choices": [word]}, to="prompt")))]))

    assert (record.chosen, record.tie, record.metadata.get("verdict")) == ((assistant(chosen),), tie, verdict)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [(["Good"], "bad_value"), (["A", "B"], "bad_value"), ([], "bad_value"), (["skip"], "no_vote")],
)
def test_a_choice_that_says_nothing_of_the_two_is_no_vote(jsonl, choices: list[str], reason: str) -> None:
    row = task(annotation(result("choices", {"choices": choices})))

    assert read(jsonl([row, TASK])).counts.quarantined == {reason: 1}


def test_what_else_an_annotation_holds_is_kept_beside_its_vote(jsonl) -> None:
    topic = result("choices", {"choices": ["history"]}, "topic", "prompt")
    why = result("textarea", {"text": ["It is true."]}, "why", "prompt")
    record = one(jsonl([task(annotation(topic, LEFT, why))]))

    assert isinstance(record, Preference)
    assert record.metadata["other_results"] == [topic, why]


def test_ratings_name_the_response_they_rate(jsonl) -> None:
    first = result("rating", {"rating": 4}, "rating", "answer1")
    second = result("rating", {"rating": 2}, "helpfulness", "answer2")
    kept = read(
        jsonl([task(annotation(first, second, LEFT)), task(annotation(first), prompt="q", response="one")])
    )

    assert kept.quarantined == []
    ratings = [record for record in kept if isinstance(record, Rating)]
    assert [(r.response, r.score, r.aspect, r.id) for r in ratings] == [
        ((assistant("one"),), 4.0, "overall", "401635.68045.rating"),
        ((assistant("two"),), 2.0, "helpfulness", "401635.68045.helpfulness"),
        ((assistant("one"),), 4.0, "overall", "401635.68045"),
    ]
    assert isinstance(kept[2], Preference)


def test_a_rating_of_it_is_not_said_which_response_is_left_out_and_the_other_votes_stay(jsonl) -> None:
    kept = read(jsonl([task(annotation(result("rating", {"rating": 4}, "rating"), LEFT))]))

    assert (kept.counts.read, kept.counts.kept, kept.counts.quarantined) == (2, 1, {"ambiguous": 1})


@pytest.mark.parametrize(
    "ranker",
    [
        ["llm_2", "llm_3", "llm_1"],
        {"best": ["llm_2", "llm_3", "llm_1"], "_": []},
        {"best": ["llm_2", "llm_3", "llm_1"]},
    ],
    ids=["a list", "a bucket", "no list of the unranked"],
)
def test_a_ranker_has_the_best_first(jsonl, ranker: Any) -> None:
    row = task(annotation(result("ranker", {"ranker": ranker}, "rank")), prompt="q", items=ITEMS)
    record = one(jsonl([row]))

    assert isinstance(record, Ranking)
    assert record.responses == ((assistant("first"),), (assistant("second"),), (assistant("third"),))
    assert record.ranks == (3, 1, 2)
    assert record.metadata["items"] == ["llm_1", "llm_2", "llm_3"]


@pytest.mark.parametrize(
    ("ranker", "reasons", "kept"),
    [
        ({"best": ["llm_3", "llm_1"], "_": ["llm_2"]}, {"unranked": 1}, 1),
        (["llm_3", "llm_1"], {"unranked": 1}, 1),
        ({"best": ["llm_3"], "_": ["llm_1", "llm_2"]}, {"too_few_ranked": 1}, 0),
        ({"_": ["llm_1", "llm_2", "llm_3"]}, {"too_few_ranked": 1}, 0),
        ({"good": ["llm_1"], "bad": ["llm_2", "llm_3"]}, {"ambiguous": 1}, 0),
        ({"best": ["llm_1", "llm_9"]}, {"bad_value": 1}, 0),
        ({"best": ["llm_1", "llm_1"]}, {"bad_value": 1}, 0),
        ({"best": "llm_1"}, {"wrong_type": 1}, 0),
        (None, {"wrong_type": 1}, 0),
    ],
)
def test_what_a_ranker_leaves_out_is_counted(jsonl, ranker: Any, reasons: dict[str, int], kept: int) -> None:
    row = task(annotation(result("ranker", {"ranker": ranker})), prompt="q", items=ITEMS)
    read_ = read(jsonl([row, TASK]))

    assert (read_.counts.quarantined, read_.counts.kept) == (reasons, kept + 1)


def test_two_ranked_items_are_a_pair(jsonl) -> None:
    record = one(
        jsonl(
            [task(annotation(result("ranker", {"ranker": ["llm_2", "llm_1"]})), prompt="q", items=ITEMS[:2])]
        )
    )

    assert isinstance(record, Preference)
    assert (record.chosen, record.metadata["shown_first"]) == ((assistant("second"),), "rejected")


MINIMAL: dict[str, Any] = {
    "prompt": "q",
    "answer1": "one",
    "answer2": "two",
    "id": 401635,
    "comparison": [{"selected": "right"}],
    "annotator": 2,
    "annotation_id": 68045,
    "created_at": "2023-04-17T21:54:20.457543Z",
    "updated_at": "2023-04-17T21:54:20.457580Z",
    "lead_time": 12.51,
}


def test_json_min_gives_the_same_records_as_the_full_export(jsonl) -> None:
    full, minimal = one(jsonl([task(annotation(RIGHT))])), one(jsonl([MINIMAL]))

    assert minimal == full
    assert minimal.metadata == full.metadata


def test_a_choice_of_json_min_is_read_where_its_column_is_named(jsonl) -> None:
    row = {key: value for key, value in MINIMAL.items() if key != "comparison"} | {"verdict": "tie"}

    assert read(jsonl([row, MINIMAL])).counts.quarantined == {"no_vote": 1}
    assert one(jsonl([row]), columns={"label": "verdict"}).tie


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (task(annotation(LEFT), ask="q", answer1="one", answer2="two"), "missing_field"),
        (task(annotation(LEFT), prompt="q", one="one", two="two"), "missing_field"),
        (task(annotation(LEFT), prompt="q", answer1="1", answer2="2", answer3="3"), "ambiguous"),
        (task(annotation(LEFT), prompt="q", answer1="", answer2="two"), "empty_chosen"),
        (task(annotation(LEFT), prompt="q", answer1="one", answer2="one "), "equal_sides"),
        (task(annotation(LEFT), prompt=3, answer1="one", answer2="two"), "wrong_type"),
        (task(annotation(result="left")), "wrong_type"),
        (TASK | {"data": "q"}, "wrong_type"),
        (TASK | {"annotations": None}, "missing_field"),
    ],
)
def test_a_task_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert read(jsonl([TASK, TASK, row])).counts.quarantined == {reason: 1}


def test_annotations_of_before_version_1_were_called_completions(jsonl) -> None:
    row = {key: value for key, value in TASK.items() if key != "annotations"} | {
        "completions": [annotation(LEFT)]
    }

    assert one(jsonl([row])).chosen == (assistant("one"),)
