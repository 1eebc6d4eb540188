"""Blocks of scored responses in a text file become rows, and what is no such block says how one looks."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read
from heedful.formats.rows import rows
from heedful.records import Rating, assistant, user

BLOCKS = """
Prompt: What is the capital
of France?

Response A: Paris. → Score: 4.5
Response B: I think: Lyon,

but I am not sure.
-> Score: 2.1
----
Prompt: Name a prime. Response A: Two. → Score: 5  Response B: Four. → Score: -1.5
"""


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def values(path: Path) -> list[Any]:
    return [row.value for row in rows(path)]


def test_blocks_become_rows_of_a_prompt_and_its_scored_responses(tmp_path: Path) -> None:
    path = text(tmp_path / "a.txt", BLOCKS)

    assert [(row.where, row.id, row.value) for row in rows(path)] == [
        (
            f"{path}:2",
            "a:2",
            {
                "prompt": "What is the capital\nof France?",
                "responses": [
                    {"response": "Paris.", "score": 4.5, "name": "A"},
                    {"response": "I think: Lyon,\n\nbut I am not sure.", "score": 2.1, "name": "B"},
                ],
            },
        ),
        (
            f"{path}:11",
            "a:11",
            {
                "prompt": "Name a prime.",
                "responses": [
                    {"response": "Two.", "score": 5.0, "name": "A"},
                    {"response": "Four.", "score": -1.5, "name": "B"},
                ],
            },
        ),
    ]


def test_each_scored_response_is_a_rating_with_its_raw_score(tmp_path: Path) -> None:
    kept = read(text(tmp_path / "a.txt", BLOCKS))

    assert [record.score for record in kept if isinstance(record, Rating)] == [4.5, 2.1, 5.0, -1.5]
    assert kept[2] == Rating(
        (user("Name a prime."),), (assistant("Two."),), 5.0, "overall", id="a:11.1", source="a.txt"
    )
    assert kept[2].metadata == {"generator": "A"}


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "scores.log"])
def test_a_file_that_begins_with_a_prompt_needs_no_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = b"\xef\xbb\xbf\n\nPROMPT: q\nResponse: a Score: 1\n"
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    assert values(path) == [{"prompt": "q", "responses": [{"response": "a", "score": 1.0}]}]


@pytest.mark.parametrize(
    "score",
    ["→ Score: 2.5", "-> score: 2.5", "=> Score = 2.5", "\nScore: 2.5", "Score:2.5", "→ Score: +2.5\n***\n"],
)
def test_scores_stand_behind_an_arrow_or_alone(tmp_path: Path, score: str) -> None:
    path = text(tmp_path / "a.txt", f"Prompt: q\nResponse 1: The underscore: a sign {score}\n")

    (row,) = values(path)
    assert row["responses"] == [{"response": "The underscore: a sign", "score": 2.5, "name": "1"}]


def test_what_a_score_is_out_of_is_kept_and_none_is_left_out(tmp_path: Path) -> None:
    path = text(
        tmp_path / "a.txt", "Prompt: q\nResponse GPT-4 (long): a → Score: 4/5\nResponse B: b → Score: N/A\n"
    )

    kept = read(path)

    assert (kept[0].score, kept[0].metadata) == (4.0, {"generator": "GPT-4 (long)", "out_of": 5.0})
    assert kept.counts.quarantined == {"unrated": 1}


@pytest.mark.parametrize(
    ("block", "what"),
    [
        ("Prompt: q\n", "the prompt has no response below it"),
        ("Prompt: q\nResponse A: a\n", 'response A does not end with "Score:" and a number'),
        ("Prompt: q\nResponse A: a → Score: 1 more\n", 'response A does not end with "Score:" and a number'),
        ("Prompt: q\nResponse: a → Score: high\n", 'response does not end with "Score:" and a number'),
        ("Prompt: q\nAnswer A: a → Score: 1\n", "the prompt has no response below it"),
    ],
)
def test_a_block_that_lacks_a_part_stops_the_reading_or_is_left_out(
    tmp_path: Path, block: str, what: str
) -> None:
    whole = "Prompt: p\nResponse A: a → Score: 1\n"
    path = text(tmp_path / "a.txt", whole + block + whole)

    with pytest.raises(DataError, match=r"a\.txt:3: "):
        read(path)
    kept = read(path, bad_lines="quarantine")
    assert len(kept) == 2
    (row,) = kept.quarantined
    assert (row.where, row.reason, row.detail, row.raw) == (f"{path}:3", "broken_row", what, block)


@pytest.mark.parametrize("content", ["To whom it may concern\n", "\n\nQuestion: q\n", "promptly: no\n"])
def test_other_text_is_an_error_that_shows_the_layout(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError) as caught:
        read(text(tmp_path / "a.txt", content))

    message = str(caught.value)
    assert "not a text of scored responses: it does not begin with a prompt." in message
    assert message.endswith("Prompt: ... Response A: ... → Score: 4.5 Response B: ... → Score: 2.1")


def test_json_in_a_text_file_is_still_json(tmp_path: Path) -> None:
    assert values(text(tmp_path / "a.txt", '{"prompt": "q"}\n')) == [{"prompt": "q"}]
    assert values(text(tmp_path / "b.txt", '[{"prompt": "q"}]')) == [{"prompt": "q"}]


def test_text_is_read_in_the_encoding_that_is_said(tmp_path: Path) -> None:
    content = "Prompt: caf\xe9 \x85 \x93\nResponse A: a -> Score: 1\n"
    path = text(tmp_path / "a.txt", content, "latin-1")

    assert read(path, encoding="latin-1")[0].prompt == (user("caf\xe9 \x85 \x93"),)
    with pytest.raises(DataError, match=r"byte 0xe9 at offset 11\. .*--encoding latin-1"):
        read(path)
