"""A project: a database with its settings, made where there is none and opened where there is one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database


@dataclass(frozen=True, slots=True)
class Project:
    """An open project.

    Attributes:
        secret: signs cookies; drawn when the project is made.
    """

    database: Database
    settings: Settings
    secret: str

    @classmethod
    def open(cls, database: Database, settings: Settings | None = None) -> Project:
        """Open the project of a database, and make it if there is none.

        Args:
            settings: kept from now on; None leaves those that are kept, or the defaults.

        Raises:
            DataError: the database cannot be reached or is newer than this Heedful.
        """
        database.migrate()
        with database.write() as connection:
            row = connection.execute(select(schema.project)).one_or_none()
            if row is None:
                return cls(database, *_make(connection, settings or Settings()))
            kept = settings or Settings.model_validate(row.settings)
            if settings is not None:
                connection.execute(update(schema.project).values(settings=settings.model_dump(mode="json")))
            return cls(database, kept, row.secret)


def now() -> datetime:
    return datetime.now(UTC)


def note(connection: Connection, what: str, person: int | None = None, **detail: object) -> None:
    """Take down in `events` what somebody did that is no vote."""
    row = {"at": now(), "person": person, "what": what, "detail": detail}
    connection.execute(insert(schema.events).values(row))


def _make(connection: Connection, settings: Settings) -> tuple[Settings, str]:
    secret = secrets.token_hex(32)
    row = {"id": 1, "settings": settings.model_dump(mode="json"), "secret": secret, "created_at": now()}
    connection.execute(insert(schema.project).values(row))
    note(connection, "project made")
    return settings, secret
