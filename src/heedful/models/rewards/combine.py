"""Rewards made of rewards, and the plain length term that often goes with them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from heedful.errors import RewardError
from heedful.models.rewards.reward import Reward, checked, cut_by
from heedful.records import Messages


class WeightedSum:
    """Several rewards, each times its weight, added up.

    Args:
        parts: `(weight, reward)`; each part's scores are verified by themselves, so that an error names it.

    Raises:
        RewardError: no parts, or a weight that is not a finite number.
    """

    def __init__(self, parts: Sequence[tuple[float, Reward]]) -> None:
        if not parts:
            raise RewardError("there is no reward to add up.", mend="Name at least one.")
        for weight, reward in parts:
            if not math.isfinite(weight):
                raise RewardError(f"its weight is {weight}.", where=f"reward {reward.name}")
        self.parts = list(parts)
        self.name = " + ".join(f"{weight:g} × {reward.name}" for weight, reward in parts)

    @property
    def cut(self) -> int:
        """How many conversations its parts have cut so far."""
        return sum(cut_by(reward) for _, reward in self.parts)

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        total = [0.0] * len(responses)
        for weight, reward in self.parts:
            scores: list[float] = checked(reward, prompts, responses).tolist()
            total = [so_far + weight * score for so_far, score in zip(total, scores, strict=True)]
        return total


class LengthTerm:
    """So much per word of the response: a negative `per_word` asks for shorter ones."""

    name = "length"

    def __init__(self, per_word: float) -> None:
        self.per_word = per_word

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        return [self.per_word * len(response.split()) for response in responses]
