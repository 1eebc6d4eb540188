"""The native format loses nothing, and survives the tools people use on lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.formats.native import DECODERS, KINDS
from heedful.records import (
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Message,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)

ASK = (Message("system", "Be brief.\r\n"), user("  שלום 👩🏽‍🚀 e\u0301 \u2028\u0000 مرحبا\n\n"))
METADATA = {"nested": [1, None, {"ü": 2.5}], "half": "\ud83d"}
EVERY_KIND: list[Record] = [
    Prompt(ASK, id="a", source="book", metadata=METADATA),
    Candidates(ASK, ((assistant("a"),), (assistant("b"),)), id="c", metadata={"generators": ["m", "n"]}),
    Demonstration(ASK, (assistant("Hello."),), weight=0.25, id="d", source="book", metadata=METADATA),
    Preference(ASK, (assistant("a"),), (assistant("b"),), margin=1.5, weight=2.0, id="p", metadata=METADATA),
    Preference(ASK, (assistant("a"),), (assistant("b"),), probability=0.9974304233, id="soft"),
    Preference(ASK, (assistant("a"),), (assistant("b"),), probability=0.0, id="against"),
    Preference((user("q"),), (assistant("a"), Message("tool", "42"), assistant("c")), (assistant("b"),)),
    Feedback(ASK, (assistant("a"),), False, weight=0.5, id="f"),
    Feedback(ASK, (assistant("a"),), True, id="g"),
    Rating(ASK, (assistant("a"),), -3.25, aspect="humour", id="r", metadata=METADATA),
    Ranking(ASK, ((assistant("a"),), (assistant("b"),), (assistant("c"),)), (1, 2, 1), id="k"),
    Judgement(
        "item 1",
        "ann",
        "both_bad",
        2,
        ("b", "a"),
        "neither 🤷",
        12.5,
        datetime(2025, 3, 1, 12, 30, tzinfo=UTC),
    ),
    Judgement("item 2", "ann", "skip"),
]
PAIR: dict[str, Any] = {
    "heedful": 1,
    "kind": "preference",
    "prompt": [{"role": "user", "content": "q"}],
    "chosen": [{"role": "assistant", "content": "a"}],
    "rejected": [{"role": "assistant", "content": "b"}],
}


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "all.json"])
def test_every_kind_of_record_survives_a_round_trip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    assert write(EVERY_KIND, path).rows == len(EVERY_KIND)
    back = read(path)

    assert list(back) == EVERY_KIND
    assert back.quarantined == []
    # Equality of records leaves the metadata out, so they are compared for themselves.
    assert [getattr(r, "metadata", None) for r in back] == [getattr(r, "metadata", None) for r in EVERY_KIND]


def test_every_field_of_every_record_has_a_decoder() -> None:
    names = {name for kind in KINDS.values() for name in kind.__dataclass_fields__}

    assert names == set(DECODERS)


def test_the_format_survives_cat_and_head_and_a_shuffle(tmp_path: Path) -> None:
    write(EVERY_KIND, tmp_path / "a.jsonl")
    write(EVERY_KIND, tmp_path / "b.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes() + (tmp_path / "b.jsonl").read_bytes()
    for name, part in {
        "cat": lines.splitlines(keepends=True),
        "tail": lines.splitlines(keepends=True)[3:],
        "shuf": lines.splitlines(keepends=True)[::-1],
    }.items():
        (tmp_path / name).write_bytes(b"".join(part))

    assert list(read(tmp_path / "cat")) == EVERY_KIND * 2
    assert list(read(tmp_path / "tail")) == (EVERY_KIND * 2)[3:]
    assert list(read(tmp_path / "shuf")) == (EVERY_KIND * 2)[::-1]


def test_a_row_is_short_and_begins_with_schema_kind_and_id(tmp_path: Path) -> None:
    write([Preference((user("q"),), (assistant("a"),), (assistant("b"),), id="p1")], tmp_path / "a.jsonl")

    assert json.loads((tmp_path / "a.jsonl").read_text()) == PAIR | {"id": "p1"}
    assert (tmp_path / "a.jsonl").read_text().startswith('{"heedful": 1, "kind": "preference", "id": "p1"')


def test_a_row_made_by_hand_without_an_id_is_named_after_its_line(jsonl) -> None:
    assert read(jsonl([PAIR, PAIR], "mine.jsonl"))[1].id == "mine:2"


def test_a_null_probability_is_none_at_all(jsonl) -> None:
    certain, soft = read(jsonl([PAIR | {"probability": None}, PAIR | {"probability": 1}]))

    assert certain == read(jsonl([PAIR]))[0]
    assert isinstance(soft, Preference)
    assert soft.probability == 1.0


def test_a_newer_schema_is_refused_with_its_line(jsonl) -> None:
    path = jsonl([PAIR, PAIR | {"heedful": 2}])

    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}:2: the row has schema 2; this Heedful reads schemas up to 1. "
        "Upgrade Heedful to read the file."
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"heedful": "1"}, "wrong_type"),
        ({"heedful": True}, "wrong_type"),
        ({"heedful": 0}, "bad_value"),
        ({"kind": "opinion"}, "bad_value"),
        ({"wieght": 2}, "unknown_field"),
        ({"margin": "much"}, "wrong_type"),
        ({"margin": float("nan")}, "bad_value"),
        ({"probability": "likely"}, "wrong_type"),
        ({"probability": True}, "wrong_type"),
        ({"probability": -0.1}, "bad_value"),
        ({"probability": 1.5}, "bad_value"),
        ({"probability": float("nan")}, "bad_value"),
        ({"weight": -1}, "bad_value"),
        ({"weight": 10**400}, "bad_value"),
        ({"metadata": []}, "wrong_type"),
        ({"prompt": "q"}, "wrong_type"),
        ({"prompt": [{"role": "human", "content": "q"}]}, "bad_role"),
        ({"prompt": [{"role": "user", "content": None}]}, "wrong_type"),
        ({"prompt": [{"role": "user"}]}, "missing_field"),
        ({"prompt": [{"role": "user", "content": "q", "name": "Bo"}]}, "unknown_field"),
        ({"prompt": ["q"]}, "wrong_type"),
        ({"prompt": [{"role": "user", "content": "\ud83d"}]}, "broken_text"),
        ({"prompt": []}, "empty_prompt"),
        ({"chosen": []}, "empty_chosen"),
        ({"rejected": [{"role": "assistant", "content": " \n"}]}, "empty_rejected"),
        ({"chosen": PAIR["rejected"]}, "equal_sides"),
    ],
)
def test_a_row_that_is_wrong_is_quarantined_with_its_reason(jsonl, change, reason: str) -> None:
    row = json.dumps(PAIR | change)  # escapes, as half a surrogate pair cannot be written otherwise

    assert read(jsonl([PAIR, row])).counts.quarantined == {reason: 1}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kind": "preference", "prompt": PAIR["prompt"], "chosen": PAIR["chosen"]}, "missing_field"),
        (
            {"kind": "ranking", "prompt": PAIR["prompt"], "responses": [PAIR["chosen"]], "ranks": [1, 2]},
            "bad_value",
        ),
        (
            {"kind": "ranking", "prompt": PAIR["prompt"], "responses": [PAIR["chosen"]], "ranks": [1.5]},
            "wrong_type",
        ),
        ({"kind": "rating", "prompt": PAIR["prompt"], "response": [], "score": 1}, "empty_response"),
        (
            {"kind": "feedback", "prompt": PAIR["prompt"], "response": PAIR["chosen"], "desirable": 1},
            "wrong_type",
        ),
        ({"kind": "judgement", "item": "i", "annotator": "a", "verdict": "left"}, "bad_value"),
        ({"kind": "judgement", "item": "i", "annotator": "a", "verdict": "a", "at": "noon"}, "bad_value"),
    ],
)
def test_other_kinds_are_checked_field_by_field_too(jsonl, row: dict[str, Any], reason: str) -> None:
    assert read(jsonl([PAIR, {"heedful": 1} | row])).counts.quarantined == {reason: 1}
