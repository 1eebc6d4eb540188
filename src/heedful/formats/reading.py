"""`read` and `stream`: a file in, records out, with every row accounted for.

Joins what the other modules know: rows of files, the registry of formats, the records. The checks that hold
for a record from any format (nothing empty, sides not equal) stand in `sound`, once.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from ..errors import DataError
from ..quarantine import Kept, Quarantined
from ..records import Record
from .fields import LAYOUT_REASONS, Fault, Fields, Origin
from .format import Format
from .raw import RawRow
from .registry import Recognised, by_name, claims, names, recognise
from .rows import rows
from .sound import check

SAMPLE_ROWS = 20
NAMED_WITHIN = ("data", "fields")
"""Objects in a row (of Label Studio, of Argilla) whose keys are the user's own and can be renamed too."""

COLUMNS = (
    "prompt", "response", "chosen", "rejected", "response_a", "response_b", "score", "label", "margin",
    "annotator", "system", "id", "source",
)  # fmt: skip
"""What a column of any other name can be said to be."""

BadLines = Literal["error", "quarantine"]


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
    bad_lines: BadLines = "error",
) -> Kept[Record]:
    """Read the records of a file; `counts` of the result says how many were left out, and why.

    A row that holds several records (a conversation tree, four rated completions) counts as so many.

    Args:
        path: JSONL, one JSON array, CSV, TSV or Parquet, plain or gzipped; a dataset folder or hub id.
        format: one of `registry.names()`. None: recognised from the first 20 rows that are JSON objects.
        columns: what the file's own column names are for, `{"prompt": "question"}`; keys are of `COLUMNS`.
        encoding: the text's, by Python's name.
        limit: read at most so many rows (kept or not).
        bad_lines: what to do with a line that is not JSON, or a table's row that does not fit its header:
            stop, or quarantine it as `not_json` or `broken_row`. A JSON array that does not parse is always
            an error.

    Raises:
        DataError: the file cannot be read, its layout is not recognised or ambiguous, no row fits the layout,
            or a row was written by a newer Heedful.
    """
    source = stream(path, format=format, columns=columns, encoding=encoding, limit=limit, bad_lines=bad_lines)
    kept: list[Record] = []
    left_out: list[Quarantined] = []
    with _no_collector():
        for outcome in source:
            if isinstance(outcome, Quarantined):
                left_out.append(outcome)
            else:
                kept.append(outcome)
        return Kept(kept, left_out)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without Python's collector of cycles: records make none, and it would go through all that were read
    again and again, for a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Stream:
    """The records of a file one at a time, those that were left out among them; gone through once.

    Attributes:
        format: the file's.
        recognised: why it is taken to be that; None where it was named.
        sample: the first rows as they stand in the file, by which it was recognised.
    """

    def __init__(
        self,
        path: Path,
        lines: Iterator[RawRow],
        format: Format,
        recognised: Recognised | None,
        sample: Sequence[Fields],
    ) -> None:
        self.format = format
        self.recognised = recognised
        self.sample = sample
        self._path = path
        self._lines = lines

    def __iter__(self) -> Iterator[Record | Quarantined]:
        """Raises `DataError` at the end where not one row fitted the format."""
        unfit: list[Quarantined] = []
        fits = False
        count = 0
        source = self._path.name
        for row in self._lines:
            for outcome in _outcomes(row, self.format, source):
                if not fits:
                    count += 1
                    if isinstance(outcome, Quarantined) and outcome.reason in LAYOUT_REASONS:
                        if len(unfit) < SAMPLE_ROWS:
                            unfit.append(outcome)
                    else:
                        fits = True
                yield outcome
        if not fits:
            raise _wrong_layout(self.format, unfit, count, self._path)


