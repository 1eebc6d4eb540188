"""Rows to a file, wrapped as the file's name asks: JSONL, a JSON array, CSV, TSV or Parquet.

A table has one header for all its rows, which is known when the last has been seen: the rows wait in a
temporary file meanwhile, so that memory does not grow. Knows the wrappings; knows nothing of layouts or
records.
"""

from __future__ import annotations

import codecs
import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..records import Role
from .arrow_types import Columns
from .cells import Decoder, decoder, encode, flattened
from .files import written
from .tables import DELIMITERS

PARQUET = ".parquet"
ROW_GROUP = 1 << 24  # characters of JSON
LONE_SURROGATE = "\\ud"  # how JSON's text of one begins

Writer = Callable[[Iterable["OutRow"], Path], int]
"""Writes rows, which may come from a generator, and says how many; what the generator raises leaves the
target as it was."""


class OutRow(NamedTuple):
    """A row to be written, and the same as JSON on one line."""

    value: dict[str, Any]
    text: str


def writer_of(path: Path, texts: Mapping[str, Role] | None = None) -> Writer:
    """The writer for a file of this name; each raises `DataError` where the file cannot be written.

    Args:
        texts: the layout's columns whose text is read as one message, and of which role. In CSV and TSV
            conversations of one message become plain text in them.
    """
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in DELIMITERS:
        return partial(write_table, delimiter=DELIMITERS[suffix], texts=texts or {})
    return write_parquet if suffix == PARQUET else write_json


def write_json(rows: Iterable[OutRow], path: Path) -> int:
    """Write JSONL, or one JSON array where the name ends in `.json`; gzipped where in `.gz`."""
    array = path.name.removesuffix(".gz").endswith(".json")
    with written(path) as file:
        return _write(rows, file, array)


def _write(rows: Iterable[OutRow], file: BufferedIOBase, array: bool) -> int:
    before, between, after = ("[\n", ",\n", "\n]\n") if array else ("", "\n", "\n")
    count = 0
    for count, row in enumerate(rows, 1):
        file.write(_utf8((before if count == 1 else between) + row.text))
    if count or array:
        file.write((after if count else "[]\n").encode())
    return count


def _utf8(text: str) -> bytes:
    """A lone surrogate in metadata has no UTF-8 form; its backslash escape is valid JSON and reads back the
    same."""
    return text.encode("utf-8", "backslashreplace")


def write_table(rows: Iterable[OutRow], path: Path, *, delimiter: str, texts: Mapping[str, Role]) -> int:
    """Write CSV or TSV: a header with the columns of all rows, lists and objects as JSON, null as nothing."""
    decoders: dict[str, Decoder] = {}

    def see(row: Mapping[str, Any]) -> None:
        for name in row:
            if name not in decoders:
                decoders[name] = decoder(name)

    with written(path) as file, tempfile.TemporaryFile(dir=path.parent) as waiting:
        count = _lay_aside(rows, waiting, see)
        text = codecs.getwriter("utf-8")(file, "backslashreplace")  # lone surrogates again
        # Python quotes the characters that end a line: with both, a lone "\r" in a cell is safe too.
        table = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
        if decoders:
            table.writerow(decoders)
        for line in _again(waiting):
            values = flattened(json.loads(line), texts, decoders)
            table.writerow([encode(values.get(name), decode) for name, decode in decoders.items()])
    return count


def write_parquet(rows: Iterable[OutRow], path: Path) -> int:
    """Write Parquet with the columns of all rows, lists and objects as such where they have one shape."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = Columns()
    with written(path) as file, tempfile.TemporaryFile(dir=path.parent) as waiting:
        count = _lay_aside(rows, waiting, columns.see)
        schema = columns.schema()
        with pq.ParquetWriter(file, schema) as parquet:
            for group in _groups(_again(waiting)):
                values = [columns.value(_parsed(line)) for line in group]
                parquet.write_batch(pa.RecordBatch.from_pylist(values, schema=schema))
    return count


def _lay_aside(rows: Iterable[OutRow], waiting: IO[bytes], see: Callable[[Mapping[str, Any]], None]) -> int:
    """Write the rows' JSON to a temporary file, show each to `see`, and say how many there were."""
    count = 0
    for row in rows:
        see(row.value)
        waiting.write(_utf8(row.text + "\n"))
        count += 1
    return count


def _again(waiting: IO[bytes]) -> Iterator[str]:
    waiting.seek(0)
    return (line.decode() for line in waiting)


def _groups(lines: Iterable[str]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for line in lines:
        group.append(line)
        size += len(line)
        if size > ROW_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _parsed(line: str) -> Any:
    row = json.loads(line)
    return _escaped(row) if LONE_SURROGATE in line.lower() else row


def _escaped(value: Any) -> Any:
    """The value with lone surrogates as their backslash escapes, since Arrow's text is UTF-8."""
    if isinstance(value, str):
        return _utf8(value).decode()
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return value
