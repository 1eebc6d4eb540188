"""A project begun elsewhere goes on here: votes of Label Studio, of Argilla or of any records into the log.

Who judged there is a person here, without a way to sign in until somebody invites them; then what they said
is theirs. What a record says is known by its content, so that the same file again adds nothing, and of a file
that has grown only what is new.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from heedful.collect.answer import Answer
from heedful.collect.exchange.given import Given, given, left
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Item
from heedful.collect.store.project import note, now
from heedful.collect.team import people
from heedful.collect.work import items, order, queue
from heedful.collect.work.rules import Refused, check
from heedful.quarantine import Counts, Kept, Quarantined
from heedful.records import Record

IMPORTED = "votes imported"
"""The event that an import is; it names the first and the last of its rows in the log."""

AT_ONCE = 500  # votes in one transaction: as long as somebody who votes meanwhile may have to wait
_LOG = schema.judgements


@dataclass(slots=True)
class Imported:
    """What became of the records.

    Attributes:
        used: that are votes now, or were already.
        quarantined: the others, those that were left out before among them, each with a reason.
        votes, known: rows that are new in the log, and votes that were there.
        items, people: that are new.
        lost: what was said with votes and could not be kept, by what it is.
    """

    used: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    votes: int = 0
    known: int = 0
    items: int = 0
    people: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> Counts:
        """Of records; they add up."""
        reasons = Counter(row.reason for row in self.quarantined)
        return Counts(self.used + len(self.quarantined), self.used, dict(reasons))

    def __str__(self) -> str:
        text = f"{self.counts}; {self.votes} votes added, {self.known} known already"
        text += f"; {self.items} items and {self.people} people are new"
        lost = ", ".join(f"{name} of {count}" for name, count in sorted(self.lost.items()))
        return f"{text}; not kept: {lost}" if lost else text


def import_votes(database: Database, records: Iterable[Record], settings: Settings, at: datetime) -> Imported:
    """Put the votes that records hold into the log, with the items and the people they need.

    They come in some at a time, so that a project that is being served goes on meanwhile. If this is stopped
    the same call goes on where it was.

    Args:
        records: what a `Kept` left out is counted here too.
        at: the time of votes of which none is told.
    """
    before = list(records.quarantined) if isinstance(records, Kept) else []
    rows = list(records)
    done = Imported()
    batch: list[Given] = []
    for found in given(rows, settings):
        if isinstance(found, Quarantined):
            done.quarantined.append(found)
            continue
        batch.append(found)
        if len(batch) == AT_ONCE:
            _import(database, batch, settings, at, done)
            batch = []
    _import(database, batch, settings, at, done)
    if done.votes and settings.order == "disagreement":
        with database.write() as connection:
            order.reorder(connection, settings)
    done.used = len(rows) - len(done.quarantined)
    done.quarantined += before
    return done


def _import(
    database: Database, votes: Sequence[Given], settings: Settings, at: datetime, done: Imported
) -> None:
    with database.write() as connection:
        for item in _append(connection, _placed(connection, votes, settings, done), at, done):
            queue.settle(connection, item)


@dataclass(frozen=True, slots=True)
class _Vote:
    """An answer and the item it is about, both as the item counts."""

    given: Given
    item: Item
    answer: Answer
    shown: tuple[int, ...]


def _placed(
    connection: Connection, votes: Sequence[Given], settings: Settings, done: Imported
) -> list[_Vote]:
    """The votes with their items, which are made where there are none; those that fit none are left out."""
    asked: dict[str, Record] = {}
    for vote in votes:
        asked.setdefault(vote.mark, vote.asked)
    loaded = items.add_records(connection, asked.values(), settings, origin="import")
    done.items += loaded.added
    refused = {id(row.raw): row for row in loaded.quarantined}
    there = _items(connection, asked)
    placed: list[_Vote] = []
    for vote in votes:
        item = there.get(vote.mark)
        if item is None:
            why = refused[id(asked[vote.mark])]
            done.quarantined += (left(record, why.reason, why.detail) for record in vote.records)
            continue
        places = [vote.responses.index(response.turns) for response in item.responses]
        try:
            answer = _checked(vote.answer.as_shown(places), item, settings)
        except Refused as error:
            done.quarantined += (left(record, "refused", str(error)) for record in vote.records)
            continue
        placed.append(_Vote(vote, item, answer, tuple(places.index(place) for place in vote.shown)))
    return placed


def _checked(answer: Answer, item: Item, settings: Settings) -> Answer:
    """The answer as it is kept; what is said beside it was asked for elsewhere, and need not be asked here.

    Raises:
        Refused: it does not fit the task.
    """
    asked: dict[str, object] = {"flags": answer.flags, "rationale": "optional"}
    if answer.strength is None:
        asked["strength"] = None
    return check(answer, item, settings.model_copy(update=asked))


def _append(connection: Connection, votes: Sequence[_Vote], at: datetime, done: Imported) -> list[int]:
    """Add to the log what is not there yet; the items that have a new vote."""
    uids = [_uid(vote) for vote in votes]
    known = _known(connection, uids)
    speakers = _Speakers(connection)
    rows: dict[str, dict[str, Any]] = {}
    for vote, uid in zip(votes, uids, strict=True):
        if uid in known or uid in rows:
            done.known += 1
            continue
        try:
            person = speakers.id_of(vote.given.annotator)
        except people.Refused as error:
            done.quarantined += (left(record, "bad_annotator", str(error)) for record in vote.given.records)
            continue
        done.lost.update(vote.given.lost)
        rows[uid] = {
            "uid": uid,
            "item": vote.item.id,
            "person": person,
            "kind": "import",
            "action": "give",
            "answer": vote.answer.model_dump(mode="json", exclude_defaults=True),
            "shown": list(vote.shown),
            "seconds": vote.given.seconds,
            "at": min(vote.given.at or at, at),
        }
    done.votes += len(rows)
    done.people += speakers.made
    if rows:
        connection.execute(insert(_LOG), list(rows.values()))
        last = connection.execute(select(func.max(_LOG.c.id))).scalar_one()
        note(connection, IMPORTED, votes=len(rows), last=last)
    return sorted({row["item"] for row in rows.values()})


class _Speakers:
    """The people by the names that records call them; who is not there yet is made."""

    def __init__(self, connection: Connection) -> None:
        self.made = 0
        self._connection = connection
        self._ids: dict[str, int] = {}

    def id_of(self, name: str) -> int:
        """Whose votes these are.

        Raises:
            people.Refused: nobody can be called so.
        """
        if name not in self._ids:
            person = people.by_name(self._connection, name)
            self._ids[name] = person.id if person is not None else self._make(people.named(name))
        return self._ids[name]

    def _make(self, name: str) -> int:
        row = {"name": name, "folded": people.folded(name), "role": "annotator", "active": False}
        made = insert(schema.people).values(row | {"created_at": now()}).returning(schema.people.c.id)
        note(self._connection, "person imported", name=name)
        self.made += 1
        return int(self._connection.execute(made).scalar_one())


def _uid(vote: _Vote) -> str:
    """The same for the same vote, wherever and however often it stands."""
    told = vote.given
    answer = vote.answer.model_dump_json(exclude_defaults=True)
    parts = (told.mark, told.annotator, answer, vote.shown, told.seconds, told.at)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _known(connection: Connection, uids: Collection[str]) -> set[str]:
    """Those that a row of the log has."""
    return set(connection.execute(select(_LOG.c.uid).where(_LOG.c.uid.in_(uids))).scalars())


def _items(connection: Connection, marks: Collection[str]) -> dict[str, Item]:
    """The items that are there, by their fingerprints."""
    rows = connection.execute(select(schema.items).where(schema.items.c.fingerprint.in_(marks)))
    return {row.fingerprint: Item.of(row) for row in rows}
