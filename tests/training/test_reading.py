"""What a run learns from: files read as the recipe says, of a kind the stage can use, without ties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heedful.errors import DataError
from heedful.recipe import DataSettings
from heedful.records import Demonstration, Preference, assistant, user
from heedful.training.reading import gather, without_ties

ROWS = [{"question": f"q{n}", "good": "é", "bad": f"b{n}"} for n in range(3)]
COLUMNS = ["prompt=question", "chosen=good", "rejected=bad"]


def settings(path: Path, **changes: object) -> DataSettings:
    return DataSettings(train=str(path), **changes)  # type: ignore[arg-type]


def test_columns_of_other_names_and_another_encoding_are_read_as_the_recipe_says(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    path.write_bytes(text.encode("latin-1"))

    data = settings(path, columns=COLUMNS, encoding="latin-1")
    read, learned, _ = gather(data, (Preference,), None, None, None)

    assert [record.prompt for record in learned] == [(user(f"q{n}"),) for n in range(3)]
    assert learned[0].chosen == (assistant("é"),)
    assert read[str(path)].counts.kept == 3
    with pytest.raises(DataError, match=r"not UTF-8: byte 0xe9 at offset 28\. .*data\.encoding=latin-1"):
        gather(settings(path, columns=COLUMNS), (Preference,), None, None, None)


def test_a_column_that_is_named_for_nothing_known_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n")

    with pytest.raises(DataError, match=r'no column "winner" to be named.*prompt, response, chosen'):
        gather(settings(path, columns=["winner=good"]), (Preference,), None, None, None)


def test_ties_are_left_out_and_counted_and_nothing_else_is() -> None:
    pair = Preference((user("q"),), (assistant("a"),), (assistant("b"),), id="p", probability=0.75)
    tie = Preference((user("q"),), (assistant("a"),), (assistant("b"),), id="t", probability=0.5)
    shown = Demonstration((user("q"),), (assistant("a"),), id="d")

    (kept,) = without_ties([pair, tie, shown])

    assert list(kept) == [pair, shown]
    assert [(row.where, row.reason) for row in kept.quarantined] == [("t", "tie")]
