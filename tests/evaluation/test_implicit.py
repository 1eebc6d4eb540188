"""The implicit reward by hand."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.calibration import calibration
from heedful.evaluation.implicit import implicit_rewards
from heedful.evaluation.preference_accuracy import PairScores, implicit_reward


def scores(chosen: list[float], rejected: list[float]) -> PairScores:
    return PairScores(chosen, rejected, [2.0] * len(chosen), [4.0] * len(rejected))


def test_three_pairs_by_hand() -> None:
    """Chosen moved by -1, +2 and -3, rejected by -2, +3 and -3: right, wrong, tied."""
    reference = scores([-10, -10, -10], [-20, -20, -20])
    policy = scores([-11, -8, -13], [-22, -17, -23])
    found = implicit_rewards(policy, reference, beta=0.5)
    assert found.n == 3
    assert found.accuracy == implicit_reward(policy, reference)
    assert found.accuracy.value == pytest.approx(1 / 3)
    assert found.margin.value == pytest.approx(0.5 * (1 - 1 + 0) / 3)
    assert found.chosen.per_response.value == pytest.approx(-2 / 3)
    assert found.chosen.per_token.value == pytest.approx(-2 / 6)
    assert found.chosen.falling.value == pytest.approx(2 / 3)
    assert found.rejected.per_response.value == pytest.approx(-2 / 3)
    assert found.rejected.per_token.value == pytest.approx(-2 / 12)
    assert found.calibration == calibration([0.5, -0.5, 0.0], [1, 1, 1])
    assert not found.chosen_falls


def test_a_margin_can_grow_while_chosen_falls() -> None:
    rng = np.random.default_rng(0)
    fell = rng.normal(-5, 2, size=60)
    reference = scores([-30.0] * 60, [-30.0] * 60)
    found = implicit_rewards(scores(-30 + fell, -30 + 2 * fell), reference, beta=0.1)
    assert found.margin.above(0)
    assert found.chosen_falls
    assert found.chosen.falling.value > 0.95
    assert found.rejected.per_response.value == pytest.approx(2 * found.chosen.per_response.value)


def test_beta_scales_the_margin_and_nothing_of_the_order() -> None:
    rng = np.random.default_rng(1)
    reference, policy = (scores(*rng.normal(-30, 3, size=(2, 40))) for _ in range(2))
    one, other = (implicit_rewards(policy, reference, beta=beta) for beta in (0.1, 0.5))
    assert other.margin.value == pytest.approx(5 * one.margin.value)
    assert (other.accuracy, other.chosen) == (one.accuracy, one.chosen)


def test_the_reference_has_no_margin() -> None:
    reference = scores([-3.0] * 10, [-4.0] * 10)
    found = implicit_rewards(reference, reference, beta=0.1)
    assert (found.margin.value, found.accuracy.value) == (0.0, 0.0)
    assert found.calibration.log_loss == pytest.approx(math.log(2))
    assert not found.chosen_falls


def test_pairs_of_one_prompt_tell_less() -> None:
    rng = np.random.default_rng(2)
    moved = np.repeat(rng.normal(0.5, 1, size=20), 5)
    reference = scores([0.0] * 100, [0.0] * 100)
    policy = scores(moved, [0.0] * 100)
    groups = [at // 5 for at in range(100)]
    apart = implicit_rewards(policy, reference, beta=1.0)
    together = implicit_rewards(policy, reference, beta=1.0, groups=groups)
    assert together.margin.error > 2 * apart.margin.error
    assert together.accuracy.high - together.accuracy.low > 1.8 * (apart.accuracy.high - apart.accuracy.low)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="no pairs"):
        implicit_rewards(scores([], []), scores([], []), beta=0.1)
    with pytest.raises(ValueError, match="policy holds 1 pairs, reference 2"):
        implicit_rewards(scores([1], [2]), scores([1, 1], [2, 2]), beta=0.1)
