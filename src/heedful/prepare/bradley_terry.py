"""How good each response is, from who beat whom: Bradley and Terry's model of paired comparisons.

R. A. Bradley and M. E. Terry 1952; fitted by the MM algorithm of D. R. Hunter 2004, "MM algorithms for
generalized Bradley-Terry models". Arrays only: knows nothing of preferences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ROUNDS = 1000
TOLERANCE = 1e-8
PRIOR_GAMES = 1.0


def bradley_terry(
    first: ArrayLike, second: ArrayLike, won: ArrayLike, n_players: int, *, prior_games: float = PRIOR_GAMES
) -> Floats:
    """The log strengths, `[players]`: player i beats player j with probability σ(strength i - strength j).

    Players who never met, directly or through others, may be fitted in one call: each group is on its own.

    Args:
        first, second: who met, `[games]`, whole numbers from 0.
        won: how much of the game went to the first, `[games]`: 1, 0, or 0.5 for a tie.
        prior_games: how many games each player is taken to have drawn with a player of strength 0, so that
            nobody is infinitely better after one win.
    """
    one, other = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    score = np.asarray(won, dtype=np.float64)

    def per_player(of_first: Floats, of_second: Floats) -> Floats:
        total = np.bincount(one, of_first, n_players) + np.bincount(other, of_second, n_players)
        return np.asarray(total, dtype=np.float64)

    wins = per_player(score, 1 - score) + prior_games / 2
    strength = np.ones(n_players)
    for _ in range(ROUNDS):
        met = 1 / (strength[one] + strength[other])
        moved = wins / (per_player(met, met) + prior_games / (strength + 1))  # Hunter's eq. 3
        settled = np.abs(np.log(moved / strength)).max(initial=0.0) < TOLERANCE
        strength = moved
        if settled:
            break
    return np.log(strength)
