"""HelpSteer: five ratings of a response, or a preference whose sign is negative for response 1."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, Rating, assistant, user

RATED: dict[str, Any] = {
    "prompt": "c#",
    "response": "A language.",
    "helpfulness": 3,
    "correctness": 4,
    "coherence": 4,
    "complexity": 2,
    "verbosity": 1,
}
SECOND: dict[str, Any] = {
    "split": "train",
    "prompt": "c#",
    "response_1": "One.",
    "response_2": "Two.",
    "preference_strength": 2,
    "preference_statement": "@Response 2 is better.",
}
THIRD: dict[str, Any] = {
    "domain": "code",
    "language": "python",
    "context": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "c#"},
    ],
    "response1": "One.",
    "response2": "Two.",
    "overall_preference": -1,
}


def pair(path) -> Preference:
    (record,) = read(path)
    assert isinstance(record, Preference)
    return record


def test_a_rated_response_becomes_five_ratings(jsonl) -> None:
    kept = read(jsonl([RATED]))

    assert [(r.aspect, r.score, r.id) for r in kept if isinstance(r, Rating)] == [
        ("helpfulness", 3.0, "data:1.helpfulness"),
        ("correctness", 4.0, "data:1.correctness"),
        ("coherence", 4.0, "data:1.coherence"),
        ("complexity", 2.0, "data:1.complexity"),
        ("verbosity", 1.0, "data:1.verbosity"),
    ]
    assert {(r.prompt, r.response) for r in kept} == {((user("c#"),), (assistant("A language."),))}  # type: ignore[union-attr]


def test_a_list_of_annotators_scores_becomes_their_mean(jsonl) -> None:
    kept = read(jsonl([RATED | {"helpfulness": [1, 2, 4, 4], "verbosity": []}]))

    assert isinstance(kept[0], Rating)
    assert (kept[0].score, kept[0].metadata) == (2.75, {"votes": [1, 2, 4, 4]})
    assert (len(kept), kept.counts.quarantined) == (4, {"unrated": 1})


@pytest.mark.parametrize(
    ("row", "figure", "keys"),
    [(SECOND, "preference_strength", "response_"), (THIRD, "overall_preference", "response")],
    ids=["HelpSteer2", "HelpSteer3"],
)
@pytest.mark.parametrize(
    ("strength", "chosen", "margin", "tie", "shown_first"),
    [
        (-3, "One.", 3, False, "chosen"),
        (-1, "One.", 1, False, "chosen"),
        (0, "One.", 0, True, "chosen"),
        (1, "Two.", 1, False, "rejected"),
        (3, "Two.", 3, False, "rejected"),
        ("2", "Two.", 2, False, "rejected"),
    ],
)
def test_a_negative_strength_prefers_response_1(
    jsonl, row, figure, keys, strength, chosen, margin, tie, shown_first
) -> None:
    record = pair(jsonl([row | {figure: strength}]))

    assert record.chosen == (assistant(chosen),)
    assert record.rejected == (assistant({"One.": "Two.", "Two.": "One."}[chosen]),)
    assert (record.margin, record.tie) == (margin, tie)
    assert record.metadata["shown_first"] == shown_first


def test_the_context_of_helpsteer3_is_the_prompt_and_the_rest_metadata(jsonl) -> None:
    record = pair(jsonl([THIRD]))

    assert record.prompt == (user("Hi"), assistant("Hello"), user("c#"))
    assert record.metadata == {"domain": "code", "language": "python", "shown_first": "chosen"}


def test_a_prompt_of_several_turns_is_taken_apart(jsonl) -> None:
    text = "Hi\n\nthere\n\n<extra_id_1>Assistant\nHello\n\n<extra_id_1>User\nc#\n"
    record = pair(jsonl([SECOND | {"prompt": text}]))

    assert record.prompt == (user("Hi\n\nthere"), assistant("Hello"), user("c#\n"))


@pytest.mark.parametrize(
    ("row", "column", "key", "votes", "agreement"),
    [
        (SECOND, "all_preferences_unprocessed", "strength", [1, 2, -1], 2 / 3),
        (SECOND, "all_preferences_unprocessed", "strength", [1, -100, 0, 3], 0.5),
        (THIRD, "individual_preference", "score", [-1, -2, -100], 2 / 3),
    ],
)
def test_agreement_is_the_share_of_single_votes_for_the_chosen_side(
    jsonl, row, column, key, votes, agreement
) -> None:
    record = pair(jsonl([row | {column: [{key: vote} for vote in votes]}]))

    assert record.metadata["agreement"] == agreement


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SECOND | {"preference_strength": -100}, "neither_valid"),
        (THIRD | {"overall_preference": -100}, "neither_valid"),
        (SECOND | {"preference_strength": 4}, "bad_value"),
        (SECOND | {"preference_strength": None}, "wrong_type"),
        (SECOND | {"prompt": "a\n<extra_id_1>Assistant\nb"}, "prompt_ends_with_assistant"),
        (THIRD | {"context": THIRD["context"][:2]}, "prompt_ends_with_assistant"),
        (THIRD | {"context": "c#"}, "wrong_type"),
        (SECOND | {"response_1": " "}, "empty_rejected"),
        (SECOND | {"response_2": "One."}, "equal_sides"),
        (RATED | {"response": None}, "wrong_type"),
        (RATED | {"prompt": None}, "wrong_type"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    kept = read(jsonl([SECOND, row]))

    assert (len(kept), kept.counts.quarantined) == (1, {reason: 1})


def test_a_missing_rating_leaves_the_row_out_and_a_null_or_wrong_one_itself(jsonl) -> None:
    without = {key: value for key, value in RATED.items() if key != "coherence"}
    kept = read(jsonl([RATED, RATED | {"helpfulness": None, "verbosity": "much"}, without]))

    assert len(kept) == 5 + 3
    assert kept.counts.quarantined == {"unrated": 1, "bad_value": 1, "missing_field": 1}
