"""How far a policy has moved from its reference, and how hard it is held back.

Estimates come from tokens that the policy itself sampled; they are wrong for any other text. Knows tensors
and numbers; whose log-probs these are and how often β changes is the training loop's business.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Ziegler et al. 2019, section 2.2: however wrong β is, one step corrects a fifth of its error at most.
_MOST_ERROR = 0.2


def k1(logps: Tensor, reference: Tensor) -> Tensor:
    """`log π − log π_ref` per token: unbiased for the KL divergence, negative for about half of all tokens.

    Never clamped: the negative values are what makes its mean right (Schulman, "Approximating KL divergence",
    2020).

    Args:
        logps: log-probs of sampled tokens under the policy, `[tokens]`, nats.
        reference: the same tokens under the reference, `[tokens]`, nats.

    Returns:
        `[tokens]`, nats. Summed over a response it estimates the sequence's KL.
    """
    return logps - reference


def k3(logps: Tensor, reference: Tensor) -> Tensor:
    """`(r − 1) − log r` with `r = π_ref / π`, per token: unbiased as `k1`, never negative, of less variance.

    Args and returns as `k1`; from the same note.
    """
    log_ratio = reference - logps
    return torch.expm1(log_ratio) - log_ratio


def adapted(beta: float, kl: float, *, target: float, horizon: float, episodes: int) -> float:
    """β after `episodes` whose mean sequence KL was `kl`: `β (1 + e · episodes / horizon)`.

    `e = kl / target − 1`, clipped to ±0.2 (Ziegler et al. 2019, section 2.2).

    Args:
        beta: the coefficient so far, at least 0.
        kl: measured, nats per sequence.
        target: wanted, nats per sequence.
        horizon: episodes over which β changes by a fifth of itself at most; larger is calmer.

    Raises:
        ValueError: a number out of range.
    """
    if beta < 0 or target <= 0 or horizon <= 0 or episodes < 0:
        raise ValueError("beta and episodes must not be negative, target and horizon must be greater than 0")
    error = min(max(kl / target - 1, -_MOST_ERROR), _MOST_ERROR)
    return beta * (1 + error * episodes / horizon)
