"""Rows of Parquet files and of Arrow tables, a batch at a time.

Values become what JSON has: lists and structs are lists and objects, times are ISO 8601 text, decimals
numbers; NaN, with which pandas marks what is missing, is null. A null of a column is a missing value, as an
empty cell of a table is. Knows nothing of layouts.
"""

from __future__ import annotations

import json
import math
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import DataError
from .cells import NATIVE, VERDICTS
from .files import copy_bytes, stem
from .raw import RawRow

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
BATCH_ROWS = 1024
AS_JSON = (b"heedful", b"json")
"""The mark, in a column's Arrow metadata, of values that were written as their JSON text."""


def rows(path: Path) -> Iterator[RawRow]:
    """The rows of a Parquet file, zipped or not, in order.

    Raises:
        DataError: the file is cut off, damaged or without rows.
    """
    import pyarrow.parquet as pq

    any_row = False
    with _seekable(path) as file, readable(str(path)):
        for row in of_batches(pq.ParquetFile(file).iter_batches(BATCH_ROWS), str(path), stem(path)):
            any_row = True
            yield row
    if not any_row:
        raise DataError("the file holds no rows.", where=str(path))


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn what Arrow raises for a damaged file into a `DataError`."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        what = f"it is cut off or damaged: {why}."
        raise DataError(what, where=where, mend="Download or write it again.") from None


@contextmanager
def _seekable(path: Path) -> Iterator[BinaryIO]:
    """The file, unzipped into a temporary one where it is zipped: Parquet is read from its end."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            yield file
            return
    with tempfile.TemporaryFile() as plain:
        copy_bytes(path, plain)
        plain.seek(0)
        yield plain


def of_batches(batches: Iterable[pa.RecordBatch], where: str, name: str) -> Iterator[RawRow]:
    """The rows of batches of one schema.

    Args:
        where: what the rows' places begin with: the file.
        name: what the rows' ids begin with.
    """
    number = 0
    readers: list[tuple[str, Callable[[Any], Any] | None]] = []
    for batch in batches:
        readers = readers or [(field.name, _reader(field)) for field in batch.schema]
        columns = []
        for (_, reader), column in zip(readers, batch.columns, strict=True):
            values = column.to_pylist()
            columns.append(values if reader is None else [v if v is None else reader(v) for v in values])
        names = [column for column, _ in readers]
        kept_empty = frozenset() if NATIVE in names else VERDICTS
        for values in zip(*columns, strict=True):
            number += 1
            row = {
                key: value
                for key, value in zip(names, values, strict=True)
                if value is not None or key in kept_empty
            }
            yield RawRow(f"{where} row {number}", f"{name}:{number}", row)


def _reader(field: pa.Field) -> Callable[[Any], Any] | None:
    """What makes JSON's value of one of this column's; None where it is one already."""
    key, value = AS_JSON
    if (field.metadata or {}).get(key) == value:
        return json.loads
    return None if _is_plain(field.type) else _json_value


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return all(_is_plain(kind.field(place).type) for place in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type)
    plain = pa.types.is_boolean, pa.types.is_integer, pa.types.is_string, pa.types.is_large_string
    return any(test(kind) for test in plain)


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return int(value) if whole else _json_value(float(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return _bytes(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def _bytes(value: bytes) -> str:
    """Text where it is UTF-8, base64 where it is not (a picture)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()
