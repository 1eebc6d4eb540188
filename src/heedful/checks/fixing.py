"""A cleaned copy of checked files, without what findings take out, and beside it that with the reason.

Goes through the files a second time and holds none of their records. Knows findings and formats; what is to
be taken out is said by `Finding.removes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from heedful.checks.finding import Finding, worst
from heedful.errors import DataError
from heedful.formats import files, native, write
from heedful.quarantine import Quarantined, as_line
from heedful.records import Judgement, Record

REMOVED = ".removed.jsonl"


@dataclass(frozen=True, slots=True)
class Fixed:
    """What became of the rows: `read == written + sum(removed.values())`.

    Attributes:
        removed: rows that were taken out, by the finding's code or why they could not be read or written.
        lost: what the layout has no place for, with the number of records written without it.
        path: the cleaned file, and `format` its layout; `beside` what was taken out.
    """

    written: int
    removed: Mapping[str, int]
    lost: Mapping[str, int]
    path: Path
    format: str
    beside: Path

    @property
    def read(self) -> int:
        return self.written + sum(self.removed.values())


def removed_path(path: Path) -> Path:
    """Where what was taken out is written: `pairs.removed.jsonl` beside `pairs.jsonl`."""
    return path.with_name(files.stem(path) + REMOVED)


def mended(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that taking records out is a mend for."""
    return [finding for finding in findings if finding.removes is not None]


def fix(
    records: Iterable[Record | Quarantined], findings: Sequence[Finding], path: Path, *, format: str
) -> Fixed:
    """Write the records that no finding takes out to `path`, and the others to `removed_path(path)`.

    A line of what was taken out is `{where, reason, detail, raw}`: the record's id, the code and title of the
    worst finding that names it, and the record as a row of Heedful's own format; of a row that could not be
    read, what the quarantine says.

    Args:
        records: the same as were checked, in the same order; may be a generator.
        format: the layout to write.

    Raises:
        DataError: a file cannot be written, or the records are not those that were checked.
    """
    reasons = {
        index: finding for finding in reversed(worst(mended(findings))) for index in finding.removes or ()
    }
    removed: Counter[str] = Counter()
    beside = removed_path(path)
    with files.written(beside) as out:
        done = write(_kept(records, reasons, out, removed), path, format=format, strict=False)
        for row in done.left_out:
            _put(out, removed, row.where, row.reason, row.detail, native.dump(row.raw))
    return Fixed(done.rows, dict(removed), dict(done.lost), path, format, beside)


def _kept(
    records: Iterable[Record | Quarantined],
    reasons: Mapping[int, Finding],
    out: BufferedIOBase,
    removed: Counter[str],
) -> Iterator[Record]:
    """The records that stay; the others are written to `out` and counted on the way."""
    index = -1
    for record in records:
        if isinstance(record, Quarantined):
            _put(out, removed, record.where, record.reason, record.detail, record.raw)
            continue
        index += 1
        if finding := reasons.get(index):
            name = record.item if isinstance(record, Judgement) else record.id
            _put(out, removed, name, finding.code, f"{finding.title}. {finding.why}", native.dump(record))
        else:
            yield record
    if index < max(reasons, default=-1):
        raise DataError("the data have changed since they were checked.", mend="Check and fix them again.")


def _put(
    out: BufferedIOBase, removed: Counter[str], where: str, reason: str, detail: str, raw: object
) -> None:
    removed[reason] += 1
    out.write(as_line(Quarantined(where, reason, detail, raw)))
