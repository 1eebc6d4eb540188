"""Does a model prefer what people prefer: shares of pairs in which chosen scores above rejected.

Takes the summed log-probabilities that somebody else has computed; numpy only. A tie counts as wrong
everywhere (as RewardBench has it), so a model that cannot tell two answers apart earns nothing. Length rulers
stand beside: an accuracy that "the shorter one wins" reaches too says little about taste.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.errors import DataError
from heedful.intervals import wilson

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """What one model makes of a set of pairs. Anything array-like goes in; float64 arrays stay.

    Attributes:
        chosen: summed log-probability of each chosen response, `[n]`, nats.
        rejected: summed log-probability of each rejected response, `[n]`, nats.
        chosen_tokens: tokens of each chosen response that were scored, `[n]`, at least 1.
        rejected_tokens: tokens of each rejected response that were scored, `[n]`, at least 1.
    """

    chosen: Array
    rejected: Array
    chosen_tokens: Array
    rejected_tokens: Array

    def __post_init__(self) -> None:
        for name in ("chosen", "rejected", "chosen_tokens", "rejected_tokens"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.ndim != 1 or value.shape != np.shape(self.chosen):
                raise ValueError(f"{name} must be [n] like chosen, not {list(value.shape)}")
            if not np.isfinite(value).all():
                pair = int(np.argmin(np.isfinite(value)))
                raise DataError(f"{name} of pair {pair} is not a finite number.")
            object.__setattr__(self, name, value)
        if (self.chosen_tokens < 1).any() or (self.rejected_tokens < 1).any():
            raise DataError("A response has no tokens.")

    def __len__(self) -> int:
        return len(self.chosen)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of pairs with its Wilson 95% interval.

    Attributes:
        value: share judged as people did, 0 to 1.
        low, high: the interval.
        n: pairs.
    """

    value: float
    low: float
    high: float
    n: int


def implicit_reward(policy: PairScores, reference: PairScores) -> Accuracy:
    """Share of pairs with `log π/π_ref` higher for chosen than for rejected (Rafailov et al. 2023, sec. 5).

    The implicit reward is β times that; β > 0 changes no order and is left out.

    Raises:
        ValueError: the two hold different numbers of pairs.
        DataError: there are no pairs.
    """
    if len(policy) != len(reference):
        raise ValueError(f"policy holds {len(policy)} pairs, reference {len(reference)}")
    return _share_above(policy.chosen - reference.chosen, policy.rejected - reference.rejected)


def per_token(scores: PairScores) -> Accuracy:
    """Share of pairs in which one model, without a reference, finds chosen likelier per token."""
    return _share_above(scores.chosen / scores.chosen_tokens, scores.rejected / scores.rejected_tokens)


def shorter_wins(chosen: ArrayLike, rejected: ArrayLike) -> Accuracy:
    """The ruler "people prefer the response with fewer tokens", from lengths of whole responses, `[n]`."""
    return longer_wins(rejected, chosen)


def longer_wins(chosen: ArrayLike, rejected: ArrayLike) -> Accuracy:
    """The ruler "people prefer the response with more tokens", from lengths of whole responses, `[n]`."""
    return _share_above(chosen, rejected)


def _share_above(chosen: ArrayLike, rejected: ArrayLike) -> Accuracy:
    wins = np.asarray(chosen) > np.asarray(rejected)
    if wins.size == 0:
        raise DataError("There are no pairs to measure.", mend="Evaluate on at least one pair.")
    low, high = wilson(int(wins.sum()), wins.size)
    return Accuracy(float(wins.mean()), low, high, wins.size)
