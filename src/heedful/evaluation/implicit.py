"""The reward that a DPO policy stands for, `β · log π/π_ref`: how it ranks pairs, and what became of chosen.

DPO raises the margin between chosen and rejected, and may do so while both get less likely. That is a common
worry, so what happened to the chosen responses stands beside the margin. Takes log-probs that somebody else
has computed; numpy only.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from heedful.errors import DataError
from heedful.evaluation.calibration import Calibration, calibration
from heedful.evaluation.estimates import Array, Estimate, mean, ratio
from heedful.evaluation.preference_accuracy import Accuracy, PairScores
from heedful.intervals import share


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one side's log-probs.

    Attributes:
        per_response: mean of `log π - log π_ref`, nats per response; below 0 where it got less likely.
        per_token: the same over all tokens, nats per token.
        falling: share of responses that got less likely.
    """

    per_response: Estimate
    per_token: Estimate
    falling: Estimate


@dataclass(frozen=True, slots=True)
class ImplicitReward:
    """A policy's implicit reward on pairs. Every interval is 95%, by prompt.

    Attributes:
        n: pairs.
        accuracy: share of pairs with the higher reward for chosen; a tie counts as wrong.
        margin: mean of chosen's reward less rejected's.
        chosen, rejected: what became of their log-probs.
        calibration: of `σ(margin)`, the probability that DPO's model gives to chosen.
    """

    n: int
    accuracy: Accuracy
    margin: Estimate
    chosen: Change
    rejected: Change
    calibration: Calibration

    @property
    def chosen_falls(self) -> bool:
        """Whether chosen responses clearly got less likely, on average."""
        return self.chosen.per_response.below(0)


def implicit_rewards(
    policy: PairScores,
    reference: PairScores,
    *,
    beta: float,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> ImplicitReward:
    """Measure a policy against its reference on pairs that people decided.

    Args:
        policy, reference: log-probs of the same pairs.
        beta: the policy's own, above 0.
        groups: one label per pair; pairs of one prompt share it.
        seed: of the bootstrap.

    Raises:
        ValueError: the two hold different numbers of pairs.
        DataError: there are no pairs.
    """
    if len(policy) != len(reference):
        raise ValueError(f"policy holds {len(policy)} pairs, reference {len(reference)}")
    if not len(policy):
        raise DataError("There are no pairs to measure.", mend="Evaluate on at least one pair.")
    chosen, rejected = policy.chosen - reference.chosen, policy.rejected - reference.rejected
    margins = beta * (chosen - rejected)
    right = chosen > rejected

    def change(moved: Array, tokens: Array) -> Change:
        falls = (moved < 0).astype(np.float64)
        return Change(
            mean(moved, groups=groups, seed=seed),
            ratio(moved, tokens, groups=groups, seed=seed),
            Estimate(float(falls.mean()), *share(falls, groups=groups)),
        )

    return ImplicitReward(
        n=len(policy),
        accuracy=Accuracy(float(right.mean()), *share(right, groups=groups), len(right)),
        margin=mean(margins, groups=groups, seed=seed),
        chosen=change(chosen, policy.chosen_tokens),
        rejected=change(rejected, policy.rejected_tokens),
        calibration=calibration(margins, np.ones(len(margins)), groups=groups, seed=seed),
    )
