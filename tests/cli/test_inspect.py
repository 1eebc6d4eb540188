"""`heedful inspect` says what a file holds and what would be left out."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import Command, demonstration, pair, write


def test_a_file_of_pairs(heedful: Command, tmp_path: Path) -> None:
    path = write(
        tmp_path / "pairs.jsonl",
        [pair(1), pair(2, chosen="x"), pair(3, chosen=" "), pair(4, rejected=pair(4)["chosen"])],
    )

    result = heedful("inspect", path)

    assert result.code == 0
    assert result.out.splitlines() == [
        str(path),
        "  format    trl",
        "  records   2 preferences",
        "  rows      4 read, 2 kept, 2 quarantined (empty_chosen 1, equal_sides 1)",
        "  prompt    3 to 3 words, median 3",
        "  chosen    1 to 4 words, median 2.5",
        "  rejected  6 to 6 words, median 6",
        "  The first:",
        "    prompt    what is 1?",
        "    chosen    the answer is 1",
        "    rejected  the cat and the dog 1",
    ]


def test_several_files_as_json_for_programs(heedful: Command, tmp_path: Path) -> None:
    first = write(tmp_path / "pairs.jsonl", [pair(1)])
    second = write(tmp_path / "demos.jsonl", [demonstration(1), demonstration(2)])

    found = [json.loads(line) for line in heedful("inspect", "--json", first, second).out.splitlines()]

    assert [(one["format"], one["kinds"]) for one in found] == [
        ("trl", {"preference": 1}),
        ("alpaca", {"demonstration": 2}),
    ]
    assert found[1]["words"]["response"] == {"shortest": 4, "median": 4, "longest": 4}


def test_rankings_and_ratings_are_counted_and_all_their_responses_measured(
    heedful: Command, tmp_path: Path
) -> None:
    def says(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    ask = says("user", "what is 1?")
    ranked = [says("assistant", text) for text in ("one", "it is one", "two or so")]
    native = {"heedful": 1, "prompt": ask}
    path = write(
        tmp_path / "judged.jsonl",
        [
            native | {"kind": "ranking", "responses": ranked, "ranks": [1, 1, 2]},
            native | {"kind": "rating", "response": says("assistant", "one I think it is"), "score": 4},
            native | {"kind": "rating", "response": ranked[0], "score": 5},
        ],
    )

    assert heedful("inspect", path).out.splitlines() == [
        str(path),
        "  format    heedful",
        "  records   1 ranking, 2 ratings",
        "  rows      3 read, 3 kept",
        "  prompt    3 to 3 words, median 3",
        "  response  1 to 5 words, median 3",
        "  The first:",
        "    prompt     what is 1?",
        "    response 1 one",
        "    response 2 it is one",
        "    response 3 two or so",
    ]


def test_left_out_rows_are_written_where_asked(heedful: Command, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(pair(1))}\nnot json\n")
    out = tmp_path / "left-out.jsonl"

    result = heedful("inspect", path, "--quarantine", out)

    assert result.code == 0
    row = json.loads(out.read_text())
    assert (row["where"], row["reason"], row["raw"]) == (f"{path}:2", "not_json", "not json")


def test_limit_and_format_are_heeded(heedful: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(n) for n in range(5)])
    assert "3 read, 3 kept" in heedful("inspect", path, "--limit", 3).out
    assert "wrong layout" in heedful("inspect", path, "--format", "alpaca").err


def test_an_example_cannot_steer_the_terminal(heedful: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(1, chosen="a\x1b[2Jb\nc " + "long " * 100)])
    result = heedful("inspect", path)
    assert "\x1b" not in result.out
    assert max(map(len, result.out.splitlines())) < 260


def test_a_file_that_cannot_be_read_is_an_error(heedful: Command, tmp_path: Path) -> None:
    result = heedful("inspect", tmp_path / "none.jsonl")
    assert (result.code, result.err) == (
        2,
        f"error: {tmp_path / 'none.jsonl'}: no such file. Check the path.\n",
    )
