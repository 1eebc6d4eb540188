"""Connections and transactions, on SQLite and on PostgreSQL, and bringing a database to the current schema.

One writer at a time, on both: a lock within the process, and below it SQLite's own or a PostgreSQL advisory
lock. What a write transaction has read is then true until it commits, which is what giving items out needs,
and waiting is fair, where SQLite alone would have writers poll. A commit is on the disk before it returns.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, NoSuchModuleError, OperationalError

from heedful.errors import DataError

HEAD = "0001"
"""The newest migration; a test holds it against `migrations/versions`."""

WAIT = 30.0  # seconds for a lock or a connection
_WRITERS = 0x48454544  # PostgreSQL's advisory locks are known by numbers; of no meaning

# Transactions are begun by hand, with what they need, in one question to the database.
_READ = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ"}
_WRITE = {
    # One that reads first and writes later would fail where another wrote in between.
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": f"BEGIN; SELECT pg_advisory_xact_lock({_WRITERS})",
}
POOL = 24  # connections
IDLE = 2.0  # seconds after which a connection is asked whether it is there yet


class Database:
    """A project's database."""

    def __init__(self, url: str) -> None:
        """`url`: SQLAlchemy's, such as `sqlite:///collect/project.db` or `postgresql+psycopg://...`.

        Raises:
            DataError: it is no such address, or of a database that is neither SQLite nor PostgreSQL.
        """
        self._engine = _engine(url)
        self._writer = threading.Lock()

    @classmethod
    def in_folder(cls, folder: Path) -> Database:
        """The SQLite database of a project folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite:///{folder / 'project.db'}")

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def name(self) -> str:
        """Its address, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one state of the database throughout."""
        with self._engine.connect() as connection, connection.begin():
            connection.exec_driver_sql(_READ[connection.dialect.name])
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A connection for one statement that only reads, without the two more that a transaction takes."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; it commits at the end, and not at all if an exception leaves it."""
        with self._writer, self._engine.connect() as connection, connection.begin():
            connection.exec_driver_sql(_WRITE[connection.dialect.name])
            yield connection

    def migrate(self) -> None:
        """Bring the schema to `HEAD`; a database that is there already is left alone.

        Raises:
            DataError: the database cannot be reached, or was made by a newer Heedful.
        """
        try:
            with self.read() as connection:
                found = _version(connection)
        except OperationalError as error:
            mend = "Start it, or check the address, the user and the password."
            what = f"the database cannot be reached: {_first_line(error)}."
            raise DataError(what, where=self.name, mend=mend) from None
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            what = f"the database has schema {found}; this Heedful knows schemas up to {HEAD}."
            raise DataError(what, where=self.name, mend="Upgrade Heedful to open it.")
        from heedful.collect.store.migrations import upgrade

        with self.write() as connection:
            upgrade(connection)

    def close(self) -> None:
        self._engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{backend} is neither sqlite nor postgresql")
        if backend == "sqlite":
            return _sqlite(url)
        return _postgresql(url)
    except (ArgumentError, NoSuchModuleError) as error:
        mend = "Say sqlite:///project.db or postgresql+psycopg://user:password@host/database."
        raise DataError(
            f"this is no database: {_first_line(error)}.", where="--database", mend=mend
        ) from None
    except ModuleNotFoundError as error:
        mend = "pip install 'heedful[postgresql]'"
        raise DataError(f"the driver {error.name} is missing.", where="--database", mend=mend) from None


def _sqlite(url: str) -> Engine:
    connect: dict[str, Any] = {"timeout": WAIT, "isolation_level": None, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect, pool_size=POOL, max_overflow=0, pool_timeout=WAIT)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        # FULL: a commit survives the loss of power, not only of the process.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _postgresql(url: str) -> Engine:
    # The driver's "autocommit": it begins no transactions of its own, and ends those that are there.
    engine = create_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=POOL, max_overflow=0, pool_timeout=WAIT
    )

    @event.listens_for(engine, "checkin")
    def _left(_: Any, record: Any) -> None:
        record.info["left"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _: Any) -> None:
        """Ask whether one that was idle is there yet; to ask each time would be a tenth of all questions."""
        if time.monotonic() - record.info.get("left", math.inf) > IDLE:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error  # all that were idle are gone; another one is made

    return engine


def _version(connection: Connection) -> str | None:
    """The schema's, None of a database without one."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
