"""How far people who judged the same things agree: percent, Cohen's κ, Fleiss' κ, Krippendorff's α.

Votes are taken as a table `[items, categories]` of how many raters put each item into each category, which
`count_votes` makes; who did not vote stands nowhere in it, so a missing vote is no category. Only Cohen's κ,
which knows its two raters apart, takes their cross table. Pure numpy. Knows nothing of records.

Each figure is 1 for perfect agreement, and the chance-corrected ones are about 0 for agreement by chance.
Where all votes fall into one category nobody can tell agreement from habit, and they are NaN (0 / 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.intervals import LEVEL, RESAMPLES, Interval

Floats = NDArray[np.float64]
Weights = Literal["linear", "quadratic"]
Scale = Literal["nominal", "ordinal", "interval"]


class Statistic(Protocol):
    """A figure of a table of votes whose every row may stand for several items."""

    def __call__(self, counts: ArrayLike, repeats: ArrayLike | None = None, /) -> float: ...


def count_votes(items: ArrayLike, categories: ArrayLike, n_categories: int) -> NDArray[np.int64]:
    """The table of votes, `[items, categories]`.

    Args:
        items: which item each vote is on, `[votes]`, whole numbers from 0.
        categories: what each vote says, `[votes]`, whole numbers from 0 and below `n_categories`.
    """
    item, category = np.asarray(items, dtype=np.int64), np.asarray(categories, dtype=np.int64)
    n_items = int(item.max()) + 1 if len(item) else 0
    flat = np.bincount(item * n_categories + category, minlength=n_items * n_categories)
    return flat.reshape(n_items, n_categories)


def others(items: ArrayLike, categories: ArrayLike, n_categories: int) -> NDArray[np.int64]:
    """What the other raters of each vote's item say, `[votes, categories]`; arguments as in `count_votes`."""
    item, category = np.asarray(items, dtype=np.int64), np.asarray(categories, dtype=np.int64)
    rest = count_votes(item, category, n_categories)[item]
    rest[np.arange(len(item)), category] -= 1
    return rest


def leave_one_out(items: ArrayLike, categories: ArrayLike, n_categories: int) -> Floats:
    """Whether each vote is what most of the others on its item say, `[votes]`: 1 if it is, 0 if not.

    NaN where no category leads among the others, or nobody else voted. Arguments as in `count_votes`.
    """
    rest = others(items, categories, n_categories)
    most = rest.max(axis=1, initial=0)
    led = (most > 0) & ((rest == most[:, None]).sum(axis=1) == 1)
    own = rest[np.arange(len(rest)), np.asarray(categories, dtype=np.int64)]
    return np.where(led, own == most, math.nan)


def percent(counts: ArrayLike, repeats: ArrayLike | None = None, /) -> float:
    """How often two raters of an item agree, the mean over the items that have two votes or more.

    Args:
        counts: votes, `[items, categories]`.
        repeats: how many items each row stands for, `[items]`; once each by default.

    Returns:
        A share, or NaN where no item has two votes.
    """
    table, times = _with_two_votes(counts, repeats)
    return _mean_agreement(table, times)


def fleiss(counts: ArrayLike, repeats: ArrayLike | None = None, /) -> float:
    """Fleiss' κ (1971), for any number of raters, who need not be the same for each item.

    His items have equally many votes. Where they have not, each item with two votes or more counts alike,
    both for the observed agreement and for the categories' shares (Gwet 2014, ch. 2.3).

    Arguments as in `percent`.
    """
    table, times = _with_two_votes(counts, repeats)
    if not times.sum():
        return math.nan
    shares = times @ (table / table.sum(axis=1, keepdims=True)) / times.sum()
    return _beyond_chance(_mean_agreement(table, times), float(shares @ shares))


def krippendorff(
    counts: ArrayLike,
    repeats: ArrayLike | None = None,
    /,
    *,
    scale: Scale = "nominal",
    values: ArrayLike | None = None,
) -> float:
    """Krippendorff's α ("Computing Krippendorff's Alpha-Reliability", 2011), missing votes allowed.

    Args:
        counts: votes, `[items, categories]`; the categories in their order where the scale has one. Items
            with one vote cannot be paired and do not count.
        repeats: how many items each row stands for, `[items]`; once each by default.
        scale: how far apart two categories are: all alike (nominal), by how many votes lie between them
            (ordinal), or by the square of their distance (interval).
        values: the categories as numbers, `[categories]`, for the interval scale; 0, 1, 2, ... by default.

    Returns:
        1 - observed / expected disagreement; NaN where all votes that can be paired are the same.
    """
    table, times = _with_two_votes(counts, repeats)
    votes = table.sum(axis=1, keepdims=True)
    weighted = table * (times[:, None] / (votes - 1))
    coincidences = weighted.T @ table - np.diag(weighted.sum(axis=0))
    totals = coincidences.sum(axis=0)
    apart = _distances(totals, scale, values)
    expected = float(totals @ apart @ totals)
    if expected <= 0:
        return math.nan
    return 1 - float((coincidences * apart).sum()) * (float(totals.sum()) - 1) / expected


