"""Verdicts on disk, so that what was paid for once is not asked again and a killed run goes on.

One file per endpoint and model, to which whole lines are appended; half a line, as a kill may leave it, is
passed over. A line says which question by a fingerprint and holds no text that was judged.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from heedful.errors import JudgeError
from heedful.evaluation.duels import Choice
from heedful.judges.judge import Verdict
from heedful.models.catalog import cache_folder

FOLDER = "judges"
_CHOICES = (*get_args(Choice), None)
_UNSAFE = re.compile(r"[^\w.-]+")


class Cache:
    """Verdicts by fingerprint; read when first asked, and appended to at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[str, Verdict] | None = None

    @classmethod
    def of(cls, url: str, model: str) -> Cache:
        """That of a model behind an endpoint."""
        digest = hashlib.sha256(f"{url}\n{model}".encode()).hexdigest()[:12]
        return cls(cache_folder() / FOLDER / f"{_UNSAFE.sub('-', model)[:60]}-{digest}.jsonl")

    def get(self, key: str) -> Verdict | None:
        """The verdict on a question, if there is one; one without a choice is one too.

        Raises:
            JudgeError: the file cannot be read.
        """
        with self._lock:
            if self._known is None:
                with self._worded("read"):
                    self._known = _read(self.path)
            return self._known.get(key)

    def put(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict; it is with the system when this returns, whatever becomes of the process.

        Raises:
            JudgeError: the file cannot be written.
        """
        told = {"key": key, "choice": verdict.choice, "why": verdict.why, "undecided": verdict.undecided}
        with self._lock, self._worded("written"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write to a file opened for appending: two processes' lines do not mix. The line break in
            # front ends what a killed one left.
            with self.path.open("ab", buffering=0) as file:
                start = b"" if _ended(self.path) else b"\n"
                file.write(start + json.dumps(told).encode() + b"\n")
            if self._known is not None:
                self._known[key] = verdict

    @contextmanager
    def _worded(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            mend = "Make room, or name another cache folder in HEEDFUL_CACHE."
            what = f"the judge's cache cannot be {done}: {error.strerror or error}."
            raise JudgeError(what, where=str(self.path), mend=mend) from error


def fingerprint(*parts: Any) -> str:
    """Of all that a verdict depends on, as JSON has it."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


def _ended(path: Path) -> bool:
    """Whether the file is empty or ends with a whole line."""
    size = path.stat().st_size
    if not size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read(path: Path) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    if not path.is_file():
        return found
    for line in path.read_bytes().splitlines():
        try:
            told = json.loads(line)
            key, choice, why, undecided = (told[name] for name in ("key", "choice", "why", "undecided"))
        except (ValueError, KeyError, TypeError):
            continue
        if choice in _CHOICES and all(isinstance(text, str) for text in (key, why, undecided)):
            found[key] = Verdict(choice, why=why, undecided=undecided)
    return found
