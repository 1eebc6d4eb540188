"""A project's database for every test, once on SQLite and once on PostgreSQL.

PostgreSQL is started from the machine's own binaries on a loopback port, once per test process; where there
are none, its half of the tests is skipped and says so. Both begin each test with a copy of a migrated, empty
database.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from heedful.collect.store.database import Database
from heedful.collect.team import passwords
from tests.collect.postgresql import Cluster, no_cluster


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database that tests copy."""
    folder = tmp_path_factory.mktemp("migrated")
    database = Database.in_folder(folder)
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return folder / "project.db"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL server with a migrated database `template`; skips where there are no binaries."""
    if reason := no_cluster():
        pytest.skip(reason)
    with Cluster.started() as found:
        found.create("template")
        database = Database(found.url("template"))
        database.migrate()
        database.close()
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated, empty database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "project.db")
        yield f"sqlite:///{tmp_path / 'project.db'}"
    else:
        cluster = request.getfixturevalue("cluster")
        name = cluster.lend()
        yield cluster.url(name)
        cluster.take_back(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated, empty database."""
    found = Database(url)
    yield found
    found.close()


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """The same on SQLite alone, for tests in which the backend makes no difference."""
    shutil.copy(migrated_file, tmp_path / "project.db")
    return f"sqlite:///{tmp_path / 'project.db'}"


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed by the same algorithm with the least memory and time."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._nobodys.cache_clear()
