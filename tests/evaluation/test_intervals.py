"""Intervals against published numbers, coverage by simulation, and the edges."""

import math

import numpy as np
import pytest

from heedful.evaluation.intervals import bootstrap, difference, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_numbers_newcombe_published(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_bounds_solve_the_score_equation() -> None:
    """The other route: at each bound p, |share - p| is 1.96 standard errors of p itself."""
    for bound in wilson(37, 50):
        assert abs(0.74 - bound) == pytest.approx(1.959964 * math.sqrt(bound * (1 - bound) / 50), abs=1e-6)


def test_wilson_is_exact_at_the_ends_and_knows_nothing_without_trials() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval() -> None:
    values = np.random.default_rng(3).normal(10, 2, size=400)
    low, high = bootstrap(values, resamples=4000)
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_bootstrap_depends_on_the_seed_and_nothing_else() -> None:
    values = [1.0, 2.0, 5.0, 9.0]
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1, resamples=50) != bootstrap(values, seed=2, resamples=50)


def test_bootstrap_takes_any_statistic() -> None:
    low, high = bootstrap([0.0] * 30 + [100.0], statistic=np.median)
    assert (low, high) == (0.0, 0.0)


def test_bootstrap_draws_a_group_together() -> None:
    """Ten copies of each of 20 observations tell no more than the 20 did."""
    values = np.random.default_rng(0).normal(size=20)
    alone = bootstrap(values, seed=0)
    copied = bootstrap(np.repeat(values, 10), groups=[i // 10 for i in range(200)], seed=0)
    assert copied == pytest.approx(alone, abs=1e-12)
    low, high = bootstrap(np.repeat(values, 10), seed=0)
    assert high - low < 0.5 * (alone[1] - alone[0])


@pytest.mark.parametrize("values", [[], [4.0]])
def test_bootstrap_of_one_observation_is_unknown(values: list[float]) -> None:
    assert all(math.isnan(bound) for bound in bootstrap(values))


def test_bootstrap_of_one_prompt_is_unknown_however_many_answers() -> None:
    assert all(math.isnan(bound) for bound in bootstrap([1.0, 2.0, 3.0], groups=["a", "a", "a"]))


def test_bootstrap_refuses_labels_that_do_not_match() -> None:
    with pytest.raises(ValueError, match="group labels"):
        bootstrap([1.0, 2.0], groups=["a"])


def test_difference_gives_the_numbers_newcombe_published() -> None:
    """Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10."""
    interval = difference(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80))
    assert interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_difference_of_a_number_with_itself_straddles_zero_evenly() -> None:
    low, high = difference(0.5, (0.4, 0.6), 0.5, (0.4, 0.6))
    assert (low, high) == pytest.approx((-math.sqrt(0.02), math.sqrt(0.02)))


def test_difference_from_an_exact_number_keeps_the_interval() -> None:
    assert difference(0.7, (0.6, 0.8), 0.5, (0.5, 0.5)) == pytest.approx((0.1, 0.3))


def test_difference_with_an_unknown_interval_is_unknown() -> None:
    assert all(math.isnan(bound) for bound in difference(1.0, (math.nan, math.nan), 0.0, (0.0, 0.0)))
