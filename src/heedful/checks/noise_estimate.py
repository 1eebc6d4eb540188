"""How many labels are flipped, from reward models that have not seen them.

The share of labels that such a model contradicts (Wang et al. 2024, 2401.06080, section 2) is noise plus the
model's own mistakes. The two are told apart by how sure the model is: its mistakes die out as its scores move
apart, flipped labels do not. Pure numpy; knows nothing of models or records.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.checks.finding import Interval
from heedful.intervals import LEVEL, group_codes, share

Array = NDArray[np.float64]

FEWEST = 100
WIDEST = 0.3
# What an interval that begins at 0 may reach up to: beyond it, none and many flipped labels fit alike.
CLEAN = 0.15
# Contradicting more labels than this, models know too little of what is true.
MOST_CONTRADICTED = 0.4
# The likelihood is looked up on a grid: shares to half a point, slopes to a seventh of themselves.
SHARES = np.linspace(0.0, 0.5, 101)
SLOPES = np.geomspace(0.05, 50.0, 50)
# How far the profile log-likelihood may fall within the interval: half the 95% point of chi-square with one
# degree of freedom.
DROP = NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2 / 2


@dataclass(frozen=True, slots=True, eq=False)
class NoiseEstimate:
    """What is known of a file's labels.

    Attributes:
        share: of flipped labels, with its interval; None where too little is known to name one.
        bounds: the interval in any case, (low, high).
        contradicted: the share of labels that the reward models contradict: noise and their own mistakes.
        unknown: why there is no share; "" where there is one.
        mean, spread: of each pair's standardised differences over the repeats, `[pairs]`; NaN where there are
            none.
        flipped: how likely each label is flipped, `[pairs]`; NaN where that cannot be said.
        always: whether every repeat contradicts the label, `[pairs]`.
    """

    share: Interval | None
    bounds: tuple[float, float]
    contradicted: Interval
    unknown: str
    mean: Array
    spread: Array
    flipped: Array
    always: NDArray[np.bool_]


def estimate(
    differences: ArrayLike,
    *,
    folds: ArrayLike | None = None,
    groups: Sequence[Hashable] | None = None,
    fewest: int = FEWEST,
    widest: float = WIDEST,
) -> NoiseEstimate:
    """Estimate the share of flipped labels.

    With a share η of labels flipped whatever the pair, and a standardised difference of size a, a label
    agrees with the model's verdict with probability η + (1 − 2η) σ(k a): σ(k a) is how often the verdict is
    right. That is exact where true differences are normal; k tells how good the models are. η and k are
    fitted by maximum likelihood, and η's interval is that of its profile likelihood.

    What pairs teach the models counts as true: flips that follow a rule (the longer one always wins) are
    learned and not found. Pairs on which the models are surely wrong count as flipped.

    Args:
        differences: reward of chosen less that of rejected by models not trained on the pair, `[repeats,
            pairs]`, NaN where absent.
        folds: which model of its repeat it comes from, `[repeats, pairs]`; each is brought to one scale. None
            takes a repeat's differences to be of one scale.
        groups: one label per pair; pairs that share one (a prompt) are not independent.
        fewest: pairs without which no share is named.
        widest: interval with which none is named.

    Raises:
        ValueError: shapes do not match.
    """
    scaled = _standardised(np.asarray(differences, dtype=np.float64), folds)
    present = np.isfinite(scaled)
    mean, spread = _moments(scaled, present)
    there = np.isfinite(mean)
    codes = group_codes(groups, len(mean))[there]
    agrees, size = mean[there] > 0, np.abs(mean[there])
    contradicted = _contradicted(mean[there], codes)
    nothing = np.full(len(mean), np.nan)
    always = there & ~np.any(present & (scaled >= 0), axis=0)
    if there.sum() < fewest:
        unknown = f"{there.sum()} pairs are too few; {fewest} are the least"
        return NoiseEstimate(None, (0.0, 0.5), contradicted, unknown, mean, spread, nothing, always)

    value, slope, bounds = _fit(agrees, size, codes)
    unknown = ""
    if contradicted.value > MOST_CONTRADICTED:
        right = 1 - contradicted.value
        unknown = f"the reward models learned too little: they agree with {right:.0%} of the labels held out"
    elif bounds[1] - bounds[0] > widest or (bounds[0] == 0 and bounds[1] > CLEAN):
        unknown = "the reward models are right too seldom to tell noise from their own mistakes"
    if unknown:
        return NoiseEstimate(None, bounds, contradicted, unknown, mean, spread, nothing, always)
    flipped = nothing.copy()
    flipped[there] = _posterior(agrees, size, value, slope)
    found = Interval(value, *bounds, len(agrees))
    return NoiseEstimate(found, bounds, contradicted, "", mean, spread, flipped, always)


def _standardised(data: Array, folds: ArrayLike | None) -> Array:
    """Divided by the root mean square of its repeat and fold, which no flip changes."""
    if data.ndim != 2:
        raise ValueError(f"differences must be [repeats, pairs], not {list(data.shape)}")
    models = np.zeros(data.shape, dtype=np.intp) if folds is None else np.asarray(folds)
    if models.shape != data.shape:
        raise ValueError(f"folds are {list(models.shape)} and differences {list(data.shape)}")
    scaled = data.copy()
    for row, own in zip(scaled, models, strict=True):
        for model in np.unique(own):
            members = (own == model) & np.isfinite(row)
            scale = float(np.sqrt(np.square(row[members]).mean())) if members.any() else 0.0
            row[members] /= scale or 1.0
    return scaled


def _moments(scaled: Array, present: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Mean and standard deviation of each pair over the repeats that have it; NaN where none has."""
    count = np.where(present.any(axis=0), present.sum(axis=0), np.nan)
    mean = np.where(present, scaled, 0.0).sum(axis=0) / count
    variance = np.where(present, np.square(scaled - mean), 0.0).sum(axis=0) / count
    return mean, np.sqrt(variance)


