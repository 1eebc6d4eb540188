"""How often an interval holds the truth, over many simulated experiments: what the tests of coverage ask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heedful.intervals import Interval

LOWEST, HIGHEST = 0.93, 0.97
SIMULATIONS = 1000  # a standard error of 0.7 points at 95%

Experiment = Callable[[np.random.Generator], tuple[Interval, float]]
"""Draws data, and returns the interval and the truth it should hold."""


def coverage(experiment: Experiment, *, simulations: int = SIMULATIONS, seed: int = 0) -> float:
    """The share of experiments whose interval holds the truth."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(simulations):
        (low, high), truth = experiment(rng)
        hits += low <= truth <= high
    return hits / simulations


def assert_covers(experiment: Experiment, *, simulations: int = SIMULATIONS, seed: int = 0) -> None:
    found = coverage(experiment, simulations=simulations, seed=seed)
    assert LOWEST <= found <= HIGHEST, f"coverage {found:.1%} over {simulations} simulations"


def verdicts(rng: np.random.Generator, chances: np.ndarray, ties: float) -> np.ndarray:
    """Wins, ties and losses whose means are the chances; `ties`: their share where chances are even."""
    tied = ties * 2 * np.minimum(chances, 1 - chances)
    drawn = rng.random(len(chances))
    won = chances - tied / 2
    return np.where(drawn < won, 1.0, np.where(drawn < won + tied, 0.5, 0.0))
