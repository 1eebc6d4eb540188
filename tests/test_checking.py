"""Checking files from end to end: several as one set, examples looked up, a cleaned copy in their layout."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful import checking
from heedful.checking import Settings, Source
from heedful.checks import registry
from heedful.errors import DataError
from heedful.training.tracking import Reporter
from tests.checks.fakes import Blind, Marked, pair
from tests.cli import command

QUIET = Reporter(quiet=True)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHECKS", {"marked": Marked, "blind": Blind})


def source(*paths: Path, **reading: Any) -> Source:
    return Source(paths, reading)


def native(path: Path, *marked: int, count: int = 4) -> Path:
    heedful.write([pair(n, "bad" if n in marked else "good") for n in range(count)], path)
    return path


def test_several_files_are_one_set(tmp_path: Path) -> None:
    one = native(tmp_path / "one.jsonl", 3)
    two = command.pairs(tmp_path / "two.jsonl", 3)

    files = source(one, two)
    checked = checking.check(files, Settings(), QUIET)

    assert checked.kinds == {"preference": 7}
    assert checked.findings[0].removes == {3}
    assert files.formats == ("heedful", "trl")


def test_a_file_that_cannot_be_read_is_named_before_the_first_is_gone_through(tmp_path: Path) -> None:
    one = native(tmp_path / "one.jsonl")

    with pytest.raises(DataError, match=r"two\.jsonl: no such file"):
        source(one, tmp_path / "two.jsonl").records()


def test_thresholds_and_names_reach_the_checks(tmp_path: Path) -> None:
    files = source(native(tmp_path / "one.jsonl", 1, 2))

    assert checking.check(files, Settings(thresholds={"marked.most": "2"}), QUIET).findings == []
    assert checking.check(files, Settings(skip=["marked"]), QUIET).findings == []
    names = [check.name for check, _ in checking.check(files, Settings(only=["marked"]), QUIET).checks]
    assert names == ["overview", "marked"]


def test_progress_is_told_where_it_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.training.tracking._PLAIN_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checking, "TOLD_EVERY", 2)
    monkeypatch.setattr(checking, "PATIENCE", 0.0)
    told = io.StringIO()

    checking.check(source(native(tmp_path / "one.jsonl", count=5)), Settings(), Reporter(stream=told))

    assert told.getvalue().splitlines() == [f"Checking records {n}" for n in (2, 4, 5)]


def test_what_is_quick_is_done_in_silence(tmp_path: Path) -> None:
    told = io.StringIO()

    checking.check(source(native(tmp_path / "one.jsonl", count=5)), Settings(), Reporter(stream=told))

    assert told.getvalue() == ""


def test_the_files_are_described_by_their_bytes(tmp_path: Path) -> None:
    path = native(tmp_path / "one.jsonl", 1)
    files = source(path)

    data = checking.described(
        files, checking.check(files, Settings(), QUIET), "heedful check", examples=False, reporter=QUIET
    )

    (file,) = data.files
    assert (file.path, file.format, file.size) == (str(path), "heedful", path.stat().st_size)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.records == {}


def test_the_records_of_examples_are_looked_up(tmp_path: Path) -> None:
    files = source(native(tmp_path / "one.jsonl", 1))

    data = checking.described(
        files, checking.check(files, Settings(), QUIET), "", examples=True, reporter=QUIET
    )

    assert {name: [(part.name, part.text) for part in parts] for name, parts in data.records.items()} == {
        "pair:1": [("prompt", "what is 1?"), ("chosen", "bad"), ("rejected", "another one")]
    }


def test_a_cleaned_file_has_the_layout_of_those_checked(tmp_path: Path) -> None:
    path = command.write(tmp_path / "one.jsonl", [command.pair(1), command.pair(2, chosen="bad thing")])
    files = source(path)
    checked = checking.check(files, Settings(), QUIET)

    done = checking.fixed(files, checked, tmp_path / "clean.jsonl", QUIET)
    again = checking.fixed(files, checked, tmp_path / "native.jsonl", QUIET, to="heedful")

    assert (done.written, done.removed) == (1, {"marked_error": 1})
    assert '"heedful"' not in done.path.read_text()
    assert '"heedful"' in again.path.read_text()


def test_files_of_several_layouts_become_heedfuls_own(tmp_path: Path) -> None:
    files = source(native(tmp_path / "one.jsonl"), command.pairs(tmp_path / "two.jsonl", 2))
    checked = checking.check(files, Settings(), QUIET)

    done = checking.fixed(files, checked, tmp_path / "clean.jsonl", QUIET)

    assert done.written == 6
    assert heedful.read(done.path, format="heedful").counts.kept == 6
