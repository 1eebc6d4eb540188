"""`convert`: records of one layout, or of several, to a file of another, in one pass and flat memory.

What does not get there stands beside the file: records that the layout cannot hold as rows of Heedful's own
format, which can be converted again, and rows that could not be read with the reason.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from ..errors import DataError
from ..quarantine import Quarantined, as_line
from ..records import Record
from . import native
from .files import stem, written
from .writing import write

LEFT_OUT = ".left-out.jsonl"
QUARANTINED = ".quarantined.jsonl"


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of the rows: `read == written + sum(left_out.values()) + sum(quarantined.values())`.

    Attributes:
        left_out: records that the layout cannot hold, by reason.
        quarantined: rows that could not be read, by reason.
        lost: what the layout has no place for, with the number of records written without it.
    """

    written: int
    left_out: Counter[str]
    quarantined: Counter[str]
    lost: Counter[str]

    @property
    def read(self) -> int:
        return self.written + self.left_out.total() + self.quarantined.total()


def beside(path: Path) -> tuple[Path, Path]:
    """Where records that the layout cannot hold are written, and where rows that could not be read."""
    return path.with_name(stem(path) + LEFT_OUT), path.with_name(stem(path) + QUARANTINED)


def convert(
    outcomes: Iterable[Record | Quarantined],
    path: str | os.PathLike[str],
    *,
    format: str,
    strict: bool = False,
) -> Converted:
    """Write records to `path`, and what cannot be written beside it (`beside`), where there is any.

    Args:
        outcomes: of one `stream`, or of several.
        format: one of `registry.writable()`.
        strict: refuse what would be left out or lose a number, and rows that could not be read.

    Raises:
        DataError: as `write`; `strict` and a row could not be read.
    """
    path = Path(path).expanduser()
    with ExitStack() as open_files:
        left_out, quarantined = (_Beside(name, open_files) for name in beside(path))

        def kept() -> Iterator[Record]:
            for outcome in outcomes:
                if not isinstance(outcome, Quarantined):
                    yield outcome
                elif strict:
                    mend = "Mend the row, or go on without it by leaving out --strict."
                    raise DataError(f"{outcome.detail}.", where=outcome.where, mend=mend)
                else:
                    quarantined.put(outcome.reason, as_line(outcome))

        done = write(
            kept(),
            path,
            format=format,
            strict=strict,
            left_out=lambda row: left_out.put(row.reason, _native_line(row)),
        )
    for other in (left_out, quarantined):
        if not other.counts:
            other.path.unlink(missing_ok=True)  # of an earlier run, of whose file nothing is left
    return Converted(done.rows, left_out.counts, quarantined.counts, done.lost)


class _Beside:
    """A file that is there only if something is put into it; whole or not at all."""

    def __init__(self, path: Path, open_files: ExitStack) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._open_files = open_files
        self._file: BufferedIOBase | None = None

    def put(self, reason: str, line: bytes) -> None:
        if self._file is None:
            self._file = self._open_files.enter_context(written(self.path))
        self._file.write(line)
        self.counts[reason] += 1


def _native_line(row: Quarantined) -> bytes:
    """A record that was not written, as a row of Heedful's own format."""
    try:
        return (json.dumps(native.dump(row.raw), ensure_ascii=False) + "\n").encode(
            "utf-8", "backslashreplace"
        )
    except (TypeError, ValueError, RecursionError) as error:
        mend = "Leave the record out of what is converted."
        raise DataError(f"cannot be written in any layout: {error}.", where=row.where, mend=mend) from None
