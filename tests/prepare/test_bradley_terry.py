"""Bradley and Terry's model: its own fixed point, what is known of it in closed form, and the weak prior."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.prepare.bradley_terry import bradley_terry


def beats(strength: np.ndarray, one: int, other: int) -> float:
    return float(1 / (1 + np.exp(strength[other] - strength[one])))


def test_two_players_come_to_their_share_of_the_games() -> None:
    strength = bradley_terry([0] * 8, [1] * 8, [1, 1, 1, 1, 1, 1, 0, 0], 2, prior_games=1e-9)

    assert beats(strength, 0, 1) == pytest.approx(0.75, abs=1e-4)


def test_a_tie_is_half_a_win() -> None:
    assert bradley_terry([0, 0], [1, 1], [0.5, 0.5], 2) == pytest.approx([0, 0], abs=1e-9)
    won_and_lost = bradley_terry([0, 0], [1, 1], [1, 0], 2)
    assert won_and_lost == pytest.approx([0, 0], abs=1e-9)


def test_expected_wins_are_those_that_were_won() -> None:
    """The likelihood's gradient is 0: each player's wins are what the strengths expect of their games."""
    rng = np.random.default_rng(0)
    first = rng.integers(5, size=60)
    second = (first + rng.integers(1, 5, size=60)) % 5
    won = rng.choice([0, 0.5, 1], size=60)

    strength = bradley_terry(first, second, won, 5, prior_games=2)

    for player in range(5):
        games = [(o, w) for f, o, w in zip(first, second, won, strict=True) if f == player]
        games += [(f, 1 - w) for f, o, w in zip(first, second, won, strict=True) if o == player]
        expected = sum(beats(strength, player, other) for other, _ in games)
        drawn = 2 / (1 + np.exp(-strength[player]))  # of the two games against strength 0, one won
        assert expected + drawn == pytest.approx(sum(w for _, w in games) + 1, abs=1e-5)


def test_what_a_did_to_c_and_c_to_b_tells_of_a_and_b() -> None:
    strength = bradley_terry([0, 0, 2, 2], [2, 2, 1, 1], [1, 1, 1, 1], 3)

    assert strength[0] > strength[2] > strength[1]
    assert beats(strength, 0, 1) > beats(strength, 0, 2) > 0.5


def test_the_prior_keeps_one_win_from_being_certain_and_fades() -> None:
    once = beats(bradley_terry([0], [1], [1], 2), 0, 1)
    often = beats(bradley_terry([0] * 50, [1] * 50, [1] * 50, 2), 0, 1)

    assert 0.75 < once < 0.85
    assert 0.98 < often < 1


def test_groups_that_never_meet_are_fitted_as_if_alone() -> None:
    both = bradley_terry([0, 0, 2], [1, 1, 3], [1, 0.5, 1], 4)

    assert both[:2] == pytest.approx(bradley_terry([0, 0], [1, 1], [1, 0.5], 2), abs=1e-6)
    assert both[2:] == pytest.approx(bradley_terry([0], [1], [1], 2), abs=1e-6)
