"""`python -m benchmarks.collect`: how fast `heedful collect serve` answers many annotators at once.

Simulated annotators take items and vote, over the pages as browsers do and over the REST API, against a
server process on SQLite and on PostgreSQL; each time once with time to think and once without. They run in
this process and share the machine with the server. Beside it: how long the command takes from its start to
the first page, on a project that it makes itself and on one that is there.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import gc
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks import collect_table, machine
from benchmarks.session import ROOT, say, write
from heedful import data, formats
from heedful.collect.settings import Settings
from heedful.records import Preference, user
from tests.collect.annotators import Annotator, Api, Pages
from tests.collect.postgresql import Cluster, no_cluster
from tests.collect.served import Keys, Served, prepared

ANNOTATORS = 64
ITEMS = 1000
OVERLAP = 20  # votes an item, so that they outlast the measuring
SECONDS = 30.0
THINK = 1.0  # seconds, on average
ARRIVING = 5.0  # seconds in which they come, and nothing counts
STARTS = 5  # of which the median counts
SEED = 0
EMBEDDED = "everyday/preferences-train.jsonl"
DATABASES = ("sqlite", "postgresql")
DOORS = ("pages", "api")
MILLI = 1000.0
PERCENTILES = (50, 95, 99)


def records(count: int) -> Iterator[Preference]:
    """The embedded pairs over and over, told apart by their prompts."""
    known = [record for record in formats.read(data.path(EMBEDDED)) if isinstance(record, Preference)]
    for number in range(count):
        record = known[number % len(known)]
        prompt = (*record.prompt[:-1], user(f"{record.prompt[-1].content} ({number})"))
        yield Preference(prompt, record.chosen, record.rejected, id=f"pair-{number}")


async def work(annotators: Sequence[Annotator], seconds: float, pids: Sequence[int]) -> dict[str, Any]:
    """Let them vote for so long, after a while in which they come one after the other and nothing counts."""
    stop, chance = asyncio.Event(), random.Random(SEED)

    async def come(annotator: Annotator) -> None:
        await asyncio.sleep(chance.uniform(0, ARRIVING))
        await annotator.work(stop)

    people = asyncio.gather(*(come(annotator) for annotator in annotators))
    await asyncio.sleep(ARRIVING)
    for annotator in annotators:
        annotator.next.clear()
        annotator.submit.clear()
    begun, before = time.perf_counter(), busy(pids)
    await asyncio.sleep(seconds)
    took, after = time.perf_counter() - begun, busy(pids)
    times = {
        kind: [one for person in annotators for one in getattr(person, kind)] for kind in collect_table.KINDS
    }
    stop.set()
    await people
    return {
        "votes": len(times["submit"]),
        "votes_per_second": len(times["submit"]) / took,
        "milliseconds": {kind: percentiles(found) for kind, found in times.items()},
        "server_cpu": (after[0] - before[0]) / took,
        "load_cpu": (after[1] - before[1]) / took,
    }


def busy(pids: Sequence[int]) -> list[float]:
    """Seconds of processor time that processes have taken."""
    return [sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids]


def measured(server: Served, keys: Sequence[Keys], door: str, think: float, seconds: float) -> dict[str, Any]:
    """One load on a running server."""
    doors = [
        Pages(server.address, link) if door == "pages" else Api(server.address, token) for link, token in keys
    ]
    annotators = [Annotator(way, random.Random(number), think) for number, way in enumerate(doors)]
    gc.disable()
    found = asyncio.run(work(annotators, seconds, [server.pid, os.getpid()]))
    gc.enable()
    if failed := sum(annotator.failed for annotator in annotators):
        raise RuntimeError(f"{failed} requests failed: {server.said[-2000:]}")
    return found | {"server_bytes": psutil.Process(server.pid).memory_info().rss}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"p{percent}": MILLI * cuts[percent - 1] for percent in PERCENTILES}


@contextmanager
def address(database: str, folder: Path) -> Iterator[str]:
    """The address of a new database. PostgreSQL's server is one of its own, and waits for the disk."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'project.db'}"
        return
    with Cluster.started(durable=True) as cluster:
        cluster.create("benchmark")
        yield cluster.url("benchmark")


def loads(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every database, way in and pace, each on a project and a server of its own."""
    for database in options.databases:
        if database == "postgresql" and (reason := no_cluster()):
            say(f"PostgreSQL is left out: {reason}")
            continue
        for door in options.doors:
            for think in (options.think, 0.0):
                with (
                    tempfile.TemporaryDirectory(prefix="benchmark-collect-") as name,
                    address(database, Path(name)) as url,
                ):
                    keys = prepared(
                        url, records(options.items), options.annotators, Settings(overlap=OVERLAP)
                    )
                    server = Served(url, Path(name))
                    server.start()
                    try:
                        found = measured(server, keys, door, think, options.seconds)
                    finally:
                        server.stop()
                    if told := server.said.count("Traceback"):
                        raise RuntimeError(f"{told} tracebacks in the server's log: {server.said[-2000:]}")
                found |= {"database": database, "door": door, "think": think}
                say(collect_table.row(found))
                yield found


def starts() -> dict[str, float]:
    """Seconds from the command to its first page: the median of a few."""
    fresh, again = [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="benchmark-collect-") as name:
            server = Served(f"sqlite:///{Path(name) / 'project.db'}", Path(name))
            for times in (fresh, again):
                times.append(server.start())
                server.stop()
    return {"new_project": statistics.median(fresh), "known_project": statistics.median(again)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect", description="annotators at once")
    parser.add_argument("--annotators", type=int, default=ANNOTATORS)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load")
    parser.add_argument("--think", type=float, default=THINK, help="seconds before a vote, on average")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=list(DOORS))
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "collect")
    options = parser.parse_args(arguments)
    first = starts()
    say(f"first page: new project {first['new_project']:.2f} s, known one {first['known_project']:.2f} s")
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "precision": "",
        "settings": {
            "annotators": options.annotators,
            "items": options.items,
            "overlap": OVERLAP,
            "seconds": options.seconds,
            "think": options.think,
        },
        "starts": first,
        "loads": list(loads(options)),
    }
    say(f"written: {write(report, options.results)}")


if __name__ == "__main__":
    main()
