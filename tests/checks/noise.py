"""Label noise that is known: pairs whose sides are swapped, at random or by length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from heedful.checks.text import word_count
from heedful.records import Preference

Flipped = tuple[list[Preference], frozenset[int]]
"""The pairs, and which of them were flipped."""


def flip(pairs: Sequence[Preference], share: float, *, seed: int = 0) -> Flipped:
    """Swap the sides of this share of the pairs, drawn at random."""
    return _flip(pairs, share, np.ones(len(pairs)), seed)


def flip_by_length(pairs: Sequence[Preference], share: float, *, seed: int = 0) -> Flipped:
    """Swap the sides of this share of the pairs, the likelier the more words one side has than the other."""
    apart = [abs(word_count(pair.chosen) - word_count(pair.rejected)) for pair in pairs]
    # One word more, so that pairs of equal length can be drawn where the others run out.
    return _flip(pairs, share, np.array(apart) + 1.0, seed)


def turned(pair: Preference) -> Preference:
    return replace(pair, chosen=pair.rejected, rejected=pair.chosen)


def _flip(pairs: Sequence[Preference], share: float, weights: np.ndarray, seed: int) -> Flipped:
    chance = np.random.default_rng(seed)
    drawn = chance.choice(len(pairs), round(share * len(pairs)), replace=False, p=weights / weights.sum())
    flipped = frozenset(map(int, drawn))
    return [turned(pair) if at in flipped else pair for at, pair in enumerate(pairs)], flipped
