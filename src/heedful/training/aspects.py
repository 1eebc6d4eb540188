"""One score stands for one aspect: which of a run's ratings a reward model learns from and is judged by.

Knows records only; preferences and rankings are of no aspect and go through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from heedful.errors import DataError
from heedful.quarantine import Kept, Quarantined
from heedful.records import Rating

KEY = "objective.aspect"


def of_one_aspect(wanted: str | None, *parts: Sequence[Any]) -> list[Kept[Any]]:
    """The records of each part, without ratings of another aspect than `wanted` (`other_aspect`).

    Args:
        wanted: None where all ratings are of one.

    Raises:
        DataError: the ratings are of several aspects and none is wanted, or none is of that one.
    """
    counts = Counter(record.aspect for part in parts for record in part if isinstance(record, Rating))
    told = ", ".join(f"{aspect} {count}" for aspect, count in counts.most_common())
    if wanted is None and len(counts) > 1:
        what = f"the ratings are of {len(counts)} aspects ({told}), and one score can stand for one only."
        mend = f"Pick one with {KEY}={next(iter(counts))}; ratings of the others are then left out."
        raise DataError(what, mend=mend)
    if wanted is not None and wanted not in counts:
        what = f"no rating is of the aspect {wanted} (found: {told or 'no ratings'})."
        raise DataError(what, where=KEY, mend="Name one that there is, or leave the key out.")
    return [_of(wanted, part) for part in parts]


def _of(wanted: str | None, records: Sequence[Any]) -> Kept[Any]:
    kept: list[Any] = []
    left_out: list[Quarantined] = []
    for record in records:
        if wanted is not None and isinstance(record, Rating) and record.aspect != wanted:
            detail = f"a rating of {record.aspect}, not of {wanted}"
            left_out.append(Quarantined(record.id, "other_aspect", detail, record))
        else:
            kept.append(record)
    return Kept(kept, left_out)
