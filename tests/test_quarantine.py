"""What was left out is counted by reason, and can be written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heedful.quarantine import Counts, Kept, Quarantined, write_quarantine

LEFT_OUT = [
    Quarantined("f:2", "equal_sides", "both sides are the same", {"chosen": "é", "rejected": "é"}),
    Quarantined("f:5", "empty_chosen", "the better side is empty", None),
    Quarantined("f:9", "equal_sides", "both sides are the same", "raw text"),
]


def test_counts_add_up_and_name_their_reasons() -> None:
    kept = Kept(["a", "b"], LEFT_OUT)

    assert kept.counts == Counts(5, 2, {"equal_sides": 2, "empty_chosen": 1})
    assert str(kept.counts) == "5 read, 2 kept, 3 quarantined (empty_chosen 1, equal_sides 2)"
    assert repr(kept) == f"<Kept: {kept.counts}>"


def test_counts_without_losses_are_short() -> None:
    assert str(Kept([1, 2, 3]).counts) == "3 read, 3 kept"


def test_kept_is_a_sequence_of_what_went_through() -> None:
    kept = Kept(["a", "b", "c"], LEFT_OUT)

    assert (len(kept), kept[0], kept[-1], kept[1:], list(kept)) == (3, "a", "c", ["b", "c"], ["a", "b", "c"])
    assert "b" in kept
    with pytest.raises(IndexError):
        kept[3]


def test_kept_does_not_change_with_the_lists_it_was_made_from() -> None:
    rows, left_out = ["a"], list(LEFT_OUT)
    kept = Kept(rows, left_out)
    rows.append("b")
    left_out.clear()

    assert kept.counts.read == 4


def test_left_out_rows_are_written_one_a_line_in_new_folders_too(tmp_path: Path) -> None:
    path = tmp_path / "new" / "left-out.jsonl"
    write_quarantine(LEFT_OUT, path)

    text = path.read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"where": row.where, "reason": row.reason, "detail": row.detail, "raw": row.raw} for row in LEFT_OUT
    ]
    assert "é" in text


def test_a_raw_row_that_json_does_not_know_is_written_as_text(tmp_path: Path) -> None:
    write_quarantine([Quarantined("r", "x", "y", Path("a"))], tmp_path / "q.jsonl")

    assert json.loads((tmp_path / "q.jsonl").read_text())["raw"] == "a"
