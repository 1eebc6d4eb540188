"""What reward each policy buys with how much KL: the frontier of Rafailov et al. 2023, section 6.1.

Takes measured points; knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from heedful.evaluation.estimates import Estimate
from heedful.intervals import difference

Place = Literal["frontier", "not clearly below", "below"]


@dataclass(frozen=True, slots=True)
class Point:
    """One policy.

    Attributes:
        name: the run's or method's.
        step: of training, None for what was not trained (best of n).
        beta: the KL coefficient it was trained with, where it has one.
        kl: from the reference, nats per answer.
        reward: mean reward of its answers.
    """

    name: str
    step: int | None
    beta: float | None
    kl: Estimate
    reward: Estimate


@dataclass(frozen=True, slots=True)
class Placed:
    """A point and where it lies.

    Attributes:
        point: the point.
        place: on the frontier where no other point has as much reward for as little KL; below it where
            another has clearly more reward for no more KL; between the two the intervals do not tell. (That
            a reward is as high as another no interval shows, so that less KL alone makes nothing clear.)
        beaten_by: the points that have as much reward for as little KL, the highest reward first.
    """

    point: Point
    place: Place
    beaten_by: tuple[Point, ...]


def frontier(points: Sequence[Point]) -> tuple[Placed, ...]:
    """Where each point lies, in the order given.

    Differences are taken to be of independent figures, which errs towards "not clearly" where the same
    prompts were used.
    """
    placed = []
    for point in points:
        beating = [other for other in points if _beats(other, point)]
        beaten = any(clearly(other, point) for other in beating)
        place: Place = "below" if beaten else "not clearly below" if beating else "frontier"
        placed.append(Placed(point, place, tuple(sorted(beating, key=lambda p: -p.reward.value))))
    return tuple(placed)


def _beats(other: Point, point: Point) -> bool:
    more, less = other.reward.value - point.reward.value, point.kl.value - other.kl.value
    return more >= 0 and less >= 0 and more + less > 0


def clearly(other: Point, point: Point) -> bool:
    """Of a point that has as much reward for as little KL: whether it has clearly more."""
    mine, theirs = point.reward, other.reward
    return difference(theirs.value, theirs.interval, mine.value, mine.interval)[0] > 0
