"""The share of flipped labels is told apart from the mistakes of the models that contradict them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from heedful.checks.noise_estimate import NoiseEstimate, estimate

REPEATS = 4


def simulated(
    planted: float, *, right: float = 0.9, pairs: int = 1000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.bool_]]:
    """Differences of models that are right on this share of the pairs, their folds, and who is flipped.

    Repeats agree for the most part, and every fold has a scale of its own.
    """
    chance = np.random.default_rng(seed)
    shared, own = 0.9, (1 - 0.9**2) ** 0.5
    truth = NormalDist().inv_cdf(right) + shared * chance.normal(size=pairs)
    differences = truth + own * chance.normal(size=(REPEATS, pairs))
    flipped = np.zeros(pairs, dtype=bool)
    flipped[chance.choice(pairs, round(planted * pairs), replace=False)] = True
    folds = chance.integers(5, size=differences.shape)
    scales = np.exp(chance.normal(size=(REPEATS, 5)))
    scaled = differences * np.where(flipped, -1, 1) * np.take_along_axis(scales, folds, axis=1)
    return scaled, folds, flipped


def found(planted: float, **settings: float) -> NoiseEstimate:
    differences, folds, _ = simulated(planted, **settings)  # type: ignore[arg-type]
    return estimate(differences, folds=folds)


@pytest.mark.parametrize("planted", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_planted_share_is_found_within_five_points_and_inside_the_interval(
    planted: float, seed: int
) -> None:
    outcome = found(planted, seed=seed)
    assert outcome.share is not None
    assert outcome.share.value == pytest.approx(planted, abs=0.05)
    assert outcome.share.low <= planted <= outcome.share.high
    assert (outcome.share.low, outcome.share.high) == outcome.bounds
    assert outcome.share.n == 1000
    # What the reward models contradict is noise and their own mistakes together.


def test_what_models_contradict_is_noise_and_their_own_mistakes_together() -> None:
    # Models that are right in nine of ten contradict nine in ten flips and one in ten of the rest.
    assert found(0.1).contradicted.value == pytest.approx(0.1 + 0.8 * 0.1, abs=0.025)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(40):
        planted = (0.0, 0.1, 0.2, 0.3)[seed % 4]
        low, high = found(planted, right=0.8, pairs=400, seed=100 + seed).bounds
        inside += low <= planted <= high
    assert inside >= 36


def test_models_that_learned_nothing_give_no_estimate() -> None:
    chance = np.random.default_rng(0)
    outcome = estimate(chance.normal(size=(3, 800)))
    assert outcome.share is None
    assert "they agree with" in found(0.3, right=0.65).unknown  # 0.3 + 0.4 * 0.35 are contradicted
    assert "learned too little" in outcome.unknown
    assert np.isnan(outcome.flipped).all()


def test_models_that_are_too_often_wrong_give_bounds_and_no_estimate() -> None:
    outcome = found(0.3, right=0.8, pairs=300)
    assert outcome.share is None
    assert "own mistakes" in outcome.unknown
    assert outcome.bounds[0] <= 0.3 <= outcome.bounds[1]
    assert outcome.bounds[1] - outcome.bounds[0] > 0.3


def test_an_interval_from_none_to_many_is_no_estimate() -> None:
    outcome = found(0.1, right=0.75, pairs=400, seed=1)
    assert outcome.bounds[0] == 0
    assert outcome.bounds[1] > 0.15
    assert outcome.share is None
    assert found(0.0, right=0.75, pairs=400).share is not None


def test_few_pairs_give_no_estimate() -> None:
    outcome = found(0.2, pairs=99)
    assert outcome.share is None
    assert "99 pairs are too few" in outcome.unknown


def test_each_fold_is_brought_to_one_scale() -> None:
    differences, folds, _ = simulated(0.2)
    scales = np.exp(np.arange(5.0))[folds]
    one, other = (estimate(values, folds=folds) for values in (differences, differences * scales))
    np.testing.assert_allclose(one.mean, other.mean)
    assert not np.allclose(one.mean, estimate(differences * scales).mean)


def test_what_is_absent_is_left_out() -> None:
    differences, folds, _ = simulated(0.2)
    holes = differences.copy()
    holes[0, :300] = np.nan
    holes[:, 10] = np.nan
    outcome = estimate(holes, folds=folds)
    assert outcome.contradicted.n == 999
    assert np.isnan(outcome.mean[10])
    assert np.isnan(outcome.flipped[10])
    assert not outcome.always[10]
    assert outcome.share is not None
    assert outcome.share.value == pytest.approx(0.2, abs=0.05)


def test_mean_and_spread_are_those_of_the_repeats_that_there_are() -> None:
    differences = np.ones((3, 100))  # of one scale, which standardising leaves at 1
    differences[:, 0] = (1.0, -1.0, np.nan)
    outcome = estimate(differences)
    assert (outcome.mean[0], outcome.spread[0]) == (0.0, 1.0)
    assert (outcome.mean[1], outcome.spread[1]) == (1.0, 0.0)


def test_the_probability_of_a_flip_is_calibrated() -> None:
    differences, folds, flipped = simulated(0.2, pairs=4000)
    outcome = estimate(differences, folds=folds)
    for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 0.8), (0.8, 1.0)):
        inside = (outcome.flipped >= low) & (outcome.flipped < high)
        assert flipped[inside].mean() == pytest.approx(outcome.flipped[inside].mean(), abs=0.08)


def test_a_pair_is_contradicted_always_only_where_every_repeat_says_so() -> None:
    differences = np.ones((2, 100))
    differences[:, 0] = -1
    differences[0, 1] = -1
    always = estimate(differences).always
    assert (always[0], always[1], always[2]) == (True, False, False)


def test_copies_of_a_pair_make_nothing_surer() -> None:
    differences, folds, _ = simulated(0.2, pairs=300)
    once = estimate(differences, folds=folds)
    copied = estimate(
        np.repeat(differences, 4, axis=1), folds=np.repeat(folds, 4, axis=1), groups=np.repeat(range(300), 4)
    )
    naive = estimate(np.repeat(differences, 4, axis=1), folds=np.repeat(folds, 4, axis=1))
    assert copied.bounds == pytest.approx(once.bounds, abs=0.03)
    assert naive.bounds[1] - naive.bounds[0] < 0.6 * (once.bounds[1] - once.bounds[0])


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[repeats, pairs\]"):
        estimate(np.ones(5))
    with pytest.raises(ValueError, match="folds are"):
        estimate(np.ones((2, 5)), folds=np.zeros((1, 5), dtype=int))
