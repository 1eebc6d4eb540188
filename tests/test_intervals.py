"""Intervals against published numbers, coverage by simulation, and the edges."""

import math

import numpy as np
import pytest

from heedful.intervals import bootstrap, difference, group_codes, paired_difference, share, wilson


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


def test_difference_of_correlated_numbers_follows_the_law_of_cosines() -> None:
    low, high = difference(0.6, (0.5, 0.65), 0.4, (0.38, 0.5), correlation=0.5)
    assert low == pytest.approx(0.2 - math.sqrt(0.1**2 + 0.1**2 - 0.1 * 0.1))
    assert high == pytest.approx(0.2 + math.sqrt(0.05**2 + 0.02**2 - 0.05 * 0.02))


def test_a_share_of_independent_observations_has_wilsons_interval() -> None:
    hits = [1, 0, 1, 1, 0]
    assert share(hits) == wilson(3, 5)
    assert share(hits, groups=list("abcde")) == wilson(3, 5)
    assert share([]) == wilson(0, 0)


@pytest.mark.parametrize("hits", [[1, 0, 1, 1, 0, 1], [1, 1, 1], [0, 0]])
def test_copies_of_an_observation_tell_hardly_more_than_itself(hits: list[int]) -> None:
    """Four of each: n is a quarter again, but for the correction G / (G - 1) where something varies."""
    groups = [i // 4 for i in range(4 * len(hits))]
    trials = len(hits) - (0 < sum(hits) < len(hits))
    expected = wilson(sum(hits) / len(hits) * trials, trials)
    assert share(np.repeat(hits, 4), groups=groups) == pytest.approx(expected)


def test_groups_that_differ_less_than_chance_are_not_taken_for_more_trials() -> None:
    hits, groups = [1, 0] * 20, [i // 2 for i in range(40)]
    assert share(hits, groups=groups) == pytest.approx(wilson(20, 40))


def test_one_group_is_one_trial() -> None:
    assert share([1, 0, 1, 0], groups=["a"] * 4) == pytest.approx(wilson(0.5, 1))


def test_the_interval_of_grouped_shares_covers_as_often_as_it_says() -> None:
    rng, covered, naive = np.random.default_rng(0), 0, 0
    for _ in range(400):
        chances = rng.beta(1.4, 0.6, size=60)  # of each prompt; 0.7 on average
        hits = rng.random((60, 6)) < chances[:, None]
        low, high = share(hits.ravel(), groups=np.repeat(np.arange(60), 6).tolist())
        covered += low <= 0.7 <= high
        low, high = share(hits.ravel())
        naive += low <= 0.7 <= high
    assert 0.92 <= covered / 400 <= 0.985
    assert naive / 400 < 0.85


@pytest.mark.parametrize("values", [[0.5, 1.1], [-0.1], [math.nan]])
def test_a_share_is_of_numbers_between_0_and_1(values: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        share(values)


def test_group_codes_number_the_labels_as_they_come() -> None:
    assert group_codes(["b", "a", "b", ("c",)], 4).tolist() == [0, 1, 0, 2]
    assert group_codes(None, 3).tolist() == [0, 1, 2]


def test_a_paired_difference_uses_what_the_two_have_in_common() -> None:
    """14 right by both, 5 by the first alone, 22 by neither: φ = (14 · 22 - 5 · 0) / √(19 · 22 · 14 · 27)."""
    first, second = [1] * 14 + [1] * 5 + [0] * 22, [1] * 14 + [0] * 27
    phi = 14 * 22 / math.sqrt(19 * 22 * 14 * 27)
    (l1, u1), (l2, u2) = wilson(19, 41), wilson(14, 41)
    p1, p2 = 19 / 41, 14 / 41
    low = p1 - p2 - math.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = p1 - p2 + math.sqrt((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2)
    interval = paired_difference(first, second)
    assert interval == pytest.approx((low, high))
    assert low > 0
    assert difference(p1, (l1, u1), p2, (l2, u2))[0] < 0, "taken for independent, it is not clear"


def test_a_paired_difference_covers_as_often_as_it_says_also_in_groups() -> None:
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        ease = rng.normal(0, 1, size=(50, 1))  # prompts differ, and so do their pairs
        noise = rng.normal(size=(2, 50, 4))
        first, second = (ease + 0.8 * noise[0] > -0.6), (ease + 0.4 * noise[0] + 0.8 * noise[1] > -0.2)
        expected = _upper(0.6 / math.sqrt(1.64)) - _upper(0.2 / math.sqrt(1.8))
        groups = np.repeat(np.arange(50), 4).tolist()
        low, high = paired_difference(first.ravel(), second.ravel(), groups=groups)
        covered += low <= expected <= high
    assert 0.92 <= covered / 400 <= 0.985


def _upper(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def test_a_paired_difference_turned_round_is_its_negative() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.random(40) < 0.7, rng.random(40) < 0.5
    low, high = paired_difference(first, second)
    assert paired_difference(second, first) == pytest.approx((-high, -low))


def test_a_paired_difference_of_a_thing_with_itself_is_never_clear() -> None:
    for hits in ([1, 1, 0], [1, 1, 1], [0.5, 0.5]):
        low, high = paired_difference(hits, hits)
        assert low <= 0 <= high


def test_a_paired_difference_needs_observations_of_both() -> None:
    for values, baseline in (([1.0], [1.0, 0.0]), ([], [])):
        with pytest.raises(ValueError, match="of the baseline"):
            paired_difference(values, baseline)
