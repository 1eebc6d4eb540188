"""What commands that write files share: progress after a while, and nothing of it when quick or quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.cli import data_output
from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from tests.cli.command import pairs


def work(writing: Writing) -> None:
    with writing.progress("comparing") as told:
        for done in (1, 2, 3):
            told(done, 3)


def test_quick_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    work(Writing())
    assert capsys.readouterr() == ("", "")


def test_work_that_takes_long_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_output, "PATIENCE", 0.0)
    work(Writing())
    assert capsys.readouterr() == ("", "comparing 3/3\n")
    work(Writing(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_files_are_read_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_output, "PATIENCE", 0.0)
    monkeypatch.setattr(data_output, "ROWS_BETWEEN", 1)
    first, second = pairs(tmp_path / "first.jsonl", 2), pairs(tmp_path / "second.jsonl", 3)

    kept = Writing().read([first, second], Reading())

    assert [record.id for record in kept] == ["first:1", "first:2", "second:1", "second:2", "second:3"]
    assert kept.counts.read == 5
