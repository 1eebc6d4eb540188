"""Where a run's numbers go: metrics.jsonl, a progress line for a person, and trackers where asked for."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from heedful.errors import RecipeError

# Without a terminal a plain line every so many seconds is enough to see that a run lives.
_PLAIN_EVERY_SECONDS = 15.0


class MetricsLog:
    """`metrics.jsonl`: one JSON object a line, in the order things happened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO = path.open("a", encoding="utf-8")

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        self._file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        self._file.flush()

    def position(self) -> int:
        """Bytes on disk; a checkpoint remembers it, so that a resumed run repeats no line."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.path.stat().st_size

    def cut(self, position: int) -> None:
        self._file.close()
        with self.path.open("rb+") as file:
            file.truncate(min(position, self.path.stat().st_size))
        self._file = self.path.open("a", encoding="utf-8")

    def close(self) -> None:
        self._file.close()


def require(trackers: Sequence[str]) -> None:
    """Refuse trackers that are not installed: Accelerate would leave them out without a word.

    Raises:
        RecipeError: which one is missing.
    """
    for name in trackers:
        if importlib.util.find_spec(name) is None:
            where, mend = "training.trackers", f"Install it (pip install {name}), or leave it out."
            raise RecipeError(f"{name} is not installed.", where=where, mend=mend)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; a last line that a kill cut short is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


class Reporter:
    """What a person sees meanwhile: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.stream = stream or sys.stderr

    def say(self, text: str) -> None:
        if not self.quiet:
            print(text, file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        """What must be known even when quiet."""
        print(text, file=self.stream, flush=True)

    @contextmanager
    def task(self, title: str, total: int | None, start: int = 0) -> Iterator[Task]:
        """A piece of work of `total` steps; None where nobody knows how many there are."""
        bar = not self.quiet and self.stream.isatty()
        task: Task = _Bar(title, total, start) if bar else _Lines(self, title, total, start)
        task.start()
        try:
            yield task
        finally:
            task.stop()


class Task(ABC):
    """Progress of one piece of work; a context manager."""

    @abstractmethod
    def update(self, done: int, note: str = "") -> None:
        """`done` steps are behind us; `note` says how it goes."""

    @abstractmethod
    def say(self, text: str) -> None:
        """A line that stays."""

    def start(self) -> None:  # noqa: B027  only a bar has something to put up and take down
        pass

    def stop(self) -> None:  # noqa: B027
        pass


class _Bar(Task):
    def __init__(self, title: str, total: int | None, start: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._endless = total is None
        self._id: TaskID = self._progress.add_task(title, total=total, completed=start, note="")

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        if self._endless:  # now it is known, and the bar is full
            self._progress.update(self._id, total=self._progress.tasks[0].completed)
        self._progress.stop()

    def update(self, done: int, note: str = "") -> None:
        self._progress.update(self._id, completed=done, note=note)

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)


class _Lines(Task):
    def __init__(self, reporter: Reporter, title: str, total: int | None, start: int) -> None:
        self._reporter, self._title, self._total, self._last = reporter, title, total, start
        self._said_at = time.monotonic()

    def update(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if done != self._total and now - self._said_at < _PLAIN_EVERY_SECONDS:
            return
        self._said_at = now
        of = f"/{self._total}" if self._total is not None else ""
        self._reporter.say(f"{self._title} {done}{of}{'  ' + note if note else ''}")

    def say(self, text: str) -> None:
        self._reporter.say(text)
