"""The numbers of the dashboard: how far people are, how fast, how well they agree, and who needs a look.

`Board` reads of the log what is new and works the figures out anew only where there was something. How far
the items are is asked of the database each time. Knows nothing of pages.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from heedful.checks.finding import Interval
from heedful.checks.position_bias import binomial_test
from heedful.checks.votes import UNKNOWN, Votes
from heedful.collect.answer import Answer
from heedful.collect.findings.agreeing import Window, headline, measured, over_time, shared, with_others
from heedful.collect.findings.alarms import Watch, watch
from heedful.collect.findings.progress import Pace, Progress, pace_of, progress_of
from heedful.collect.findings.questions import compared, questions
from heedful.collect.findings.tally import Floats, Ints, Said, Tally, Words, skipped
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.work.calibration import calibration_round
from heedful.intervals import wilson

BINS = (0, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, math.inf)
"""Edges of the histogram of seconds: as fine as reading times differ."""

OWN_WORDS = "in their own words"  # a skip without one of the settings' reasons
NOTHING = Interval(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True, slots=True)
class Kind:
    """How far people agree about the questions of one kind; see `questions.Questions`."""

    name: str
    figures: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree.

    Attributes:
        items: that two people or more voted on.
        headline: the name of the figure that speaks for all.
        kinds: of questions, the one that the task is about first; none where no item has two votes.
        windows: the headline figure over time.
    """

    items: int = 0
    headline: str = "fleiss"
    kinds: tuple[Kind, ...] = ()
    windows: tuple[Window, ...] = ()

    @property
    def figure(self) -> Interval:
        return self.kinds[0].figures.get(self.headline, NOTHING) if self.kinds else NOTHING


@dataclass(frozen=True, slots=True)
class Place:
    """How often the better one of two responses was the one shown first; p is of a fair coin."""

    figure: Interval = NOTHING
    p: float = math.nan


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long votes took: quartiles, and how many of them are known."""

    n: int = 0
    low: float = math.nan
    median: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Calibration:
    """How somebody did in the calibration round.

    Attributes:
        judged: of `of` items.
        right: of those whose answer is known.
        passed: None where nothing has to be passed, or it is not done.
    """

    judged: int
    of: int
    right: Interval
    passed: bool | None


@dataclass(frozen=True, slots=True)
class Annotator:
    """One person's figures.

    Attributes:
        last: when they first said their latest word, in seconds since 1970.
        agreement: with what most of the others say, of answers on which they lean one way.
        gold: right, of items whose answer is known.
    """

    id: int
    name: str
    votes: int
    skips: int
    last: float
    agreement: Interval
    place: Place
    seconds: Seconds
    gold: Interval
    calibration: Calibration | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the log says.

    Attributes:
        rows: of the log, by what became of them; see `Tally.rows`.
        began: when each vote of the main stage was first given, in seconds since 1970; not known of imports.
        reasons, flags: how often something was skipped and flagged as what.
        histogram: votes by the seconds they took, between each two of `BINS`.
        gold: right, of votes on items whose answer is known.
    """

    rows: dict[str, int]
    began: Floats
    reasons: dict[str, int]
    flags: dict[str, int]
    agreement: Agreement
    place: Place
    seconds: Seconds
    histogram: tuple[int, ...]
    gold: Interval
    people: tuple[Annotator, ...]
    watch: Watch

    @property
    def votes(self) -> int:
        return self.rows["vote"]


@dataclass(frozen=True, slots=True)
class Figures:
    """All of the dashboard's numbers at one moment."""

    at: datetime
    settings: Settings
    progress: Progress
    pace: Pace
    measured: Measured


