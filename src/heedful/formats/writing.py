"""`write`: records out to a file in a named format, whole or not at all.

What a format has no place for is never lost silently: `strict` refuses it before anything is written, and
otherwise it is counted, and records that cannot be held at all are handed back.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..quarantine import Quarantined
from ..records import Judgement, Preference, Record
from .format import NUMBERS, Format, Unfit
from .registry import by_name, writable
from .writers import OutRow, writer_of

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_MEND = 'Leave the record out, or write the format "heedful", which holds every kind.'


@dataclass(slots=True)
class Written:
    """What became of the records.

    Attributes:
        rows: how many were written.
        lost: records whose `margin`, `probability`, `weight`, `id`, `source` or `metadata.NAME` the format
            has no place for, by what was lost; they were written without it.
        left_out: records that the format cannot hold, with the reason; the raw row is the record itself.
    """

    rows: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    left_out: list[Quarantined] = field(default_factory=list)


def write(
    records: Iterable[Record],
    path: str | os.PathLike[str],
    *,
    format: str = "heedful",
    strict: bool = True,
    left_out: Callable[[Quarantined], None] | None = None,
) -> Written:
    """Write records to a file: JSONL, or by the file's name a JSON array (`.json`), CSV, TSV or Parquet;
    gzipped where it ends in `.gz`.

    The file appears whole or not at all; folders on the way to it are made. A record's id, source and
    metadata are written as further columns where the format allows some; where it does not (OpenAI's service
    refuses unknown keys) they stay behind and are counted as lost.

    Args:
        records: may be a generator; it is gone through once.
        format: one of `registry.writable()`.
        strict: refuse a record that the format cannot hold, or whose margin, weight or probability it cannot;
            otherwise go on and count.
        left_out: takes each record that the format cannot hold, with the reason, as it comes; they are then
            not held in the result.

    Raises:
        DataError: the format is unknown or only read, the file cannot be written, or `strict` and a record
            does not fit.
    """
    target = by_name(format)
    if target.dump is None:
        mend = f"Formats to write: {', '.join(writable())}."
        raise DataError(f'the format "{format}" is read but not written.', mend=mend)
    path = Path(path).expanduser()
    written = Written()
    put = left_out or written.left_out.append
    written.rows = writer_of(path, target.texts, target.reserved)(
        _rows(records, target, strict, written.lost, put), path
    )
    return written


def _rows(
    records: Iterable[Record],
    target: Format,
    strict: bool,
    lost: Counter[str],
    left_out: Callable[[Quarantined], None],
) -> Iterator[OutRow]:
    for number, record in enumerate(records, 1):
        if not isinstance(record, Record):
            raise TypeError(f"record {number} is a {type(record).__name__}, not one of heedful.records")
        where = (record.item if isinstance(record, Judgement) else record.id) or f"record {number}"
        try:
            fitted, without = _fitted(record, target, strict)
            row = _row(fitted, target)
            text = _JSON.encode(row)
        except (Unfit, TypeError, ValueError, RecursionError) as error:
            unfit = error if isinstance(error, Unfit) else _not_json(error)
            if strict:
                raise DataError(f"{unfit.detail}.", where=where, mend=_MEND) from None
            left_out(Quarantined(where, unfit.reason, unfit.detail, record))
        else:
            if without:
                lost.update(without)
            yield OutRow(row, text)


def _not_json(error: Exception) -> Unfit:
    return Unfit("not_json", f"cannot be written as JSON, most likely for its metadata: {error}")


def _fitted(record: Record, target: Format, strict: bool) -> tuple[Record, list[str]]:
    """The record without what the format has no place for, and what that was."""
    lost = []
    if isinstance(record, Preference) and record.tie and "probability" not in target.carries:
        raise Unfit("tie", f'the record is a tie, and the format "{target.name}" has no probability')
    for name in sorted(NUMBERS - target.carries):
        value, without = getattr(record, name, None), 1.0 if name == "weight" else None
        if value is None or value == without:
            continue
        if strict:
            what = f'the format "{target.name}" has no {name}, and the record\'s is {value:g}'
            raise Unfit("number", what)
        lost.append(name)
        record = dataclasses.replace(record, **{name: without})  # type: ignore[arg-type]  # it has the name
    if not target.whole and not target.columns and not isinstance(record, Judgement):
        lost += [name for name in ("id", "source") if getattr(record, name)]
        lost += [f"metadata.{name}" for name in record.metadata if name not in target.keeps]
    return record, lost


def _row(record: Record, target: Format) -> dict[str, Any]:
    assert target.dump is not None
    row = target.dump(record)
    if not target.columns or isinstance(record, Judgement):
        return row
    for name in record.metadata:
        if name in target.reserved or name in ("id", "source"):
            raise Unfit("column", f'the metadata hold "{name}", which is a column of "{target.name}"')
    own = {"id": record.id, "source": record.source}
    return row | {key: value for key, value in own.items() if value} | dict(record.metadata)
