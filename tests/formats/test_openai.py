"""OpenAI's two files: the last message is learned, the preferred output is better, tools are not lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.records import Demonstration, Feedback, Message, Preference, assistant, user


def says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


CHAT = {"messages": [says("system", "s"), says("user", "q"), says("assistant", "a")]}
PREFERENCE = {
    "input": {"messages": [says("user", "q")]},
    "preferred_output": [says("assistant", "good")],
    "non_preferred_output": [says("assistant", "bad")],
}


def test_the_last_assistant_message_is_the_response(jsonl) -> None:
    messages = [*CHAT["messages"], says("user", "and?"), says("assistant", "that is all")]
    (record,) = read(jsonl([{"messages": messages}]))

    assert isinstance(record, Demonstration)
    assert record.prompt == (Message("system", "s"), user("q"), assistant("a"), user("and?"))
    assert record.response == (assistant("that is all"),)


def test_the_preferred_output_is_chosen(jsonl) -> None:
    (record,) = read(jsonl([PREFERENCE]))

    assert record == Preference(
        (user("q"),), (assistant("good"),), (assistant("bad"),), id="data:1", source="data.jsonl"
    )


def test_developer_is_system_and_text_parts_are_joined(jsonl) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    (record,) = read(
        jsonl([{"messages": [says("developer", "s"), says("user", parts), says("assistant", "a")]}])
    )

    assert isinstance(record, Demonstration)
    assert record.prompt == (Message("system", "s"), user("one two"))


def test_tools_are_kept_in_the_metadata_and_written_back(jsonl, tmp_path: Path) -> None:
    options = {"tools": [{"type": "function"}], "parallel_tool_calls": False}
    chat, pair = CHAT | options, PREFERENCE | {"input": PREFERENCE["input"] | options}  # type: ignore[operator]
    kept = {"openai-chat": read(jsonl([chat])), "openai-preference": read(jsonl([pair], "pairs.jsonl"))}

    for (name, records), row in zip(kept.items(), (chat, pair), strict=True):
        assert records[0].metadata == options  # type: ignore[union-attr]
        write(records, tmp_path / name, format=name)
        assert json.loads((tmp_path / name).read_text()) == row


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": []}, "no_final_assistant"),
        ({"messages": [says("user", "q")]}, "no_final_assistant"),
        ({"messages": [says("user", "q"), says("assistant", "a"), says("user", "r")]}, "no_final_assistant"),
        ({"messages": [says("assistant", "a")]}, "empty_prompt"),
        ({"messages": [says("user", "q"), says("assistant", "")]}, "empty_response"),
        ({"messages": [says("user", "q"), says("assistant", "a", weight=0)]}, "zero_weight"),
        ({"messages": [says("user", "q"), says("assistant", None, tool_calls=[{}])]}, "tool_calls"),
        ({"messages": [says("user", "q"), says("assistant", None)]}, "wrong_type"),
        ({"messages": [says("user", [{"type": "image_url"}]), says("assistant", "a")]}, "wrong_type"),
        ({"messages": [says("critic", "q"), says("assistant", "a")]}, "bad_role"),
        ({"messages": ["q"]}, "wrong_type"),
        ({"messages": "q"}, "wrong_type"),
    ],
)
def test_a_chat_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert read(jsonl([CHAT, row])).counts.quarantined == {reason: 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input": "q"}, "wrong_type"),
        ({"input": {}}, "missing_field"),
        ({"input": {"messages": []}}, "empty_prompt"),
        ({"preferred_output": []}, "empty_chosen"),
        ({"non_preferred_output": [says("assistant", " ")]}, "empty_rejected"),
        ({"preferred_output": [says("assistant", "bad")]}, "equal_sides"),
        ({"preferred_output": [says("user", "good")]}, "no_final_assistant"),
        ({"preferred_output": [says("user", "good"), says("assistant", "a")]}, "extra_turns"),
        ({"preferred_output": "good"}, "wrong_type"),
    ],
)
def test_a_preference_that_does_not_fit_is_quarantined_with_its_reason(jsonl, change, reason: str) -> None:
    assert read(jsonl([PREFERENCE, PREFERENCE | change])).counts.quarantined == {reason: 1}


def test_written_rows_hold_only_keys_the_service_knows(tmp_path: Path) -> None:
    chat = Demonstration((Message("system", "s"), user("q")), (assistant("a"),), id="1", metadata={"x": 1})
    pair = Preference((user("q"),), (assistant("good"),), (assistant("bad"),), id="1", metadata={"x": 1})
    write([chat], tmp_path / "chat.jsonl", format="openai-chat")
    write([pair], tmp_path / "pair.jsonl", format="openai-preference")

    assert json.loads((tmp_path / "chat.jsonl").read_text()) == CHAT
    assert json.loads((tmp_path / "pair.jsonl").read_text()) == PREFERENCE


@pytest.mark.parametrize(
    ("name", "record", "what"),
    [
        ("openai-chat", Preference((user("q"),), (assistant("a"),), (assistant("b"),)), "not a Preference"),
        ("openai-chat", Demonstration((user("q"),), (assistant("a"), assistant("b"))), "response of 2"),
        ("openai-chat", Demonstration((Message("tool", "4"),), (assistant("a"),)), "tool messages"),
        ("openai-chat", Demonstration((user("q"),), (assistant("a"),), weight=2.0), "no weight"),
        ("openai-preference", Feedback((user("q"),), (assistant("a"),), True), "not a Feedback"),
        (
            "openai-preference",
            Preference((user("q"),), (assistant("a"),), (assistant("b"),), margin=1.0),
            "no margin",
        ),
    ],
)
def test_a_record_the_service_cannot_take_is_an_error(tmp_path: Path, name: str, record, what: str) -> None:
    with pytest.raises(DataError, match=what):
        write([record], tmp_path / "out.jsonl", format=name)
