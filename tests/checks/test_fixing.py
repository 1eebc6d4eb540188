"""A cleaned copy: what findings take out stands beside it with the reason, and every row is somewhere."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful.checks.fixing import fix, mended, removed_path
from heedful.errors import DataError
from heedful.quarantine import Quarantined
from heedful.records import Record
from tests.checks.fakes import FIGURE, finding, pair

LEFT_OUT = Quarantined("pairs.jsonl:3", "empty_chosen", '"chosen" is empty', {"prompt": "p", "chosen": ""})


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def records() -> list[Record | Quarantined]:
    return [pair(0), pair(1), LEFT_OUT, pair(2), pair(3)]


def test_what_stays_and_what_goes_add_up(tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"

    done = fix(records(), [finding("error", [(1, "pair:1"), (3, "pair:3")], 4)], out, format="heedful")

    assert [record.id for record in heedful.read(out)] == ["pair:0", "pair:2"]
    assert (done.written, done.removed) == (2, {"marked_error": 2, "empty_chosen": 1})
    assert done.read == len(records())
    assert done.path == out


def test_what_goes_stands_beside_with_the_code_and_why(tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"

    done = fix(records(), [finding("error", [(1, "pair:1")], 4)], out, format="heedful")

    assert done.beside == removed_path(out) == tmp_path / "clean.removed.jsonl"
    gone, unread = rows(done.beside)
    assert (gone["where"], gone["reason"]) == ("pair:1", "marked_error")
    assert gone["detail"] == "1 records are marked. Marks are learned."
    assert gone["raw"]["chosen"] == [{"role": "assistant", "content": "the answer"}]
    assert unread == {
        "where": "pairs.jsonl:3",
        "reason": "empty_chosen",
        "detail": '"chosen" is empty',
        "raw": {"prompt": "p", "chosen": ""},
    }


def test_what_was_taken_out_can_be_read_again(tmp_path: Path) -> None:
    done = fix(records(), [finding("error", [(1, "pair:1")], 4)], tmp_path / "clean.jsonl", format="heedful")
    again = tmp_path / "again.jsonl"
    again.write_text(json.dumps(rows(done.beside)[0]["raw"]) + "\n")

    assert list(heedful.read(again)) == [pair(1)]


def test_a_record_of_two_findings_is_counted_once_under_the_worse(tmp_path: Path) -> None:
    findings = [finding("note", [(1, "pair:1"), (2, "pair:2")], 4), finding("error", [(1, "pair:1")], 4)]

    done = fix(records(), findings, tmp_path / "clean.jsonl", format="heedful")

    assert done.removed == {"marked_error": 1, "marked_note": 1, "empty_chosen": 1}


def test_only_findings_that_name_records_are_mended() -> None:
    removing = finding("error", [(1, "pair:1")], 4)

    assert mended([FIGURE, removing]) == [removing]


def test_what_the_layout_cannot_hold_goes_too_or_is_counted_as_lost(tmp_path: Path) -> None:
    tie = dataclasses.replace(pair(5), probability=0.5)
    weighted = dataclasses.replace(pair(6), weight=2.0)

    done = fix([pair(1), tie, weighted], [], tmp_path / "clean.jsonl", format="trl")

    assert (done.written, done.removed) == (2, {"tie": 1})
    assert done.lost == {"weight": 1}
    assert rows(done.beside)[0]["raw"]["probability"] == 0.5


def test_fewer_records_than_were_checked_write_nothing(tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"

    with pytest.raises(DataError, match="have changed since they were checked"):
        fix([pair(0), pair(1)], [finding("error", [(7, "pair:7")], 8)], out, format="heedful")

    assert list(tmp_path.iterdir()) == []
