"""TRL's layouts: what becomes the prompt, which side is better, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.records import Demonstration, Feedback, Message, Preference, Rating, assistant, user

U = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "No."}
PAIR = {"prompt": "Why?", "chosen": "Because.", "rejected": "No."}
WANTED = Preference((user("Why?"),), (assistant("Because."),), (assistant("No."),), id="data:1")


def first(path: Path) -> Any:
    kept = read(path, format="trl")
    assert kept.quarantined == []
    return kept[0]


def reasons(path: Path) -> dict[str, int]:
    return read(path, format="trl").counts.quarantined


def same(record: Preference) -> tuple[Any, ...]:
    return record.prompt, record.chosen, record.rejected


@pytest.mark.parametrize(
    "row",
    [
        PAIR,
        {"prompt": [U], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": [U], "chosen": "Because.", "rejected": "No."},
        {"prompt": "Why?", "chosen": [GOOD], "rejected": [BAD]},
        {"chosen": [U, GOOD], "rejected": [U, BAD]},
        {"prompt": "Why?", "chosen": [U, GOOD], "rejected": [U, BAD]},
        {"prompt": [{"role": "system", "content": " "}, U], "chosen": [GOOD], "rejected": [BAD]},
        {"chosen": "Why? Because.", "rejected": "Why? No."},
    ],
    ids=[
        "text",
        "turns",
        "mixed",
        "mixed too",
        "implicit",
        "repeated prompt",
        "blank system",
        "implicit text",
    ],
)
def test_every_way_to_write_a_preference_gives_the_same_record(jsonl, row: dict[str, Any]) -> None:
    path = jsonl([row])

    assert same(read(path)[0]) == same(WANTED)
    assert same(first(path)) == same(WANTED)


def test_an_implicit_prompt_of_turns_is_the_common_run_of_turns_not_of_characters(jsonl) -> None:
    later = {"role": "user", "content": "Really?"}
    sides = [{"role": "assistant", "content": text} for text in ("Yes, really.", "Yes, of course.")]
    pair = first(jsonl([{"chosen": [U, GOOD, later, sides[0]], "rejected": [U, GOOD, later, sides[1]]}]))

    assert pair.prompt == (user("Why?"), assistant("Because."), user("Really?"))
    assert pair.chosen == (assistant("Yes, really."),)


@pytest.mark.parametrize(
    ("chosen", "rejected", "split"),
    [
        ("Q: one A: because", "Q: one A: beside", ("Q: one A:", "because", "beside")),
        ("Say hi.\n\nHello", "Say hi.\n\nHelp", ("Say hi.", "Hello", "Help")),
        ("go on", "go on further", ("go", "on", "on further")),
    ],
)
def test_an_implicit_prompt_in_text_ends_at_whitespace(
    jsonl, chosen: str, rejected: str, split: tuple[str, str, str]
) -> None:
    pair = first(jsonl([{"chosen": chosen, "rejected": rejected}]))

    assert (pair.prompt[0].content, pair.chosen[0].content, pair.rejected[0].content) == split


def test_columns_become_margin_id_source_and_metadata(jsonl) -> None:
    pair = first(jsonl([PAIR | {"margin": 2, "prompt_id": "x7", "source": "book", "score_chosen": 8.5}]))

    assert (pair.margin, pair.id, pair.source) == (2.0, "x7", "book")
    assert pair.metadata == {"prompt_id": "x7", "score_chosen": 8.5}


@pytest.mark.parametrize(
    ("columns", "margin"),
    [
        ({"score_chosen": 8.5, "score_rejected": 6}, 2.5),
        ({"score_chosen": 6.0, "score_rejected": 6.0}, 0.0),
        ({"score_chosen": 1, "score_rejected": 6.0}, -5.0),
        ({"score_chosen": 8.5, "score_rejected": 6, "margin": 1}, 1.0),
        ({"score_chosen": 8.5, "score_rejected": 6, "margin": None}, 2.5),
        ({"score_chosen": 8.5}, None),
        ({"score_chosen": 8.5, "score_rejected": None}, None),
        ({"score_chosen": "8.5", "score_rejected": "6"}, None),
        ({"score_chosen": True, "score_rejected": False}, None),
    ],
)
def test_scores_of_both_sides_give_the_margin_and_leave_the_label_as_published(
    jsonl, columns: dict[str, Any], margin: float | None
) -> None:
    pair = first(jsonl([PAIR | columns]))

    assert (pair.margin, pair.tie) == (margin, False)
    assert same(pair) == same(WANTED)
    assert pair.metadata == {name: value for name, value in columns.items() if name != "margin"}


def test_the_label_is_the_thumb_and_a_row_without_one_is_a_demonstration(jsonl) -> None:
    row = {"prompt": "Why?", "completion": "Because."}
    up, down, shown = read(jsonl([row | {"label": True}, row | {"label": False}, row]))

    assert isinstance(up, Feedback)
    assert isinstance(down, Feedback)
    assert (up.desirable, down.desirable) == (True, False)
    assert isinstance(shown, Demonstration)
    assert (shown.prompt, shown.response) == ((user("Why?"),), (assistant("Because."),))


def test_a_reply_may_use_tools_between_its_turns(jsonl) -> None:
    tool = {"role": "tool", "content": "42"}
    pair = first(jsonl([{"prompt": [U], "chosen": [GOOD, tool, BAD], "rejected": [BAD]}]))

    assert [m.role for m in pair.chosen] == ["assistant", "tool", "assistant"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "Why?", "chosen": "Because."}, "missing_field"),
        (PAIR | {"prompt": 3}, "wrong_type"),
        (PAIR | {"prompt": None}, "wrong_type"),
        (PAIR | {"chosen": [GOOD], "rejected": None}, "wrong_type"),
        ({"chosen": "text", "rejected": [U, BAD]}, "wrong_type"),
        (PAIR | {"margin": "2"}, "wrong_type"),
        (PAIR | {"completion": "x"}, "ambiguous"),
        (PAIR | {"prompt": " \n"}, "empty_prompt"),
        (PAIR | {"prompt": []}, "empty_prompt"),
        (PAIR | {"chosen": ""}, "empty_chosen"),
        (PAIR | {"rejected": []}, "empty_rejected"),
        (PAIR | {"chosen": " Ｂecause. ", "rejected": "Because."}, "equal_sides"),
        (PAIR | {"chosen": "a\n\tb", "rejected": "a b"}, "equal_sides"),
        ({"chosen": [U, GOOD], "rejected": [U, GOOD]}, "equal_sides"),
        ({"chosen": "same text", "rejected": "same text"}, "equal_sides"),
        ({"chosen": "other", "rejected": "words"}, "empty_prompt"),
        ({"chosen": "commonprefix1", "rejected": "commonprefix2"}, "empty_prompt"),
        ({"chosen": "", "rejected": "words"}, "empty_chosen"),
        ({"chosen": [U, GOOD], "rejected": [BAD]}, "no_common_prompt"),
        ({"chosen": [U, GOOD], "rejected": [U, GOOD, U, BAD]}, "extra_turns"),
        ({"chosen": [U, GOOD], "rejected": [U, BAD, U, BAD]}, "extra_turns"),
        ({"chosen": [U, GOOD], "rejected": [U, BAD, U]}, "no_final_assistant"),
        ({"chosen": [], "rejected": [U, BAD]}, "empty_chosen"),
        ({"prompt": [U], "chosen": [U], "rejected": [BAD]}, "empty_chosen"),
        ({"prompt": "Other?", "chosen": [U, GOOD], "rejected": [U, BAD]}, "extra_turns"),
        ({"prompt": [{"role": "human", "content": "x"}], "chosen": [GOOD], "rejected": [BAD]}, "bad_role"),
        ({"prompt": "Why?", "completion": "x", "label": 1}, "wrong_type"),
        ({"prompt": "Why?", "completion": " "}, "empty_response"),
        ({"prompt": "Why?", "completion": [GOOD | {"tool_calls": [{"id": "1"}]}]}, "tool_calls"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert reasons(jsonl([PAIR, row])) == {reason: 1}


def test_sides_that_differ_in_a_space_or_in_case_are_different(jsonl) -> None:
    rows = [PAIR | {"chosen": "now here", "rejected": "nowhere"}, PAIR | {"chosen": "no", "rejected": "No"}]

    assert read(jsonl(rows)).counts.kept == 2


def test_what_is_written_reads_back_with_margin_id_source_and_metadata(tmp_path: Path) -> None:
    ask, metadata = (Message("system", "Be kind."), user("Hé 👋")), {"lang": "fr", "n": [1]}
    records = [
        Preference(ask, (assistant("a"),), (assistant("b"),), 0.5, 1.0, "p", "book", metadata),
        Feedback(ask, (assistant("a"),), False, id="f", source="book", metadata=metadata),
        Demonstration(ask, (assistant("a"),), id="d", source="book"),
    ]
    write(records, tmp_path / "out.jsonl", format="trl")
    back = read(tmp_path / "out.jsonl")

    assert list(back) == records
    assert [dict(r.metadata) for r in back] == [metadata, metadata, {}]


def test_a_record_trl_has_no_layout_for_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    demonstration = Demonstration((user("q"),), (assistant("a"),), id="fine")
    rating = Rating((user("q"),), (assistant("a"),), 3.0, id="r1")

    with pytest.raises(DataError, match=r"r1: TRL has no layout for a Rating\."):
        write([demonstration, rating], tmp_path / "out.jsonl", format="trl")
    with pytest.raises(DataError, match=r"has no weight, and the record's is 0\.5"):
        write([Preference((user("q"),), (), (), weight=0.5)], tmp_path / "out.jsonl", format="trl")
    with pytest.raises(DataError, match='the metadata hold "label"'):
        write([Preference((user("q"),), (), (), metadata={"label": 1})], tmp_path / "out.jsonl", format="trl")
    assert list(tmp_path.iterdir()) == []
