"""`heedful collect serve` as a process of its own on a loopback port, to be killed and started again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import httpx2

from heedful.collect.settings import Settings
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.work import items
from heedful.records import Record

COMMAND = (sys.executable, "-m", "heedful", "collect", "serve")
PATIENCE = 60.0  # seconds until it answers
POLL = 0.02  # seconds


@dataclass
class Served:
    """The server of a project's database.

    Args:
        url: the database's address.
        folder: where its output goes.
        more: further arguments of the command.
    """

    url: str
    folder: Path
    more: Sequence[str] = ()
    port: int = field(default_factory=lambda: free_port())
    _process: subprocess.Popen[bytes] | None = None
    _log: IO[Any] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """What all its processes have written so far."""
        return (self.folder / "server.log").read_text()

    def start(self) -> float:
        """Start it, and wait for the first page.

        Returns:
            Seconds from the start of the process until that page was there.
        """
        self._log = (self.folder / "server.log").open("ab")
        begun = time.perf_counter()
        options = ["--no-open", "--database", self.url, "--port", str(self.port), *self.more]
        self._process = subprocess.Popen([*COMMAND, *options], stdout=self._log, stderr=self._log)
        with httpx2.Client(timeout=PATIENCE, trust_env=False) as client:
            while time.perf_counter() - begun < PATIENCE and self._process.poll() is None:
                try:
                    if client.get(f"{self.address}/login").status_code == 200:
                        return time.perf_counter() - begun
                except httpx2.TransportError:
                    time.sleep(POLL)
        raise RuntimeError(f"the server does not answer: {self.said}")

    def kill(self) -> None:
        """SIGKILL: it has no time to put anything in order."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._closed()

    def stop(self) -> None:
        """SIGTERM, and the exit it asks for; nothing if it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._closed()

    def _closed(self) -> None:
        self._process = None
        if self._log is not None:
            self._log.close()


class Keys(NamedTuple):
    """What lets an annotator in: by the pages, and by the API."""

    link: str
    token: str


def prepared(url: str, records: Iterable[Record], annotators: int, settings: Settings) -> list[Keys]:
    """Make the project that is to be served, with these items and so many annotators."""
    database = Database(url)
    project = Project.open(database, settings)
    keys = []
    with database.write() as connection:
        items.add_records(connection, records, project.settings)
        for number in range(annotators):
            person, link = people.add(connection, f"annotator {number}")
            keys.append(Keys(link, people.issue_token(connection, person, "simulated")))
    database.close()
    return keys


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
