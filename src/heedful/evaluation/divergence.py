"""How far a policy has moved from its reference: the KL divergence of whole answers, from sampled ones.

`E[Σ log π/π_ref]` over answers of the policy itself, in nats. Takes the two models' log-probs of every token
of the answers that the policy sampled (at temperature 1: the log-probs must be those of the distribution that
was sampled from); numpy only.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.estimates import Array, Estimate, mean, ratio

FEW_PROMPTS = 30  # below which the interval of a skewed figure is not to be relied on
LARGE_PART = 0.25  # of all log-ratios, by size: one answer that makes up so much is the estimate


@dataclass(frozen=True, slots=True)
class Divergence:
    """Sequence KL with 95% intervals by prompt.

    Attributes:
        per_answer: mean of `Σ log π/π_ref`, nats per answer.
        per_token: the same over all tokens, nats per token.
        low_variance: mean of `Σ (r - 1 - log r)` over tokens with `r = π_ref/π`, nats per answer: k3 of
            Schulman 2020 ("Approximating KL divergence"). Unbiased too, never below 0, and as a rule the
            surer of the two while the policy is near the reference.
        n: answers.
        prompts: different prompts.
        tokens: of all answers.
        largest: the part of all answers' log-ratios, by size, that the largest one makes up, 0 to 1.
    """

    per_answer: Estimate
    per_token: Estimate
    low_variance: Estimate
    n: int
    prompts: int
    tokens: int
    largest: float

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the figures may be less sure than their intervals say; empty where nothing speaks for it."""
        found = []
        if self.prompts < FEW_PROMPTS:
            found.append(f"only {self.prompts} prompts: the interval is rough below {FEW_PROMPTS}")
        if self.largest > LARGE_PART:
            found.append(f"one answer of {self.n} makes up {self.largest:.0%} of the log-ratios")
        return tuple(found)


def sequence_kl(
    policy_logps: Sequence[ArrayLike],
    reference_logps: Sequence[ArrayLike],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Divergence:
    """The KL divergence from answers that the policy sampled.

    Args:
        policy_logps: the policy's log-probs of each answer's tokens, nats: `[answers]` arrays of `[tokens]`,
            the end-of-turn token among them where the answer has one.
        reference_logps: the reference's, likewise.
        groups: one label per answer; answers to one prompt share it.
        seed: of the bootstrap.

    Raises:
        ValueError: the two differ in answers or tokens.
        DataError: there are no answers, one has no tokens, or a log-prob is not finite.
    """
    if len(policy_logps) != len(reference_logps):
        raise ValueError(
            f"{len(policy_logps)} answers of the policy, {len(reference_logps)} of the reference"
        )
    if not len(policy_logps):
        raise DataError("There are no answers to measure.", mend="Sample at least one answer.")
    ratios = [
        _log_ratios(at, own, other)
        for at, (own, other) in enumerate(zip(policy_logps, reference_logps, strict=True))
    ]
    sums = np.array([one.sum() for one in ratios])
    lengths = np.array([len(one) for one in ratios], dtype=np.float64)
    surer = np.array([(np.expm1(-one) + one).sum() for one in ratios])
    sizes = np.abs(sums)
    return Divergence(
        per_answer=mean(sums, groups=groups, seed=seed),
        per_token=ratio(sums, lengths, groups=groups, seed=seed),
        low_variance=mean(surer, groups=groups, seed=seed),
        n=len(ratios),
        prompts=len(ratios) if groups is None else len(set(groups)),
        tokens=int(lengths.sum()),
        largest=float(sizes.max() / sizes.sum()) if sizes.sum() > 0 else 0.0,
    )


def _log_ratios(answer: int, policy: ArrayLike, reference: ArrayLike) -> Array:
    own, other = np.asarray(policy, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if own.ndim != 1 or own.shape != other.shape:
        raise ValueError(
            f"answer {answer}: log-probs {list(own.shape)} and {list(other.shape)} must be [tokens]"
        )
    if not len(own):
        raise DataError(f"Answer {answer} has no tokens.")
    apart: Array = own - other
    if not np.isfinite(apart).all():
        raise DataError(f"A log-prob of answer {answer} is not finite.")
    return apart
