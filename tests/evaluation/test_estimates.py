"""Student's t against tables, means and ratios by hand, and how often their intervals hold the truth."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.estimates import Estimate, jackknife, mean, normal, ratio, resamples, student
from tests.evaluation.coverage import assert_covers


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.706205), (2, 4.302653), (3, 3.182446), (10, 2.228139), (29, 2.045230), (1000, 1.962339)],
)
def test_student_gives_the_numbers_of_the_tables(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, abs=1e-6)


def test_student_nears_the_normal_without_a_jump() -> None:
    assert student(1000) == pytest.approx(student(1001), abs=1e-5)
    assert student(10**7) == pytest.approx(normal(), abs=1e-5)
    assert student(5, 0.99) == pytest.approx(4.032143, abs=1e-6)


def test_a_ratio_is_of_the_sums() -> None:
    """Not the mean of 1/1 and 9/3: two answers of 1 and 3 tokens."""
    assert ratio([1.0, 9.0], [1.0, 3.0]).value == 2.5


def test_few_observations_have_students_interval() -> None:
    """2 ± 12.706 · 1 / √2 · √2: the deviation of 1 and 3 is √2, of their mean 1."""
    found = mean([1.0, 3.0])
    assert found.interval == pytest.approx((2 - 12.706205, 2 + 12.706205), abs=1e-5)


def test_one_observation_knows_nothing_of_its_spread() -> None:
    found = mean([4.0])
    assert found.value == 4.0
    assert math.isnan(found.low)
    assert not found.above(0)
    assert not found.below(9)
    grouped = mean([4.0, 5.0], groups=["same", "same"])
    assert math.isnan(grouped.low)


def test_what_never_varies_is_certain() -> None:
    assert mean([2.0] * 30) == Estimate(2.0, 2.0, 2.0)
    assert ratio([2.0, 4.0, 6.0] * 9, [1.0, 2.0, 3.0] * 9).interval == pytest.approx((2.0, 2.0), abs=1e-9)


def test_normal_figures_have_the_textbook_interval() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=400)
    half = student(399) * values.std(ddof=1) / 20
    assert mean(values).interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_a_skewed_figure_has_more_room_where_the_tail_is() -> None:
    found = mean(np.random.default_rng(1).exponential(size=30))
    assert found.high - found.value > 1.2 * (found.value - found.low)


def test_a_few_that_differ_have_students_interval() -> None:
    """A resample without the one that differs says nothing of the spread, and every third is such."""
    values = [0.0] * 29 + [1.0]
    half = student(29) * np.std(values, ddof=1) / math.sqrt(30)
    assert mean(values).interval == pytest.approx((1 / 30 - half, 1 / 30 + half))


def test_copies_of_a_group_tell_no_more_than_it_did() -> None:
    values = np.random.default_rng(2).normal(size=20)
    copied = mean(np.repeat(values, 10), groups=[at // 10 for at in range(200)])
    assert copied.interval == pytest.approx(mean(values).interval, abs=1e-9)


def test_the_seed_decides_and_nothing_else() -> None:
    values = np.arange(12.0)
    assert mean(values, seed=1) == mean(values, seed=1)
    assert mean(values, seed=1) != mean(values, seed=2)


def test_a_lower_level_is_narrower() -> None:
    values = np.random.default_rng(3).normal(size=50)
    wide, narrow = mean(values), mean(values, level=0.8)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_resamples_draw_as_many_as_there_are() -> None:
    blocks = list(resamples(7, np.random.default_rng(0), times=50))
    assert np.concatenate(blocks).sum(axis=1).tolist() == [7.0] * 50


def test_a_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0])
    found = jackknife(values.mean(), [np.delete(values, at).mean() for at in range(4)])
    half = student(3) * values.std(ddof=1) / 2
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half))
    assert math.isnan(jackknife(1.0, [1.0]).low)


def test_an_estimate_knows_what_it_is_clear_of() -> None:
    found = Estimate(1.0, 0.5, 1.5)
    assert (found.above(0.4), found.above(0.5), found.below(1.5), found.below(1.6)) == (
        True,
        False,
        False,
        True,
    )
    assert found.times(2) == Estimate(2.0, 1.0, 3.0)
    assert found.error == pytest.approx(0.5 / 1.959964)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="observation 1"):
        mean([1.0, math.nan])
    with pytest.raises(DataError, match="at least one"):
        mean([])
    with pytest.raises(ValueError, match="must be"):
        ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize("n", [pytest.param(10, marks=pytest.mark.slow), 30])
def test_the_interval_of_a_skewed_mean_holds_it(n: int) -> None:
    """A percentile bootstrap holds the mean of 30 exponential numbers in 91% of cases, of 10 in 83%."""
    assert_covers(lambda rng: (mean(rng.exponential(size=n)).interval, 1.0), simulations=500, seed=1)
