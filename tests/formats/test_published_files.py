"""Published files, whole: their layout is recognised and every row is accounted for."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from heedful.errors import DataError
from heedful.formats import read, stream
from heedful.quarantine import Quarantined
from heedful.records import Preference

# By hand: rows in the file, and those that cannot be used. Two replies of HH's chosen side are empty;
# AlpacaEval's are those where both models gave the same answer.
FILES = {
    "hh-harmless-test-600.jsonl.gz": ("hh", 600, {"empty_chosen": 2}),
    "sharegpt-ranking-en-300.json.gz": ("sharegpt-ranking", 300, {}),
    "alpaca-sft-en-1000.json.gz": ("alpaca", 999, {}),
    "alpaca-eval-FuseChat-Llama-3.2-3B-Instruct.json.gz": ("alpaca-eval", 805, {"equal_sides": 3}),
    "alpaca-eval-gemma-7b-it.json.gz": ("alpaca-eval", 805, {}),
    "alpaca-eval-vicuna-7b.json.gz": ("alpaca-eval", 805, {"equal_sides": 2}),
}


def rows_of(path: Path) -> list[dict[str, object]]:
    """The file's rows, read without Heedful."""
    text = gzip.decompress(path.read_bytes()).decode()
    return (
        json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.split("\n") if line]
    )


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_a_record_or_has_its_reason(shared_data: Path, name: str) -> None:
    layout, rows, reasons = FILES[name]
    found = stream(shared_data / name)
    outcomes = list(found)

    assert found.format.name == layout
    assert len(outcomes) == rows == len(rows_of(shared_data / name))
    assert Counter(o.reason for o in outcomes if isinstance(o, Quarantined)) == reasons
    assert len({o.id for o in outcomes if not isinstance(o, Quarantined) and hasattr(o, "id")}) == rows - sum(
        reasons.values()
    )


def test_the_turns_of_every_hh_row_are_those_of_its_transcripts(shared_data: Path) -> None:
    path = shared_data / "hh-harmless-test-600.jsonl.gz"
    label = {"user": "Human", "assistant": "Assistant"}
    rows = {f"hh-harmless-test-600:{n}": row for n, row in enumerate(rows_of(path), 1)}
    blank_lines = inline = 0

    for record in read(path):
        assert isinstance(record, Preference)
        for side, reply in (("chosen", record.chosen), ("rejected", record.rejected)):
            turns = [*record.prompt, *reply]
            # Put together again they are the transcript but for the white space around each turn.
            joined = "".join(f"{label[turn.role]}:{turn.content}" for turn in turns)
            assert "".join(joined.split()) == "".join(str(rows[record.id][side]).split())
            assert [turn.content for turn in turns] == [turn.content.strip() for turn in turns]
            blank_lines += any("\n\n" in turn.content for turn in turns)
            inline += any("Human:" in turn.content for turn in turns)
        assert (len(record.chosen), len(record.rejected)) == (1, 1)
        assert record.prompt[-1].role == "user"
    # Of the hard cases these are there: blank lines inside turns, and "Human:" that opens none.
    assert min(blank_lines, inline) > 0


@pytest.mark.parametrize("name", ["rt-polarity.pos.gz", "rt-polarity.neg.gz"])
def test_plain_sentences_are_refused_in_words(shared_data: Path, name: str) -> None:
    with pytest.raises(DataError, match=name):
        read(shared_data / name)
    with pytest.raises(DataError, match=r"no row is a JSON object with keys\. The first, .*:1: not JSON"):
        read(shared_data / name, bad_lines="quarantine")
