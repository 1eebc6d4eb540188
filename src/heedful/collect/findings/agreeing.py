"""How far people agree about the questions they were asked, overall, in the course of time, and one by one.

The figures are those of `heedful.agreement`, counted both ways round as `heedful check` does. Answers about
one item hang together, so that items are drawn with all their questions when an interval is worked out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful import intervals
from heedful.agreement import Statistic, cohen, count_votes, fleiss, krippendorff, leave_one_out, percent
from heedful.checks.agreement import both_ways
from heedful.checks.finding import Interval
from heedful.collect.findings.questions import Questions
from heedful.collect.findings.tally import Floats, Ints

RESAMPLES = 500
FEWER = 200  # resamples of a window's figure, of which there are many, and of very many items
MANY = 5000  # items: their interval is so narrow that its ends may shake a little
WINDOWS = 12  # at most
LEAST = 25  # items in a window
POINT = 1.0  # ratings closer than this to the others' mean agree with them

UNKNOWN = Interval(math.nan, math.nan, math.nan, 0)
LABELS = {
    "percent": "two votes agree",
    "cohen": "Cohen's κ",
    "fleiss": "Fleiss' κ",
    "alpha_nominal": "Krippendorff's α, nominal",
    "alpha_ordinal": "Krippendorff's α, ordinal",
    "alpha_interval": "Krippendorff's α, interval",
}


@dataclass(frozen=True, slots=True)
class Window:
    """Items that were finished one after the other.

    Attributes:
        begin, end: when the first and the last of them got its last vote, in seconds since 1970.
    """

    begin: float
    end: float
    figure: Interval


@dataclass(frozen=True, slots=True)
class Shared:
    """The questions of one kind that two people or more answered, and what is counted of them.

    Attributes:
        asked: whose answers are of these questions alone.
        counts: how many gave which answer, `[questions, categories]`.
        items: which item each question is about, `[questions]`, whole numbers from 0.
    """

    asked: Questions
    counts: Ints
    items: Ints

    @property
    def n_items(self) -> int:
        return len(np.unique(self.items))


def shared(asked: Questions) -> Shared:
    """Those that have two answers or more."""
    counts = count_votes(asked.asked, asked.said, asked.categories)
    items = np.zeros(len(counts), dtype=np.int64)
    items[asked.asked] = asked.items
    several = counts.sum(axis=1) >= 2
    return Shared(asked, counts[several], items[several])


def measured(of: Shared, people: Ints, *, seed: int = 0) -> dict[str, Interval]:
    """Every figure there is of these questions, by name, each with its interval and the number of items.

    Args:
        people: whose each word is, `[words]`.
    """
    figures: dict[str, Interval] = {}
    if of.asked.scale == "nominal":
        figures |= _counted(of, {"percent": percent, "fleiss": fleiss, "alpha_nominal": krippendorff}, seed)
    else:
        scaled = {f"alpha_{scale}": partial(krippendorff, scale=scale) for scale in ("ordinal", "interval")}
        figures |= _counted(of, {"percent": percent, **scaled}, seed)
    if of.asked.scale == "nominal":
        figures["cohen"] = _cohen(of.asked, people, seed)
    return {name: figures[name] for name in LABELS if name in figures and figures[name].n}


def headline(of: Shared) -> tuple[str, Statistic]:
    """The one figure that speaks for all: κ where answers are names, α where they are steps."""
    if of.asked.scale == "nominal":
        return "fleiss", fleiss
    return "alpha_ordinal", partial(krippendorff, scale="ordinal")


def over_time(of: Shared, began: Floats, *, seed: int = 0) -> list[Window]:
    """The headline figure of windows with equally many items, in the order in which these were finished.

    Args:
        began: when each word was first given, `[words]`.
    """
    finished = np.full(int(of.asked.items.max(initial=-1)) + 1, -math.inf)
    np.maximum.at(finished, of.asked.items, began[of.asked.words])
    ordered = np.unique(of.items)
    ordered = ordered[np.argsort(finished[ordered], kind="stable")]
    windows = min(WINDOWS, len(ordered) // LEAST)
    _, statistic = headline(of)
    found: list[Window] = []
    for members in np.array_split(ordered, windows) if windows else []:
        inside = np.isin(of.items, members)
        part = Shared(of.asked, of.counts[inside], of.items[inside])
        (figure,) = _counted(part, {"": statistic}, seed, FEWER).values()
        found.append(Window(float(finished[members[0]]), float(finished[members[-1]]), figure))
    return found


def with_others(asked: Questions, people: Ints) -> dict[int, Interval]:
    """By person: how many of their answers are what most of the others say, or of ratings close to it.

    An answer counts where the others lean one way; of ratings it agrees if it lies within a point of their
    mean.
    """
    if asked.scale == "nominal":
        agrees = leave_one_out(asked.asked, asked.said, asked.categories)
    else:
        agrees = _near_the_others(asked)
    known = np.isfinite(agrees)
    whose, values, items = people[asked.words[known]], agrees[known], asked.items[known]
    found: dict[int, Interval] = {}
    for person in np.unique(whose).tolist():
        own = whose == person
        low, high = intervals.share(values[own], groups=items[own].tolist())
        found[person] = Interval(float(values[own].mean()), low, high, int(own.sum()))
    return found


def _near_the_others(asked: Questions) -> Floats:
    """Whether each answer lies within `POINT` of the mean of the others; NaN without others."""
    votes = np.bincount(asked.asked)[asked.asked] - 1
    rest = np.bincount(asked.asked, asked.said)[asked.asked] - asked.said
    mean = rest / np.where(votes > 0, votes, 1)
    return np.where(votes > 0, np.abs(asked.said - mean) <= POINT, math.nan)


def _counted(
    of: Shared, statistics: dict[str, Callable[..., float]], seed: int, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Figures of how many questions fell in which way, from the same resamples."""
    kinds, kind, repeats = np.unique(of.counts, axis=0, return_inverse=True, return_counts=True)
    draws = _draws(kind.ravel(), of.items, len(kinds), seed, resamples if of.n_items <= MANY else FEWER)
    found: dict[str, Interval] = {}
    for name, statistic in statistics.items():
        given = statistic
        if of.asked.mirror is not None and name != "percent":
            given = partial(both_ways, statistic, of.asked.mirror)
        found[name] = _interval(partial(_of_kinds, given, kinds), repeats, draws, of.n_items)
    return found


