"""A PostgreSQL server of the tests' own, from the machine's binaries, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from heedful.collect.store import schema
from heedful.collect.store.database import HEAD

PATIENCE = 60.0  # seconds for the server to come up
PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _binary(name: str) -> str | None:
    found = shutil.which(name)
    return found or next((str(folder / name) for folder in PLACES if (folder / name).exists()), None)


def no_cluster() -> str:
    """Why there can be no server here; "" where there can."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed: pip install 'heedful[postgresql]'"
    missing = [name for name in ("initdb", "postgres") if _binary(name) is None]
    return f"PostgreSQL's {' and '.join(missing)} are not on this machine" if missing else ""


def _owner() -> dict[str, Any]:
    """Whom the server runs as: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": next(name for name in ("postgres", "nobody") if name in names)}


@dataclass
class Cluster:
    """A running server that listens on a loopback port alone."""

    port: int
    folder: Path
    command: list[str]
    process: subprocess.Popen[bytes] = field(init=False)
    _names: Iterator[int] = field(default_factory=lambda: count())
    _free: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def started(cls, *, durable: bool = False) -> Iterator[Cluster]:
        """Make and start a server, and stop it at the end.

        Args:
            durable: whether a commit waits for the disk, as it does by default; most tests need not.
        """
        # Not under pytest's folder, which another user may not enter.
        folder = Path(tempfile.mkdtemp(prefix="heedful-postgresql-"))
        owner = _owner()
        if owner:
            shutil.chown(folder, owner["user"])
        initdb, postgres = _binary("initdb"), _binary("postgres")
        assert initdb is not None
        assert postgres is not None
        data = folder / "data"
        make = [
            initdb,
            "--pgdata",
            data,
            "--username=heedful",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
        ]
        subprocess.run([*make, "--locale=C"], check=True, capture_output=True, cwd=folder, **owner)
        port = _free_port()
        options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "max_connections=200"]
        if not durable:
            options += ["-c", "fsync=off", "-c", "synchronous_commit=off"]
        cluster = cls(port, folder, [postgres, "-D", str(data), *options])
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.process.terminate()
            try:
                cluster.process.wait(20)
            except subprocess.TimeoutExpired:
                cluster.process.kill()
            shutil.rmtree(folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, after a crash once more, and wait until it lets one in."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder, **_owner())
        self._wait()

    def crash(self) -> None:
        """Stop at once, with nothing put in order: what is on the disk must do to start again."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://heedful@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template0") -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()

    def lend(self) -> str:
        """The name of a migrated, empty database, which is yours until it is taken back."""
        if self._free:
            return self._free.pop()
        name = f"test_{next(self._names)}"
        self.create(name, "template")
        return name

    def take_back(self, name: str) -> None:
        """Empty a database that was lent, to be lent again: that is faster than making another."""
        engine = create_engine(self.url(name), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
            connection.execute(text("SET session_replication_role = replica"))  # no trigger stands in the way
            tables = ", ".join(schema.metadata.tables)
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})
        engine.dispose()
        self._free.append(name)

    def _wait(self) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            try:
                engine = create_engine(self.url("postgres"))
                engine.connect().close()
                engine.dispose()
                return
            except Exception:
                time.sleep(0.1)
        raise RuntimeError("PostgreSQL did not come up: " + (self.folder / "log").read_text())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
