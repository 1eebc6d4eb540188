"""`read`: a file in, records out, with every row accounted for.

Joins what the other modules know: rows of files, the registry of formats, the records. The checks that hold
for a record from any format (nothing empty, sides not equal) stand here, once.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from ..errors import DataError
from ..quarantine import Kept, Quarantined
from ..records import Demonstration, Feedback, Judgement, Messages, Preference, Ranking, Rating, Record
from .fields import LAYOUT_REASONS, Fault, Origin
from .files import RawRow, rows
from .registry import FORMATS, Format, by_name, claims, recognise

SAMPLE_ROWS = 20

BadLines = Literal["error", "quarantine"]


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    limit: int | None = None,
    bad_lines: BadLines = "error",
) -> Kept[Record]:
    """Read the records of a file; `counts` of the result says how many rows were left out, and why.

    Args:
        path: JSONL or one JSON array, plain or gzipped, in UTF-8; told apart by content.
        format: one of `names()`. None: recognised from the first 20 rows that are JSON objects.
        limit: read at most so many rows (kept or not).
        bad_lines: what to do with a line that is not JSON: stop, or quarantine it as `not_json`. A JSON array
            that does not parse is always an error.

    Raises:
        DataError: the file cannot be read, its layout is not recognised or ambiguous, no row fits the layout,
            or a row was written by a newer Heedful.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if bad_lines not in ("error", "quarantine"):
        raise ValueError(f"bad_lines must be 'error' or 'quarantine', not {bad_lines!r}")
    path = Path(path).expanduser()
    chosen = by_name(format) if format is not None else None
    lines: Iterator[RawRow] = islice(_checked(rows(path), bad_lines), limit)
    if chosen is None:
        chosen, lines = _recognised(lines, path)
    kept: list[Record] = []
    left_out: list[Quarantined] = []
    for row in lines:
        result = _record(row, chosen, path)
        if isinstance(result, Quarantined):
            left_out.append(result)
        else:
            kept.append(result)
    if not kept and all(row.reason in LAYOUT_REASONS for row in left_out):
        raise _wrong_layout(chosen, left_out, path)
    return Kept(kept, left_out)


def _checked(lines: Iterator[RawRow], bad_lines: BadLines) -> Iterator[RawRow]:
    for row in lines:
        if row.broken and bad_lines == "error":
            mend = "Mend the line, or leave such lines out with bad_lines=quarantine."
            raise DataError(f"{row.broken}.", where=row.where, mend=mend)
        yield row


def _recognised(lines: Iterator[RawRow], path: Path) -> tuple[Format, Iterator[RawRow]]:
    """The file's format and all its rows again: the sample is kept, so that the file is read once."""
    ahead: list[RawRow] = []
    samples = []
    for row in lines:
        ahead.append(row)
        if isinstance(row.value, dict) and row.value:
            samples.append(row.value)
        if len(samples) == SAMPLE_ROWS:
            break
    if not samples:
        what = "no row is a JSON object with keys."
        raise DataError(what, where=str(path), mend='Each row must be an object such as {"prompt": ...}.')
    return recognise(samples, str(path)), chain(ahead, lines)


def _record(row: RawRow, chosen: Format, path: Path) -> Record | Quarantined:
    try:
        if row.broken:
            raise Fault("not_json", row.broken)
        if not isinstance(row.value, dict):
            raise Fault("not_an_object", "the row is not a JSON object")
        record = chosen.parse(row.value, Origin(row.where, row.id, path.name))
        check(record)
    except Fault as fault:
        return Quarantined(row.where, fault.reason, fault.detail, row.value)
    return record


def _wrong_layout(chosen: Format, left_out: list[Quarantined], path: Path) -> DataError:
    """No row fits: an empty result would look like a file of the right layout without one good row."""
    raws = [row.raw for row in left_out if isinstance(row.raw, dict)]
    others = Counter(name for raw in raws for name in claims(raw) if name != chosen.name)
    like = f"They look like {others.most_common(1)[0][0]}. " if others else ""
    first = f"The first, {left_out[0].where}: {left_out[0].detail}."
    return DataError(
        f'wrong layout: no row of {len(left_out)} fits "{chosen.name}". {first}',
        where=str(path),
        mend=f"{like}Name another layout with --format {'|'.join(FORMATS)}, or none to have it recognised.",
    )


def check(record: Record) -> None:
    """Raise `Fault` for a record nobody can learn from: an empty prompt or response, or two equal sides."""
    if isinstance(record, Judgement):
        return
    if not any(message.content.strip() for message in record.prompt):
        raise Fault("empty_prompt", "the prompt is empty")
    if isinstance(record, Preference):
        for side, messages in (("chosen", record.chosen), ("rejected", record.rejected)):
            if _blank(messages):
                raise Fault(f"empty_{side}", f'"{side}" is empty')
        if folded(record.chosen) == folded(record.rejected):
            raise Fault("equal_sides", "chosen and rejected are the same but for spacing and letter forms")
    elif isinstance(record, Demonstration | Feedback | Rating):
        if _blank(record.response):
            raise Fault("empty_response", "the response is empty")
    elif isinstance(record, Ranking) and any(_blank(response) for response in record.responses):
        raise Fault("empty_response", "one of the responses is empty")


def _blank(messages: Messages) -> bool:
    """Whether the reply that is to be judged or learned, its last message, says nothing."""
    return not messages or not messages[-1].content.strip()


def folded(messages: Messages) -> list[tuple[str, str]]:
    """Messages as compared for equality: NFKC, stripped, every run of whitespace one space."""
    return [(m.role, " ".join(unicodedata.normalize("NFKC", m.content).split())) for m in messages]
