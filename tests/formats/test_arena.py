"""Arena battles: who won, what the two conversations share, and battles that have no one prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Message, Preference, assistant, user


def chat(*contents: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": content, "num_tokens": 3} for n, content in enumerate(contents)]


BATTLE: dict[str, Any] = {
    "question_id": "58210e39",
    "model_a": "m",
    "model_b": "n",
    "winner": "model_a",
    "judge": "arena_user_973",
    "conversation_a": chat("q", "from m"),
    "conversation_b": chat("q", "from n"),
    "turn": 1,
    "anony": True,
    "language": "English",
    "tstamp": 1682351591.1322,
}
ONE_HOT: dict[str, Any] = {
    "id": 30192,
    "model_a": "m",
    "model_b": "n",
    "prompt": '["q"]',
    "response_a": '["from m"]',
    "response_b": '["from n"]',
    "winner_model_a": 1,
    "winner_model_b": 0,
    "winner_tie": 0,
}
PLAIN: dict[str, Any] = {
    "id": "165f9e1a", "model_a": "m", "model_b": "n", "winner": "model_a", "language": "English",
    "prompt": "q", "response_a": "from m", "response_b": "from n",
}  # fmt: skip


def one(path: Path) -> Preference:
    kept = read(path)
    assert kept.quarantined == []
    (record,) = kept
    assert isinstance(record, Preference)
    return record


@pytest.mark.parametrize(
    ("winner", "sides", "generators", "shown_first"),
    [
        ("model_a", ("from m", "from n"), ("m", "n"), "chosen"),
        ("model_b", ("from n", "from m"), ("n", "m"), "rejected"),
    ],
)
def test_the_winners_reply_is_chosen_and_a_was_shown_first(
    jsonl, winner, sides, generators, shown_first
) -> None:
    record = one(jsonl([BATTLE | {"winner": winner}]))

    assert record == Preference(
        (user("q"),), (assistant(sides[0]),), (assistant(sides[1]),), id="58210e39", source="data.jsonl"
    )
    assert record.metadata == {
        "question_id": "58210e39",
        "turn": 1,
        "anony": True,
        "language": "English",
        "tstamp": 1682351591.1322,
        "annotator": "arena_user_973",
        "generator_chosen": generators[0],
        "generator_rejected": generators[1],
        "shown_first": shown_first,
    }


@pytest.mark.parametrize(
    ("winner", "verdict", "kept"),
    [
        ("tie", None, None),
        ("tie (bothbad)", "both_bad", None),
        ("both_bad", "both_bad", None),
        ("tie (inconsistent)", None, "tie (inconsistent)"),
    ],
)
def test_ties_are_ties_and_both_bad_says_so(
    jsonl, winner: str, verdict: str | None, kept: str | None
) -> None:
    record = one(jsonl([BATTLE | {"winner": winner}]))

    assert (record.tie, record.chosen) == (True, (assistant("from m"),))
    assert (record.metadata["generator_chosen"], record.metadata.get("verdict")) == ("m", verdict)
    assert record.metadata.get("winner") == kept


@pytest.mark.parametrize("tie_column", ["winner_tie", "winner_model_tie"])
@pytest.mark.parametrize(
    ("won", "chosen", "tie"),
    [((1, 0, 0), "from m", False), ((0, 1, 0), "from n", False), ((0, 0, 1), "from m", True)],
)
@pytest.mark.parametrize("kind", [int, str, bool])
def test_the_one_hot_columns_say_who_won(jsonl, tie_column: str, won, chosen: str, tie: bool, kind) -> None:
    row = {key: value for key, value in ONE_HOT.items() if key != "winner_tie"}
    row |= dict(zip(("winner_model_a", "winner_model_b", tie_column), map(kind, won), strict=True))  # type: ignore[arg-type]
    record = one(jsonl([row]))

    assert (record.prompt, record.chosen, record.tie) == ((user("q"),), (assistant(chosen),), tie)
    assert (record.id, record.metadata.keys()) == (
        "30192", {"generator_chosen", "generator_rejected", "shown_first"},
    )  # fmt: skip


def test_columns_of_plain_text_are_one_turn_even_where_one_looks_like_a_list(jsonl) -> None:
    plain, listed = one(jsonl([PLAIN])), one(jsonl([PLAIN | {"prompt": '["sort", "this"]'}]))

    assert (plain.prompt, plain.chosen) == ((user("q"),), (assistant("from m"),))
    assert listed.prompt == (user('["sort", "this"]'),)


def test_conversations_may_be_json_text_and_contents_text_parts(jsonl) -> None:
    parts = [{"type": "text", "text": "q", "image": None, "mimeType": None}]
    row = BATTLE | {"conversation_a": json.dumps(BATTLE["conversation_a"])}
    row["conversation_b"] = [{"role": "user", "content": parts}, *BATTLE["conversation_b"][1:]]

    assert one(jsonl([row])).prompt == (user("q"),)


def test_a_null_turn_is_a_model_that_said_nothing(jsonl) -> None:
    assert read(jsonl([ONE_HOT, ONE_HOT | {"response_b": "[null]"}])).counts.quarantined == {
        "empty_rejected": 1
    }


def test_the_prompt_is_what_both_conversations_share(jsonl) -> None:
    turns = [{"role": "system", "content": "s"}, *chat("q", "same", "r")]
    row = BATTLE | {"turn": 2, "conversation_a": [*turns, *chat("x", "from m")[1:]]}
    record = one(jsonl([row | {"conversation_b": [*turns, *chat("x", "from n")[1:]]}]))

    assert record.prompt == (Message("system", "s"), user("q"), assistant("same"), user("r"))
    assert record.chosen == (assistant("from m"),)


LONG = {
    "conversation_a": chat("q", "from m", "r", "m again"),
    "conversation_b": chat("q", "from n", "r", "n again"),
}


def test_a_battle_of_several_turns_has_no_one_prompt(jsonl) -> None:
    kept = read(jsonl([BATTLE, BATTLE | LONG | {"turn": 2}]))

    assert kept.counts.quarantined == {"extra_turns": 1}
    assert "no one prompt has both last replies" in kept.quarantined[0].detail
    one_hot = ONE_HOT | {"prompt": '["q","r"]', "response_a": '["x","y"]', "response_b": '["z","y"]'}
    assert read(jsonl([ONE_HOT, one_hot])).counts.quarantined == {"extra_turns": 1}


def test_where_the_first_turn_was_judged_what_comes_after_is_cut_off(jsonl) -> None:
    record = one(jsonl([BATTLE | LONG | {"turn": 1, "question_id": 81}]))

    assert (record.prompt, record.chosen, record.rejected) == (
        (user("q"),), (assistant("from m"),), (assistant("from n"),),
    )  # fmt: skip
    assert record.id == "data:1"


@pytest.mark.parametrize(
    ("row", "change", "reason"),
    [
        (BATTLE, {"winner": "model_c"}, "bad_value"),
        (BATTLE, {"winner": None}, "no_vote"),
        (BATTLE, {"winner": 1}, "wrong_type"),
        (BATTLE, {"conversation_b": chat("other", "from n")}, "no_common_prompt"),
        (BATTLE, {"conversation_b": chat("q", "from m")}, "equal_sides"),
        (BATTLE, {"conversation_b": chat("q")}, "no_final_assistant"),
        (BATTLE, {"conversation_b": chat("q", " ")}, "empty_rejected"),
        (BATTLE, {"conversation_b": "q"}, "wrong_type"),
        (BATTLE, {"conversation_b": [{"role": "bot", "content": "q"}]}, "bad_role"),
        (ONE_HOT, {"winner_tie": 1}, "bad_value"),
        (ONE_HOT, {"winner_model_a": 0}, "bad_value"),
        (ONE_HOT, {"winner_model_a": 0.5}, "bad_value"),
        (ONE_HOT, {"winner_model_a": None}, "bad_value"),
        (ONE_HOT, {"response_b": None}, "wrong_type"),
        (PLAIN, {"response_b": ""}, "empty_rejected"),
        (PLAIN, {"prompt": " "}, "empty_prompt"),
    ],
)
def test_a_battle_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, change, reason: str) -> None:
    assert read(jsonl([row, row, row | change])).counts.quarantined == {reason: 1}
