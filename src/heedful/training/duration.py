"""How long a run takes: what it computes, at the speed that was measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.training.speed import Pace, Speed
from heedful.training.work import Work


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds of one phase over a whole run, and by what share they may be off on either side."""

    phase: str
    seconds: float
    off: float


# What a few seconds of trying miss, measured on whole runs (docs/memory.md): loading, reading and writing,
# packs of other lengths, and what else the machine has to do.
LEAST_OFF = 0.25


def durations(work: Sequence[Work], speed: Speed) -> tuple[Duration, ...]:
    """Of every phase."""
    return tuple(_duration(part, speed) for part in work)


def total(parts: Sequence[Duration], name: str = "total") -> Duration:
    """All phases together; they are off on the same side, since it is the same machine."""
    seconds = sum(part.seconds for part in parts)
    off = sum(part.seconds * part.off for part in parts) / seconds if seconds else 0.0
    return Duration(name, seconds, off)


def _duration(work: Work, speed: Speed) -> Duration:
    terms: list[tuple[float, Pace]] = [
        (work.passed + work.prompts, speed.passing),
        (work.learned, speed.learning),
        (work.read, speed.reading),
        (work.taught, speed.teaching),
        (work.updates, speed.updating),
    ]
    if speed.drawing is not None:
        terms.append((work.drawn, speed.drawing))
    seconds = sum(count * pace.seconds for count, pace in terms)
    off = sum(count * pace.seconds * max(pace.spread, LEAST_OFF) for count, pace in terms)
    return Duration(work.phase, seconds, off / seconds if seconds else 0.0)
