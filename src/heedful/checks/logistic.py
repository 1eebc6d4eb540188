"""Which differences between two sides go with being chosen: a logistic regression, small and exact.

Newton's method (iteratively reweighted least squares) with a slight ridge, in numpy. Knows arrays only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RIDGE = 1.0
"""Of the penalty `ridge / 2 * |weights|²`: as if each weight were normal around 0 with a variance of 1. Keeps
a style that always wins finite, and is nothing beside hundreds of pairs."""

STEPS = 50
TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted regression.

    Attributes:
        weights: `[features]`, log odds per unit of each difference.
        errors: `[features]`, their standard errors (from the inverse of the penalised Hessian).
        steps: Newton steps taken.
    """

    weights: Array
    errors: Array
    steps: int


def fit_differences(differences: NDArray[np.floating], *, ridge: float = RIDGE) -> Fit:
    """Fit P(chosen) = σ(w · difference), without an intercept: turning a pair around turns the odds.

    Bradley and Terry's model of paired comparisons with covariates: each row is the chosen side's features
    less the rejected side's, so that every outcome is a win.

    Args:
        differences: `[pairs, features]`, finite; read in blocks, so that float32 stays float32.
        ridge: weight of the penalty; above 0 the solution exists whatever the data.

    Raises:
        ValueError: not two-dimensional, or no row.
    """
    if differences.ndim != 2 or not len(differences):
        raise ValueError(f"differences must be [pairs, features], not {list(differences.shape)}")
    weights = np.zeros(differences.shape[1])
    loss, gradient, hessian = _at(weights, differences, ridge)
    steps = 0
    while steps < STEPS and np.abs(gradient).max(initial=0.0) > TOLERANCE * len(differences):
        direction = np.linalg.solve(hessian, gradient)
        size = 1.0
        while True:
            moved = weights - size * direction
            moved_loss, moved_gradient, moved_hessian = _at(moved, differences, ridge)
            if moved_loss <= loss or size < TOLERANCE:
                break
            size /= 2
        weights, loss, gradient, hessian = moved, moved_loss, moved_gradient, moved_hessian
        steps += 1
    return Fit(weights, np.sqrt(np.diag(np.linalg.inv(hessian))), steps)


BLOCK = 16_384  # rows at a time: what is made from them stays small


def _at(weights: Array, differences: NDArray[np.floating], ridge: float) -> tuple[float, Array, Array]:
    """The penalised loss in nats, its gradient `[features]` and its Hessian `[features, features]`."""
    loss = ridge / 2 * float(weights @ weights)
    gradient = ridge * weights
    hessian = ridge * np.eye(len(weights))
    for start in range(0, len(differences), BLOCK):
        block = differences[start : start + BLOCK].astype(np.float64)
        scores = block @ weights
        loss += float(np.logaddexp(0, -scores).sum())
        losing = np.exp(-np.logaddexp(0, scores))  # σ(-score)
        gradient -= losing @ block
        hessian += block.T @ (block * (losing * (1 - losing))[:, None])
    return loss, gradient, hessian