def _contradicted(mean: Array, codes: NDArray[np.intp]) -> Interval:
    """A difference of 0 contradicts half."""
    against = np.where(mean == 0, 0.5, mean < 0)
    value = float(against.mean()) if len(against) else float("nan")
    return Interval(value, *share(against, groups=codes.tolist()), len(against))


def _fit(
    agrees: NDArray[np.bool_], size: Array, codes: NDArray[np.intp]
) -> tuple[float, float, tuple[float, float]]:
    """The likeliest share and slope, and the share's interval."""
    right = _sigmoid(SLOPES[:, None] * np.where(agrees, size, -size))  # [slopes, pairs]
    right = np.maximum(right, np.finfo(np.float64).tiny)
    likelihood = np.array([np.log(eta + (1 - 2 * eta) * right).sum(axis=1) for eta in SHARES])
    best, at_slope = np.unravel_index(int(likelihood.argmax()), likelihood.shape)
    eta, slope = float(SHARES[best]), float(SLOPES[at_slope])
    expected = eta + (1 - 2 * eta) * _sigmoid(slope * size)
    profile = likelihood.max(axis=1) / _design_effect(agrees - expected, expected, codes)
    inside = np.flatnonzero(profile >= profile.max() - DROP)
    # Rounded outwards to the grid.
    low, high = max(inside[0] - 1, 0), min(inside[-1] + 1, len(SHARES) - 1)
    return eta, slope, (float(SHARES[low]), float(SHARES[high]))


def _design_effect(residuals: Array, expected: Array, codes: NDArray[np.intp]) -> float:
    """How many times more groups vary than independent pairs would (Kish 1965): 1 to that of mere copies."""
    sizes = np.bincount(codes)
    if len(sizes) == len(codes):
        return 1.0
    spread = float((expected * (1 - expected)).sum())
    sums = np.bincount(codes, weights=residuals)
    of_copies = float(np.square(sizes).sum()) / len(codes)
    return min(max(1.0, float(np.square(sums).sum()) / spread), of_copies)


def _posterior(agrees: NDArray[np.bool_], size: Array, eta: float, slope: float) -> Array:
    """How likely each label is flipped, by Bayes' rule."""
    right = _sigmoid(slope * size)
    true_verdict = np.where(agrees, right, 1 - right)  # of "the label is right"
    flipped = eta * (1 - true_verdict)
    return np.asarray(flipped / (flipped + (1 - eta) * true_verdict))


def _sigmoid(values: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))
