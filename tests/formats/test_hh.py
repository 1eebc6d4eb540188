"""HH transcripts are split at turns, never inside a reply, and odd ones are counted by reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, assistant, user

OPENING = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: How are you?"
PAIR = {"chosen": f"{OPENING}\n\nAssistant: I am well.", "rejected": f"{OPENING}\n\nAssistant: I am tired."}


def pair(chosen: str, rejected: str) -> dict[str, str]:
    return {"chosen": chosen, "rejected": rejected}


def read_one(path: Path) -> Any:
    kept = read(path)
    assert kept.quarantined == []
    return kept[0]


def test_replies_that_begin_with_the_same_words_keep_them(jsonl) -> None:
    record = read_one(jsonl([PAIR]))

    assert record == Preference(
        (user("Hi"), assistant("Hello."), user("How are you?")),
        (assistant("I am well."),),
        (assistant("I am tired."),),
        id="data:1",
        source="data.jsonl",
    )


def test_blank_lines_and_inline_speakers_stay_inside_their_turn(jsonl) -> None:
    reply = "One.\n\nTwo, as Human: said.\nHuman: not a turn\n\n Assistant: nor this"
    record = read_one(jsonl([pair(f"\n\nHuman: Hi\n\nAssistant: {reply}", "\n\nHuman: Hi\n\nAssistant: x")]))

    assert record.chosen == (assistant(reply),)


def test_a_stripped_transcript_still_opens_with_its_human(jsonl) -> None:
    record = read_one(jsonl([pair("Human: Hi\n\nAssistant: a", "Human: Hi\n\nAssistant: b")]))

    assert record.prompt == (user("Hi"),)


def test_consecutive_assistant_turns_are_kept_where_one_is_left_on_each_side(jsonl) -> None:
    opening = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nAssistant:"
    record = read_one(jsonl([pair(f"{opening} a", f"{opening} b")]))

    assert record.prompt == (user("Hi"), assistant("Hello."))
    assert (record.chosen, record.rejected) == ((assistant("a"),), (assistant("b"),))


def test_one_reply_may_begin_with_the_whole_other_one(jsonl) -> None:
    record = read_one(jsonl([pair(f"{OPENING}\n\nAssistant: Well", f"{OPENING}\n\nAssistant: Well, no")]))

    assert (record.chosen[0].content, record.rejected[0].content) == ("Well", "Well, no")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (PAIR | {"chosen": f"{OPENING}\n\nAssistant: "}, "empty_chosen"),
        (PAIR | {"rejected": f"{OPENING}\n\nAssistant:"}, "empty_rejected"),
        (PAIR | {"chosen": OPENING}, "no_final_assistant"),
        (PAIR | {"chosen": PAIR["rejected"] + " "}, "equal_sides"),
        (PAIR | {"chosen": f"{OPENING}\n\nAssistant: i  am tired."}, None),
        (PAIR | {"chosen": f"{OPENING}\n\nAssistant: I  am\ntired."}, "equal_sides"),
        (PAIR | {"chosen": PAIR["chosen"] + "\n\nAssistant: And you?"}, "extra_turns"),
        (PAIR | {"rejected": PAIR["rejected"] + "\n\nAssistant: And you?"}, "extra_turns"),
        (pair("\n\nHuman: Hi\n\nAssistant: Hello.", PAIR["rejected"]), "extra_turns"),
        (pair("\n\nHuman: Hey\n\nAssistant: a", "\n\nHuman: Hi\n\nAssistant: b"), "no_common_prompt"),
        (pair("\n\nAssistant: a", "\n\nAssistant: b"), "no_common_prompt"),
        (pair("\n\nHuman:\n\nAssistant: a", "\n\nHuman:\n\nAssistant: b"), "empty_prompt"),
        (PAIR | {"chosen": "Note" + PAIR["chosen"]}, "leading_text"),
        (PAIR | {"rejected": "just text"}, "not_a_transcript"),
        (PAIR | {"rejected": None}, "wrong_type"),
        ({"chosen": PAIR["chosen"]}, "missing_field"),
    ],
)
def test_a_transcript_that_does_not_fit_is_quarantined_with_its_reason(
    jsonl, row, reason: str | None
) -> None:
    assert read(jsonl([PAIR, row])).counts.quarantined == ({reason: 1} if reason else {})


def test_the_published_rows_are_all_accounted_for(shared_data: Path) -> None:
    kept = read(shared_data / "hh-harmless-test-600.jsonl.gz")

    assert (kept.counts.read, kept.counts.kept, kept.counts.quarantined) == (600, 598, {"empty_chosen": 2})
    assert [row.where.rpartition(":")[2] for row in kept.quarantined] == ["87", "517"]
    for record in kept:
        assert isinstance(record, Preference)
        assert record.prompt[-1].role == "user"
        assert [m.role for m in record.chosen + record.rejected] == ["assistant", "assistant"]
