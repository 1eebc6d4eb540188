"""Accuracies small enough to count on one hand."""

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.preference_accuracy import (
    PairScores,
    implicit_reward,
    longer_wins,
    per_token,
    shorter_wins,
)
from heedful.intervals import wilson

#                       won    lost   tie    won by length only
LENGTHS = ([4, 4, 5, 10], [4, 4, 6, 10])
POLICY = PairScores([-8.0, -20.0, -10.0, -30.0], [-12.0, -10.0, -12.0, -31.0], *LENGTHS)
REFERENCE = PairScores([-10.0, -15.0, -9.0, -32.0], [-11.0, -12.0, -11.0, -31.0], *LENGTHS)


def test_implicit_reward_compares_how_far_each_side_moved() -> None:
    """Moves: +2 > -1 right, -5 < +2 wrong, -1 = -1 a tie and so wrong, +2 > 0 right."""
    accuracy = implicit_reward(POLICY, REFERENCE)
    assert (accuracy.value, accuracy.n) == (0.5, 4)
    assert (accuracy.low, accuracy.high) == wilson(2, 4)


def test_a_model_against_itself_earns_nothing() -> None:
    assert implicit_reward(POLICY, POLICY).value == 0.0


def test_per_token_divides_by_each_sides_own_length() -> None:
    """Per token: -2 > -3 right, -5 < -2.5 wrong, -2 = -2 a tie and so wrong, -3 > -3.1 right."""
    assert per_token(POLICY).value == 0.5


def test_per_token_is_not_fooled_by_length() -> None:
    scores = PairScores([-10.0], [-6.0], [10], [3])  # less likely as a whole, likelier per token
    assert per_token(scores).value == 1.0


def test_length_rulers_count_ties_against_both() -> None:
    lengths = [1, 2, 3, 4, 5], [2, 3, 3, 1, 1]
    assert shorter_wins(*lengths).value == pytest.approx(0.4)
    assert longer_wins(*lengths).value == pytest.approx(0.4)
    assert shorter_wins(*lengths).n == longer_wins(*lengths).n == 5


def test_lists_of_whole_numbers_become_float_arrays() -> None:
    scores = PairScores([-1, -2], [-3, -4], [1, 1], [2, 2])
    assert scores.chosen.dtype == np.float64
    assert len(scores) == 2


def test_scores_that_are_not_numbers_are_named() -> None:
    with pytest.raises(DataError, match="rejected of pair 1"):
        PairScores([-1.0, -1.0], [-1.0, np.nan], [1, 1], [1, 1])


def test_empty_responses_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="no tokens"):
        PairScores([-1.0], [-1.0], [0], [1])
    with pytest.raises(ValueError, match="chosen_tokens"):
        PairScores([-1.0], [-1.0], [1, 2], [1])
    with pytest.raises(ValueError, match="pairs"):
        implicit_reward(POLICY, PairScores([-1.0], [-1.0], [1], [1]))


def test_no_pairs_is_an_error_a_person_can_read() -> None:
    with pytest.raises(DataError, match="no pairs"):
        per_token(PairScores([], [], [], []))
