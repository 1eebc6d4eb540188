"""Does a model still find held-out demonstrations as likely as it did before it was aligned.

Takes negative log-likelihoods that somebody else has computed; numpy only.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.estimates import Array, Estimate, ratio

Finding = Literal["forgot", "no difference", "better"]


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Negative log-likelihood on demonstrations before and after, nats per token.

    Attributes:
        before, after: each model's own.
        change: `after - before`, demonstration by demonstration, which is much surer than the two apart.
        n: demonstrations.
        tokens: response tokens they have.
    """

    before: Estimate
    after: Estimate
    change: Estimate
    n: int
    tokens: int

    @property
    def finding(self) -> Finding:
        """What the interval of the change allows to say."""
        if self.change.above(0):
            return "forgot"
        return "better" if self.change.below(0) else "no difference"


def forgetting(
    before_nll: ArrayLike,
    after_nll: ArrayLike,
    tokens: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Forgetting:
    """Compare two models on the same demonstrations, every token alike.

    Args:
        before_nll, after_nll: `-Σ log p` of each response, `[n]`, nats.
        tokens: of each response, `[n]`, at least 1.
        groups: one label per demonstration; those that share one (a prompt) are not independent.
        seed: of the bootstrap.

    Raises:
        ValueError: the lengths differ.
        DataError: there are no demonstrations, or a figure is not finite or a response has no tokens.
    """
    before, after, lengths = (np.asarray(v, dtype=np.float64) for v in (before_nll, after_nll, tokens))
    if before.shape != after.shape:
        raise ValueError(f"{list(before.shape)} before and {list(after.shape)} after must be [n]")
    if (lengths < 1).any():
        raise DataError(f"Demonstration {int(np.argmax(lengths < 1))} has no response tokens.")

    def per_token(nll: Array) -> Estimate:
        return ratio(nll, lengths, groups=groups, seed=seed)

    return Forgetting(
        before=per_token(before),
        after=per_token(after),
        change=per_token(after - before),
        n=len(before),
        tokens=int(lengths.sum()),
    )
