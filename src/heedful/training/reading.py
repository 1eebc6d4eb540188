"""The records that a run learns from and is judged by: read from files or given, of a kind its stage can use.

Knows nothing of models or tokens.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from heedful import formats
from heedful.checks import registry
from heedful.checks.finding import Severity
from heedful.checks.running import run
from heedful.errors import DataError
from heedful.quarantine import Kept, Quarantined
from heedful.recipe import DataSettings
from heedful.records import Preference, Record

# From the records to learn from and those to judge by to what is taken of either.
Sift = Callable[[Sequence[Any], Sequence[Any]], Sequence[Kept[Any]]]

# What learns from a kind of record.
_COMMANDS = {
    "preference": "heedful dpo",
    "demonstration": "heedful sft",
    "ranking": "heedful reward",
    "rating": "heedful reward",
}


def gather(
    data: DataSettings,
    kinds: tuple[type[Record], ...],
    train: Sequence[Record] | None,
    held_out: Sequence[Record] | None,
    sift: Sift | None,
) -> tuple[dict[str, Kept[Any]], Sequence[Any], Sequence[Any]]:
    """What was kept and left out, by file and step, and the records to learn from and to judge by.

    Args:
        kinds: of record that the stage learns from.
        train, held_out: records in hand, in place of files.
        sift: takes of the records what the stage can learn from together; without it all.

    Raises:
        DataError: a file that cannot be read, a record of another kind, or data not as clean as asked for.
    """
    read: dict[str, Kept[Any]] = {}
    files = [data.train] if isinstance(data.train, str) else data.train
    learned: Sequence[Any] = _read_all(data, files, read) if train is None else train
    judges: Sequence[Any] = held_out or []
    if data.eval is not None:
        judges = _read_all(data, [data.eval], read)
    for given in (train, held_out):
        if isinstance(given, Kept):
            read[f"records in memory {len(read) + 1}"] = given
    _require(kinds, [*learned, *judges])
    if data.check != "off":
        rows: list[Any] = [*learned]
        sources = [read[path] for path in files] if train is None else [train]
        rows += [row for source in sources if isinstance(source, Kept) for row in source.quarantined]
        _require_clean(data.check, rows, judges, files if train is None else [])
    if sift is not None:
        learned, judges = sifted = sift(learned, judges)
        steps = zip(("records to learn from", "records to judge by"), sifted, strict=True)
        read |= {name: kept for name, kept in steps if kept.quarantined}
    return read, learned, judges


def _read_all(data: DataSettings, paths: Sequence[str], read: dict[str, Kept[Any]]) -> Kept[Record]:
    for path in paths:
        read[path] = formats.read(path, **data.reading)
    return Kept([record for path in paths for record in read[path]])


def without_ties(*parts: Sequence[Any]) -> list[Kept[Any]]:
    """Of each part all but the preferences that prefer neither side, which are quarantined as `tie`."""
    return [Kept(*_parted(records)) for records in parts]


def _parted(records: Sequence[Any]) -> tuple[list[Any], list[Quarantined]]:
    kept, ties = [], []
    for record in records:
        if isinstance(record, Preference) and record.tie:
            ties.append(Quarantined(record.id, "tie", "neither response is preferred", record))
        else:
            kept.append(record)
    return kept, ties


def _require(kinds: tuple[type[Record], ...], records: Sequence[Any]) -> None:
    """Refuse records of a kind the stage cannot learn from, before anything heavy is loaded."""
    wrong = next((record for record in records if not isinstance(record, kinds)), None)
    if wrong is None:
        return
    wanted, found = " or ".join(f"{kind.__name__.lower()}s" for kind in kinds), type(wrong).__name__.lower()
    command = _COMMANDS.get(found)
    mend = f"Train on it with: {command}" if command else None
    raise DataError(
        f"this stage learns from {wanted}, and this is a {found}.", where=wrong.id or None, mend=mend
    )


def _require_clean(
    severity: Severity, rows: Sequence[Record | Quarantined], judges: Sequence[Record], files: Sequence[str]
) -> None:
    """Refuse data in which the checks that need no model find something of this severity or worse.

    Args:
        judges: records to judge by, which must not be among those to learn from.
        files: where the rows come from; empty where they were given.
    """
    checks = registry.made(registry.CHECKS, {}, against=judges or None)
    found = run(rows, checks).at_least(severity)
    if not found:
        return
    titles = "; ".join(f"{finding.severity}: {finding.title}" for finding in found)
    report = f"heedful check {shlex.join(files)} --html report.html" if files else "heedful.check(records)"
    raise DataError(
        f"the data are not clean. {titles}.",
        where=", ".join(files) or "records in memory",
        mend=f"See the records with {report}; mend them, or train all the same with data.check=off.",
    )
