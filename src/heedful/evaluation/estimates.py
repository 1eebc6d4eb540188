"""A figure with its 95% interval, and the interval of means and ratios over prompts.

Pure numpy; knows nothing of what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.errors import DataError
from heedful.intervals import LEVEL, RESAMPLES, Interval, group_codes

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

LEAST_GROUPS = 8  # below which resamples repeat each other, and Student's t is used
ROUNDING = 1e-12  # of squares, relative, where nothing varies
CELLS = 4_000_000  # of a block of resamples, which bounds its memory
_HALVINGS = 60  # of an interval that holds a root: to the last bits of a float
_SERIES_UP_TO = 1000  # degrees of freedom beyond which Student's t is the normal one to four digits


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval, 95% unless it is said otherwise; nan where too little is known."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        return self.low, self.high

    @property
    def error(self) -> float:
        """A standard error that would give an interval as wide."""
        return (self.high - self.low) / (2 * normal(LEVEL))

    def above(self, value: float) -> bool:
        """Whether the figure is clearly above a value: the whole interval is."""
        return self.low > value

    def below(self, value: float) -> bool:
        """Whether the figure is clearly below a value: the whole interval is."""
        return self.high < value

    def times(self, factor: float) -> Estimate:
        """The same figure in another unit, `factor` above 0."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


def normal(level: float = LEVEL) -> float:
    """How many standard errors a normal figure stays within, in `level` of all cases."""
    return NormalDist().inv_cdf((1 + level) / 2)


@lru_cache
def student(freedom: int, level: float = LEVEL) -> float:
    """The same of Student's t with so many degrees of freedom, at least 1.

    Bisection of the closed form (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4); Cornish and Fisher's first
    term for very many.
    """
    if freedom < 1:
        return math.inf
    z = normal(level)
    if freedom > _SERIES_UP_TO:
        return z + (z**3 + z) / (4 * freedom)
    low, high = 0.0, 1.0
    while _within(high, freedom) < level:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """P(|T| < t)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    steps = np.arange(1 + odd, freedom - 1, 2)
    terms = np.cumprod(np.concatenate([[1.0], steps / (steps + 1) * math.cos(angle) ** 2]))
    if odd:
        tail = math.sin(angle) * math.cos(angle) * float(terms.sum()) if freedom > 1 else 0.0
        return 2 / math.pi * (angle + tail)
    return math.sin(angle) * float(terms.sum())


def mean(
    values: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """The mean of numbers, with the interval of `ratio`."""
    data = np.asarray(values, dtype=np.float64)
    return ratio(data, np.ones_like(data), groups=groups, seed=seed, level=level)


def ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """`Σ numerators / Σ denominators`, with a studentised bootstrap over groups (Efron 1981, bootstrap-t).

    The plain percentile bootstrap is too narrow for a few dozen prompts, and more so where the numbers are
    skewed, as log-ratios of whole answers are. Here the resamples say how far the mean strays in units of
    its own standard error, which corrects for both. Student's t with fewer than `LEAST_GROUPS` groups, and
    where so few groups differ from the rest that resamples without any are common.

    Args:
        numerators, denominators: `[n]`; a mean per token has answers' sums over their tokens.
        groups: one label per observation; those that share one (answers to one prompt) are drawn together.
        seed: of the resampling.
        level: the interval's coverage.

    Returns:
        The interval is nan with fewer than two groups.

    Raises:
        ValueError: the lengths differ.
        DataError: there are no observations, one is not finite, or the denominators sum to nothing.
    """
    top, bottom = (np.asarray(values, dtype=np.float64) for values in (numerators, denominators))
    if top.ndim != 1 or top.shape != bottom.shape:
        raise ValueError(f"numerators {list(top.shape)} and denominators {list(bottom.shape)} must be [n]")
    if not np.isfinite(top).all() or not np.isfinite(bottom).all():
        bad = int(np.argmin(np.isfinite(top) & np.isfinite(bottom)))
        raise DataError(f"The figure of observation {bad} is not a finite number.")
    if not bottom.sum() > 0:
        raise DataError("There is nothing to take the mean of.", mend="Evaluate on at least one answer.")
    codes = group_codes(groups, len(top))
    a, b = _sums(codes, top), _sums(codes, bottom)
    count = len(a)
    value = float(a.sum() / b.sum())
    if count < 2:
        return Estimate(value, math.nan, math.nan)
    correction = math.sqrt(count / (count - 1))
    error = correction * float(np.sqrt(np.square(a - value * b).sum()) / b.sum())
    if count >= LEAST_GROUPS:
        blocks = resamples(count, np.random.default_rng(seed))
        strays = np.concatenate([_strays(weights, a, b, value, correction) for weights in blocks])
        if np.isnan(strays).mean() < (1 - level) / 2:
            low, high = np.nanquantile(strays, [(1 - level) / 2, (1 + level) / 2])
            return Estimate(value, value - float(high) * error, value - float(low) * error)
    half = student(count - 1, level) * error
    return Estimate(value, value - half, value + half)


def _sums(codes: Indices, values: Array) -> Array:
    """Of each group, `[groups]`."""
    return np.bincount(codes, weights=values).astype(np.float64)


def _strays(weights: Array, a: Array, b: Array, value: float, correction: float) -> Array:
    """How far each resample's ratio is from the real one, in its own standard errors; nan if it has none."""
    top, bottom = weights @ a, weights @ b
    drawn = top / np.where(bottom > 0, bottom, 1.0)
    squares = weights @ (a * a) - 2 * drawn * (weights @ (a * b)) + drawn**2 * (weights @ (b * b))
    scale = float(np.square(a).sum() + np.square(b).sum())
    errors = correction * np.sqrt(np.maximum(squares, 0)) / np.where(bottom > 0, bottom, 1.0)
    varied = (bottom > 0) & (squares > ROUNDING * scale)
    result: Array = np.where(varied, (drawn - value) / np.where(varied, errors, 1.0), math.nan)
    return result


def resamples(count: int, rng: np.random.Generator, times: int = RESAMPLES) -> Iterator[Array]:
    """How often each of `count` groups is drawn in each of `times` resamples: blocks of `[some, count]`."""
    step = max(1, CELLS // count)
    for start in range(0, times, step):
        some = min(step, times - start)
        drawn = rng.integers(count, size=(some, count)) + count * np.arange(some)[:, None]
        yield np.bincount(drawn.ravel(), minlength=some * count).reshape(some, count).astype(np.float64)


def jackknife(value: float, without: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """The interval of a figure from what it is with each of several equal blocks of the data left out.

    Quenouille 1949, Tukey 1958. Holds for figures that a bootstrap gets wrong because a resample has every
    drawn text twice: counts of distinct n-grams, and likeness between answers.

    Args:
        value: the figure of all data.
        without: `[blocks]`, the figure with each block left out.
        level: the interval's coverage.
    """
    left = np.asarray(without, dtype=np.float64)
    blocks = len(left)
    if blocks < 2:
        return Estimate(value, math.nan, math.nan)
    error = math.sqrt((blocks - 1) / blocks * float(np.square(left - left.mean()).sum()))
    half = student(blocks - 1, level) * error
    return Estimate(value, value - half, value + half)
