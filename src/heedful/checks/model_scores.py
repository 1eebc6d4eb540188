"""What the checks that need a model are handed: scores and losses of a sample of pairs, computed on a floor
above.

Knows numbers and records; whoever computes them knows models (`heedful.checking_models`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heedful.records import Preference

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """Scores of pairs by reward models that were not trained on them.

    Attributes:
        differences: reward of chosen less that of rejected, `[repeats, pairs]`; NaN where a pair could not be
            scored.
        folds: which of a repeat's reward models scored the pair, `[repeats, pairs]`, from 0. Each has a scale
            of its own.
    """

    differences: Array
    folds: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """How unlikely a model finds responses: negative log-likelihood per token, nats.

    Attributes:
        chosen, rejected: of whole responses, `[pairs]`; NaN where a pair could not be scored.
        chosen_start, rejected_start: of their first `start` tokens, `[pairs]`: what the model's own answers,
            which end there, are compared with.
        own: of the model's own answers to some of the prompts, `[answers]`.
        start: tokens.
    """

    chosen: Array
    rejected: Array
    chosen_start: Array
    rejected_start: Array
    own: Array
    start: int


class ModelScores(Protocol):
    """A model that can be asked about pairs."""

    def cross_fit(self, pairs: Sequence[Preference], *, folds: int, repeats: int) -> CrossFit:
        """Train reward models on all folds but one, score that one, for every fold, `repeats` times.

        Pairs of one prompt are in one fold.
        """

    def losses(self, pairs: Sequence[Preference], *, answers: int, start: int) -> Losses:
        """Losses of the pairs, and of the model's own `answers` of up to `start` tokens."""
