"""What stands in the log, each entry with the item it is about and the name of whoever said it.

For whatever leaves the project: records, files, left-out rows. Names may be pseudonyms.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from heedful.collect.answer import Answer
from heedful.collect.store import log, schema
from heedful.collect.store.model import Entry, Item, Kind
from heedful.quarantine import Quarantined

_ITEMS_AT_ONCE = 2000
_PSEUDONYM = 12  # hexadecimal digits: two of a million people share one in about one project of five hundred


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says of an item, as it stands.

    Attributes:
        annotator: their name, or what stands for it.
    """

    entry: Entry
    item: Item
    annotator: str

    @property
    def answer(self) -> Answer:
        return self.entry.given


def words(
    connection: Connection,
    *,
    kinds: Collection[Kind] = log.VOTES,
    until: int | None = None,
    names: Mapping[int, str] | None = None,
) -> list[Word]:
    """What stands of these kinds, one word of each person and item: of several kinds the last.

    Args:
        until: the log as it was when the row of this id was its last.
        names: what people are called, by their ids; by default their own names.
    """
    standing = log.standing(connection, kinds=kinds, until=until)
    last = {(entry.person, entry.item): entry for entry in standing}
    entries = sorted(last.values(), key=lambda entry: entry.id)
    items = _items(connection, {entry.item for entry in entries})
    called = names if names is not None else names_of(connection)
    return [Word(entry, items[entry.item], called[entry.person]) for entry in entries]


def names_of(connection: Connection) -> dict[int, str]:
    """What everybody is called, by id."""
    return {row.id: row.name for row in connection.execute(select(schema.people.c.id, schema.people.c.name))}


def pseudonyms_of(connection: Connection, secret: str) -> dict[int, str]:
    """What stands for everybody's name, by id: always the same, and to be told only with the secret.

    Args:
        secret: of the project.
    """
    people = connection.execute(select(schema.people.c.id)).scalars()
    return {person: f"annotator-{_digest(secret, person)[:_PSEUDONYM]}" for person in people}


def row(entry: Entry, item: str, annotator: str) -> dict[str, Any]:
    """An entry of the log as a row of a file. It counts responses as the item does, from 0.

    Args:
        item: its key.
    """
    answer = {} if entry.answer is None else entry.answer.model_dump(mode="json", exclude_defaults=True)
    told = {name: answer.get(name) for name in Answer.model_fields}
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "annotator": annotator,
        "item": item,
        "kind": entry.kind,
        "action": entry.action,
        **told,
        "shown": list(entry.shown),
        "seconds": entry.seconds,
    }


def left_out(word: Word, reason: str, detail: str) -> Quarantined:
    """A word that does not go where the others go."""
    raw = row(word.entry, word.item.key, word.annotator)
    return Quarantined(f"{word.item.key} by {word.annotator}", reason, detail, raw)


def _digest(secret: str, person: int) -> str:
    return hmac.new(secret.encode(), f"annotator {person}".encode(), hashlib.sha256).hexdigest()


def _items(connection: Connection, wanted: Collection[int]) -> dict[int, Item]:
    """The items by id, read in the order of their ids, a few at a time."""
    found: dict[int, Item] = {}
    ids = sorted(wanted)
    for begin in range(0, len(ids), _ITEMS_AT_ONCE):
        some = schema.items.c.id.in_(ids[begin : begin + _ITEMS_AT_ONCE])
        found |= {item.id: Item.of(item) for item in connection.execute(select(schema.items).where(some))}
    return found
