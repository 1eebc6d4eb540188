"""The log of judgements: added to, read in order, and summed up as what everybody's word is *now*.

Nothing here changes a row, and nothing could: the database refuses it. A vote that was edited or taken back
is still in the log; what stands is each person's last row on an item, if that is no retraction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import JSON, Connection, Row, Select, Text, bindparam, cast, insert, null, select

from heedful.collect.answer import Answer
from heedful.collect.store import schema
from heedful.collect.store.model import Action, Entry, Kind

VOTES: tuple[Kind, ...] = ("vote", "import", "chat")
"""The kinds of entries that are votes; an adjudication is a word about votes."""

_AT_ONCE = 2000  # rows fetched, or items named in one statement
_SHORT = 200  # letters of an answer that is likely to come again
_SEEN = 10_000  # answers remembered
_ROWS = schema.judgements
_AS_TEXT = [
    cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
    for column in _ROWS.columns
]
"""The columns of a row, with JSON as it is written: most answers are alike, and are read but once."""

# What every vote asks is built once: building a statement takes longer than running it.
_ADD = insert(_ROWS).returning(_ROWS)
_ADD_WITHOUT = _ADD.values(answer=null())  # where None would be the text "null"
_BY_UID = select(_ROWS).where(_ROWS.c.uid == bindparam("named"))


def append(
    connection: Connection,
    *,
    uid: str,
    item: int,
    person: int,
    kind: Kind,
    action: Action,
    answer: Answer | None,
    shown: Collection[int],
    seconds: float | None,
    at: datetime,
) -> Entry:
    """Add a row to the log. Whoever may send one twice looks for its uid first; see `by_uid`.

    Args:
        uid: the sender's name for it, at most 64 characters, in use by no other row.
        answer: as the item counts; None of a retraction.
        shown: which of the item's responses stood in each place.
    """
    row = {
        "uid": uid,
        "item": item,
        "person": person,
        "kind": kind,
        "action": action,
        "shown": list(shown),
        "seconds": seconds,
        "at": at,
    }
    if answer is None:
        return Entry.of(connection.execute(_ADD_WITHOUT, row).one())
    row["answer"] = answer.model_dump(mode="json", exclude_defaults=True)
    return Entry.of(connection.execute(_ADD, row).one())


def by_uid(connection: Connection, uid: str) -> Entry | None:
    """The row of that uid, if there is one."""
    row = connection.execute(_BY_UID, {"named": uid}).one_or_none()
    return None if row is None else Entry.of(row)


def entries(
    connection: Connection, after: int = 0, limit: int | None = None, *, until: int | None = None
) -> Iterator[Entry]:
    """The rows of the log in the order they were written, a few in memory at a time.

    Args:
        after: begin behind the row of this id.
        limit: stop after so many.
        until: the log as it was when the row of this id was its last.
    """
    rows = select(*_AS_TEXT).where(_ROWS.c.id > after).order_by(_ROWS.c.id).limit(limit)
    if until is not None:
        rows = rows.where(_ROWS.c.id <= until)
    return _streamed(connection, rows)


def history(connection: Connection, item: int) -> list[Entry]:
    """All that was ever said of an item, in order."""
    rows = select(*_AS_TEXT).where(_ROWS.c.item == item).order_by(_ROWS.c.id)
    return list(_streamed(connection, rows))


def standing(
    connection: Connection,
    *,
    kinds: Collection[Kind] = VOTES,
    items: Collection[int] | None = None,
    person: int | None = None,
    until: int | None = None,
) -> list[Entry]:
    """What stands now: the last row of each person, item and kind, where it is no retraction, in order.

    Args:
        kinds: of entries.
        items: ids of the only items to look at; all of them by default.
        person: the only one to listen to; everybody by default.
        until: as of `entries`: what stood then.
    """
    query = _said(items is not None, person is not None, until is not None)
    given = {"kinds": list(kinds), "by": person, "until": until}
    last: dict[tuple[int, int, Kind], Entry] = {}
    if items is None:
        for entry in _streamed(connection, query, given):
            last[entry.person, entry.item, entry.kind] = entry
    else:
        wanted = sorted(set(items))
        for begin in range(0, len(wanted), _AT_ONCE):
            part = given | {"items": wanted[begin : begin + _AT_ONCE]}
            for entry in map(_entry, connection.execute(query, part)):
                last[entry.person, entry.item, entry.kind] = entry
    return sorted((entry for entry in last.values() if entry.action == "give"), key=lambda entry: entry.id)


@cache
def _said(some_items: bool, one_person: bool, until: bool) -> Select[Any]:
    """All rows, also those that others replaced: PostgreSQL is slow to leave them out, by plans that age."""
    rows = select(*_AS_TEXT).where(_ROWS.c.kind.in_(bindparam("kinds", expanding=True)))
    if some_items:
        rows = rows.where(_ROWS.c.item.in_(bindparam("items", expanding=True)))
    if one_person:
        rows = rows.where(_ROWS.c.person == bindparam("by"))
    if until:
        rows = rows.where(_ROWS.c.id <= bindparam("until"))
    return rows.order_by(_ROWS.c.id)


def _streamed(
    connection: Connection, rows: Select[Any], given: Mapping[str, Any] | None = None
) -> Iterator[Entry]:
    # A few at a time: a cursor of the database's own, which costs more questions than few rows are worth.
    return map(_entry, connection.execute(rows, given, execution_options={"yield_per": _AT_ONCE}))


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    """Of a row of `_AS_TEXT`."""
    id, uid, item, person, kind, action, answer, shown, seconds, at = row
    said = _answer(answer) if action == "give" else None
    return Entry(id, uid, item, person, kind, action, said, _places(shown), seconds, at)


def _answer(written: str) -> Answer:
    return _short(written) if len(written) <= _SHORT else Answer.model_validate_json(written)


@lru_cache(_SEEN)
def _short(written: str) -> Answer:
    return Answer.model_validate_json(written)


@lru_cache(_SEEN)
def _places(written: str) -> tuple[int, ...]:
    return tuple(json.loads(written))
