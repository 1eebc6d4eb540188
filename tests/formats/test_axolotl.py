"""Axolotl's layouts: which turn of a side counts, what becomes of the rest, and ranks of which 1 is best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.records import Demonstration, Message, Preference, Ranking, assistant, user

U = {"role": "user", "content": "q"}
GOOD = {"role": "assistant", "content": "good"}
BAD = {"role": "assistant", "content": "bad"}
CHAT: dict[str, Any] = {"messages": [U], "chosen": GOOD, "rejected": BAD}
INTEL = {"system": "s", "question": "q", "chosen": "good", "rejected": "bad"}
ARGILLA = {"instruction": "q", "chosen_response": "good", "rejected_response": "bad"}
NECTAR: dict[str, Any] = {
    "prompt": "q",
    "answers": [
        {"answer": "worst", "model": "m", "rank": 3.0},
        {"answer": "best", "model": "n", "rank": 1.0},
        {"answer": "next", "model": "o", "rank": 2.0},
    ],
}


def pair(path: Path) -> Preference:
    (record,) = read(path)
    assert isinstance(record, Preference)
    return record


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [(GOOD, BAD), ("good", "bad"), ([GOOD], [BAD]), ([U, GOOD], [U, BAD]), (GOOD, [BAD])],
    ids=["turns", "text", "lists", "lists that repeat the prompt", "mixed"],
)
def test_every_way_to_write_a_side_gives_the_same_record(jsonl, chosen: Any, rejected: Any) -> None:
    record = pair(jsonl([CHAT | {"chosen": chosen, "rejected": rejected}]))

    assert record == Preference(
        (user("q"),), (assistant("good"),), (assistant("bad"),), id="data:1", source="data.jsonl"
    )
    assert record.metadata == {}


def test_of_a_list_the_last_turn_counts_and_what_is_new_before_it_is_kept(jsonl) -> None:
    record = pair(jsonl([CHAT | {"chosen": [BAD, U, GOOD]}]))

    assert (record.chosen, record.rejected) == ((assistant("good"),), (assistant("bad"),))
    assert record.metadata == {"chosen_before": [BAD, U]}


def test_messages_may_be_a_text(jsonl) -> None:
    assert pair(jsonl([CHAT | {"messages": "q"}])).prompt == (user("q"),)


def test_chosen_is_the_better_column_of_intel_and_of_argilla(jsonl) -> None:
    intel, argilla = pair(jsonl([INTEL], "i.jsonl")), pair(jsonl([ARGILLA], "a.jsonl"))

    assert intel.prompt == (Message("system", "s"), user("q"))
    assert argilla.prompt == (user("q"),)
    assert intel.chosen == argilla.chosen == (assistant("good"),)
    assert intel.rejected == argilla.rejected == (assistant("bad"),)
    assert intel.metadata == argilla.metadata == {}


def test_nectar_is_one_ranking_whose_rank_1_is_best(jsonl) -> None:
    (record,) = read(jsonl([NECTAR | {"source": ["lmsys"], "good_natured": True}]))

    assert isinstance(record, Ranking)
    assert record.responses == ((assistant("worst"),), (assistant("best"),), (assistant("next"),))
    assert record.ranks == (3, 1, 2)
    assert record.metadata == {"source": ["lmsys"], "good_natured": True, "generators": ["m", "n", "o"]}


@pytest.mark.parametrize(
    ("prompt", "turns"),
    [
        ("\n\nHuman: Hi \n there\n\nAssistant: ", (user("Hi \n there"),)),
        ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", (user("a"), assistant("b"), user("c"))),
        ("Say \n\nHuman: x", (user("Say \n\nHuman: x"),)),
        ("\n\nHuman: a\n\nAssistant: b", (user("\n\nHuman: a\n\nAssistant: b"),)),
    ],
)
def test_a_nectar_prompt_is_a_transcript_with_an_open_turn_or_plain_text(jsonl, prompt: str, turns) -> None:
    assert read(jsonl([NECTAR | {"prompt": prompt}]))[0].prompt == turns  # type: ignore[union-attr]


def test_answers_that_cannot_be_used_are_counted_and_the_others_ranked(jsonl) -> None:
    answers = [
        *NECTAR["answers"],
        {"answer": " ", "rank": 4},
        {"answer": "x"},
        {"answer": "x", "rank": 1.5},
        3,
    ]
    kept = read(jsonl([NECTAR | {"answers": answers}]))

    assert (kept.counts.read, kept.counts.kept) == (5, 1)
    assert kept.counts.quarantined == {
        "empty_response": 1, "missing_field": 1, "bad_value": 1, "wrong_type": 1,
    }  # fmt: skip
    assert kept[0].ranks == (3, 1, 2)  # type: ignore[union-attr]
    assert [row.raw for row in kept.quarantined] == answers[3:]


@pytest.mark.parametrize(
    ("row", "change", "reason"),
    [
        (CHAT, {"messages": [U, GOOD]}, "prompt_ends_with_assistant"),
        (CHAT, {"messages": []}, "empty_prompt"),
        (CHAT, {"messages": 3}, "wrong_type"),
        (CHAT, {"chosen": []}, "empty_chosen"),
        (CHAT, {"rejected": ""}, "empty_rejected"),
        (CHAT, {"rejected": [BAD, U]}, "no_final_assistant"),
        (CHAT, {"rejected": None}, "wrong_type"),
        (CHAT, {"rejected": GOOD}, "equal_sides"),
        (CHAT, {"rejected": {"role": "gpt", "content": "bad"}}, "bad_role"),
        (INTEL, {"question": None}, "wrong_type"),
        (INTEL, {"question": "", "system": ""}, "empty_prompt"),
        (INTEL, {"rejected": "good"}, "equal_sides"),
        (ARGILLA, {"chosen_response": ["good"]}, "wrong_type"),
        (ARGILLA, {"rejected_response": " "}, "empty_rejected"),
        (NECTAR, {"prompt": " "}, "empty_prompt"),
        (NECTAR, {"answers": []}, "too_few_ranked"),
        (NECTAR, {"answers": NECTAR["answers"][:1]}, "too_few_ranked"),
        (NECTAR, {"answers": "best"}, "wrong_type"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, change, reason: str) -> None:
    assert read(jsonl([row, row, row | change])).counts.quarantined == {reason: 1}


def test_a_written_row_is_as_axolotl_documents_it(tmp_path: Path) -> None:
    record = Preference((Message("system", "s"), user("q")), (assistant("good"),), (assistant("bad"),))
    write([record], tmp_path / "out.jsonl", format="axolotl")

    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "messages": [{"role": "system", "content": "s"}, U],
        "chosen": GOOD,
        "rejected": BAD,
    }


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (Demonstration((user("q"),), (assistant("a"),)), "not a Demonstration"),
        (Preference((), (assistant("a"),), (assistant("b"),)), "does not end with the assistant"),
        (Preference((user("q"), assistant("a")), (assistant("a"),), (assistant("b"),)), "does not end with"),
        (Preference((user("q"),), (assistant("a"), assistant("c")), (assistant("b"),)), "this one has 2"),
        (Preference((user("q"),), (assistant("a"),), (assistant("b"),), margin=1.0), "no margin"),
    ],
)
def test_a_record_axolotl_cannot_hold_is_an_error(tmp_path: Path, record, what: str) -> None:
    with pytest.raises(DataError, match=what):
        write([record], tmp_path / "out.jsonl", format="axolotl")
