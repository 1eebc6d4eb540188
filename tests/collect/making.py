"""People, items and assignments, put into a database row by row, so that a test chooses all of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import Connection, insert

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.model import Assignment, Entry, Item, Person, Role, Stage
from heedful.collect.team import people
from heedful.collect.work import votes

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_numbers = count(1)


def a_person(connection: Connection, name: str, role: Role = "annotator") -> Person:
    return people.add(connection, name, role)[0]


def an_item(
    connection: Connection,
    *,
    responses: Sequence[str] = ("red", "blue"),
    prompt: str = "Which colour?",
    gold: Answer | None = None,
    stage: Stage = "main",
    wanted: int = 1,
) -> Item:
    number = next(_numbers)
    row = {
        "key": f"key-{number}",
        "fingerprint": f"{number:064d}",
        "prompt": [{"role": "user", "content": prompt}],
        "responses": [
            {"turns": [{"role": "assistant", "content": text}], "generator": f"generator-of-{text}"}
            for text in responses
        ],
        "gold": None if gold is None else gold.model_dump(mode="json", exclude_defaults=True),
        "stage": stage,
        "origin": "data",
        "source": "secret-source",
        "metadata": {},
        "wanted": wanted,
        "created_at": NOON,
    }
    return Item.of(connection.execute(insert(schema.items).values(row).returning(schema.items)).one())


def in_hand(
    connection: Connection,
    person: Person,
    item: Item,
    *,
    shown: Sequence[int] | None = None,
    at: datetime = NOON,
    minutes: float = 30,
) -> Assignment:
    """The item in the person's hands, its responses in the order of `shown`."""
    row = {
        "token": secrets.token_urlsafe(32),
        "item": item.id,
        "person": person.id,
        "kind": "vote",
        "shown": list(range(len(item.responses)) if shown is None else shown),
        "opened_at": at,
        "expires_at": at + timedelta(minutes=minutes),
    }
    made = insert(schema.assignments).values(row).returning(schema.assignments)
    return Assignment.of(connection.execute(made).one())


def voted(
    connection: Connection,
    person: Person,
    item: Item,
    answer: Answer,
    settings: Settings | None = None,
    *,
    at: datetime = NOON,
) -> Entry:
    """The person's vote on an item that was shown to them as it counts."""
    assignment = in_hand(connection, person, item, at=at)
    uid = secrets.token_hex(16)
    return votes.submit(connection, assignment, answer, settings or Settings(), uid=uid, seconds=3.0, at=at)