def stream(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
    bad_lines: BadLines = "error",
) -> Stream:
    """The records of a file without holding them all; arguments and errors are those of `read`."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if bad_lines not in ("error", "quarantine"):
        raise ValueError(f"bad_lines must be 'error' or 'quarantine', not {bad_lines!r}")
    path = Path(path).expanduser()
    chosen = by_name(format) if format is not None else None
    named = _names_of(columns or {})
    lines: Iterator[RawRow] = islice(_checked(rows(path, encoding, named), bad_lines), limit)
    if named:
        lines = _renamed(lines, named)
    ahead, sample = _sampled(lines)
    lines = chain(ahead, lines)
    if chosen is not None:
        return Stream(path, lines, chosen, None, sample)
    if not sample:
        raise _no_objects(ahead, path)
    recognised = recognise(sample, str(path))
    return Stream(path, lines, recognised.format, recognised, sample)


def _checked(lines: Iterator[RawRow], bad_lines: BadLines) -> Iterator[RawRow]:
    for row in lines:
        if row.broken and bad_lines == "error":
            mend = "Mend it, or leave such lines out: --bad-lines quarantine (data.bad_lines=quarantine)."
            raise DataError(f"{row.broken}.", where=row.where, mend=mend)
        yield row


def _names_of(columns: Mapping[str, str]) -> dict[str, str]:
    """The file's column names and what they are for."""
    if unknown := columns.keys() - set(COLUMNS):
        what = f'there is no column "{min(unknown)}" to be named.'
        raise DataError(what, mend=f"Columns that can be named: {', '.join(COLUMNS)}.")
    names = {own: meant for meant, own in columns.items()}
    if len(names) < len(columns):
        raise DataError("one column of the file is named for two things.", mend="Name it once.")
    return names


def _renamed(lines: Iterator[RawRow], names: Mapping[str, str]) -> Iterator[RawRow]:
    for row in lines:
        if isinstance(row.value, dict):
            value = _rename(row.value, names)
            for inner in NAMED_WITHIN:
                if isinstance(value.get(inner), dict):
                    value[inner] = _rename(value[inner], names)
            row = row._replace(value=value)
        yield row


def _rename(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields under the names Heedful reads; one that had such a name before makes way."""
    taken = {meant for own, meant in names.items() if own in fields}
    return {names.get(key, key): value for key, value in fields.items() if key in names or key not in taken}


def _sampled(lines: Iterator[RawRow]) -> tuple[list[RawRow], list[Fields]]:
    """The file's first rows, and those of them that are objects."""
    ahead: list[RawRow] = []
    sample: list[Fields] = []
    for row in lines:
        ahead.append(row)
        if isinstance(row.value, dict) and row.value:
            sample.append(row.value)
        if len(sample) == SAMPLE_ROWS:
            break
    return ahead, sample


def _no_objects(ahead: Sequence[RawRow], path: Path) -> DataError:
    broken = next((row for row in ahead if row.broken), None)
    first = f" The first, {broken.where}: {broken.broken}." if broken else ""
    what = f"no row is a JSON object with keys.{first}"
    return DataError(what, where=str(path), mend='Each row must be an object such as {"prompt": ...}.')


def _outcomes(row: RawRow, chosen: Format, source: str) -> Sequence[Record | Quarantined]:
    """What a row comes to: a record, several, or why there is none."""
    try:
        if row.broken:
            raise Fault(row.reason, row.broken)
        if not isinstance(row.value, dict):
            raise Fault("not_an_object", "the row is not a JSON object")
        outcome = chosen.parse(row.value, Origin(row.where, row.id, source))
        if isinstance(outcome, Record):
            check(outcome)
            return (outcome,)
    except Fault as fault:
        return (Quarantined(row.where, fault.reason, fault.detail, row.value),)
    return [_sound(found, row) for found in outcome]


def _sound(found: Record | Fault, row: RawRow) -> Record | Quarantined:
    """One of the records that a row holds."""
    try:
        if isinstance(found, Fault):
            raise found
        check(found)
    except Fault as fault:
        raw = row.value if fault.part is None else fault.part
        return Quarantined(row.where, fault.reason, fault.detail, raw)
    return found


def _wrong_layout(chosen: Format, unfit: list[Quarantined], count: int, path: Path) -> DataError:
    """No row fits: an empty result would look like a file of the right layout without one good row."""
    raws = [row.raw for row in unfit if isinstance(row.raw, dict)]
    others = Counter(name for raw in raws for name in claims(raw) if name != chosen.name)
    like = f"They look like {others.most_common(1)[0][0]}. " if others else ""
    first = f"The first, {unfit[0].where}: {unfit[0].detail}." if unfit else ""
    return DataError(
        f'wrong layout: no row of {count} fits "{chosen.name}". {first}',
        where=str(path),
        mend=f"{like}Name another layout with --format {'|'.join(names())}, or none to have it recognised.",
    )
