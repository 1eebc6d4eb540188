"""`heedful inspect` says what a file holds and what would be left out."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from tests.cli.command import Command, demonstration, pair, write


def test_a_file_of_pairs(heedful: Command, tmp_path: Path) -> None:
    path = write(
        tmp_path / "pairs.jsonl",
        [pair(1), pair(2, chosen="x", margin=2), pair(3, chosen=" "), pair(4, rejected=pair(4)["chosen"])],
    )

    result = heedful("inspect", path)

    assert result.code == 0
    assert result.out.splitlines() == [
        str(path),
        "  layout    trl, 4 of the first 4 rows fit TRL's columns, in text or in turns "
        "(chosen, prompt, rejected)",
        "  rows      4 read, 2 kept, 2 quarantined (empty_chosen 1, equal_sides 1)",
        "  records   2 preferences",
        "  Fields of the first 4 rows:",
        "    prompt    text",
        "    chosen    text",
        "    rejected  text",
        "    margin    a number, in 1 of 4",
        "  Words of each:",
        "    prompt    3 to 3, median 3",
        "    chosen    1 to 4, median 2.5",
        "    rejected  6 to 6, median 6",
        "  Left out:",
        f'    empty_chosen 1, such as {path}:3: "chosen" is empty',
        f"    equal_sides 1, such as {path}:4: "
        "chosen and rejected are the same but for spacing and letter forms",
        "  The first, pairs:1:",
        "    prompt    what is 1?",
        "    chosen    the answer is 1",
        "    rejected  the cat and the dog 1",
        "  Another, pairs:2:",
        "    prompt    what is 2?",
        "    chosen    x",
        "    rejected  the cat and the dog 2",
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
        "  layout    heedful, 3 of the first 3 rows fit Heedful's own rows (heedful, kind)",
        "  rows      3 read, 3 kept",
        "  records   1 ranking, 2 ratings",
        "  Fields of the first 3 rows:",
        "    heedful   a number",
        "    prompt    a list",
        "    kind      text",
        "    responses a list, in 1 of 3",
        "    ranks     a list, in 1 of 3",
        "    response  a list, in 2 of 3",
        "    score     a number, in 2 of 3",
        "  Words of each:",
        "    prompt    3 to 3, median 3",
        "    response  1 to 5, median 3",
        "  The first, judged:1:",
        "    prompt     what is 1?",
        "    response 1 one",
        "    response 2 it is one",
        "    response 3 two or so",
        "  Another, judged:2:",
        "    prompt    what is 1?",
        "    response  one I think it is",
        "  Another, judged:3:",
        "    prompt    what is 1?",
        "    response  one",
    ]


def test_ties_are_counted_among_the_preferences(heedful: Command, tmp_path: Path) -> None:
    turns = {"prompt": "q", "chosen": "a", "rejected": "b"}
    native = {
        name: [{"role": "user" if name == "prompt" else "assistant", "content": text}]
        for name, text in turns.items()
    }
    rows = [native | {"heedful": 1, "kind": "preference", "probability": p} for p in (0.5, 0.75)]
    path = write(tmp_path / "pairs.jsonl", rows)

    assert "  records   2 preferences, 1 of them ties" in heedful("inspect", path).out
    assert json.loads(heedful("inspect", path, "--json").out)["ties"] == 1


def test_samples_are_the_first_record_and_the_same_two_of_the_others(
    heedful: Command, tmp_path: Path
) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(n) for n in range(1, 101)])

    first, again = (json.loads(heedful("inspect", path, "--json").out)["samples"] for _ in range(2))

    assert first == again
    assert [len(first), first[0]["id"]] == [3, "pairs:1"]
    assert len({sample["id"] for sample in first}) == 3


def test_the_median_is_that_of_all_lengths(heedful: Command, tmp_path: Path) -> None:
    lengths = [1, 9, 2, 2, 7, 30]
    path = write(tmp_path / "pairs.jsonl", [pair(n, chosen="w " * n) for n in lengths])

    words = json.loads(heedful("inspect", path, "--json").out)["words"]["chosen"]
    assert words == {"shortest": 1, "median": median(lengths), "longest": 30}


def test_broken_lines_are_shown_and_stop_only_where_asked(heedful: Command, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(pair(1))}\nnot json\nnor this\n")

    shown = heedful("inspect", path)
    assert shown.code == 0
    assert f"not_json 2, such as {path}:2: not JSON at column 1: Expecting value" in shown.out
    assert heedful("inspect", path, "--bad-lines", "error").code == 2


def test_many_fields_are_cut_short_and_json_names_them_all(heedful: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(1, **{f"field {n}": None for n in range(40)})])

    assert "    and 13 more" in heedful("inspect", path).out
    found = json.loads(heedful("inspect", path, "--json").out)
    assert found["looked_at"] == 1
    assert found["fields"]["field 39"] == {"rows": 1, "types": ["null"]}


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
    assert "  layout    trl, as was said" in heedful("inspect", path, "--format", "trl").out
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
