"""Alpaca demonstrations: how the prompt is put together, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.records import Demonstration, Message, Preference, assistant, user

ROW = {"instruction": "Translate.", "input": "hello", "output": "bonjour"}


def test_the_prompt_is_system_history_instruction_and_input(jsonl) -> None:
    path = jsonl([ROW | {"system": "French.", "history": [["Hi", "Salut"]], "topic": "words"}])
    (record,) = read(path)

    prompt = (Message("system", "French."), user("Hi"), assistant("Salut"), user("Translate.\nhello"))
    assert record == Demonstration(prompt, (assistant("bonjour"),), id="data:1", source="data.jsonl")
    assert record.metadata == {"topic": "words"}


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"input": ""}, "Translate."),
        ({"input": None}, "Translate."),
        ({"input": "  "}, "Translate."),
        ({"instruction": ""}, "hello"),
        ({"system": "", "history": []}, "Translate.\nhello"),
        ({"system": None, "history": None}, "Translate.\nhello"),
    ],
)
def test_empty_parts_leave_no_trace_in_the_prompt(jsonl, change, asked: str) -> None:
    record = read(jsonl([ROW | change]))[0]

    assert isinstance(record, Demonstration)
    assert record.prompt == (user(asked),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW | {"instruction": " ", "input": ""}, "empty_prompt"),
        (ROW | {"output": "\n"}, "empty_response"),
        (ROW | {"output": ["a", "b"]}, "wrong_type"),
        (ROW | {"instruction": None}, "wrong_type"),
        (ROW | {"input": 3}, "wrong_type"),
        (ROW | {"history": "Hi"}, "wrong_type"),
        (ROW | {"history": [["Hi"]]}, "wrong_type"),
        (ROW | {"history": [["Hi", None]]}, "wrong_type"),
        ({"input": "x", "output": "y"}, "missing_field"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert read(jsonl([ROW, row])).counts.quarantined == {reason: 1}


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    records = [
        Demonstration((user("q\nr"),), (assistant("a"),), id="1", source="s", metadata={"lang": "en"}),
        Demonstration(
            (Message("system", "s"), user("p"), assistant("o"), user("q")),
            (assistant("a"),),
            id="2",
            source="s",
        ),
    ]

    write(records, tmp_path / "out.json.gz", format="alpaca")

    assert list(read(tmp_path / "out.json.gz")) == records


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (Preference((user("q"),), (assistant("a"),), (assistant("b"),)), "not a Preference"),
        (Demonstration((user("q"), user("r")), (assistant("a"),)), "turns user, user"),
        (Demonstration((), (assistant("a"),)), "turns none"),
        (Demonstration((user("q"), assistant("r")), (assistant("a"),)), "turns user, assistant"),
        (Demonstration((user("q"),), (assistant("a"), assistant("b"))), "response of 2 messages"),
    ],
)
def test_a_record_alpaca_cannot_hold_is_an_error(tmp_path: Path, record, what: str) -> None:
    with pytest.raises(DataError, match=what):
        write([record], tmp_path / "out.json", format="alpaca")


def test_the_published_rows_are_all_kept(shared_data: Path) -> None:
    kept = read(shared_data / "alpaca-sft-en-1000.json.gz")

    assert (kept.counts.read, kept.counts.kept, kept.counts.quarantined) == (999, 999, {})
    assert all(isinstance(record, Demonstration) for record in kept)
    assert kept[0].prompt == (user("Describe a process of making crepes."),)  # type: ignore[union-attr]
