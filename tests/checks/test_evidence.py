"""The bet against honesty: its arithmetic, its bound for honest annotators, and how soon it finds others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heedful.checks.evidence import accuracy_of, honest, strongest


def test_a_vote_multiplies_by_what_a_coin_would_be_worth() -> None:
    agrees, expected = np.array([False, False, True]), np.array([0.6, 0.75, 0.6])

    # ½/0.4 · ½/0.25 = 2.5 after two votes; the third takes some back.
    assert math.exp(strongest(agrees, expected)) == pytest.approx(2.5)
    assert strongest(np.array([True]), np.array([0.6])) == 0
    assert strongest(np.array([], dtype=bool), np.array([])) == 0


def test_agreement_and_accuracy_are_two_sides_of_one_thing() -> None:
    for accuracy in (0.5, 0.6, 0.75, 0.9, 1):
        assert accuracy_of(accuracy**2 + (1 - accuracy) ** 2) == pytest.approx(accuracy)
    assert accuracy_of(0.3) == 0.5


def test_an_honest_annotator_is_with_a_majority_as_often_as_the_model_says() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((200_000, 4)) < 0.75  # the last is held against the three others
    score = right[:, :3].sum(axis=1)
    majority, lead = score >= 2, np.abs(2 * score - 3)

    for m in (1, 3):
        of = lead == m
        assert (right[of, 3] == majority[of]).mean() == pytest.approx(
            honest(np.array([m]), 0.75)[0], abs=0.005
        )


def test_the_expected_factor_of_an_honest_vote_is_at_most_one() -> None:
    for q in (0.55, 0.7, 0.9):
        at_q = q * 0.5 / q + (1 - q) * 0.5 / (1 - q)
        better = (q + 0.05) * 0.5 / q + (1 - q - 0.05) * 0.5 / (1 - q)
        assert at_q == pytest.approx(1)
        assert better < 1


def test_honest_annotators_are_accused_no_more_often_than_the_bound() -> None:
    """The worst case: with the majority exactly as often as an honest one must be, and long watched."""
    rng = np.random.default_rng(1)
    rounds, alpha = 1000, 0.1
    expected = np.full(500, 0.65)
    accused = sum(strongest(rng.random(500) < 0.65, expected) >= math.log(1 / alpha) for _ in range(rounds))

    assert accused / rounds <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / rounds)
    assert accused > 0  # it is a bound, and no empty promise


def test_a_coin_is_found_and_the_sooner_the_better_the_others_are_known() -> None:
    rng = np.random.default_rng(2)

    def found(q: float, votes: int) -> float:
        expected = np.full(votes, q)
        return float(
            np.mean([strongest(rng.random(votes) < 0.5, expected) >= math.log(1 / 0.05) for _ in range(200)])
        )

    assert found(0.65, 200) > 0.9
    assert found(0.8, 50) > 0.9
    assert found(0.65, 20) < 0.3
