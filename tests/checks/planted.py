"""Records with and without a fault, and the one way the tests show them to a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from heedful.checks.finding import Check, Finding, Outcome
from heedful.checks.running import run
from heedful.formats import stream
from heedful.quarantine import Quarantined
from heedful.records import Demonstration, Preference, Rating, Record, assistant, user


def pair(chosen: str, rejected: str, *, prompt: str = "Why?", id: str = "", **more: Any) -> Preference:
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), id=id, **more)


def reply(text: str, *, prompt: str = "Why?", id: str = "") -> Demonstration:
    return Demonstration((user(prompt),), (assistant(text),), id=id)


def rating(
    score: float, aspect: str = "overall", *, prompt: str = "Why?", text: str = "So.", **more: Any
) -> Rating:
    return Rating((user(prompt),), (assistant(text),), score, aspect, **more)


def left_out(reason: str, number: int = 1) -> Quarantined:
    return Quarantined(f"data.jsonl:{number}", reason, "as it came", {})


def outcome(check: Check, records: Iterable[Record | Quarantined]) -> Outcome:
    ((_, found),) = run(records, [check]).checks
    return found


def only(found: Outcome) -> Finding:
    (finding,) = found.findings
    return finding


def codes(found: Outcome) -> list[str]:
    return [finding.code for finding in found.findings]


HH = "hh-harmless-test-600.jsonl.gz"
PUBLISHED = (
    HH,
    "sharegpt-ranking-en-300.json.gz",
    "alpaca-sft-en-1000.json.gz",
    "alpaca-eval-FuseChat-Llama-3.2-3B-Instruct.json.gz",
    "alpaca-eval-gemma-7b-it.json.gz",
    "alpaca-eval-vicuna-7b.json.gz",
)


def published(folder: Path, name: str) -> list[Record | Quarantined]:
    """A published file's rows; the test is skipped where that file is not there."""
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not among the published data sets")
    return list(stream(folder / name))


CLEAN: Sequence[Preference] = [
    pair(
        f"It is {n} because the sum of both is {n}.",
        f"Nobody can say what {n} is.",
        prompt=f"What is {n}?",
        id=f"p{n}",
    )
    for n in range(200)
]
"""Pairs without a fault."""
