"""Formats are told apart by their rows, and where they cannot be, the message helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats.registry import by_name, claims, names, recognise

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("heedful", {"heedful": 1, "kind": "preference"}),
    ("heedful", {"heedful": 1, "kind": "preference", "prompt": TURNS[:1], "chosen": [], "rejected": []}),
    ("trl", {"prompt": "q", "chosen": "a", "rejected": "b"}),
    ("trl", {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS[1:]}),
    ("trl", {"chosen": TURNS, "rejected": TURNS}),
    ("trl", {"chosen": "q a", "rejected": "q b"}),
    ("trl", {"prompt": "\n\nHuman: q\n\nAssistant:", "chosen": "a", "rejected": "b"}),
    ("trl", {"prompt": "q", "messages": TURNS, "chosen": TURNS, "rejected": TURNS, "score_chosen": 1}),
    ("trl", {"prompt": "q", "completion": "a", "label": True}),
    ("trl", {"prompt": "q", "completion": "a"}),
    ("hh", {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}),
    ("sharegpt-ranking", {"conversations": [], "chosen": {}, "rejected": {}, "system": ""}),
    ("alpaca-ranking", {"instruction": "q", "input": "", "chosen": "a", "rejected": "b"}),
    ("alpaca", {"instruction": "q", "input": "", "output": "a"}),
    ("alpaca-eval", {"instruction": "q", "output_1": "a", "output_2": "b", "preference": 1.2}),
    (
        "alpaca-eval",
        {
            "dataset": "koala",
            "instruction": "q",
            "output_1": "a",
            "generator_1": "m",
            "output_2": "b",
            "generator_2": "n",
            "annotator": "judge",
            "preference": None,
            "raw_completion": {"text": "m"},
        },
    ),
    ("openai-chat", {"messages": TURNS}),
    ("openai-chat", {"prompt": "q", "prompt_id": "1", "messages": TURNS}),
    ("openai-preference", {"input": {}, "preferred_output": [], "non_preferred_output": []}),
]


@pytest.mark.parametrize(("name", "row"), SAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_exactly_one_format_claims_a_row(name: str, row: dict[str, Any]) -> None:
    assert claims(row) == [name]
    assert recognise([row], "file").format.name == name


def test_most_rows_decide() -> None:
    pair, chat = {"prompt": "q", "chosen": "a", "rejected": "b"}, {"messages": TURNS}

    assert recognise([chat, pair, {"junk": 1}, pair], "file").format.name == "trl"


def test_rows_of_no_layout_name_their_keys_and_the_nearest_layouts() -> None:
    with pytest.raises(DataError) as caught:
        recognise([{"prompt": "q", "answer": "a"}], "qa.jsonl")

    message = str(caught.value)
    assert message.startswith(
        'qa.jsonl: the layout is not recognised. Keys of the first rows: "prompt", "answer".'
    )
    assert "Nearest: trl with completion, prompt (completion missing);" in message
    assert message.endswith("--format " + "|".join(names()))


@pytest.mark.parametrize(
    "row",
    [
        {"question": "q", "chosen": "a", "rejected": "b"},
        {"input": "q", "chosen": "a", "rejected": "b"},
        {"messages": TURNS, "chosen": "a", "rejected": "b"},
        {"messages": TURNS, "label": True},
        {"chosen": None, "rejected": None},
    ],
)
def test_a_row_whose_prompt_stands_elsewhere_is_not_taken_for_an_implicit_prompt(row: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="not recognised"):
        recognise([row], "file")


def test_many_keys_are_cut_short() -> None:
    with pytest.raises(DataError, match='"k11" and 3 more'):
        recognise([{f"k{n}": 1 for n in range(15)}], "file")


@pytest.mark.parametrize(
    "rows",
    [
        [{"instruction": "q", "output": "", "chosen": "a", "rejected": "b"}],
        [{"instruction": "q", "output": "a"}, {"instruction": "q", "chosen": "a", "rejected": "b"}],
    ],
    ids=["both in one row", "half and half"],
)
def test_rows_of_two_layouts_are_ambiguous(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match=r"ambiguous: rows fit .*--format (alpaca-ranking\|alpaca|alpaca\|)"):
        recognise(rows, "file")


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(DataError, match=r'there is no format "TRLL"\. Did you mean "trl"\?'):
        by_name("TRLL")
    assert by_name("hh").name == "hh"


def test_the_names_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data-formats.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")]

    assert {row.strip("`") for row in rows} >= set(names())


def test_why_a_format_was_recognised_is_told_with_its_votes() -> None:
    pair, chat = {"prompt": "q", "chosen": "a", "rejected": "b"}, {"messages": TURNS}

    assert str(recognise([pair, chat, pair], "file")).startswith("2 of the first 3 rows fit TRL's columns")
    assert str(recognise([pair, chat, pair], "file")).endswith("; 1 also fit openai-chat")
