"""The logistic fit of differences: known solutions, and weights that were planted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heedful.checks.logistic import fit_differences


def test_one_style_gives_the_log_odds_of_its_wins() -> None:
    # 30 of 40: the likelihood's peak is at log(30 / 10), its curvature 40 · 0.75 · 0.25.
    fit = fit_differences(np.array([[1.0]] * 30 + [[-1.0]] * 10), ridge=1e-9)

    assert fit.weights == pytest.approx([math.log(3)], abs=1e-6)
    assert fit.errors == pytest.approx([1 / math.sqrt(40 * 0.75 * 0.25)], rel=1e-6)


def test_pairs_without_a_difference_change_nothing() -> None:
    rows = np.array([[1.0]] * 30 + [[-1.0]] * 10)
    more = fit_differences(np.vstack([rows, np.zeros((500, 1))]), ridge=1e-9)

    assert more.weights == pytest.approx(fit_differences(rows, ridge=1e-9).weights, abs=1e-5)


def test_the_gradient_at_the_solution_is_that_of_the_ridge() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(loc=(0.5, 0.0, -0.2), size=(200, 3))
    fit = fit_differences(rows, ridge=2.0)

    losing = 1 / (1 + np.exp(rows @ fit.weights))
    assert losing @ rows == pytest.approx(2.0 * fit.weights, abs=1e-4)


def test_planted_weights_come_back_within_their_errors() -> None:
    rng = np.random.default_rng(1)
    planted = np.array([1.0, -0.5, 0.0])
    sides = rng.normal(size=(20_000, 3))
    wins = rng.random(len(sides)) < 1 / (1 + np.exp(-(sides @ planted)))
    fit = fit_differences(np.where(wins[:, None], sides, -sides).astype(np.float32))

    assert (np.abs(fit.weights - planted) < 4 * fit.errors).all()
    assert (fit.errors < 0.03).all()


def test_a_style_that_always_wins_stays_finite() -> None:
    fit = fit_differences(np.ones((1000, 1)))

    assert 3 < fit.weights[0] < 10
    assert math.isfinite(fit.errors[0])


def test_a_style_that_goes_with_length_alone_is_told_from_it() -> None:
    rng = np.random.default_rng(2)
    length = rng.normal(size=20_000)
    lists = (length + rng.normal(size=20_000) > 0.5).astype(float) - (
        -length + rng.normal(size=20_000) > 0.5
    ).astype(float)
    wins = rng.random(20_000) < 1 / (1 + np.exp(-length))
    rows = np.where(wins[:, None], np.stack([lists, length], axis=1), -np.stack([lists, length], axis=1))

    alone, together = fit_differences(rows[:, :1]), fit_differences(rows)
    assert alone.weights[0] > 10 * alone.errors[0]
    assert abs(together.weights[0]) < 3 * together.errors[0]


@pytest.mark.parametrize("rows", [np.ones(3), np.ones((0, 2))])
def test_what_is_no_table_of_pairs_is_refused(rows) -> None:
    with pytest.raises(ValueError, match=r"must be \[pairs, features\]"):
        fit_differences(rows)
