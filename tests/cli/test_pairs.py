"""`heedful pairs`: files of feedback in, one file of preferences out, with counts that add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference
from tests.cli.command import Command, write


def turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def rating(text: str, score: float, prompt: str = "Q", **more: Any) -> dict[str, Any]:
    row = {"heedful": 1, "kind": "rating", "id": text, "prompt": turn("user", prompt)}
    return {**row, "response": turn("assistant", text), "score": score, **more}


def vote(annotator: str, chosen: str, rejected: str, prompt: str = "Q") -> dict[str, Any]:
    row = {"heedful": 1, "kind": "preference", "prompt": turn("user", prompt)}
    sides = {"chosen": turn("assistant", chosen), "rejected": turn("assistant", rejected)}
    return {**row, **sides, "metadata": {"annotator": annotator}}


def preferences(path: Path) -> list[Preference]:
    records = list(read(path))
    assert all(isinstance(record, Preference) for record in records)
    return records  # type: ignore[return-value]


def test_ratings_of_several_files_become_pairs_and_every_row_is_counted(
    heedful: Command, tmp_path: Path
) -> None:
    one = write(tmp_path / "one.jsonl", [rating("a", 1), rating("lone", 2, "Other"), {"heedful": 1}])
    two = write(tmp_path / "two.jsonl", [rating("b", 3), rating("c", 3.2)])
    out, left = tmp_path / "out.jsonl", tmp_path / "left.jsonl"

    done = heedful("pairs", one, two, out, "--tie-epsilon", 0.5, "--quarantine", left)

    assert done.code == 0
    assert "5 read, 3 kept, 2 quarantined (missing_field 1, one_response 1)" in done.out
    assert f"3 written to {out}" in done.out
    assert "3 preferences made of 3 records, 1 of them ties" in done.out
    assert [(pair.id, pair.margin, pair.tie) for pair in preferences(out)] == [
        ("a+c", pytest.approx(2.2), False),
        ("a+b", 2.0, False),
        ("b+c", pytest.approx(0.2), True),
    ]
    reasons = [json.loads(line)["reason"] for line in left.read_text(encoding="utf-8").splitlines()]
    assert sorted(reasons) == ["missing_field", "one_response"]


def test_the_options_say_which_pairs(heedful: Command, tmp_path: Path) -> None:
    data = write(tmp_path / "in.jsonl", [rating(f"r{n}", n // 2) for n in range(6)])

    def made(name: str, *options: object) -> list[str]:
        assert heedful("pairs", data, tmp_path / name, *options).code == 0
        return [pair.id for pair in preferences(tmp_path / name)]

    assert len(made("all")) == 15
    assert made("worst", "--mode", "best-worst") == ["r1+r4"]
    assert len(made("ties", "--ties", "drop")) == 12
    drawn = made("drawn", "--per-prompt", 4, "--seed", 3)
    assert len(drawn) == 4
    assert drawn == made("again", "--per-prompt", 4, "--seed", 3)


def test_votes_are_aggregated_as_asked(heedful: Command, tmp_path: Path) -> None:
    rows = [vote("ann", "a", "b"), vote("bob", "a", "b"), vote("cy", "b", "a"), vote("ann", "p", "q", "Else")]
    data, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    options = ("--aggregate", "majority", "--min-votes", 2, "--min-agreement", 0.6, "--soft", "weight")

    done = heedful("pairs", data, out, *options)

    assert "4 read, 3 kept, 1 quarantined (too_few_votes 1)" in done.out
    (pair,) = preferences(out)
    assert pair.weight == pytest.approx(1 / 3)
    assert pair.metadata["votes"]["chosen"] == 2
    assert heedful("pairs", data, tmp_path / "each.jsonl").out.startswith("4 read, 4 kept\n")


def test_a_layout_that_holds_no_ties_says_so(heedful: Command, tmp_path: Path) -> None:
    data, out = (
        write(tmp_path / "in.jsonl", [rating("a", 1), rating("b", 1), rating("c", 2)]),
        tmp_path / "o.jsonl",
    )

    done = heedful("pairs", data, out, "--to", "trl")

    assert f"2 written to {out}" in done.out
    assert "1 not written (tie)" in done.out


def test_a_file_that_is_there_is_kept_unless_said_otherwise(heedful: Command, tmp_path: Path) -> None:
    data = write(tmp_path / "in.jsonl", [rating("a", 1), rating("b", 2)])
    out = write(tmp_path / "out.jsonl", [{"mine": 1}])

    refused = heedful("pairs", data, out)
    assert (refused.code, json.loads(out.read_text(encoding="utf-8"))) == (2, {"mine": 1})
    assert "--overwrite" in refused.err
    assert heedful("pairs", data, out, "--overwrite", "--quiet").out == ""
    assert len(preferences(out)) == 1
    assert heedful("pairs", data, data, "--overwrite").code == 2


def test_several_aspects_are_a_question_to_the_user(heedful: Command, tmp_path: Path) -> None:
    rows = [rating("a", 1, aspect="help"), rating("b", 2, aspect="style"), rating("b", 2, aspect="help")]
    data, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"

    asked = heedful("pairs", data, out)
    assert asked.code == 2
    assert "2 aspects (help 2, style 1)" in asked.err
    assert "--aspect help" in asked.err
    assert not out.exists()
    assert heedful("pairs", data, out, "--aspect", "help").code == 0


def test_how_votes_are_aggregated_needs_them_to_be(heedful: Command, tmp_path: Path) -> None:
    data = write(tmp_path / "in.jsonl", [vote("ann", "a", "b")])

    done = heedful("pairs", data, tmp_path / "out.jsonl", "--min-votes", 2)

    assert done.code == 2
    assert "--min-votes" in done.err
    assert "--aggregate majority" in done.err