def _distances(totals: Floats, scale: Scale, values: ArrayLike | None) -> Floats:
    """The squared difference δ² of each two categories, `[categories, categories]`."""
    if scale == "nominal":
        return 1 - np.eye(len(totals))
    if scale == "ordinal":
        at: Floats = np.cumsum(totals) - totals / 2  # the middle rank of a category's votes
    else:
        at = np.asarray(range(len(totals)) if values is None else values, dtype=np.float64)
    squares: Floats = np.square(at[:, None] - at[None, :])
    return squares


def cohen(table: ArrayLike, *, weights: Weights | None = None) -> float:
    """Cohen's κ of two raters (1960), or his weighted κ (1968).

    Args:
        table: items by what the first rater (row) and the second (column) said, `[categories, categories]`,
            in the categories' order where they are weighted.
        weights: how much a disagreement counts: all alike (None), by the distance of the two categories
            (linear) or by its square (quadratic).

    Returns:
        1 - observed / expected disagreement; NaN where both raters used one category only, the same.
    """
    observed = np.asarray(table, dtype=np.float64)
    if observed.ndim != 2 or observed.shape[0] != observed.shape[1]:
        raise ValueError(f"the table must be [categories, categories], not {list(observed.shape)}")
    if not observed.sum():
        return math.nan
    observed = observed / observed.sum()
    at = np.arange(len(observed))
    apart = np.abs(at[:, None] - at[None, :])
    cost = {None: apart > 0, "linear": apart, "quadratic": apart**2}[weights]
    expected = float(observed.sum(axis=1) @ cost @ observed.sum(axis=0))
    return 1 - float((observed * cost).sum()) / expected if expected > 0 else math.nan


def interval(
    statistic: Statistic,
    counts: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Percentile bootstrap interval of a figure, items drawn with all their votes (Efron 1979).

    Items whose votes are the same are drawn together, as a multinomial: that is the same distribution, and
    takes as long for 200 000 items as for the few hundred ways their votes can fall.

    Args:
        statistic: `percent`, `fleiss` or `krippendorff`; with arguments of its own as a `functools.partial`.
        counts: votes, `[items, categories]`.
        seed: of the resampling.

    Returns:
        (low, high), of the resamples in which the figure is a number; (nan, nan) with fewer than two items.
    """
    kinds, repeats = np.unique(np.asarray(counts), axis=0, return_counts=True)
    given = partial(statistic, kinds)
    return kinds_interval(given, repeats, seed=seed, resamples=resamples, level=level)


def cohen_interval(
    table: ArrayLike,
    *,
    weights: Weights | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The bootstrap interval of Cohen's κ, as `interval` is of the others; arguments as in both."""
    cells = np.asarray(table, dtype=np.int64)

    def statistic(drawn: NDArray[np.int64]) -> float:
        return cohen(drawn.reshape(cells.shape), weights=weights)

    return kinds_interval(statistic, cells.ravel(), seed=seed, resamples=resamples, level=level)


def kinds_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    repeats: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The bootstrap interval, as `interval`, of a figure that depends on how many items are of each kind.

    Args:
        statistic: takes those numbers, `[kinds]`, as `repeats` are.
        repeats: how many items are of each kind, `[kinds]`.
    """
    counts = np.asarray(repeats, dtype=np.int64)
    total = int(counts.sum())
    if total < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    shares = counts / total
    results = np.array([statistic(rng.multinomial(total, shares)) for _ in range(resamples)])
    results = results[np.isfinite(results)]
    if not len(results):
        return math.nan, math.nan
    low, high = np.quantile(results, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _with_two_votes(counts: ArrayLike, repeats: ArrayLike | None) -> tuple[Floats, Floats]:
    """The rows with two votes or more, and how many items each stands for."""
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"counts must be [items, categories], not {list(table.shape)}")
    times = np.ones(len(table)) if repeats is None else np.asarray(repeats, dtype=np.float64)
    several = table.sum(axis=1) >= 2
    return table[several], times[several]


def _mean_agreement(table: Floats, times: Floats) -> float:
    if not times.sum():
        return math.nan
    votes = table.sum(axis=1)
    agreeing = (table * (table - 1)).sum(axis=1) / (votes * (votes - 1))
    return float(times @ agreeing / times.sum())


def _beyond_chance(observed: float, expected: float) -> float:
    return (observed - expected) / (1 - expected) if expected < 1 else math.nan
