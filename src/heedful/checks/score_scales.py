"""The scale that scores are on, guessed from them; records by their score."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from heedful.checks.finding import EXAMPLES

Scale = tuple[float, float]
"""The lowest and the highest score."""

USUAL: tuple[Scale, ...] = (
    (0, 1), (1, 3), (0, 3), (0, 4), (1, 5), (0, 5), (1, 7), (0, 10), (1, 10), (0, 100), (1, 100),
)  # fmt: skip
STEP = 1.0  # a score just outside a guessed scale may be its rare end
FEW = 50  # scores below which no scale is guessed

Key = TypeVar("Key")


class ByScore(Generic[Key]):
    """The indices of records by their score, and a few ids of each; scores of too many kinds are let go."""

    MOST = 10_000  # different scores

    def __init__(self) -> None:
        self.indices: dict[Key, array[int]] = {}
        self.ids: dict[Key, list[str]] = {}
        self.many = False

    def add(self, score: Key, index: int, id: str) -> None:
        if score not in self.indices:
            if len(self.indices) == self.MOST:
                self.many = True
                return
            self.indices[score], self.ids[score] = array("q"), []
        self.indices[score].append(index)
        if len(self.ids[score]) < EXAMPLES:
            self.ids[score].append(id)

    @property
    def counts(self) -> dict[Key, int]:
        return {score: len(indices) for score, indices in self.indices.items()}

    def where(self, scores: Iterable[Key]) -> frozenset[int]:
        return frozenset(index for score in scores for index in self.indices[score])


def scale_of(counts: Mapping[float, int], inside: float) -> Scale | None:
    """The smallest usual scale that nearly all scores fit; None where there is none, or too few scores.

    Args:
        counts: how often each score was given.
        inside: the share of them that must fit.
    """
    total = sum(counts.values())
    if total < FEW:
        return None

    def fitting(scale: Scale) -> int:
        return sum(count for score, count in counts.items() if scale[0] <= score <= scale[1])

    by_size = sorted(USUAL, key=lambda scale: (scale[1] - scale[0], -fitting(scale)))
    return next((scale for scale in by_size if fitting(scale) >= inside * total), None)


def is_outside(score: float, scale: Scale, *, guessed: bool) -> bool:
    """Whether a score is outside for certain."""
    room = STEP if guessed else 0.0
    return not (math.isfinite(score) and scale[0] - room <= score <= scale[1] + room)


def place(score: float, scale: Scale) -> float:
    """Where on its scale a score stands: 0 the lowest, 1 the highest."""
    return (score - scale[0]) / (scale[1] - scale[0])
