"""Best of n, the baseline that needs no training: sample n answers, keep the one that a reward likes best.

What it costs in KL is known without measuring; what it gains is estimated from more samples than n, every
choice of n among them counted once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.estimates import Array, Estimate, mean


@dataclass(frozen=True, slots=True)
class BestOf:
    """What best of n comes to.

    Attributes:
        n: samples to choose from.
        kl: from the model sampled, nats: an upper bound, and close to it where no two samples are alike.
        reward: mean of the reward that chose, over prompts.
        gold: mean of another reward of what it chose, where one was given.
    """

    n: int
    kl: float
    reward: Estimate
    gold: Estimate | None


def kl(n: int) -> float:
    """`log n - (n - 1) / n`, nats (Stiennon et al. 2020, appendix G.3).

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"best of {n}")
    return math.log(n) - (n - 1) / n


def expected(scores: ArrayLike, n: int, *, gold: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """The mean reward of the best of n, by the unbiased estimator of Nakano et al. 2021 (WebGPT, appendix I).

    The mean over all choices of n of a prompt's samples, which sorting gives without going through them.
    Samples of equal score are as likely to be chosen.

    Args:
        scores: of each sample, the reward that chooses, `[prompts, samples]`.
        n: at most the number of samples.
        gold: the reward that is read, `[prompts, samples]`; None: the one that chooses.
        seed: of the bootstrap by prompt.

    Raises:
        ValueError: shapes differ.
        DataError: `n` is out of range, or a score is not finite.
    """
    chosen_by = _checked("scores", scores)
    read = chosen_by if gold is None else _checked("gold", gold)
    if read.shape != chosen_by.shape:
        raise ValueError(f"gold {list(read.shape)} must be {list(chosen_by.shape)} like the scores")
    samples = chosen_by.shape[1]
    if not 1 <= n <= samples:
        raise DataError(
            f"The best of {n} cannot be told from {samples} samples for each prompt.",
            mend="Sample more answers, or ask for fewer.",
        )
    return mean((chances(chosen_by, n) * read).sum(axis=1), seed=seed)


def curve(
    scores: ArrayLike, choices: Sequence[int], *, gold: ArrayLike | None = None, seed: int = 0
) -> tuple[BestOf, ...]:
    """Best of n for several n; arguments and errors as in `expected`."""
    return tuple(
        BestOf(
            n,
            kl(n),
            expected(scores, n, seed=seed),
            None if gold is None else expected(scores, n, gold=gold, seed=seed),
        )
        for n in choices
    )


def chances(scores: Array, n: int) -> Array:
    """How likely each sample is the best of n of its prompt's samples, `[prompts, samples]`."""
    samples = scores.shape[1]
    by_place = np.array([math.comb(place, n - 1) / math.comb(samples, n) for place in range(samples)])
    below = np.concatenate([[0.0], np.cumsum(by_place)])  # how likely one of the lowest so many is the best
    ordered = np.sort(scores, axis=1)
    found = np.empty_like(scores)
    for prompt, row in enumerate(ordered):
        first = np.searchsorted(row, scores[prompt], side="left")
        after = np.searchsorted(row, scores[prompt], side="right")
        found[prompt] = (below[after] - below[first]) / (after - first)
    return found


def _checked(name: str, values: ArrayLike) -> Array:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 2 or not data.size:
        raise ValueError(f"{name} must be [prompts, samples], not {list(data.shape)}")
    if not np.isfinite(data).all():
        prompt, sample = np.argwhere(~np.isfinite(data))[0]
        raise DataError(f"{name} of sample {sample} of prompt {prompt} is not a finite number.")
    return data
