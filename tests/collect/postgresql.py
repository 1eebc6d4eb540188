"""A PostgreSQL server of the tests' own, from the machine's binaries, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
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
    process: subprocess.Popen[bytes]
    folder: Path
    _names: Iterator[int] = field(default_factory=lambda: count())

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
        log = (folder / "log").open("wb")
        process = subprocess.Popen(
            [postgres, "-D", str(data), *options], stdout=log, stderr=log, cwd=folder, **owner
        )
        cluster = cls(port, process, folder)
        try:
            cluster._wait()
            yield cluster
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            log.close()
            shutil.rmtree(folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://heedful@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template0") -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()

    def create_copy(self, template: str) -> str:
        """The name of a new database that is a copy of this one."""
        name = f"test_{next(self._names)}"
        self.create(name, template)
        return name

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
