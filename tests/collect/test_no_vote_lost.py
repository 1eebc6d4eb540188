"""Every vote that was acknowledged is in the log exactly once, whatever is killed meanwhile.

Simulated annotators vote over HTTP, half of them by the pages and half by the API, while the server, or the
database below it, is killed and started again. The moments are drawn by how many more votes there are to be.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Entry
from heedful.records import Candidates, assistant, user
from tests.collect.annotators import Annotator, Api, Pages
from tests.collect.postgresql import Cluster, no_cluster
from tests.collect.running import run
from tests.collect.served import Keys, Served, prepared

OVERLAP = 10
ITEMS = 300  # more than are asked about before the end
POLL = 0.01  # seconds

Trouble = Callable[[], None]


def begun(url: str, folder: Path, annotators: int) -> tuple[Served, list[Annotator]]:
    """A project, its server, and annotators who have not begun."""
    records = [
        Candidates((user(f"Question {n}?"),), ((assistant("Yes."),), (assistant("No."),)), id=f"q{n}")
        for n in range(ITEMS)
    ]
    keys = prepared(url, records, annotators, Settings(overlap=OVERLAP))
    server = Served(url, folder)
    server.start()
    return server, [Annotator(way(server, key, n), random.Random(n)) for n, key in enumerate(keys)]


def way(server: Served, key: Keys, number: int) -> Api | Pages:
    return Api(server.address, key.token) if number % 2 else Pages(server.address, key.link)


async def vote_through(annotators: Sequence[Annotator], troubles: Sequence[Trouble]) -> None:
    """Let them vote while one trouble comes after the other, and a while longer."""
    chance, stop = random.Random(0), asyncio.Event()

    async def trouble() -> None:
        for comes in (*troubles, stop.set):
            enough = votes(annotators) + chance.randint(len(annotators), 3 * len(annotators))
            while votes(annotators) < enough:
                await asyncio.sleep(POLL)
            await asyncio.sleep(chance.random() * POLL)
            await asyncio.to_thread(comes)

    await asyncio.gather(trouble(), *(annotator.work(stop) for annotator in annotators))


def votes(annotators: Sequence[Annotator]) -> int:
    return sum(len(annotator.journal) for annotator in annotators)


def restarted(server: Served) -> Trouble:
    def comes() -> None:
        server.kill()
        server.start()

    return comes


def check_log(url: str, annotators: Sequence[Annotator]) -> None:
    """The log holds what was acknowledged, and nothing else; nobody and no item has too much."""
    database = Database(url)
    with database.read() as connection:
        entries = {entry.uid: entry for entry in log.entries(connection)}
        items = connection.execute(select(schema.items)).all()
        assignments = connection.execute(select(schema.assignments)).all()
    database.close()
    of_token = {row.token: row for row in assignments}
    journal = [vote for annotator in annotators for vote in annotator.journal]

    assert sorted(entries) == sorted(vote.uid for vote in journal)  # each once, and no other
    for vote in journal:
        entry, assignment = entries[vote.uid], of_token[vote.token]
        assert (entry.item, entry.person) == (assignment.item, assignment.person)
        assert shown_verdict(entry) == vote.verdict
        assert assignment.closed_at is not None
    assert max(Counter((row.person, row.item) for row in assignments).values()) == 1
    assert max(Counter((entry.person, entry.item) for entry in entries.values()).values()) == 1
    counted = Counter(entry.item for entry in entries.values())
    assert max(counted.values()) <= OVERLAP
    assert {row.id: row.votes for row in items if row.votes} == dict(counted)


def shown_verdict(entry: Entry) -> str | None:
    assert entry.action == "give"
    return entry.given.as_shown(entry.shown).verdict


def killed_and_checked(url: str, folder: Path, *, annotators: int, kills: int) -> None:
    server, people = begun(url, folder, annotators)
    try:
        run(vote_through(people, [restarted(server)] * kills))
    finally:
        server.stop()
    assert sum(one.failed for one in people) > 0, "no kill was noticed"
    assert "Traceback" not in server.said
    check_log(url, people)


def test_no_acknowledged_vote_is_lost_when_the_server_is_killed(sqlite_url: str, tmp_path: Path) -> None:
    killed_and_checked(sqlite_url, tmp_path, annotators=8, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_64_annotators_lose_no_vote_on_sqlite_while_the_server_is_killed_ten_times(
    sqlite_url: str, tmp_path: Path
) -> None:
    killed_and_checked(sqlite_url, tmp_path, annotators=64, kills=10)


@pytest.fixture
def durable_cluster() -> Iterator[Cluster]:
    """A server that waits for the disk, as it does by default."""
    if reason := no_cluster():
        pytest.skip(reason)
    with Cluster.started(durable=True) as found:
        found.create("votes")
        yield found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_64_annotators_lose_no_vote_on_postgresql_while_the_server_is_killed_ten_times(
    durable_cluster: Cluster, tmp_path: Path
) -> None:
    killed_and_checked(durable_cluster.url("votes"), tmp_path, annotators=64, kills=10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_app_says_503_while_the_database_is_down_and_loses_no_vote(
    durable_cluster: Cluster, tmp_path: Path
) -> None:
    url = durable_cluster.url("votes")
    server, people = begun(url, tmp_path, annotators=16)
    heard: list[httpx2.Response] = []

    def crash() -> None:
        durable_cluster.crash()
        with httpx2.Client(base_url=server.address, trust_env=False, timeout=60) as client:
            headers = {"Authorization": "Bearer whatever"}
            heard.append(client.get("/api/v1/next", headers=headers))
            heard.append(client.get("/join/whatever"))
        durable_cluster.start()

    try:
        run(vote_through(people, [crash, restarted(server), crash]))
    finally:
        server.stop()
    assert [answer.status_code for answer in heard] == [503] * 4
    assert [list(answer.json()) for answer in heard[::2]] == [["detail"]] * 2
    assert all("Retry-After" in answer.headers for answer in heard)
    assert "Traceback" not in server.said
    check_log(url, people)
