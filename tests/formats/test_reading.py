"""Reading accounts for every row, whatever the file holds."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read
from heedful.formats.reading import SAMPLE_ROWS

PAIR = {"prompt": "q", "chosen": "a", "rejected": "b"}


def test_read_is_kept_plus_quarantined_and_blank_lines_are_no_rows(jsonl) -> None:
    path = jsonl([PAIR, "", 5, [PAIR], None, "  ", {}, PAIR | {"chosen": ""}, "{oops", PAIR])
    kept = read(path, bad_lines="quarantine")

    assert kept.counts.read == 8
    assert kept.counts.kept == 2
    assert kept.counts.quarantined == {
        "not_an_object": 3,
        "missing_field": 1,
        "empty_chosen": 1,
        "not_json": 1,
    }
    assert [(row.where, row.raw) for row in kept.quarantined][:2] == [(f"{path}:3", 5), (f"{path}:4", [PAIR])]
    assert kept.quarantined[-1].raw == "{oops"
    assert [record.id for record in kept] == ["data:1", "data:10"]  # type: ignore[union-attr]


def test_counts_add_up_for_rows_made_at_random(jsonl) -> None:
    chance = random.Random(0)
    values: list[Any] = [
        "",
        "q",
        " ",
        None,
        3,
        True,
        [],
        {},
        [{"role": "user", "content": "q"}],
        ["x"],
        "\ud83d",
    ]
    keys = ["prompt", "chosen", "rejected", "completion", "label", "margin", "messages", "id", "source"]
    for seed in range(30):
        rows = [{key: chance.choice(values) for key in chance.sample(keys, 4)} for _ in range(40)]
        kept = read(jsonl([PAIR, *map(json.dumps, rows)], f"{seed}.jsonl"), format="trl")

        assert kept.counts.read == 41
        assert kept.counts.kept + sum(kept.counts.quarantined.values()) == 41


def test_a_bad_line_stops_the_reading_with_line_and_column(jsonl) -> None:
    path = jsonl([PAIR, '{"prompt": "q", }'])

    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:2: not JSON at column ")
    assert str(caught.value).endswith("such lines out: --bad-lines quarantine (data.bad_lines=quarantine).")


def test_the_rows_used_to_recognise_the_layout_are_read_too(jsonl) -> None:
    rows = [PAIR | {"prompt": str(n)} for n in range(SAMPLE_ROWS * 3)]
    kept = read(jsonl([1, *rows]))

    assert [record.prompt[0].content for record in kept] == [row["prompt"] for row in rows]  # type: ignore[union-attr]


@pytest.mark.parametrize("format", [None, "trl"])
def test_a_limit_counts_rows_read_and_reads_no_further(jsonl, format: str | None) -> None:
    path = jsonl([PAIR, 5, PAIR, "{oops"])
    kept = read(path, limit=3, format=format)

    assert (kept.counts.read, kept.counts.kept) == (3, 2)
    with pytest.raises(ValueError, match="at least 1"):
        read(path, limit=0)


def test_a_named_format_is_not_second_guessed(jsonl) -> None:
    transcript = {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}
    path = jsonl([transcript, PAIR])

    assert read(path, format="hh").counts.quarantined == {"not_a_transcript": 1}
    assert read(path, format="trl").counts.kept == 2


@pytest.mark.parametrize("bad_lines", ["error", "quarantine"])
def test_a_file_of_which_no_row_fits_the_named_format_is_in_the_wrong_layout(jsonl, bad_lines: Any) -> None:
    path = jsonl([PAIR, PAIR])

    with pytest.raises(DataError) as caught:
        read(path, format="openai-chat", bad_lines=bad_lines)
    assert str(caught.value).startswith(
        f'{path}: wrong layout: no row of 2 fits "openai-chat". The first, {path}:1: "messages" is missing. '
        "They look like trl."
    )


def test_a_recognised_file_whose_fields_all_have_the_wrong_type_is_an_error_too(jsonl) -> None:
    with pytest.raises(DataError, match='no row of 1 fits "alpaca-ranking"'):
        read(jsonl([{"instruction": "q", "chosen": ["a"], "rejected": ["b"]}]))


def test_rows_of_the_right_layout_may_all_be_useless(jsonl) -> None:
    kept = read(jsonl([PAIR | {"chosen": "b"}, PAIR | {"prompt": ""}]))

    assert len(kept) == 0
    assert kept.counts.quarantined == {"equal_sides": 1, "empty_prompt": 1}


@pytest.mark.parametrize("rows", [[1, 2], [[PAIR]] * 2, [{}], ["{", '"prompt": "q"', "}"]])
def test_a_file_without_objects_is_an_error(jsonl, rows: list[Any]) -> None:
    with pytest.raises(DataError, match="no row is a JSON object with keys"):
        read(jsonl(rows), bad_lines="quarantine")


@pytest.mark.parametrize(
    ("row", "id"),
    [
        ({"id": "x"}, "x"),
        ({"id": 17}, "17"),
        ({"id": 0}, "0"),
        ({"prompt_id": "p"}, "p"),
        ({"id": "x", "prompt_id": "p"}, "x"),
        ({"id": "", "uuid": "u"}, "u"),
        ({"id": None}, "data row 1"),
        ({"id": ["x"]}, "data row 1"),
    ],
)
def test_an_id_comes_from_the_row_or_from_its_place(tmp_path: Path, row: dict[str, Any], id: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([PAIR | row]))

    assert read(path)[0].id == id.replace(" row ", ":")  # type: ignore[union-attr]


def test_an_unknown_word_for_bad_lines_is_refused(jsonl) -> None:
    with pytest.raises(ValueError, match="bad_lines"):
        read(jsonl([PAIR]), bad_lines="skip")  # type: ignore[arg-type]


def test_importing_the_formats_brings_no_heavy_library() -> None:
    code = (
        "import sys, heedful.formats\n"
        "print([m for m in ('torch', 'transformers', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
