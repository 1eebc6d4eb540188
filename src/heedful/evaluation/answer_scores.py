"""What a reward makes of one model's answers, and how that differs from another model's to the same prompts.

Takes scores that somebody else has asked for; numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heedful.errors import DataError
from heedful.evaluation.intervals import Interval, bootstrap


@dataclass(frozen=True, slots=True, eq=False)
class AnswerScores:
    """The scores of one model's answers, one answer to a prompt. Anything array-like goes in.

    Attributes:
        scores: `[n]`, in the reward's unit; every model's in the same order of prompts.
    """

    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float64))
        if not len(self):
            raise DataError("There are no answers to score.", mend="Sample at least one answer.")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def mean(self) -> float:
        return float(self.scores.mean())

    @property
    def interval(self) -> Interval:
        """Of the mean, 95%: a bootstrap over prompts."""
        return bootstrap(self.scores)

    def change(self, baseline: AnswerScores) -> Interval:
        """The 95% interval of `mean - baseline.mean`: a bootstrap over the differences, prompt by prompt.

        Raises:
            ValueError: the two are not of as many prompts.
        """
        if len(self) != len(baseline):
            raise ValueError(f"{len(self)} answers and {len(baseline)} of the baseline")
        return bootstrap(self.scores - baseline.scores)
