"""Both backends: one schema, one writer at a time, and logs to which rows are only ever added."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import HEAD, Database
from heedful.collect.store.migrations import config
from heedful.collect.store.project import Project, note
from heedful.errors import DataError


def test_the_migrations_lead_to_the_tables_of_the_schema(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, schema.metadata) == []
        assert ScriptDirectory.from_config(config(connection)).get_current_head() == HEAD


def test_a_migrated_database_is_left_alone_and_a_newer_one_refused(database: Database) -> None:
    database.migrate()
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DataError, match=r"has schema 9999; .* Upgrade Heedful"):
        database.migrate()


@pytest.mark.parametrize("change", [update(schema.events).values(what="other"), delete(schema.events)])
def test_the_log_refuses_to_be_changed(database: Database, change) -> None:
    with database.write() as connection:
        note(connection, "something")

    with pytest.raises(DBAPIError, match="only ever added"), database.write() as connection:
        connection.execute(change)
    with database.read() as connection:
        assert connection.execute(select(schema.events.c.what)).scalars().all() == ["something"]


def test_what_an_exception_leaves_is_not_written(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            note(connection, "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as connection:
        assert connection.execute(select(schema.events)).all() == []


def test_writers_wait_for_each_other_and_no_update_is_lost(database: Database, url: str) -> None:
    other = Database(url)  # as another process has it: no lock is shared
    Project.open(database)

    def count(through: Database) -> None:
        for _ in range(10):
            with through.write() as connection:
                row = connection.execute(select(schema.project.c.settings)).scalar_one()
                more = row | {"seed": row["seed"] + 1}
                connection.execute(update(schema.project).values(settings=more))

    threads = [threading.Thread(target=count, args=(through,)) for through in (database, other) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Project.open(database).settings.seed == 40
    other.close()


def test_a_project_keeps_its_settings_and_its_secret(database: Database) -> None:
    made = Project.open(database, Settings(overlap=3))

    again = Project.open(database)
    assert (again.settings, again.secret) == (made.settings, made.secret)
    assert Project.open(database, Settings(overlap=2)).settings.overlap == 2
    assert Project.open(database).settings.overlap == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "this is no database"),
        ("mysql://localhost/x", "neither sqlite nor postgresql"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/x", "cannot be reached"),
    ],
)
def test_an_address_of_no_database_is_a_users_mistake(url: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Database(url).migrate()


def test_times_are_aware_and_in_utc(database: Database) -> None:
    with database.write() as connection:
        note(connection, "now")
        at = connection.execute(select(schema.events.c.at)).scalar_one()
        assert at.utcoffset().total_seconds() == 0
        with pytest.raises(Exception, match="has no time zone"):
            connection.execute(insert(schema.events).values(at=at.replace(tzinfo=None), what="x", detail={}))
