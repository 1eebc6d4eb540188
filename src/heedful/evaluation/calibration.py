"""Is a reward model as often right as it is sure: calibration of σ(score difference), and its temperature.

A reward model says that the first of two responses is the better one with probability σ(z), z being the
difference of their scores (Bradley & Terry 1952). Takes differences and labels; numpy only.

Which way round a pair stands is nobody's finding: with chosen first every outcome would be 1. Brier score and
log loss do not mind, for turning a pair round turns its prediction and its outcome together. Reliability
does, so every pair is put with the response that the model prefers first: predictions lie between 0.5 and 1,
and the outcome is whether people preferred that response too. That is what pairs in random order show, with
a bin and its mirror image (a prediction of 0.3 for one order is one of 0.7 for the other) put together and
without the noise of the draw. Between equal scores there is no such order: half of the pair stands each way,
so prediction and outcome are both 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.errors import DataError
from heedful.evaluation.estimates import mean
from heedful.intervals import LEVEL, RESAMPLES, Interval, group_codes, share

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

MOST_BINS = 10
PAIRS_PER_BIN = 50  # chance then moves the share seen in a bin by 7 points at most, one standard deviation
_HALVINGS = 60  # of the interval that holds the temperature: to the last bits of a float


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of which the model was about equally sure.

    Attributes:
        predicted: mean probability the model gave to the response it prefers, 0.5 to 1.
        observed: share in which people preferred that response, 0 to 1.
        low, high: the 95% interval of `observed`.
        n: pairs.
    """

    predicted: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well σ(z) foretells what people prefer. Every interval is (low, high) at 95%.

    Attributes:
        n: pairs.
        ece: expected calibration error (Guo et al. 2017, eq. 3): mean gap between what was predicted and what
            was seen, over `bins`, 0 to 1.
        ece_by_chance: what it stays below in 95 of 100 draws where people decide just as predicted. Few pairs
            show some error in any model; only what lies above this is the model's. Outcomes of 0 and 1 are
            drawn from the predictions (consistency resampling, Bröcker & Smith 2007). A soft label is no
            draw, and what varies is which pairs were met: the gap between it and its prediction is as likely
            to be found turned the other way (wild bootstrap, Liu 1988).
        brier: mean (σ(z) - label)²; always saying 0.5 scores 0.25 where labels are 0 or 1.
        log_loss: mean -log of the probability given to what people preferred, nats; 0.5 scores log 2.
        bins: of about equally many pairs, the least sure first.
    """

    n: int
    ece: float
    ece_by_chance: float
    brier: float
    brier_interval: Interval
    log_loss: float
    log_loss_interval: Interval
    bins: tuple[Bin, ...]

    @property
    def excess(self) -> float:
        """How much surer the model is than it is right, on average; below 0 where it is too modest."""
        return sum(bin.n * (bin.predicted - bin.observed) for bin in self.bins) / self.n


@dataclass(frozen=True, slots=True)
class Temperature:
    """What score differences are best divided by, with its 95% interval.

    Attributes:
        value: above 1 the differences are too large (too sure), below 1 too small; infinite where they do not
            tell the better response at all.
        low, high: the interval; nan where too little was measured to have one.
    """

    value: float
    low: float
    high: float


def calibration(
    differences: ArrayLike,
    labels: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Calibration:
    """Measure how σ(differences) meets the labels.

    Bins hold equally many pairs, so that none is a matter of a handful. There are as many as give each
    `PAIRS_PER_BIN`, but `MOST_BINS` at most: more bins show more chance and no more of the model. Pairs of
    equal difference share a bin.

    Args:
        differences: score of the first response minus that of the second, `[pairs]`.
        labels: 1 where the first is better, 0 where the second is, or how likely the first is, `[pairs]`.
        groups: one label per pair; pairs that share one (a prompt's) are not independent. For
            `ece_by_chance` they are taken to turn out together, which errs on the wide side.
        seed: of the resampling.

    Raises:
        ValueError: shapes differ.
        DataError: there are no pairs, a difference is not finite, or a label is not between 0 and 1.
    """
    z, p = _checked(differences, labels)
    codes = group_codes(groups, len(z))
    sure, outcomes = sigmoid(np.abs(z)), np.where(z > 0, p, np.where(z < 0, 1 - p, 0.5))
    members = equal_mass(np.abs(z), min(MOST_BINS, max(1, len(z) // PAIRS_PER_BIN)))
    bins = []
    for number in range(int(members.max()) + 1):
        inside = members == number
        interval = share(outcomes[inside], groups=codes[inside].tolist())
        bins.append(
            Bin(float(sure[inside].mean()), float(outcomes[inside].mean()), *interval, int(inside.sum()))
        )
    brier, losses = np.square(sigmoid(z) - p), log_losses(z, p)
    labelled = codes.tolist()
    return Calibration(
        n=len(z),
        ece=sum(bin.n * abs(bin.predicted - bin.observed) for bin in bins) / len(z),
        ece_by_chance=_by_chance(sure, outcomes, members, codes, seed),
        brier=float(brier.mean()),
        brier_interval=mean(brier, groups=labelled, seed=seed).interval,
        log_loss=float(losses.mean()),
        log_loss_interval=mean(losses, groups=labelled, seed=seed).interval,
        bins=tuple(bins),
    )


def fit_temperature(
    differences: ArrayLike, labels: ArrayLike, *, groups: Sequence[Hashable] | None = None
) -> Temperature:
    """The temperature at which σ(differences / temperature) has the least log loss (Guo et al. 2017, 4.2).

    One imaginary pair of label one half, its difference the root mean square of all, is added to the others:
    it keeps the temperature of a model that is always right above 0 and weighs nothing among many pairs. The
    loss is convex in 1 / temperature; bisection finds where its slope is 0. The interval is the sandwich
    estimator's (Huber 1967; Liang & Zeger 1986 for groups).

    Args and errors: as in `calibration`.
    """
    z, p = _checked(differences, labels)
    scale = math.sqrt(float(np.square(z).mean()))
    if scale == 0:
        return Temperature(math.inf, math.nan, math.nan)
    x = z / scale

    def slope(sharpness: float) -> float:
        return float(((sigmoid(sharpness * x) - p) * x).sum()) + math.tanh(sharpness / 2) / 2

    sharpness = _root(slope)
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * _sandwich(x, p, sharpness, group_codes(groups, len(z)))
    return Temperature(*(_inverse(b, scale) for b in (sharpness, sharpness + half, sharpness - half)))


def _root(slope: Callable[[float], float]) -> float:
    """Where a rising function crosses 0, to the right of 0; 0 where it is not below 0 there."""
    if slope(0.0) >= 0:
        return 0.0
    low, high = 0.0, 1.0
    while slope(high) < 0:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def _sandwich(x: Array, labels: Array, sharpness: float, codes: Indices) -> float:
    """The standard error of a fitted sharpness; nan with fewer than two groups."""
    chances = sigmoid(sharpness * x)
    sums = np.bincount(codes, weights=(chances - labels) * x)
    if len(sums) < 2:
        return math.nan
    curvature = float((np.square(x) * chances * (1 - chances)).sum())
    curvature += (1 - math.tanh(sharpness / 2) ** 2) / 4  # the imaginary pair's
    return math.sqrt(float(sums @ sums) * len(sums) / (len(sums) - 1)) / curvature


def _inverse(sharpness: float, scale: float) -> float:
    return math.inf if sharpness <= 0 else scale / sharpness


def cross_fitted(
    differences: ArrayLike,
    labels: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Array | None:
    """The differences, each divided by the temperature fitted on the half of the groups it is not in.

    A temperature judged on the pairs it was fitted to looks better than it is; here no pair, and no pair of
    the same prompt, has a say in its own.

    Args:
        seed: of the halving. The others, and errors, as in `calibration`.

    Returns:
        `[pairs]`, or None with fewer than two groups.
    """
    z, p = _checked(differences, labels)
    codes = group_codes(groups, len(z))
    count = int(codes.max()) + 1
    if count < 2:
        return None
    in_first = (np.random.default_rng(seed).permutation(count) % 2 == 0)[codes]
    result = np.empty_like(z)
    for fitted in (in_first, ~in_first):
        result[~fitted] = z[~fitted] / fit_temperature(z[fitted], p[fitted]).value
    return result


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z) without overflow; σ(-z) is 1 - σ(z) to the last bit."""
    result: Array = 0.5 + 0.5 * np.tanh(z / 2)
    return result


def log_losses(differences: Array, labels: Array) -> Array:
    """-label · log σ(z) - (1 - label) · log σ(-z) of every pair, nats, `[pairs]`."""
    result: Array = labels * np.logaddexp(0, -differences) + (1 - labels) * np.logaddexp(0, differences)
    return result


def equal_mass(values: Array, most: int) -> Indices:
    """The bin of every value, 0 the lowest, `[n]`: at most `most` bins of about equally many values.

    Equal values share a bin: a cut that falls between some moves to the nearer end of their run. So the order
    of the values changes nothing, and fewer bins may come out. A few distinct values have a bin each.
    """
    ordered = np.sort(values)
    edges = np.unique(ordered)
    if len(edges) > most:
        ideal = len(ordered) * np.arange(1, most) / most
        cut = ordered[ideal.astype(np.intp)]
        starts, ends = (np.searchsorted(ordered, cut, side=side) for side in ("left", "right"))
        places = np.where(ideal - starts <= ends - ideal, starts, ends)
        edges = np.unique(ordered[[0, *places[places < len(ordered)]]])
    members: Indices = np.searchsorted(edges, values, side="right") - 1
    return members


def _by_chance(sure: Array, outcomes: Array, members: Indices, codes: Indices, seed: int) -> float:
    """The error that calibrated predictions stay below in 95 of 100 draws; see `Calibration`."""
    rng = np.random.default_rng(seed)
    soft, gaps = (outcomes > 0) & (outcomes < 1), outcomes - sure
    count = int(codes.max()) + 1
    errors = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        right = rng.random(count)[codes] < sure
        turned = (2 * rng.integers(2, size=count) - 1)[codes]
        drawn = np.where(soft, turned * gaps, right - sure)
        errors[i] = np.abs(np.bincount(members, weights=drawn)).sum() / len(sure)
    return float(np.quantile(errors, LEVEL))


def _checked(differences: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    z, p = np.asarray(differences, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if z.ndim != 1 or z.shape != p.shape:
        raise ValueError(f"differences {list(z.shape)} and labels {list(p.shape)} must be [pairs]")
    if len(z) == 0:
        raise DataError("There are no pairs to measure.", mend="Evaluate on at least one pair.")
    if not np.isfinite(z).all():
        raise DataError(f"The score difference of pair {int(np.argmin(np.isfinite(z)))} is not finite.")
    inside = (p >= 0) & (p <= 1)
    if not inside.all():
        raise DataError(f"The label of pair {int(np.argmin(inside))} is not between 0 and 1.")
    return z, p
