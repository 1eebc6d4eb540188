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


def wilson(successes: float, n: int, *, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share (Wilson 1927), sensible at 0 of n and n of n too.

    Args:
        successes: how many of `n`; may be a fraction where the count itself is an average.
        n: how many independent trials. 0 gives (0, 1): nothing is known.
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
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1:
        raise ValueError(f"values must be [n], not {list(data.shape)}")
    if groups is not None and len(groups) != len(data):
        raise ValueError(f"{len(data)} values but {len(groups)} group labels")
    members: dict[Hashable, list[int]] = {}
    for index in range(len(data)):
        members.setdefault(index if groups is None else groups[index], []).append(index)
    if len(members) < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    parts = [data[indices] for indices in members.values()]
    single = len(parts) == len(data)
    results = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(len(parts), size=len(parts))
        results[i] = statistic(data[drawn] if single else np.concatenate([parts[j] for j in drawn]))
    low, high = np.quantile(results, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def difference(value: float, interval: Interval, baseline: float, baseline_interval: Interval) -> Interval:
    """The interval of `value - baseline` from the two numbers' own intervals ("square and add").

    Newcombe 1998, method 10, for shares with Wilson intervals; Zou and Donner 2008 for other numbers. Takes
    the two to be independent: where both were measured on the same prompts it mostly errs on the wide side,
    towards "no difference".

    Returns:
        (low, high); the difference is clear where both lie on one side of 0. (nan, nan) where an interval is
        unknown.
    """
    (low, high), (baseline_low, baseline_high) = interval, baseline_interval
    change = value - baseline
    return (
        change - math.hypot(value - low, baseline_high - baseline),
        change + math.hypot(high - value, baseline - baseline_low),
    )
