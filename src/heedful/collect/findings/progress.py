"""How far the items are, and when the rest will be done if people go on as they did lately."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import numpy as np
from sqlalchemy import Connection, and_, case, func, select

from heedful.collect.findings.tally import Floats
from heedful.collect.store import schema
from heedful.collect.store.model import Stage

LATELY = timedelta(days=7)  # what the pace is measured over: a whole week, so that nights and week-ends count
LEAST = 5  # votes without which there is no pace
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
STEPS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY)  # of a plot over time
BARS = 36  # at most


@dataclass(frozen=True, slots=True)
class StageProgress:
    """The items of one stage.

    Attributes:
        done: that the queue no longer gives out.
        in_hand: that somebody has before them, of those that are not done.
        waiting: the rest.
        wanted, given: votes; those beyond what an item wanted are not among the given ones.
        left: votes that are still wanted, of items that are not done.
        votes: all there are.
    """

    stage: Stage
    done: int
    in_hand: int
    waiting: int
    wanted: int
    given: int
    left: int
    votes: int

    @property
    def items(self) -> int:
        return self.done + self.in_hand + self.waiting


@dataclass(frozen=True, slots=True)
class Progress:
    """How far each stage is that has items."""

    stages: tuple[StageProgress, ...] = ()

    @property
    def main(self) -> StageProgress:
        """The stage that the project is about."""
        return next(
            (stage for stage in self.stages if stage.stage == "main"),
            StageProgress("main", 0, 0, 0, 0, 0, 0, 0),
        )


@dataclass(frozen=True, slots=True)
class Pace:
    """Votes over time.

    Attributes:
        per_day: in the last week, or since the first vote; NaN of too few.
        over: what it was measured over.
        done_at: when none is left at this pace; None where that is not known or beyond all bounds.
        starts, counts: of the bars of a plot: when each begins, in seconds since 1970, and the votes in it.
        step: how long a bar is, in seconds.
    """

    per_day: float = math.nan
    over: timedelta = LATELY
    done_at: datetime | None = None
    starts: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    step: float = 0.0


def progress_of(connection: Connection, at: datetime) -> Progress:
    """Every stage as it is at this moment."""
    items, held = schema.items.c, schema.assignments.c
    in_hand = (
        select(held.item)
        .where(held.kind == "vote", held.closed_at.is_(None), held.expires_at > at)
        .distinct()
        .subquery()
    )
    missing = case((and_(items.open, items.wanted > items.votes), items.wanted - items.votes), else_=0)
    given = case((items.votes > items.wanted, items.wanted), else_=items.votes)
    sums = (
        select(
            items.stage,
            func.count().label("items"),
            func.sum(case((items.open, 0), else_=1)).label("done"),
            func.sum(case((and_(items.open, in_hand.c.item.is_not(None)), 1), else_=0)).label("in_hand"),
            func.sum(items.wanted).label("wanted"),
            func.sum(given).label("given"),
            func.sum(missing).label("left"),
            func.sum(items.votes).label("votes"),
        )
        .select_from(schema.items.outerjoin(in_hand, in_hand.c.item == items.id))
        .group_by(items.stage)
    )
    found = {row.stage: row for row in connection.execute(sums)}
    return Progress(
        tuple(
            StageProgress(
                stage,
                row.done,
                row.in_hand,
                row.items - row.done - row.in_hand,
                row.wanted,
                row.given,
                row.left,
                row.votes,
            )
            for stage in get_args(Stage)
            if (row := found.get(stage)) is not None
        )
    )


def pace_of(began: Floats, left: int, at: datetime) -> Pace:
    """How fast votes come in.

    Args:
        began: when each was first given, in seconds since 1970, in order.
        left: how many are still wanted.
    """
    if not len(began):
        return Pace()
    now = max(at.timestamp(), float(began[-1]))
    over = min(LATELY.total_seconds(), max(now - float(began[0]), 1.0))
    lately = int((began >= now - over).sum())
    per_day = lately / over * DAY if lately >= LEAST else math.nan
    starts, counts, step = _bars(began, now)
    return Pace(per_day, timedelta(seconds=over), _done_at(left, per_day, at), starts, counts, step)


def _done_at(left: int, per_day: float, at: datetime) -> datetime | None:
    if not left or math.isnan(per_day):
        return None
    try:
        return at + timedelta(days=left / per_day)
    except OverflowError:
        return None


def _bars(began: Floats, now: float) -> tuple[tuple[float, ...], tuple[int, ...], float]:
    """Votes by minute, hour, day or more, from the first one to now."""
    step = next((step for step in STEPS if (now - began[0]) / step < BARS), STEPS[-1])
    first = math.floor(began[0] / step)
    bars = math.floor(now / step) - first + 1
    counts = np.bincount(np.floor(began / step).astype(np.int64) - first, minlength=bars)
    return tuple((first + n) * step for n in range(bars)), tuple(counts.tolist()), step
