"""`write`: records out to a file in a named format, whole or not at all.

A record that the format cannot hold is an error and leaves no file: nothing is dropped silently.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..records import Judgement, Ranking, Rating, Record
from .files import write_rows
from .registry import FORMATS, Format, by_name


def write(records: Iterable[Record], path: str | os.PathLike[str], *, format: str = "heedful") -> int:
    """Write records as JSONL (a JSON array where the name ends in `.json`), gzipped where it ends in `.gz`.

    The file appears whole or not at all; folders on the way to it are made. A record's id, source and
    metadata are written as further columns where the format allows some (TRL, Alpaca, ShareGPT); OpenAI's
    service refuses unknown keys, so there they stay behind.

    Returns:
        How many rows were written.

    Raises:
        DataError: the format is unknown or only read, a record does not fit into it, or the file cannot be
            written.
    """
    target = by_name(format)
    if target.dump is None:
        writable = ", ".join(name for name, entry in FORMATS.items() if entry.dump)
        raise DataError(
            f'the format "{format}" is read but not written.', mend=f"Formats to write: {writable}."
        )
    return write_rows(_texts(records, target), Path(path).expanduser())


def _texts(records: Iterable[Record], target: Format) -> Iterator[str]:
    for number, record in enumerate(records, 1):
        if not isinstance(record, Record):
            raise TypeError(f"record {number} is a {type(record).__name__}, not one of heedful.records")
        where = (record.item if isinstance(record, Judgement) else record.id) or f"record {number}"
        try:
            yield json.dumps(_row(record, target), ensure_ascii=False, allow_nan=False)
        except DataError as error:
            mend = (
                error.mend or 'Leave the record out, or write the format "heedful", which holds every kind.'
            )
            raise DataError(error.what, where=where, mend=mend) from None
        except (TypeError, ValueError, RecursionError) as error:
            mend = "Change that value of the record, most likely in its metadata."
            raise DataError(f"cannot be written as JSON: {error}.", where=where, mend=mend) from None


def _row(record: Record, target: Format) -> dict[str, Any]:
    assert target.dump is not None
    row = target.dump(record)
    weight = getattr(record, "weight", 1.0)
    if weight != 1.0 and not target.weighted:
        raise DataError(f'the format "{target.name}" has no weight, and the record\'s is {weight:g}.')
    probability = getattr(record, "probability", None)
    if probability is not None and not target.soft:
        raise DataError(
            f'the format "{target.name}" has no probability, and the record\'s is {probability:g}.'
        )
    if not target.columns or isinstance(record, Rating | Ranking | Judgement):
        return row
    if taken := record.metadata.keys() & (target.reserved | {"id", "source"}):
        raise DataError(f'the metadata hold "{min(taken)}", which is a column of the format "{target.name}".')
    own = {"id": record.id, "source": record.source}
    return row | {key: value for key, value in own.items() if value} | dict(record.metadata)
