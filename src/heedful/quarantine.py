"""Nothing is dropped silently: rows that were kept, rows that were not, and counts that add up.

Every step that can leave a row out returns a `Kept`: a sequence of what went through, with the rest beside
it, each with a reason code. `counts.read == counts.kept + sum(counts.quarantined.values())` always holds,
because the counts are derived from the two lists and stored nowhere else.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from heedful.errors import DataError

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that was left out.

    Attributes:
        where: `file:line`, `file:row N` or a record id.
        reason: a short code, the same for all rows with this fault (`equal_sides`, `empty_chosen`, ...).
        detail: one sentence for a person.
        raw: the row as it came.
    """

    where: str
    reason: str
    detail: str
    raw: Any


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows were read, kept, and left out by reason."""

    read: int
    kept: int
    quarantined: dict[str, int]

    def __str__(self) -> str:
        text = f"{self.read} read, {self.kept} kept"
        if self.quarantined:
            reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(self.quarantined.items()))
            text += f", {sum(self.quarantined.values())} quarantined ({reasons})"
        return text


class Kept(Sequence[T], Generic[T]):
    """The rows that went through a step, in order; what was left out stands in `quarantined`."""

    def __init__(self, kept: Sequence[T], quarantined: Sequence[Quarantined] = ()) -> None:
        self._kept = list(kept)
        self.quarantined = list(quarantined)

    @property
    def counts(self) -> Counts:
        reasons = Counter(row.reason for row in self.quarantined)
        return Counts(len(self._kept) + len(self.quarantined), len(self._kept), dict(reasons))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._kept[index]

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.counts}>"


def as_line(row: Quarantined) -> bytes:
    """A left-out row as a line of JSONL, `{where, reason, detail, raw}`; half a surrogate pair, which has no
    UTF-8 form, stays the backslash escape that it is in JSON."""
    entry = {"where": row.where, "reason": row.reason, "detail": row.detail, "raw": row.raw}
    return (json.dumps(entry, ensure_ascii=False, default=str) + "\n").encode("utf-8", "backslashreplace")


def write_quarantine(rows: Sequence[Quarantined], path: str | os.PathLike[str]) -> None:
    """Write left-out rows as JSONL `{where, reason, detail, raw}`, so that they can be mended and read again.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(map(as_line, rows))
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}.", where=str(path)) from error
