"""Who takes part, by how they come in and how much they have answered: what admins are shown of people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from heedful.collect.store import schema
from heedful.collect.store.log import VOTES
from heedful.collect.store.model import Person


@dataclass(frozen=True, slots=True)
class Participant:
    """A person as admins see them.

    Attributes:
        answers: items on which their word stands, skips among them.
        last: when they last answered or took an answer back.
    """

    person: Person
    has_link: bool
    has_password: bool
    tokens: int
    answers: int
    last: datetime | None


def roster(connection: Connection) -> list[Participant]:
    """Everyone, by name; those who are let in first."""
    table = schema.people
    answers, last, tokens = _answers(connection), _last(connection), _tokens(connection)
    rows = connection.execute(select(table).order_by(table.c.active.desc(), table.c.folded))
    return [
        Participant(
            Person.of(row),
            has_link=row.link_hash is not None,
            has_password=row.password_hash is not None,
            tokens=tokens.get(row.id, 0),
            answers=answers.get(row.id, 0),
            last=last.get(row.id),
        )
        for row in rows
    ]


def _answers(connection: Connection) -> dict[int, int]:
    """What stands by person, counted where the log is."""
    rows = schema.judgements
    newest = (
        select(func.max(rows.c.id).label("id"))
        .where(rows.c.kind.in_(VOTES))
        .group_by(rows.c.person, rows.c.item, rows.c.kind)
        .subquery()
    )
    counted = (
        select(rows.c.person, func.count())
        .join(newest, newest.c.id == rows.c.id)
        .where(rows.c.action == "give")
        .group_by(rows.c.person)
    )
    return {row[0]: row[1] for row in connection.execute(counted)}


def _last(connection: Connection) -> dict[int, datetime]:
    rows = schema.judgements
    newest = select(rows.c.person, func.max(rows.c.at)).group_by(rows.c.person)
    return {row[0]: row[1] for row in connection.execute(newest)}


def _tokens(connection: Connection) -> dict[int, int]:
    table = schema.tokens
    counted = (
        select(table.c.person, func.count()).where(table.c.revoked_at.is_(None)).group_by(table.c.person)
    )
    return {row[0]: row[1] for row in connection.execute(counted)}
