"""What leaves a project as files: the raw log, items and votes as records, or the preferences they come to.

An export is made of the log up to one of its rows and of nothing later: asked for again with that row, it
gives the same bytes, whatever was added meanwhile. What it was made of stands beside it (`beside`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from heedful import formats
from heedful.collect.exchange.as_records import candidates, is_pair, judgement, records, skipped
from heedful.collect.exchange.importing import IMPORTED
from heedful.collect.exchange.outcomes import outcomes
from heedful.collect.exchange.wish import OWN, Wish
from heedful.collect.exchange.words import Word, left_out, names_of, pseudonyms_of, row, words
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Kind
from heedful.collect.store.project import Project
from heedful.errors import DataError
from heedful.formats.files import stem, written
from heedful.formats.writers import OutRow, writer_of
from heedful.formats.writing import Written
from heedful.quarantine import Counts, Quarantined
from heedful.records import Record

BESIDE = ".export.json"
ADJUDICATIONS: tuple[Kind, ...] = ("adjudication",)
LEFT_OUT = {
    "gold": "the item's answer is known: it is there to test people, and kept by --with-gold",
    "calibration": "the item is of the calibration round, and kept by --with-gold",
    "flagged": "somebody flagged the item so",
}
_JSON = json.JSONEncoder(ensure_ascii=False)
_LOG = schema.judgements


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        until: the last row of the log that it was made of, 0 of an empty one; asked for it again, an export
            is the same.
        used: rows of the log (of `judgements`), or standing votes and adjudications, that went in.
        quarantined: the others, each with a reason.
        written: how many rows there are, and what the layout has no place for.
        sha256: of the file.
    """

    wish: Wish
    until: int
    used: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    written: Written = field(default_factory=Written)
    sha256: str = ""

    @property
    def counts(self) -> Counts:
        """Of what went in; they add up."""
        reasons = Counter(row.reason for row in self.quarantined)
        return Counts(self.used + len(self.quarantined), self.used, dict(reasons))

    def told(self) -> dict[str, Any]:
        """All of it, as JSON has it; no times, so that it too is always the same."""
        counts = self.counts
        return {
            "heedful": version("heedful"),
            "what": self.wish.what,
            "until": self.until,
            "sha256": self.sha256,
            "rows": self.written.rows,
            "read": counts.read,
            "used": counts.kept,
            "left_out": counts.quarantined,
            "lost": dict(self.written.lost),
            "not_written": dict(Counter(row.reason for row in self.written.left_out)),
            "settings": dataclasses.asdict(dataclasses.replace(self.wish, until=self.until)),
        }


def beside(path: Path) -> Path:
    """Where it is written what an export was made of."""
    return path.with_name(stem(path) + BESIDE)


def export(project: Project, path: Path, wish: Wish) -> Exported:
    """Write a file and, beside it, what it was made of. Each appears whole or not at all.

    The file's name says how it is wrapped, as everywhere: `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet`,
    each also `.gz`.

    Raises:
        DataError: the wish cannot be met, or a file not be written.
    """
    _check(project.settings, wish)
    with project.database.read() as connection:
        made = Exported(wish, _until(connection, wish.until))
        names = pseudonyms_of(connection, project.secret) if wish.pseudonyms else names_of(connection)
        if wish.what == "judgements":
            made.written.rows = writer_of(path)(_log(connection, names, made), path)
        else:
            votes = words(connection, until=made.until, names=names)
            decisions = words(connection, kinds=ADJUDICATIONS, until=made.until, names=names)
    if wish.what != "judgements":
        lost: Counter[str] = Counter()
        rows = _records(votes, decisions, project.settings, made, lost)
        made.written = formats.write(rows, path, format=wish.layout, strict=False)
        made.written.lost += lost
    with path.open("rb") as file:
        made.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with written(beside(path)) as file:
        file.write((json.dumps(made.told(), indent=2, ensure_ascii=False) + "\n").encode())
    return made


