"""`heedful split`, `dedupe`, `filter` and `mix` write what they say and account for every row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import heedful
from tests.cli.command import Command, pair, pairs, write

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def spelled(number: int) -> str:
    return " ".join(NUMBERS[int(digit)] for digit in f"{number:04}")


def distinct(path: Path, count: int, source: str = "") -> Path:
    """Pairs whose prompts are not near one another."""
    extra = {"source": source} if source else {}
    return write(
        path, [pair(n, prompt=f"{spelled(n)} or {spelled(9999 - 7 * n)}?", **extra) for n in range(count)]
    )


def test_split_writes_a_file_a_part_and_says_the_shares(heedful: Command, tmp_path: Path) -> None:
    data = distinct(tmp_path / "pairs.jsonl", 40)

    result = heedful("split", data, tmp_path / "out", "--into", "train=0.8,dev=0.1,test=0.1", "--exact")

    assert (result.code, result.err) == (0, "")
    out = tmp_path / "out"
    assert result.out.splitlines() == [
        "40 read, 40 kept",
        f"32 written to {out / 'train.jsonl'}",
        f"4 written to {out / 'dev.jsonl'}",
        f"4 written to {out / 'test.jsonl'}",
        "of all records: train 80.0%, dev 10.0%, test 10.0%",
    ]
    parts = [heedful_ids(out / f"{name}.jsonl") for name in ("train", "dev", "test")]
    assert sorted(name for part in parts for name in part) == sorted(f"pairs:{n}" for n in range(1, 41))


def heedful_ids(path: Path) -> list[str]:
    return [record.id for record in heedful.read(path, format="heedful")]


def test_split_shows_the_share_of_each_source_and_of_a_large_group(heedful: Command, tmp_path: Path) -> None:
    first = distinct(tmp_path / "first.jsonl", 30)
    second = write(tmp_path / "second.jsonl", [pair(n, prompt="hello there") for n in range(10)])

    lines = heedful("split", first, second, tmp_path / "out", "--exact").out.splitlines()

    assert [line.split(":")[0] for line in lines[3:6]] == [
        "of all records",
        "of first.jsonl",
        "of second.jsonl",
    ]
    assert lines[6].startswith("10 records (25%) have one prompt or a chain of near ones and stay together.")


def test_split_accounts_for_rows_that_cannot_be_read(heedful: Command, tmp_path: Path) -> None:
    data = write(tmp_path / "pairs.jsonl", [pair(1), pair(2, chosen=" "), pair(3, prompt="something else")])
    left_out = tmp_path / "left-out.jsonl"

    result = heedful("split", data, tmp_path / "out", "--into", "a=0.5,b=0.5", "--quarantine", left_out)

    assert "3 read, 2 kept, 1 quarantined (empty_chosen 1)" in result.out
    assert f"1 left-out rows written to {left_out}" in result.out
    assert json.loads(left_out.read_text())["reason"] == "empty_chosen"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("train=0.9", "add up to 0.9"),
        ("train=0.9,test", '"test" is not NAME=NUMBER'),
        ("a=0.5,a=0.5", "names one twice"),
        ("a/b=0.5,c=0.5", "cannot be a part's name"),
        ("../a=1", "cannot be a part's name"),
    ],
)
def test_parts_that_are_none_are_refused(heedful: Command, tmp_path: Path, parts: str, message: str) -> None:
    result = heedful("split", pairs(tmp_path / "pairs.jsonl"), tmp_path / "out", "--into", parts)

    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "out").exists()


def test_files_are_not_replaced_unless_asked(heedful: Command, tmp_path: Path) -> None:
    data = pairs(tmp_path / "pairs.jsonl")
    out = tmp_path / "out.jsonl"
    assert heedful("dedupe", data, out).code == 0

    again = heedful("dedupe", data, out)
    assert again.code == 2
    assert f"{out}: there is such a file." in again.err
    assert heedful("dedupe", data, out, "--overwrite").code == 0

    onto_itself = heedful("dedupe", data, data, "--overwrite")
    assert onto_itself.code == 2
    assert "would be written over while it is read" in onto_itself.err
    twice = heedful("dedupe", data, out, "--overwrite", "--quarantine", out)
    assert "is named for two outputs" in twice.err
    assert len(data.read_text().splitlines()) == 8


def test_dedupe_counts_by_reason(heedful: Command, tmp_path: Path) -> None:
    one = {"prompt": "p", "chosen": "yes of course", "rejected": "no"}
    other = {"prompt": "p", "chosen": "no", "rejected": "yes of course"}
    data = write(tmp_path / "pairs.jsonl", [one, one, other, pair(1), {**one, "chosen": "Yes, of course!"}])
    out, left_out = tmp_path / "out.jsonl", tmp_path / "left-out.jsonl"

    result = heedful("dedupe", data, out, "--quarantine", left_out)

    assert result.out.splitlines() == [
        "5 read, 3 kept, 2 quarantined (duplicate 1, near_duplicate 1)",
        f"3 written to {out}",
        f"2 left-out rows written to {left_out}",
        "1 records say the opposite of another one and were kept. Leave them out with --contradictions "
        "drop_both.",
    ]
    assert heedful_ids(out) == ["pairs:1", "pairs:3", "pairs:4"]
    dropped = heedful("dedupe", data, out, "--overwrite", "--exact", "--contradictions", "drop_both")
    assert "5 read, 2 kept, 3 quarantined (contradiction 2, duplicate 1)" in dropped.out


def test_filter_counts_by_reason(heedful: Command, tmp_path: Path) -> None:
    rows = [
        pair(1),
        pair(2, margin=2),
        pair(3, margin=0.5),
        pair(4, margin=3, ratio=1.5),
        pair(5, margin=3, ratio=2),
    ]
    data, out = write(tmp_path / "pairs.jsonl", rows), tmp_path / "out.jsonl"

    result = heedful("filter", data, out, "--min-margin", "1", "--where", "ratio>=2", "--script", "latin")

    assert result.out.splitlines() == [
        "5 read, 1 kept, 4 quarantined (condition 1, low_margin 1, no_margin 1, no_number 1)",
        f"1 written to {out}",
    ]
    assert heedful_ids(out) == ["pairs:5"]


def test_filter_says_what_it_does_not_understand(heedful: Command, tmp_path: Path) -> None:
    data, out = pairs(tmp_path / "pairs.jsonl"), tmp_path / "out.jsonl"

    assert '"ratio" is no condition' in heedful("filter", data, out, "--where", "ratio").err
    assert 'no script "english"' in heedful("filter", data, out, "--script", "english").err
    assert not out.exists()


def test_mix_takes_no_more_than_asked(heedful: Command, tmp_path: Path) -> None:
    first = distinct(tmp_path / "first.jsonl", 20, source="wiki")
    second = write(tmp_path / "second.jsonl", [pair(n, prompt="hi", source="web") for n in range(10)])
    out = tmp_path / "out.jsonl"

    result = heedful("mix", first, second, out, "--cap", "wiki=15", "--per-prompt", "5", "--seed", "1")

    assert result.out.splitlines() == [
        "30 read, 20 kept, 10 quarantined (prompt_cap 5, source_cap 5)",
        f"20 written to {out}",
        "  wiki 15 (75.0%)",
        "  web 5 (25.0%)",
    ]
    assert 'no record is of the source "news"' in heedful("mix", first, tmp_path / "x", "--cap", "news=1").err


def test_another_layout_can_be_written_and_what_it_loses_is_said(heedful: Command, tmp_path: Path) -> None:
    data, out = write(tmp_path / "pairs.jsonl", [pair(1, margin=2), pair(2)]), tmp_path / "out.jsonl"

    result = heedful("filter", data, out, "--to", "openai-preference")

    assert result.code == 0
    assert result.out.splitlines()[0] == "2 read, 2 kept"
    assert result.out.splitlines()[1].startswith(f"2 written to {out}; ")
    assert "1 without margin" in result.out
    unknown = heedful("filter", data, tmp_path / "x", "--to", "hh")
    assert unknown.code == 2
    assert 'the layout "hh" is not written' in unknown.err


def test_quiet_says_nothing(heedful: Command, tmp_path: Path) -> None:
    data = pairs(tmp_path / "pairs.jsonl")
    assert heedful("split", data, tmp_path / "out", "--quiet") == heedful(
        "mix", data, tmp_path / "x", "--quiet"
    )
