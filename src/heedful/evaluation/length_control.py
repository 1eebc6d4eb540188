"""The win rate that would be seen if both answers were as long: AlpacaEval 2's, without its terms per prompt.

Dubois et al. 2024, "Length-controlled AlpacaEval": a logistic regression of the outcome on how much longer
the candidate's answer is, `tanh(Δlength / sd(Δlength))`, read at Δ = 0. Theirs has a term for how hard each
prompt is, which only a leaderboard of many models can estimate; with one model there is an intercept, which
is what the controlled win rate is made of, and a coefficient of length. It says what goes with length in this
data. Whether length is why answers are preferred, it cannot know.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.calibration import sigmoid
from heedful.evaluation.estimates import Array, Estimate, Indices, student
from heedful.evaluation.soft_logistic import SoftFit, fit_soft
from heedful.evaluation.win_rate import WinRate, checked_outcomes, win_rate_of
from heedful.intervals import Interval, group_codes


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A length-controlled win rate with its 95% interval.

    Attributes:
        value, low, high: the win rate at equal length, 0 to 1.
        raw: the win rate as it is.
        coefficient: log odds per unit of `tanh(Δ / sd)`; above 0 where longer answers win more often.
        by_length: `raw - value`, the part of the win rate that goes with length; below 0 where length
            costs the candidate wins. Its interval is a little narrow below 200 comparisons
            (a coverage of 92% with 60).
        spread: the standard deviation of Δlength, in the unit of the lengths; 0 where all differ by as much,
            and nothing can be controlled for.
        longer: mean Δlength; above 0 where the candidate's answers are the longer ones.
        n: comparisons.
    """

    value: float
    low: float
    high: float
    raw: WinRate
    coefficient: Estimate
    by_length: Estimate
    spread: float
    longer: float
    n: int

    @property
    def interval(self) -> Interval:
        return self.low, self.high


def length_controlled(
    outcomes: ArrayLike,
    lengths: ArrayLike,
    baseline_lengths: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
) -> LengthControlled:
    """The win rate at equal length.

    Where wins and losses can be told apart by length alone the regression has no finite answer: one imaginary
    tie at equal length, and one that pits a much longer answer against a shorter one, keep it finite and
    weigh nothing among many comparisons. Intervals: sandwich estimator by prompt, on the log-odds scale for
    the win rate.

    Args:
        outcomes: 1 where the candidate won, 0 where it lost, or how likely it is the better one, `[n]`.
        lengths, baseline_lengths: of the two answers, in characters (as AlpacaEval's) or tokens, `[n]`.
        groups: one label per comparison; those that share one (a prompt's) are not independent.

    Raises:
        ValueError: the lengths of the arguments differ.
        DataError: there are no comparisons, or an outcome or length is out of range.
    """
    data = checked_outcomes(outcomes)
    own, other = _checked_lengths(lengths, data), _checked_lengths(baseline_lengths, data)
    codes = group_codes(groups, len(data))
    longer = own - other
    spread = float(longer.std())
    covariate = np.tanh(longer / spread) if spread > 0 else np.zeros_like(longer)
    design = np.stack([np.ones_like(covariate), covariate], axis=1)
    fit = fit_soft(design, data, codes, prior=np.eye(2))
    raw = win_rate_of(data, codes.tolist())
    odds = fit.contrast([1.0, 0.0])
    value, low, high = sigmoid(np.array([odds.value, odds.low, odds.high])).tolist()
    return LengthControlled(
        value=value,
        low=low,
        high=high,
        raw=raw,
        coefficient=fit.contrast([0.0, 1.0]),
        by_length=_by_length(fit, design, codes, raw.value - value),
        spread=spread,
        longer=float(longer.mean()),
        n=len(data),
    )


def _by_length(fit: SoftFit, design: Array, codes: Indices, gap: float) -> Estimate:
    """How far apart the two win rates are, by the delta method: the fit's mean less its value at Δ = 0.

    Two things are uncertain: the coefficients, and which lengths were met.
    """
    chances = sigmoid(design @ fit.weights)
    at_zero = float(sigmoid(fit.weights[:1])[0])
    slope = (chances * (1 - chances)) @ design / len(design) - at_zero * (1 - at_zero) * np.array([1.0, 0.0])
    met = np.bincount(codes, weights=chances - chances.mean()) / len(chances)
    spread = float(np.sqrt(np.square(met).sum() * len(met) / max(1, len(met) - 1)))
    half = student(fit.freedom) * math.hypot(fit.error(slope), spread)
    return Estimate(gap, gap - half, gap + half)


def _checked_lengths(lengths: ArrayLike, outcomes: Array) -> Array:
    data = np.asarray(lengths, dtype=np.float64)
    if data.shape != outcomes.shape:
        raise ValueError(f"lengths {list(data.shape)} must be [{len(outcomes)}] like the outcomes")
    good = np.isfinite(data) & (data >= 0)
    if not good.all():
        raise DataError(f"The length of answer {int(np.argmin(good))} is {data[np.argmin(good)]}.")
    return data
