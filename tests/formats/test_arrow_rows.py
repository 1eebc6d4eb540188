"""Parquet: columns come out as JSON would hold them, and what is written keeps its lists and objects."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.formats.arrow_rows import BATCH_ROWS
from heedful.formats.arrow_types import merged, shape
from heedful.formats.rows import rows
from heedful.records import Demonstration, Preference, assistant, user

TURNS = [{"role": "user", "content": "q"}]
REPLY = [{"role": "assistant", "content": "a"}]


def parquet(path: Path, rows: list[dict[str, Any]], schema: Any = None) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def values(path: Path) -> list[Any]:
    return [row.value for row in rows(path)]


@pytest.mark.parametrize("name", ["a.parquet", "data.bin", "a.csv.parquet"])
def test_parquet_is_told_by_its_content_and_its_rows_are_numbered(tmp_path: Path, name: str) -> None:
    path = parquet(tmp_path / name, [{"prompt": TURNS, "n": 1}, {"prompt": [], "n": 2}])

    assert [(row.where, row.value) for row in rows(path)] == [
        (f"{path} row 1", {"prompt": TURNS, "n": 1}),
        (f"{path} row 2", {"prompt": [], "n": 2}),
    ]


def test_a_zipped_file_is_unzipped_first(tmp_path: Path) -> None:
    plain = parquet(tmp_path / "a", [{"prompt": "q", "chosen": "a", "rejected": "b"}])
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))

    assert read(path)[0].id == "a:1"
    path.write_bytes(gzip.compress(plain.read_bytes())[:-9])
    with pytest.raises(DataError, match="the gzip file is cut off"):
        read(path)


def test_values_become_what_json_has(tmp_path: Path) -> None:
    row = {
        "at": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        "on": date(2024, 2, 29),
        "took": timedelta(seconds=1.5),
        "price": Decimal("0.25"),
        "count": Decimal("3.00"),
        "text": b"caf\xc3\xa9",
        "image": b"\xff\xfe",
        "scores": [1.0, float("nan")],
        "nested": {"at": date(2024, 1, 1), "none": None},
    }
    path = parquet(tmp_path / "a.parquet", [row])

    assert values(path) == [
        {
            "at": "2024-02-29T12:30:00+00:00",
            "on": "2024-02-29",
            "took": 1.5,
            "price": 0.25,
            "count": 3,
            "text": "café",
            "image": "//4=",
            "scores": [1.0, None],
            "nested": {"at": "2024-01-01", "none": None},
        }
    ]


def test_a_null_or_nan_is_a_missing_value_but_a_verdict_stays_null(tmp_path: Path) -> None:
    rows = [
        {"prompt": "q", "response": "a", "label": None, "margin": float("nan"), "note": None},
        {"prompt": "q", "response": "a", "label": True, "margin": 1.0, "note": "n"},
    ]
    path = parquet(tmp_path / "a.parquet", rows)

    assert values(path) == [
        {"prompt": "q", "response": "a", "label": None},
        {"prompt": "q", "response": "a", "label": True, "margin": 1.0, "note": "n"},
    ]
    assert read(path).counts.quarantined == {"no_vote": 1}


def test_text_is_never_decoded(tmp_path: Path) -> None:
    row = {"prompt": '[{"role": "user", "content": "x"}]', "chosen": "1", "rejected": "true", "score": "4"}

    assert values(parquet(tmp_path / "a.parquet", [row])) == [row]


def test_rows_come_in_order_from_many_batches(tmp_path: Path) -> None:
    count = 2 * BATCH_ROWS + 1
    path = parquet(tmp_path / "a.parquet", [{"n": n} for n in range(count)])

    assert [row["n"] for row in values(path)] == list(range(count))


def test_a_file_that_is_cut_off_or_empty_is_an_error(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [{"prompt": "q"}])
    whole = path.read_bytes()

    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match="it is cut off or damaged"):
        read(path)
    with pytest.raises(DataError, match="the file holds no rows"):
        read(parquet(path, [], schema=pa.schema([("prompt", pa.string())])))


def pair(**more: Any) -> Preference:
    return Preference((user("q"),), (assistant("a"),), (assistant("b"),), id="p", source="s", **more)


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz", "new/a.parquet"])
def test_what_is_written_keeps_its_turns_and_reads_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    records = [
        pair(),
        pair(margin=1),
        pair(margin=2.5, metadata={"tags": ["x", "y"], "n": 3, "o": {"k": None}}),
    ]

    assert write(records, path, format="trl").rows == 3
    assert read(path)[:] == records
    assert values(path)[0] == {
        "prompt": TURNS,
        "chosen": REPLY,
        "rejected": [REPLY[0] | {"content": "b"}],
    } | {
        "id": "p",
        "source": "s",
    }
    assert read(path)[2].metadata == records[2].metadata


def test_other_tools_see_nested_columns(tmp_path: Path) -> None:
    write([pair(margin=1), pair(margin=2.5)], tmp_path / "a.parquet", format="trl")

    schema = pq.read_schema(tmp_path / "a.parquet")
    assert schema.field("prompt").type == pa.list_(
        pa.struct([("role", pa.string()), ("content", pa.string())])
    )
    assert schema.field("margin").type == pa.float64()


def test_a_column_of_several_shapes_is_written_as_json_and_reads_back(tmp_path: Path) -> None:
    metadata = [
        {"x": 1},
        {"x": "1"},
        {"x": [1, "a"]},
        {"x": {}},
        {"x": {"b": 1}},
        {"x": 2**60},
        {},
        {"x": None},
    ]
    said = [Demonstration((user("q"),), (assistant("a"),), metadata=one) for one in metadata]
    path = tmp_path / "a.parquet"

    write(said, path, format="trl")

    assert pq.read_schema(path).field("x").type == pa.string()
    assert [record.metadata for record in read(path)] == [*metadata[:-1], {}]


def test_rows_of_every_kind_stand_in_one_file_of_heedfuls_own(tmp_path: Path) -> None:
    records = [
        pair(probability=0.75, metadata={"a": 1}),
        Demonstration((user("q"),), (assistant(""), assistant("a"))),
    ]
    write(records, tmp_path / "a.parquet")

    assert read(tmp_path / "a.parquet")[:] == records


def test_shapes_merge_only_where_one_holds_both() -> None:
    assert merged(shape(1), shape(2.5)) == "float"
    assert merged(shape(None), shape([])) == ("list", "null")
    assert merged(shape([]), shape([1])) == ("list", "int")
    assert merged(shape({"a": 1}), shape({"a": None})) == ("struct", {"a": "int"})
    assert merged(shape({"a": 1}), shape({"b": 1})) == "mixed"
    assert (
        merged(shape("1"), shape(1))
        == merged(shape(True), shape(1))
        == merged(shape([]), shape({}))
        == "mixed"
    )
    assert shape([1, "a"]) == ("list", "mixed")
