"""Supervised fine-tuning: the negative log-likelihood of the response tokens.

Takes log-probabilities that somebody else has gathered; which tokens count as response is settled before.
"""

from __future__ import annotations

import torch
from torch import Tensor

Metrics = dict[str, Tensor]


def sft(logps: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Metrics]:
    """Cross-entropy of the response tokens, `-w log π(y_t | x, y_<t)`, one value per token.

    Args:
        logps: log-probability of each response token, `[tokens]`, nats.
        weights: what each token counts, `[tokens]`; a record's weight repeated over its tokens. None counts
            all tokens alike.

    Returns:
        losses: `[tokens]`, nats, weighted. Divide their sum by the sum of the weights for a mean per token.
        metrics: `nll`, `[tokens]`, nats: the same without weights or gradient.

    Raises:
        ValueError: the shapes differ.
    """
    if logps.dim() != 1:
        raise ValueError(f"logps must be [tokens], not {list(logps.shape)}")
    if weights is not None and weights.shape != logps.shape:
        raise ValueError(f"weights {list(weights.shape)} do not match logps {list(logps.shape)}")
    losses = -logps.to(torch.promote_types(logps.dtype, torch.float32))
    metrics = {"nll": losses.detach()}
    if weights is not None:
        losses = losses * weights.to(losses)
    return losses, metrics