def _of_kinds(statistic: Statistic, kinds: ArrayLike, repeats: Ints) -> float:
    return statistic(kinds, repeats)


def _cohen(asked: Questions, people: Ints, seed: int) -> Interval:
    """κ of the two people, where there are two."""
    whose = people[asked.words]
    both = np.unique(whose)
    if len(both) != 2:
        return UNKNOWN
    n = asked.categories
    said = np.full((2, int(asked.asked.max()) + 1), -1)
    said[np.searchsorted(both, whose), asked.asked] = asked.said
    item_of = np.zeros(said.shape[1], dtype=np.int64)
    item_of[asked.asked] = asked.items
    answered = (said >= 0).all(axis=0)
    if not answered.any():
        return UNKNOWN
    cell = said[0, answered] * n + said[1, answered]
    mirror = asked.mirror

    def kappa(cells: NDArray[np.int64]) -> float:
        table = cells.reshape(n, n)
        return cohen(table if mirror is None else table + table[np.ix_(mirror, mirror)])

    items = item_of[answered]
    draws = _draws(cell, items, n * n, seed, RESAMPLES)
    return _interval(kappa, np.bincount(cell, minlength=n * n), draws, len(np.unique(items)))


def _draws(kind: Ints, items: Ints, n_kinds: int, seed: int, resamples: int) -> Ints:
    """How many questions of each kind there are in each resample of items, `[resamples, kinds]`.

    Args:
        kind, items: of each question.
    """
    rng = np.random.default_rng(seed)
    if not len(kind):
        return np.zeros((0, n_kinds), dtype=np.int64)
    _, group = np.unique(items, return_inverse=True)
    groups = int(group.max()) + 1
    if groups == len(kind):  # one question an item: those of a kind are drawn together, which is much faster
        shares = np.bincount(kind, minlength=n_kinds) / len(kind)
        return rng.multinomial(len(kind), shares, size=resamples)
    found = np.empty((resamples, n_kinds), dtype=np.int64)
    for n in range(resamples):
        times = np.bincount(rng.integers(groups, size=groups), minlength=groups)
        found[n] = np.bincount(kind, times[group], n_kinds)
    return found


def _interval(statistic: Callable[[Ints], float], repeats: Ints, draws: Ints, items: int) -> Interval:
    value = statistic(repeats) if items else math.nan
    if math.isnan(value):
        return Interval(math.nan, math.nan, math.nan, items)
    results = np.array([statistic(drawn) for drawn in draws]) if items >= 2 else np.array([])
    results = results[np.isfinite(results)]
    if not len(results):
        return Interval(value, math.nan, math.nan, items)
    low, high = np.quantile(results, [(1 - intervals.LEVEL) / 2, (1 + intervals.LEVEL) / 2])
    return Interval(value, float(low), float(high), items)
