"""What is converted is accounted for: written, or beside the file with the reason, in flat memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import convert, read, stream
from heedful.formats.converting import beside
from heedful.quarantine import Quarantined
from heedful.records import Preference, Prompt, assistant, user

PAIR = Preference((user("q"),), (assistant("a"),), (assistant("b"),), id="p", source="s")
TIE = replace(PAIR, probability=0.5, id="tie")
BROKEN = Quarantined("f:3", "empty_chosen", "chosen is empty", {"chosen": "\ud83d"})
ASKED = Prompt((user("q"),), id="asked")


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_does_not_get_there_stands_beside_the_file(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.jsonl.gz"
    soft = replace(PAIR, probability=0.75, margin=1, metadata={"annotator": "x"})

    done = convert(iter([PAIR, TIE, BROKEN, ASKED, soft, BROKEN]), out, format="openai-preference")

    assert (done.read, done.written) == (6, 2)
    assert (dict(done.left_out), dict(done.quarantined)) == ({"tie": 1, "kind": 1}, {"empty_chosen": 2})
    assert dict(done.lost) == {"id": 2, "source": 2, "probability": 1, "margin": 1, "metadata.annotator": 1}
    left_out, quarantined = beside(out)
    assert [path.name for path in (left_out, quarantined)] == ["out.left-out.jsonl", "out.quarantined.jsonl"]
    assert read(left_out)[:] == [TIE, ASKED]
    assert lines(quarantined)[1] == {
        "where": "f:3",
        "reason": "empty_chosen",
        "detail": "chosen is empty",
        "raw": {"chosen": "\ud83d"},
    }


def test_what_was_left_out_can_be_converted_again(tmp_path: Path) -> None:
    convert([PAIR, TIE], tmp_path / "out.jsonl", format="trl")
    left_out, _ = beside(tmp_path / "out.jsonl")

    assert convert(stream(left_out), tmp_path / "ties.csv", format="heedful").written == 1
    assert read(tmp_path / "ties.csv")[:] == [TIE]


def test_nothing_stands_beside_a_file_that_holds_everything(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    convert([TIE, BROKEN, PAIR], out, format="trl")
    assert len(list(tmp_path.iterdir())) == 3

    assert convert([PAIR], out, format="trl").read == 1
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("outcome", "what"),
    [
        (TIE, "tie: the record is a tie"),
        (BROKEN, r"f:3: chosen is empty\. .*--strict"),
        (replace(PAIR, weight=2.0), "weight"),
    ],
)
def test_strict_refuses_what_does_not_get_there_whole(tmp_path: Path, outcome: Any, what: str) -> None:
    with pytest.raises(DataError, match=what):
        convert([PAIR, outcome], tmp_path / "out.jsonl", format="trl", strict=True)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def outcomes():
        yield from (TIE, BROKEN, PAIR)
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        convert(outcomes(), tmp_path / "out.jsonl", format="trl")
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_no_layout_holds_is_an_error_that_names_it(tmp_path: Path) -> None:
    nested: Any = {}
    for _ in range(2000):
        nested = {"x": nested}

    with pytest.raises(DataError, match="p: cannot be written in any layout"):
        convert([replace(PAIR, metadata=nested)], tmp_path / "out.jsonl", format="trl")


def test_records_are_not_held(tmp_path: Path) -> None:
    alive = 0
    most = 0

    class Counted(dict[str, Any]):
        def __init__(self) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    ties = (replace(TIE, metadata=Counted()) for _ in range(100))
    assert convert(ties, tmp_path / "out.csv", format="trl").left_out == {"tie": 100}
    pairs = (replace(PAIR, metadata=Counted()) for _ in range(100))
    assert convert(pairs, tmp_path / "out.csv", format="trl").written == 100
    assert most < 5
