"""Who takes part: annotators, reviewers and admins, their links, passwords and API tokens.

A link's or a token's secret is shown once, when it is made; kept is its hash. Passwords are hashed by argon2.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection, insert, select

from heedful.collect import schema
from heedful.collect.model import Person, Role
from heedful.collect.project import note, now


def add(connection: Connection, name: str, role: Role = "annotator") -> tuple[Person, str]:
    """A new person, and the token of their personal link (`/join/TOKEN`)."""
    token = secrets.token_urlsafe(32)
    row = {"name": name, "role": role, "link_hash": hashed(token), "created_at": now()}
    made = connection.execute(insert(schema.people).values(row).returning(schema.people)).one()
    note(connection, "person added", name=name, role=role)
    return Person.of(made), token


def by_id(connection: Connection, person: int) -> Person | None:
    row = connection.execute(select(schema.people).where(schema.people.c.id == person)).one_or_none()
    return None if row is None else Person.of(row)


def by_link(connection: Connection, token: str) -> Person | None:
    """Whose link it is; None of one that is unknown, replaced, or of somebody no longer active."""
    known = select(schema.people).where(schema.people.c.link_hash == hashed(token), schema.people.c.active)
    row = connection.execute(known).one_or_none()
    return None if row is None else Person.of(row)


def hashed(token: str) -> str:
    """What is kept of a token: it is drawn from 256 bits, so that a plain hash does."""
    return hashlib.sha256(token.encode()).hexdigest()
