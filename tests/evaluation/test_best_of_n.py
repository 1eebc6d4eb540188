"""Best of n by hand, by going through all choices, and of scores whose best is known."""

import math
from itertools import combinations

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.best_of_n import curve, expected, kl
from tests.evaluation.coverage import assert_covers


def test_kl_by_hand() -> None:
    assert kl(1) == 0.0
    assert kl(2) == pytest.approx(0.6931472 - 0.5)
    assert kl(16) == pytest.approx(2.7725887 - 15 / 16)
    with pytest.raises(ValueError, match="best of 0"):
        kl(0)


def test_kl_is_that_of_the_largest_of_n_uniform_numbers() -> None:
    """Its density is n uⁿ⁻¹ against 1: the mean of its logarithm, by adding up."""
    n = 7
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    density = n * u ** (n - 1)
    assert kl(n) == pytest.approx(float((density * np.log(density)).mean()), abs=1e-6)


def test_best_of_two_of_three_by_hand() -> None:
    """Of 1, 2 and 5 the best of two is 2, 5 and 5; of 0, 0 and 3 it is 0, 3 and 3."""
    assert expected([[1, 2, 5], [3, 0, 0]], 2).value == pytest.approx((4 + 2) / 2)
    assert expected([[1, 2, 5]], 1).value == pytest.approx(8 / 3)
    assert expected([[1, 2, 5]], 3).value == 5


def test_every_choice_counts_once() -> None:
    rng = np.random.default_rng(0)
    scores, gold = rng.normal(size=(2, 4, 6))
    for n in (1, 2, 4, 6):
        best, read = [], []
        for prompt in range(4):
            for chosen in combinations(range(6), n):
                at = max(chosen, key=lambda sample: scores[prompt, sample])
                best.append(scores[prompt, at])
                read.append(gold[prompt, at])
        assert expected(scores, n).value == pytest.approx(np.mean(best))
        assert expected(scores, n, gold=gold).value == pytest.approx(np.mean(read))


def test_samples_of_equal_score_are_as_likely_chosen() -> None:
    """Of two choices of three that hold a 7, each 7 is best in one and a half."""
    assert expected([[7, 7, 1]], 2, gold=[[10, 20, 0]]).value == pytest.approx(15)
    assert expected([[1, 1, 1]], 2, gold=[[3, 6, 9]]).value == pytest.approx(6)


def test_a_proxy_that_is_noise_wins_nothing() -> None:
    rng = np.random.default_rng(1)
    found = curve(rng.normal(size=(400, 16)), [1, 4, 16], gold=rng.normal(size=(400, 16)))
    rewards = [point.reward.value for point in found]
    assert rewards == sorted(rewards)
    assert rewards[-1] == pytest.approx(1.766, abs=0.05)  # the mean largest of 16 normal numbers
    assert all(point.gold is not None and not point.gold.above(0.0) for point in found)
    assert [(point.n, point.kl) for point in found] == [(n, kl(n)) for n in (1, 4, 16)]
    assert curve([[1, 2], [3, 4]], [2])[0].gold is None


@pytest.mark.slow
def test_the_interval_holds_the_truth() -> None:
    """Scores are exponential: the mean largest of 4 is 1 + 1/2 + 1/3 + 1/4."""
    truth = 25 / 12
    assert_covers(lambda rng: (expected(rng.exponential(size=(30, 8)), 4).interval, truth), simulations=500)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="best of 3 cannot be told from 2 samples"):
        expected([[1, 2]], 3)
    with pytest.raises(DataError, match="sample 1 of prompt 0"):
        expected([[1, math.nan]], 1)
    with pytest.raises(ValueError, match="must be"):
        expected([1, 2], 1)
    with pytest.raises(ValueError, match="gold"):
        expected([[1, 2]], 1, gold=[[1]])
