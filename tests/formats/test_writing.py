"""Writing is whole or not at all, and what a format cannot hold is refused or counted, never lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heedful.errors import DataError
from heedful.formats import read, writable, write
from heedful.records import Demonstration, Judgement, Preference, Ranking, assistant, user

PAIR = Preference((user("q"),), (assistant("a"),), (assistant("b"),), id="p")


@pytest.mark.parametrize("name", ["hh", "alpaca-eval"])
def test_formats_that_are_only_read_say_which_are_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f'"{name}" is read but not written. Formats to write: heedful, trl,'):
        write([PAIR], tmp_path / "out.jsonl", format=name)


@pytest.mark.parametrize("name", sorted(set(writable()) - {"heedful"}))
@pytest.mark.parametrize(
    "record",
    [Judgement("item 7", "ann", "a"), Ranking((user("q"),), ((assistant("a"),),), (1,), id="item 7")],
)
def test_no_outside_format_takes_a_judgement_or_a_ranking(tmp_path: Path, name: str, record) -> None:
    with pytest.raises(DataError, match=r"item 7: .*holds every kind"):
        write([record], tmp_path / "out.jsonl", format=name)


@pytest.mark.parametrize("name", ["trl", "sharegpt-ranking", "openai-preference"])
def test_a_soft_label_is_refused_where_there_is_no_place_for_it(tmp_path: Path, name: str) -> None:
    soft = replace(PAIR, probability=0.75)

    with pytest.raises(
        DataError, match=f'p: the format "{name}" has no probability, and the record\'s is 0.75'
    ):
        write([PAIR, soft], tmp_path / "out.jsonl", format=name)
    assert list(tmp_path.iterdir()) == []
    assert write([PAIR], tmp_path / "out.jsonl", format=name).rows == 1


def test_what_a_format_has_no_place_for_is_counted_and_the_rest_is_written(tmp_path: Path) -> None:
    records = [
        PAIR,
        replace(PAIR, id="m", margin=2.0, metadata={"annotator": "ann", "tools": [1]}),
        replace(PAIR, id="w", weight=0.5, probability=0.75),
        replace(PAIR, id="t", probability=0.5),
        Judgement("item 7", "ann", "a"),
    ]

    written = write(records, tmp_path / "out.jsonl", format="openai-preference", strict=False)

    assert written.rows == 3
    # OpenAI keeps `tools`; it has no place for ids, which all three rows had.
    assert written.lost == {"id": 3, "margin": 1, "metadata.annotator": 1, "weight": 1, "probability": 1}
    assert [(row.where, row.reason) for row in written.left_out] == [("t", "tie"), ("item 7", "kind")]
    assert [row.raw for row in written.left_out] == records[3:]
    assert read(tmp_path / "out.jsonl").counts.kept == 3


@pytest.mark.parametrize("name", ["trl", "sharegpt-ranking", "openai-preference"])
def test_a_tie_never_becomes_a_win(tmp_path: Path, name: str) -> None:
    tie = replace(PAIR, probability=0.5)

    with pytest.raises(DataError, match=f'p: the record is a tie, and the format "{name}" has no'):
        write([tie], tmp_path / "out.jsonl", format=name)
    assert write([tie], tmp_path / "out.jsonl", format=name, strict=False).left_out[0].reason == "tie"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_metadata_that_json_cannot_hold_is_an_error_that_names_the_record(tmp_path: Path, value) -> None:
    record = Demonstration((user("q"),), (assistant("a"),), metadata={"x": value})

    with pytest.raises(DataError, match=r"record 2: cannot be written as JSON"):
        write([PAIR, record], tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_records_may_come_from_a_generator(tmp_path: Path) -> None:
    assert write((PAIR for _ in range(3)), tmp_path / "out.jsonl").rows == 3
    assert list(read(tmp_path / "out.jsonl")) == [PAIR] * 3


def test_what_is_no_record_is_a_type_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="record 1 is a dict"):
        write([{"prompt": "q"}], tmp_path / "out.jsonl")  # type: ignore[list-item]
