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
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple

from ..errors import DataError
from ..records import Role
from .arrow_types import Columns
from .cells import NATIVE, VERDICTS, decoder, encode, flattened
from .files import written
from .tables import DELIMITERS

PARQUET = ".parquet"
NONE: Mapping[str, Role] = MappingProxyType({})
ROW_GROUP = 1 << 22  # characters of JSON
LONE_SURROGATE = "\\ud"  # how JSON's text of one begins

Writer = Callable[[Iterable["OutRow"], Path], int]
"""Writes rows, which may come from a generator, and says how many; what the generator raises leaves the
target as it was."""


class OutRow(NamedTuple):
    """A row to be written, and the same as JSON on one line."""

    value: dict[str, Any]
    text: str


def writer_of(path: Path, texts: Mapping[str, Role] = NONE, own: Collection[str] = ()) -> Writer:
    """The writer for a file of this name; each raises `DataError` where the file cannot be written.

    Args:
        texts: the layout's columns whose text is read as one message, and of which role. In CSV and TSV
            conversations of one message become plain text in them.
        own: the layout's columns.
    """
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in DELIMITERS:
        return partial(write_table, delimiter=DELIMITERS[suffix], texts=texts, own=own)
    return partial(write_parquet, own=own) if suffix == PARQUET else write_json


def write_json(rows: Iterable[OutRow], path: Path) -> int:
    """Write JSONL, or one JSON array where the name ends in `.json`; gzipped where in `.gz`."""
    array = path.name.removesuffix(".gz").endswith(".json")
    with written(path) as file:
        return _write(rows, file, array)


def _write(rows: Iterable[OutRow], file: BufferedIOBase, array: bool) -> int:
    before, between, after = (b"[\n", b",\n", b"\n]\n") if array else (b"", b"\n", b"\n")
    count = 0
    for count, row in enumerate(rows, 1):
        file.write(before if count == 1 else between)
        file.write(_utf8(row.text))
    if count or array:
        file.write(after if count else b"[]\n")
    return count


def _utf8(text: str) -> bytes:
    """A lone surrogate in metadata has no UTF-8 form; its backslash escape is valid JSON and reads back the
    same."""
    return text.encode("utf-8", "backslashreplace")


def write_table(
    rows: Iterable[OutRow],
    path: Path,
    *,
    delimiter: str,
    texts: Mapping[str, Role] = NONE,
    own: Collection[str] = (),
) -> int:
    """Write CSV or TSV: a header with the columns of all rows, lists and objects as JSON, null as nothing."""
    with written(path) as file, tempfile.TemporaryFile(dir=path.parent) as spool:
        waiting = _Waiting(rows, spool, path, own)
        decoders = {name: decoder(name) for name in waiting.columns}
        empty = "" if NATIVE in decoders else None  # only Heedful's own rows tell an empty text from none
        text = codecs.getwriter("utf-8")(file, "backslashreplace")  # lone surrogates again
        # Python quotes the characters that end a line: with both, a lone "\r" in a cell is safe too.
        table = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
        if decoders:
            table.writerow(decoders)
        for line in waiting:
            values = flattened(json.loads(line), texts, decoders)
            table.writerow(
                encode(values.get(name) if values.get(name) != "" else empty, decode)
                for name, decode in decoders.items()
            )
    return waiting.count


def write_parquet(rows: Iterable[OutRow], path: Path, *, own: Collection[str] = ()) -> int:
    """Write Parquet with the columns of all rows, lists and objects as such where they have one shape."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = Columns()
    with written(path) as file, tempfile.TemporaryFile(dir=path.parent) as spool:
        waiting = _Waiting(_seen(rows, columns), spool, path, own)
        schema = columns.schema()
        with pq.ParquetWriter(file, schema) as parquet:
            for group in _groups(waiting):
                values = [columns.value(_parsed(line)) for line in group]
                parquet.write_batch(pa.RecordBatch.from_pylist(values, schema=schema))
    return waiting.count


def _seen(rows: Iterable[OutRow], columns: Columns) -> Iterator[OutRow]:
    for row in rows:
        columns.see(row.value)
        yield row


class _Waiting:
    """All rows as JSON in a temporary file, to be gone through once their columns are known.

    Attributes:
        count: of the rows.
        columns: how many rows have each, in the order of their first appearance.
    """

    def __init__(self, rows: Iterable[OutRow], spool: IO[bytes], path: Path, own: Collection[str]) -> None:
        self.count = 0
        self.columns: Counter[str] = Counter()
        self._spool = spool
        for row in rows:
            self.count += 1
            self.columns.update(row.value.keys())
            spool.write(_utf8(row.text + "\n"))
        for name in VERDICTS.intersection(own) if NATIVE not in self.columns else ():
            if 0 < self.columns[name] < self.count:
                what = f'some records have a "{name}" and some have none, and a table has one for every row.'
                mend = "Write JSONL, or a table for each of the two."
                raise DataError(what, where=str(path), mend=mend)

    def __iter__(self) -> Iterator[str]:
        self._spool.seek(0)
        return (line.decode() for line in self._spool)


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
