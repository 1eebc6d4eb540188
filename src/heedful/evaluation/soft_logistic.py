"""Logistic regression on outcomes that may be ties or probabilities, and how sure its coefficients are.

Two questions are answered by it: what a win rate would be between equally long answers, and how strong
several models are. Newton's method in numpy; knows arrays only. (`heedful.checks.logistic` is the regression
of wins alone, without an intercept, on tables too large to keep.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from heedful.evaluation.calibration import log_losses, sigmoid
from heedful.evaluation.estimates import Array, Estimate, Indices, student
from heedful.intervals import LEVEL

STEPS = 50
TOLERANCE = 1e-10
PRIOR = 1.0
"""Imaginary drawn comparisons for each row of a prior: one keeps what always wins finite, and is nothing
beside many real ones."""

FLOOR = 0.8
"""Of the standard error of independent outcomes, the part that no interval goes below. The spread that was
seen is itself a draw: the larger of the two in full would make all intervals a little too wide (a coverage
of 96 to 98% in simulations), the spread alone far too narrow for a side that hardly ever loses (60%)."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftFit:
    """A fitted regression, `P(win) = σ(row · weights)`.

    Attributes:
        weights: `[features]`, log odds.
        seen: covariance by the spread that was seen between groups, `[features, features]`.
        independent: covariance if every outcome were independent, with as many ties as were seen; likewise.
        freedom: of Student's t.
    """

    weights: Array
    seen: Array
    independent: Array
    freedom: int

    def contrast(self, of: ArrayLike, *, level: float = LEVEL) -> Estimate:
        """`of · weights` with its interval, log odds; `of`: `[features]`."""
        direction = np.asarray(of, dtype=np.float64)
        value = float(direction @ self.weights)
        half = student(self.freedom, level) * self.error(direction)
        return Estimate(value, value - half, value + half)

    def error(self, direction: Array) -> float:
        """The standard error of `direction · weights`.

        Where one side wins every time nothing varies, and the spread that was seen would call the strengths
        certain; what independent outcomes would show says how few they were.
        """
        seen, independent = (float(direction @ one @ direction) for one in (self.seen, self.independent))
        return max(math.sqrt(seen), FLOOR * math.sqrt(independent))


def fit_soft(design: Array, outcomes: Array, codes: Indices, *, prior: Array) -> SoftFit:
    """Fit the weights by penalised maximum likelihood.

    Covariance: the sandwich estimator over groups (Liang and Zeger 1986), with the usual correction for few
    of them.

    Args:
        design: `[n, features]`.
        outcomes: `[n]`, between 0 and 1.
        codes: each row's group, from `group_codes`.
        prior: rows of `PRIOR` imaginary comparisons that ended in a tie, `[rows, features]`; they must span
            what the data may leave open.
    """
    rows = np.concatenate([design, prior])
    labels = np.concatenate([outcomes, np.full(len(prior), 0.5)])
    times = np.concatenate([np.ones(len(design)), np.full(len(prior), PRIOR)])
    weights = np.zeros(rows.shape[1])
    loss = _loss(rows, labels, times, weights)
    for _ in range(STEPS):
        chances = sigmoid(rows @ weights)
        gradient = (times * (chances - labels)) @ rows
        step = np.linalg.solve(_hessian(rows, times, chances), gradient)
        size, moved = 1.0, weights - step
        while (new := _loss(rows, labels, times, moved)) > loss and size > TOLERANCE:
            size /= 2
            moved = weights - size * step
        weights, loss = moved, new
        if np.abs(step).max(initial=0.0) < TOLERANCE:
            break
    chances = sigmoid(rows @ weights)
    inverse = np.linalg.inv(_hessian(rows, times, chances)).astype(np.float64)
    decisive = float(np.square(2 * outcomes - 1).mean())
    count = int(codes.max()) + 1
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, codes, design * (outcomes - chances[: len(design)])[:, None])
    seen: Array = inverse @ (sums.T @ sums) @ inverse * (count / max(1, count - 1))
    return SoftFit(weights, seen, decisive * inverse, max(1, count - 1))


def _loss(rows: Array, labels: Array, times: Array, weights: Array) -> float:
    return float(times @ log_losses(rows @ weights, labels))


def _hessian(rows: Array, times: Array, chances: Array) -> Array:
    result: Array = rows.T @ (rows * (times * chances * (1 - chances))[:, None])
    return result
