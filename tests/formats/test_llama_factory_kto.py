"""LLaMA-Factory's KTO rows: true is desirable, in all three styles, and never a demonstration or a chat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.records import Demonstration, Feedback, Message, assistant, user

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
MESSAGES: dict[str, Any] = {"messages": TURNS, "label": True}
SHAREGPT: dict[str, Any] = {
    "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
    "kto_tag": True,
}
ALPACA: dict[str, Any] = {"instruction": "q", "input": "", "output": "a", "kto_tag": True}


@pytest.mark.parametrize("row", [MESSAGES, SHAREGPT, ALPACA], ids=["messages", "sharegpt", "alpaca"])
@pytest.mark.parametrize("desirable", [True, False])
def test_true_is_desirable_in_all_three_styles(jsonl, row: dict[str, Any], desirable: bool) -> None:
    tag = "label" if "label" in row else "kto_tag"
    (record,) = read(jsonl([row | {tag: desirable}]))

    assert record == Feedback((user("q"),), (assistant("a"),), desirable, id="data:1", source="data.jsonl")
    assert record.metadata == {}


def test_the_last_turn_is_judged_and_the_system_prompt_stands_in_front(jsonl) -> None:
    messages = [*TURNS, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b"}]
    (record,) = read(jsonl([{"messages": messages, "kto_tag": False, "system": "s", "topic": "x"}]))

    assert isinstance(record, Feedback)
    assert record.prompt == (Message("system", "s"), user("q"), assistant("a"), user("r"))
    assert (record.response, record.desirable) == ((assistant("b"),), False)
    assert record.metadata == {"topic": "x"}


@pytest.mark.parametrize(
    ("row", "change", "reason"),
    [
        (MESSAGES, {"label": None}, "no_vote"),
        (MESSAGES, {"label": 1}, "wrong_type"),
        (MESSAGES, {"messages": TURNS[:1]}, "no_final_assistant"),
        (MESSAGES, {"messages": []}, "no_final_assistant"),
        (MESSAGES, {"messages": TURNS[1:]}, "empty_prompt"),
        (MESSAGES, {"messages": [TURNS[0], TURNS[1] | {"content": " "}]}, "empty_response"),
        (MESSAGES, {"messages": [{"role": "bot", "content": "q"}]}, "bad_role"),
        (SHAREGPT, {"conversations": "q"}, "wrong_type"),
        (SHAREGPT, {"conversations": [{"from": "bot", "value": "q"}]}, "bad_role"),
        (ALPACA, {"output": ""}, "empty_response"),
        (ALPACA, {"instruction": " "}, "empty_prompt"),
        (ALPACA, {"output": None}, "wrong_type"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, change, reason: str) -> None:
    assert read(jsonl([row, row, row | change])).counts.quarantined == {reason: 1}


def test_a_written_row_is_as_the_demonstration_set_has_it(tmp_path: Path) -> None:
    write(
        [Feedback((user("q"),), (assistant("a"),), False)], tmp_path / "o.jsonl", format="llama-factory-kto"
    )

    assert json.loads((tmp_path / "o.jsonl").read_text()) == {"messages": TURNS, "label": False}


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (Demonstration((user("q"),), (assistant("a"),)), "not a Demonstration"),
        (Feedback((user("q"),), (assistant("a"), assistant("b")), True), "response of 2"),
        (Feedback((user("q"), user("r")), (assistant("a"),), True), "the prompt has user, user"),
        (Feedback((user("q"), assistant("r")), (assistant("a"),), True), "the prompt has user, assistant"),
        (Feedback((), (assistant("a"),), True), "the prompt has none"),
        (Feedback((user("q"),), (assistant("a"),), True, weight=0.5), "no weight"),
    ],
)
def test_a_record_kto_cannot_hold_is_an_error(tmp_path: Path, record, what: str) -> None:
    with pytest.raises(DataError, match=what):
        write([record], tmp_path / "out.jsonl", format="llama-factory-kto")
