"""What a reward makes of one model's answers, and how that differs from another model's to the same prompts.

A reward model has seen whole answers only, and what it says of one that was cut means nothing: such answers
have no score. Takes scores that somebody else has asked for; numpy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heedful.errors import DataError
from heedful.evaluation.estimates import mean
from heedful.intervals import Interval

LEAST_ANSWERS = 5  # below which a mean is that of a few answers, and none is given

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over prompts with its 95% interval, that of `estimates.mean`.

    Attributes:
        value, low, high: nan where there are fewer than `LEAST_ANSWERS` prompts.
        n: prompts.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def interval(self) -> Interval:
        return self.low, self.high


@dataclass(frozen=True, slots=True, eq=False)
class AnswerScores:
    """The scores of one model's answers, one answer to a prompt. Anything array-like goes in.

    Attributes:
        scores: `[n]`, in the reward's unit, nan for an answer that was cut; every model's in the same order
            of prompts.
    """

    scores: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float64))
        if not len(self):
            raise DataError("There are no answers to score.", mend="Sample at least one answer.")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def mean(self) -> Mean:
        """Of the answers that ended by themselves."""
        return _mean(self.scores)

    def change(self, baseline: AnswerScores) -> Mean:
        """How much higher the scores are than the baseline's, prompt by prompt, where both answers ended.

        Raises:
            ValueError: the two are not of as many prompts.
        """
        if len(self) != len(baseline):
            raise ValueError(f"{len(self)} answers and {len(baseline)} of the baseline")
        return _mean(self.scores - baseline.scores)


def _mean(values: Array) -> Mean:
    known = values[~np.isnan(values)]
    if len(known) < LEAST_ANSWERS:
        return Mean(math.nan, math.nan, math.nan, len(known))
    found = mean(known)
    return Mean(found.value, found.low, found.high, len(known))