class Board:
    """The figures of one project, with what has been read of its log kept in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tally = Tally()
        self._known: tuple[object, Measured] | None = None

    def figures(self, connection: Connection, settings: Settings, at: datetime) -> Figures:
        """The figures as they are now; a read transaction is enough."""
        progress = progress_of(connection, at)
        known = Known.read(connection, settings)
        with self._lock:
            self._tally.update(connection)
            key = (self._tally.last, settings, known)
            if self._known is None or self._known[0] != key:
                self._known = key, measure(self._tally, known, settings)
            found = self._known[1]
        return Figures(at, settings, progress, pace_of(found.began, progress.main.left, at), found)


@dataclass(frozen=True)
class Known:
    """What is known beside the log.

    Attributes:
        names: of people, by id.
        calibrated: who was let through the calibration round by hand.
        gold: right answers, by item.
        calibration: the items of the calibration round.
        beside: items of stages other than the main one.
    """

    names: dict[int, str]
    calibrated: frozenset[int]
    gold: dict[int, dict[str, Any]]
    calibration: frozenset[int]
    beside: frozenset[int]

    @classmethod
    def read(cls, connection: Connection, settings: Settings) -> Known:
        people, items = schema.people.c, schema.items.c
        rows = connection.execute(select(people.id, people.name, people.calibrated)).all()
        golds = connection.execute(select(items.id, items.gold).where(items.gold.is_not(None)))
        beside = connection.execute(select(items.id).where(items.stage != "main")).scalars()
        return cls(
            {row.id: row.name for row in rows},
            frozenset(row.id for row in rows if row.calibrated),
            {row.id: row.gold for row in golds},
            frozenset(calibration_round(connection, settings)),
            frozenset(beside),
        )


def measure(tally: Tally, known: Known, settings: Settings) -> Measured:
    """All that the log says."""
    said = tally.words()
    skips = said.each(skipped) == 1
    words = said.where(~skips)
    votes = compared(words, known.gold, known.names)
    right = _right(words, known)
    agreement, agreed = _agreement(words, settings)
    timed = votes.seconds[np.isfinite(votes.seconds)]
    beside = np.isin(words.items, list(known.beside))
    return Measured(
        rows=tally.rows(said),
        began=np.sort(words.began[~words.imported & ~beside]),
        reasons=_told(said.where(skips), lambda answer: [answer.get("reason") or OWN_WORDS]),
        flags=_told(said, lambda answer: answer.get("flags", ())),
        agreement=agreement,
        place=place_of(votes.shown),
        seconds=_seconds(timed),
        histogram=tuple(np.histogram(timed, BINS)[0].tolist()),
        gold=_share(right),
        people=_annotators(said, words, votes, right, agreed, known, settings),
        watch=watch(votes),
    )


def _told(words: Words, of: Callable[[Said], Iterable[str]]) -> dict[str, int]:
    """How often each of the things that answers name was named, the most frequent first."""
    found: Counter[str] = Counter()
    times = np.bincount(words.answers, minlength=len(words.said))
    for answer, n in zip(words.said, times.tolist(), strict=True):
        if n:
            found.update(dict.fromkeys(of(answer), n))
    return dict(found.most_common())


def _agreement(words: Words, settings: Settings) -> tuple[Agreement, dict[int, Interval]]:
    """How far people agree, and each of them with the others."""
    kinds = questions(words, settings)
    if not kinds:
        return Agreement(), {}
    main = shared(kinds[0])
    name, _ = headline(main)
    if not main.n_items:
        return Agreement(headline=name), {}
    of_kinds = tuple(Kind(asked.name, measured(shared(asked), words.people)) for asked in kinds)
    windows = tuple(over_time(main, words.began))
    return Agreement(main.n_items, name, of_kinds, windows), with_others(kinds[0], words.people)


def _annotators(
    said: Words,
    words: Words,
    votes: Votes,
    right: Floats,
    agreed: dict[int, Interval],
    known: Known,
    settings: Settings,
) -> tuple[Annotator, ...]:
    """Everybody who said something, those with the most votes first."""
    of_round = np.isin(words.items, list(known.calibration))
    found: list[Annotator] = []
    for person in np.unique(said.people).tolist():
        own, all_own = words.people == person, said.people == person
        seconds = votes.seconds[own]
        found.append(
            Annotator(
                id=person,
                name=known.names[person],
                votes=int(own.sum()),
                skips=int(all_own.sum() - own.sum()),
                last=float(said.began[all_own].max()),
                agreement=agreed.get(person, NOTHING),
                place=place_of(votes.shown[own]),
                seconds=_seconds(seconds[np.isfinite(seconds)]),
                gold=_share(right[own]),
                calibration=_calibration(person, right[own & of_round], known, settings),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.votes, one.name)))


def _calibration(person: int, right: Floats, known: Known, settings: Settings) -> Calibration | None:
    """`right`: of each item of the calibration round that they judged."""
    of, share = len(known.calibration), _share(right)
    if not of:
        return None
    passed = None
    if settings.calibration_pass is not None and (person in known.calibrated or len(right) == of):
        passed = person in known.calibrated or share.value >= settings.calibration_pass
    return Calibration(len(right), of, share, passed)


def _right(words: Words, known: Known) -> Floats:
    """Whether what each person said first is right: later they may have been told. NaN where nobody knows."""
    golds = {item: Answer.model_validate(gold) for item, gold in known.gold.items()}
    said = [Answer.model_validate(answer) for answer in words.said]
    right = np.full(len(words), math.nan)
    for n in np.flatnonzero(np.isin(words.items, list(golds))).tolist():
        found = said[words.firsts[n]].meets(golds[int(words.items[n])])
        right[n] = math.nan if found is None else float(found)
    return right


def _share(right: Floats) -> Interval:
    told = right[np.isfinite(right)]
    if not len(told):
        return NOTHING
    return Interval(float(told.mean()), *wilson(float(told.sum()), len(told)), len(told))


def place_of(shown: Ints) -> Place:
    """`shown`: as in `checks.votes.Votes`."""
    placed = shown[shown != UNKNOWN]
    first, n = int((placed == 0).sum()), len(placed)
    if not n:
        return Place()
    return Place(Interval(first / n, *wilson(first, n), n), binomial_test(first, n))


def _seconds(timed: Floats) -> Seconds:
    if not len(timed):
        return Seconds()
    return Seconds(len(timed), *(float(quartile) for quartile in np.quantile(timed, (0.25, 0.5, 0.75))))
