"""`heedful convert` writes another layout and accounts for every row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heedful.cli.convert import LAYOUTS
from heedful.formats import read, writable
from heedful.records import Preference
from tests.cli.command import Command, demonstration, pair, write


def test_what_was_read_written_and_left_is_said_and_adds_up(heedful: Command, tmp_path: Path) -> None:
    tie = {"heedful": 1, "kind": "preference", "id": "t", "probability": 0.5, "margin": 1}
    turns = {"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "a"}]}
    other = {"rejected": [{"role": "assistant", "content": "b"}]}
    first = write(tmp_path / "one.jsonl", [pair(1, margin=2, note="x"), pair(2, chosen=" "), pair(3)])
    second = write(tmp_path / "two.jsonl", [tie | turns | other])
    out = tmp_path / "out.jsonl"

    result = heedful("convert", first, second, out, "--to", "openai-preference")

    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"{first}: trl (3 of the first 3 rows fit TRL's columns, in text or in turns "
        "(chosen, prompt, rejected))",
        f"{second}: heedful (the first row fit Heedful's own rows (heedful, kind))",
        "4 read = 2 written + 1 left out + 1 quarantined",
        f"Written: {out}, as openai-preference",
        "The layout has no place for: id 2, source 2, margin 1, metadata.note 1. "
        "--to heedful keeps everything.",
        f"Left out, the layout cannot hold them: {tmp_path / 'out.left-out.jsonl'} (tie 1)",
        f"Quarantined, they cannot be read: {tmp_path / 'out.quarantined.jsonl'} (empty_chosen 1)",
    ]
    assert len(out.read_text().splitlines()) == 2
    assert read(tmp_path / "out.left-out.jsonl")[0].id == "t"
    (row,) = map(json.loads, (tmp_path / "out.quarantined.jsonl").read_text().splitlines())
    assert (row["where"], row["reason"], row["raw"]["chosen"]) == (f"{first}:2", "empty_chosen", " ")


@pytest.mark.parametrize("name", ["out.csv", "out.tsv.gz", "out.parquet", "out.json", "out.jsonl.gz"])
def test_a_file_goes_through_every_wrapping_and_comes_back(
    heedful: Command, tmp_path: Path, name: str
) -> None:
    rows = [pair(n, margin=n + 0.5, prompt=f"line\n{n} שלום, 🙂") for n in range(3)]
    path = write(tmp_path / "pairs.jsonl", rows)

    assert heedful("convert", path, tmp_path / name, "--to", "trl", "--quiet").out == ""
    assert heedful("convert", tmp_path / name, tmp_path / "back.jsonl", "--to", "heedful").code == 0
    assert read(tmp_path / "back.jsonl")[:] == read(path)[:]


def test_there_is_no_layout_by_default_and_the_error_lists_them(heedful: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(1)])

    missing = heedful("convert", path, tmp_path / "out.jsonl")
    unknown = heedful("convert", path, tmp_path / "out.jsonl", "--to", "hh")
    for result in (missing, unknown):
        assert result.code == 2
        assert f"Layouts that are written: {', '.join(writable())}." in result.err
    assert not (tmp_path / "out.jsonl").exists()


def test_the_help_lists_the_layouts_that_are_written() -> None:
    assert sorted(LAYOUTS.split(", ")) == sorted(writable())


def test_files_that_are_there_are_not_replaced_unasked(heedful: Command, tmp_path: Path) -> None:
    path, out = write(tmp_path / "pairs.jsonl", [pair(1)]), tmp_path / "out.jsonl"
    out.write_text("old\n")

    refused = heedful("convert", path, out, "--to", "trl")
    assert (refused.code, out.read_text()) == (2, "old\n")
    assert f"{out}: there is such a file." in refused.err
    assert heedful("convert", path, out, "--to", "trl", "--overwrite").code == 0
    assert len(read(out)) == 1
    assert heedful("convert", path, path, "--to", "trl", "--overwrite").code == 2
    assert heedful("convert", path, "--to", "trl").code == 2


def test_strict_refuses_and_writes_nothing(heedful: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(1), pair(2, rejected="")])

    result = heedful("convert", path, tmp_path / "out.jsonl", "--to", "trl", "--strict")
    assert result.code == 2
    assert f'{path}:2: "rejected" is empty.' in result.err
    assert [one.name for one in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_quiet_says_only_what_was_lost(heedful: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "demos.jsonl", [demonstration(1)])

    whole = heedful("convert", path, tmp_path / "a.jsonl", "--to", "heedful", "--quiet")
    lossy = heedful("convert", path, tmp_path / "b.jsonl", "--to", "openai-chat", "--quiet")
    assert (whole.code, whole.out, whole.err) == (0, "", "")
    assert (lossy.code, lossy.out) == (0, "")
    assert "The layout has no place for: id 1, source 1." in lossy.err


def test_reading_options_are_heeded(heedful: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("question,good,bad,gap\ncaf\xe9,a,b,1\nq,a\n".encode("latin-1"))
    named = ["--prompt-column", "question", "--chosen-column", "good", "--rejected-column", "bad"]

    result = heedful(
        "convert",
        path,
        tmp_path / "out.jsonl",
        "--to",
        "trl",
        "--encoding",
        "latin-1",
        "--bad-lines",
        "quarantine",
        *named,
    )
    assert "2 read = 1 written + 1 quarantined" in result.out
    (record,) = read(tmp_path / "out.jsonl")
    assert isinstance(record, Preference)
    assert record.prompt[0].content == "café"