def row_at(connection: Connection, at: datetime) -> int:
    """The last row of the log that had been written at a time; 0 if there was none.

    An imported vote has the time at which it was given elsewhere, so that of an import only counts when it
    was made.
    """
    known = select(func.max(_LOG.c.id)).where(_LOG.c.kind != "import", _LOG.c.at <= at)
    made = select(schema.events.c.detail).where(schema.events.c.what == IMPORTED, schema.events.c.at <= at)
    imports = [int(detail["last"]) for detail in connection.execute(made).scalars()]
    return max([connection.execute(known).scalar() or 0, *imports])


def _check(settings: Settings, wish: Wish) -> None:
    if wish.what == "judgements" and wish.layout != OWN:
        what = "the log of judgements has one layout of its own."
        raise DataError(what, where="--to", mend="Leave it out, or export votes or preferences.")
    for flag in wish.without_flagged:
        if flag not in settings.flags:
            mend = f"Flags: {', '.join(settings.flags) or 'none'}."
            raise DataError(f'the project has no flag "{flag}".', where="--without-flagged", mend=mend)


def _until(connection: Connection, row: int | None) -> int:
    """The last row that counts.

    Raises:
        DataError: the log has not come so far: what is exported now would be another thing later.
    """
    last = connection.execute(select(func.max(_LOG.c.id))).scalar() or 0
    if row is not None and row > last:
        mend = "Name one that there is, or leave it out."
        raise DataError(f"the log ends with row {last}; there is no row {row}.", where="--until", mend=mend)
    return last if row is None else row


def _log(connection: Connection, names: Mapping[int, str], made: Exported) -> Iterator[OutRow]:
    """The rows of the log as they stream by, each taken down in `made`."""
    columns = (schema.items.c.id, schema.items.c.key, schema.items.c.stage)
    items = {item.id: (item.key, item.stage) for item in connection.execute(select(*columns))}
    flagged: set[int] = set()
    if made.wish.without_flagged:
        for kinds in (log.VOTES, ADJUDICATIONS):
            flagged |= _flagged(words(connection, kinds=kinds, until=made.until), made.wish.without_flagged)
    for entry in log.entries(connection, until=made.until):
        key, stage = items[entry.item]
        said = row(entry, key, names[entry.person])
        reason = _unwanted(stage, entry.item in flagged, made.wish)
        if reason:
            made.quarantined.append(Quarantined(f"row {entry.id}", reason, LEFT_OUT[reason], said))
        else:
            made.used += 1
            yield OutRow(said, _JSON.encode(said))


def _records(
    votes: Sequence[Word],
    decisions: Sequence[Word],
    settings: Settings,
    made: Exported,
    lost: Counter[str],
) -> Iterator[Record]:
    """What is wished for of the words, each of which is taken down in `made`.

    Args:
        lost: counts what was said and has no place in a record.
    """
    wish = made.wish
    flagged = _flagged([*votes, *decisions], wish.without_flagged)

    def wanted(given: Sequence[Word]) -> Iterator[Word]:
        for word in given:
            reason = _unwanted(word.item.stage, word.item.id in flagged, wish)
            if reason:
                made.quarantined.append(left_out(word, reason, LEFT_OUT[reason]))
            else:
                yield word

    if wish.what == "preferences":
        found = outcomes(list(wanted(votes)), list(wanted(decisions)), settings, wish.pairs)
        made.used += found.used
        made.quarantined += found.left_out
        yield from found.preferences
        return
    items: set[int] = set()
    for word in wanted(votes):
        pair = wish.what == "records" and is_pair(word, settings)
        if word.answer.skipped and not pair:
            made.quarantined.append(skipped(word))
            continue
        made.used += 1
        if not pair:
            yield from records(word, settings)
            continue
        if word.item.id not in items:
            items.add(word.item.id)
            yield candidates(word.item)
        lost["flags"] += bool(word.answer.flags)
        yield judgement(word)


def _flagged(given: Iterable[Word], flags: Collection[str]) -> set[int]:
    """The items that somebody flagged as one of these."""
    return {word.item.id for word in given if not set(flags).isdisjoint(word.answer.flags)}


def _unwanted(stage: str, flagged: bool, wish: Wish) -> str:
    """Why an item is left out; a reason of `LEFT_OUT`, "" if it is not."""
    if stage != "main" and not wish.with_gold:
        return stage
    return "flagged" if flagged else ""
