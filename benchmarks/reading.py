"""`python -m benchmarks.reading`: how fast preference data are read, converted and checked, beside TRL's way.

The rows are HH transcripts, synthesised: as many as asked for, of the lengths and turns that the published
ones have, from words of a fixed list. The peer reads the same file with `datasets` and takes the prompt out
with TRL's `extract_prompt`. Every job runs alone in a fresh process on one core; a job's seconds are without
its imports, its memory is the process's peak with them. All jobs are run in turn several times and the
fastest of each counts: what else a shared machine does can only slow a job down.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.measure import peak_bytes
from benchmarks.session import ROOT, in_own_process, say, write

ROWS = 200_000
REPEATS = 3
SEED = 0
# Of the published harmless set: turns before the last reply, words of a turn and of a reply, and how many
# pairs of replies begin with the same word.
EXCHANGES = (1, 1, 2, 2, 3, 4)
TURN_WORDS, REPLY_WORDS = (3, 27), (5, 57)
SAME_START = 0.19
VOCABULARY = 4000


def transcripts(count: int, seed: int = SEED) -> Iterator[dict[str, str]]:
    """HH rows: two transcripts that share all turns but the last."""
    chance = random.Random(seed)
    letters = "aaabcdeeeefghiiklmnooprrsstttuvwy"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(VOCABULARY)]

    def text(bounds: tuple[int, int]) -> str:
        return " ".join(chance.choices(words, k=chance.randint(*bounds))).capitalize() + "."

    for _ in range(count):
        turns = [f"\n\nHuman: {text(TURN_WORDS)}"]
        for _ in range(chance.choice(EXCHANGES) - 1):
            turns += [f"\n\nAssistant: {text(REPLY_WORDS)}", f"\n\nHuman: {text(TURN_WORDS)}"]
        start = "I " if chance.random() < SAME_START else ""
        before = "".join(turns) + "\n\nAssistant: "
        yield {name: before + start + text(REPLY_WORDS) for name in ("chosen", "rejected")}


def read(path: Path, scratch: Path) -> int:
    import heedful.formats

    return heedful.formats.read(path).counts.kept


def stream(path: Path, scratch: Path) -> int:
    import heedful.formats
    from heedful.quarantine import Quarantined

    return sum(not isinstance(outcome, Quarantined) for outcome in heedful.formats.stream(path))


def convert(path: Path, scratch: Path) -> int:
    import heedful.formats
    from heedful.quarantine import Quarantined

    records = (outcome for outcome in heedful.formats.stream(path) if not isinstance(outcome, Quarantined))
    return heedful.formats.write(records, scratch / "trl.jsonl", format="trl", strict=False).rows


def check(path: Path, scratch: Path) -> int:
    from heedful.checks import check as check_all

    return check_all(path).records


def peer(path: Path, scratch: Path) -> int:
    import datasets
    from trl.data_utils import maybe_extract_prompt

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(scratch))
    return len(loaded.map(maybe_extract_prompt))


JOBS: dict[str, tuple[str, Callable[[Path, Path], int]]] = {
    "peer": ("`datasets` + TRL's `extract_prompt`", peer),
    "read": ("`heedful.read`, all records in memory", read),
    "stream": ("the same, one record at a time", stream),
    "convert": ("`heedful convert` to TRL's layout", convert),
    "check": ("`heedful check`, all checks that need no model", check),
}


def measured(job: str, path: Path) -> dict[str, Any]:
    """Run one job in this process."""
    with tempfile.TemporaryDirectory() as folder:
        run = JOBS[job][1]
        warm = Path(folder, "warm.jsonl")
        with path.open(encoding="utf-8") as file:
            warm.write_text("".join(file.readline() for _ in range(50)), encoding="utf-8")
        run(warm, Path(folder))  # imports whatever the job imports
        before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        rows = run(path, Path(folder))
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "title": JOBS[job][0],
        "rows": rows,
        "seconds": seconds,
        "cpu_seconds": busy,
        "peak_bytes": peak_bytes(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description="reading, row by row")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of which the fastest counts")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "reading")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.job:
        print(json.dumps(measured(options.job, options.file)))
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-reading-") as folder:
        path = Path(folder, "hh.jsonl")
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in transcripts(options.rows))
        say(f"{options.rows} pairs, {path.stat().st_size / 1e6:.0f} MB")
        runs = [{name: _alone(name, path) for name in options.jobs} for _ in range(options.repeats)]
        found = {name: min((run[name] for run in runs), key=_seconds) for name in options.jobs}
        size = path.stat().st_size
    here = machine.describe()
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": "",
        "settings": {"rows": options.rows, "bytes": size, "seed": SEED, "repeats": options.repeats},
        "jobs": found,
    }
    say(f"written: {write(report, options.results)}")


def _seconds(found: dict[str, Any]) -> float:
    return float(found["seconds"])


def _alone(job: str, path: Path) -> dict[str, Any]:
    """One job in a process of its own, on one core."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "ARROW_IO_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    found = in_own_process("benchmarks.reading", "--job", job, "--file", str(path), env=one)
    say(
        f"{JOBS[job][0]}: {found['rows'] / found['seconds']:,.0f} rows/s, "
        f"{found['peak_bytes'] / 1e9:.2f} GB at its peak, {found['rows']} rows"
    )
    return found


if __name__ == "__main__":
    main()
