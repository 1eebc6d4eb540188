"""LLaMA-Factory's rankings, both styles: names, system prompts and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.records import Demonstration, Message, Preference, assistant, user


def turn(name: str, value: Any) -> dict[str, Any]:
    return {"from": name, "value": value}


SHAREGPT = {
    "conversations": [turn("human", "q")],
    "chosen": turn("gpt", "good"),
    "rejected": turn("gpt", "bad"),
}
ALPACA = {"instruction": "Add", "input": "1 + 1", "chosen": "2", "rejected": "3"}


def test_chosen_is_the_better_side_in_both_styles(jsonl) -> None:
    (sharegpt,) = read(jsonl([SHAREGPT], "s.jsonl"))
    (alpaca,) = read(jsonl([ALPACA], "a.jsonl"))

    wanted = Preference((user("q"),), (assistant("good"),), (assistant("bad"),), id="s:1", source="s.jsonl")
    assert sharegpt == wanted
    wanted = Preference(
        (user("Add\n1 + 1"),), (assistant("2"),), (assistant("3"),), id="a:1", source="a.jsonl"
    )
    assert alpaca == wanted


def test_all_five_names_become_roles(jsonl) -> None:
    names = ["system", "human", "function_call", "observation", "gpt", "human"]
    record = read(jsonl([SHAREGPT | {"conversations": [turn(name, name) for name in names]}]))[0]

    assert isinstance(record, Preference)
    assert [m.role for m in record.prompt] == ["system", "user", "assistant", "tool", "assistant", "user"]


@pytest.mark.parametrize(
    ("change", "system"),
    [
        ({"system": "Be kind."}, "Be kind."),
        ({"system": ""}, None),
        ({"system": None}, None),
        ({"conversations": [turn("system", " "), turn("human", "q")]}, None),
        ({"conversations": [turn("system", "Be kind."), turn("human", "q")], "system": ""}, "Be kind."),
        (
            {"conversations": [turn("system", "Be kind."), turn("human", "q")], "system": "Be kind."},
            "Be kind.",
        ),
    ],
)
def test_the_system_prompt_comes_from_its_key_or_from_the_first_turn(jsonl, change, system) -> None:
    record = read(jsonl([SHAREGPT | change]))[0]

    assert isinstance(record, Preference)
    assert record.prompt == ((Message("system", system),) if system else ()) + (user("q"),)


def test_alpaca_rankings_take_system_and_history(jsonl) -> None:
    record = read(jsonl([ALPACA | {"input": "", "system": "Be brief.", "history": [["Hi", "Hello"]]}]))[0]

    assert isinstance(record, Preference)
    assert record.prompt == (Message("system", "Be brief."), user("Hi"), assistant("Hello"), user("Add"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SHAREGPT | {"conversations": [turn("bot", "q")]}, "bad_role"),
        (SHAREGPT | {"conversations": "q"}, "wrong_type"),
        (SHAREGPT | {"conversations": ["q"]}, "wrong_type"),
        (SHAREGPT | {"conversations": [{"role": "user", "content": "q"}]}, "missing_field"),
        (SHAREGPT | {"conversations": []}, "empty_prompt"),
        (SHAREGPT | {"conversations": [turn("human", "q"), turn("gpt", "a")]}, "prompt_ends_with_assistant"),
        (
            SHAREGPT | {"conversations": [turn("system", "A"), turn("human", "q")], "system": "B"},
            "two_systems",
        ),
        (SHAREGPT | {"chosen": "good"}, "wrong_type"),
        (SHAREGPT | {"chosen": turn("human", "good")}, "no_final_assistant"),
        (SHAREGPT | {"chosen": turn("gpt", "")}, "empty_chosen"),
        (SHAREGPT | {"rejected": turn("gpt", " ")}, "empty_rejected"),
        (SHAREGPT | {"rejected": turn("gpt", "good ")}, "equal_sides"),
        (SHAREGPT | {"rejected": turn("gpt", None)}, "wrong_type"),
    ],
)
def test_a_sharegpt_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert read(jsonl([SHAREGPT, row])).counts.quarantined == {reason: 1}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ALPACA | {"chosen": ["2"]}, "wrong_type"),
        (ALPACA | {"chosen": ""}, "empty_chosen"),
        (ALPACA | {"instruction": "", "input": " "}, "empty_prompt"),
        (ALPACA | {"rejected": "2"}, "equal_sides"),
    ],
)
def test_an_alpaca_ranking_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert read(jsonl([ALPACA, row])).counts.quarantined == {reason: 1}


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    prompt = (Message("system", "s"), user("q"), assistant("a"), Message("tool", "t"))
    records = [
        Preference(prompt, (assistant("x"),), (assistant("y"),), id="1", source="s", metadata={"lang": "en"}),
        Preference((user("q"),), (assistant("x"),), (assistant("y"),), id="2", source="s"),
    ]

    write(records, tmp_path / "out.json", format="sharegpt-ranking")
    back = read(tmp_path / "out.json")

    assert list(back) == records
    assert back[0].metadata == {"lang": "en"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (Demonstration((user("q"),), (assistant("a"),)), "not a Demonstration"),
        (Preference((user("q"),), (assistant("a"),), (assistant("b"),), margin=1.0), "no margin"),
        (
            Preference((user("q"), assistant("a")), (assistant("a"),), (assistant("b"),)),
            "human and gpt in turn",
        ),
        (Preference((user("q"), user("r")), (assistant("a"),), (assistant("b"),)), "human and gpt in turn"),
        (Preference((), (assistant("a"),), (assistant("b"),)), "human and gpt in turn"),
        (Preference((user("q"),), (assistant("a"), assistant("c")), (assistant("b"),)), "response of 2"),
    ],
)
def test_a_record_the_ranking_cannot_hold_is_an_error(tmp_path: Path, record, what: str) -> None:
    with pytest.raises(DataError, match=what):
        write([record], tmp_path / "out.json", format="sharegpt-ranking")


def test_the_published_rows_are_all_kept(shared_data: Path) -> None:
    kept = read(shared_data / "sharegpt-ranking-en-300.json.gz")

    assert (kept.counts.read, kept.counts.kept, kept.counts.quarantined) == (300, 300, {})
    pairs = [record for record in kept if isinstance(record, Preference)]
    assert sum(pair.prompt[0].role == "system" for pair in pairs) == 80
    assert all(pair.prompt[-1].role == "user" for pair in pairs)
    assert max(len(pair.prompt) for pair in pairs) == 13
