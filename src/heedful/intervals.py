"""How sure a number is: Wilson's interval for shares, a seeded bootstrap for the rest, and of a difference.

Pure numpy. Knows nothing of models, records or reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 2000

Interval = tuple[float, float]
Statistic = Callable[[NDArray[np.float64]], float]


def wilson(successes: float, n: float, *, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share (Wilson 1927), sensible at 0 of n and n of n too.

    Args:
        successes: how many of `n`; may be a fraction where the count itself is an average.
        n: how many independent trials; a fraction where dependent ones were discounted. 0 gives (0, 1):
            nothing is known.
        level: the interval's coverage.

    Raises:
        ValueError: `successes` is not between 0 and `n`.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, z2 = successes / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)  # exact at the ends, where rounding leaves 1e-17
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def share(values: ArrayLike, *, groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Interval:
    """Wilson's interval of the mean of numbers between 0 and 1, some of which may belong together.

    Observations of one group tell less than as many independent ones. n is divided by the design effect (Kish
    1965): how many times more the groups' sums vary than those of independent observations would, at least 1.
    Where nothing varies, a group of observations is taken for one.

    Args:
        values: one number per observation, `[n]`: 1 for a success, 0 for a failure, a share in between.
        groups: one label per observation, as in `bootstrap`.
        level: the interval's coverage.

    Raises:
        ValueError: `values` is not one-dimensional, does not match `groups` or leaves [0, 1].
    """
    data = _observations(values)
    codes = group_codes(groups, len(data))
    if len(data) == 0:
        return wilson(0, 0, level=level)
    if not ((data >= 0) & (data <= 1)).all():
        raise ValueError("a share is the mean of numbers between 0 and 1")
    mean = float(data.mean())
    trials = len(data) / design_effect(data - mean, codes, mean * (1 - mean))
    return wilson(min(mean, 1.0) * trials, trials, level=level)


def design_effect(residuals: NDArray[np.float64], codes: NDArray[np.intp], spread: float) -> float:
    """How many observations that belong together tell as much as one independent one (Kish 1965), at least 1.

    Args:
        residuals: observations less their mean, `[n]`.
        codes: each one's group, from `group_codes`.
        spread: the variance of an independent observation.
    """
    sizes = np.bincount(codes)
    if len(sizes) == len(codes):
        return 1.0
    if len(sizes) < 2 or spread <= 0 or np.ptp(residuals) == 0:
        return float(np.square(sizes).sum()) / len(codes)  # what copies of one observation would have
    sums = np.bincount(codes, weights=residuals)
    correction = len(sizes) / (len(sizes) - 1)
    return max(1.0, float(np.square(sums).sum()) * correction / (len(codes) * spread))


def group_codes(groups: Sequence[Hashable] | None, n: int) -> NDArray[np.intp]:
    """Each observation's group as a number from 0, in order of appearance, `[n]`; None: each is its own.

    Raises:
        ValueError: there are not `n` labels.
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"{n} values but {len(groups)} group labels")
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in groups], dtype=np.intp)


def _observations(values: ArrayLike) -> NDArray[np.float64]:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1:
        raise ValueError(f"values must be [n], not {list(data.shape)}")
    return data


def bootstrap(
    values: ArrayLike,
    *,
    statistic: Statistic = np.mean,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Percentile bootstrap interval of `statistic(values)` (Efron 1979); the same seed gives the same one.

    Args:
        values: one number per observation, `[n]`.
        statistic: what is computed on each resample.
        groups: one label per observation; observations that share one (answers to the same prompt) are drawn
            together, because they are not independent. None: all are independent.
        seed: of the resampling.
        resamples: how many times to draw.
        level: the interval's coverage.

    Returns:
        (low, high), or (nan, nan) with fewer than two groups: one observation says nothing about its own
        spread.

    Raises:
        ValueError: `values` is not one-dimensional or does not match `groups`.
    """
    data = _observations(values)
    codes = group_codes(groups, len(data))
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    grouped, starts = data[np.argsort(codes, kind="stable")], np.cumsum(sizes) - sizes
    results = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(len(sizes), size=len(sizes))
        counts = sizes[drawn]
        shifts = np.repeat(starts[drawn] - (np.cumsum(counts) - counts), counts)
        results[i] = statistic(grouped[shifts + np.arange(len(shifts))])
    low, high = np.quantile(results, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def difference(
    value: float,
    interval: Interval,
    baseline: float,
    baseline_interval: Interval,
    *,
    correlation: float = 0.0,
) -> Interval:
    """The interval of `value - baseline` from the two numbers' own intervals ("square and add").

    Newcombe 1998, method 10, for shares with Wilson intervals; Zou and Donner 2008 for other numbers. Takes
    the two to be independent unless told their correlation: where both were measured on the same prompts it
    then mostly errs on the wide side, towards "no difference".

    Args:
        value, interval: the number and its interval.
        baseline, baseline_interval: what it is compared with.
        correlation: of the two numbers, -1 to 1; see `paired_difference`.

    Returns:
        (low, high); the difference is clear where both lie on one side of 0. (nan, nan) where an interval is
        unknown.
    """
    (low, high), (baseline_low, baseline_high) = interval, baseline_interval
    change = value - baseline

    def added(one: float, other: float) -> float:
        """The root of one² + other² - 2 · correlation · one · other."""
        return math.hypot(one - correlation * other, math.sqrt(1 - correlation**2) * other)

    return (
        change - added(value - low, baseline_high - baseline),
        change + added(high - value, baseline - baseline_low),
    )


def paired_difference(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = LEVEL,
) -> Interval:
    """The interval of `mean(values) - mean(baseline)`, two shares measured on the same observations.

    Square and add with the correlation of the two (Newcombe 1998, "Improved confidence intervals for the
    difference between binomial proportions based on paired data", without his correction for continuity); of
    grouped observations the sums of the groups are correlated.

    Args:
        values, baseline: one number between 0 and 1 per observation, `[n]`, at least one.
        groups: one label per observation, as in `bootstrap`.
        level: the intervals' coverage.

    Raises:
        ValueError: the two differ in length, are empty, or are refused by `share`.
    """
    data, other = _observations(values), _observations(baseline)
    if len(data) != len(other) or len(data) == 0:
        raise ValueError(f"{len(data)} values and {len(other)} of the baseline")
    codes = group_codes(groups, len(data))
    mean, other_mean = float(data.mean()), float(other.mean())
    sums = np.bincount(codes, weights=data - mean)
    other_sums = np.bincount(codes, weights=other - other_mean)
    norm = math.sqrt(float(sums @ sums) * float(other_sums @ other_sums))
    return difference(
        mean,
        share(data, groups=groups, level=level),
        other_mean,
        share(other, groups=groups, level=level),
        correlation=float(np.clip(sums @ other_sums / norm, -1, 1)) if norm > 0 else 0.0,
    )
