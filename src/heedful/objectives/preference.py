"""Losses that learn from pairs: DPO, its conservative form, and IPO.

All share one call signature, so that choosing one is a look-up in `PREFERENCE`. Inputs are the
log-probabilities of whole responses under the policy and the frozen reference; maths is done in float32 or
better whatever comes in. Knows nothing of how log-probabilities are computed or how losses are averaged.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from heedful.objectives.sft import Metrics


class PreferenceObjective(Protocol):
    """The call signature all preference losses share."""

    def __call__(
        self,
        policy_chosen: Tensor,
        policy_rejected: Tensor,
        reference_chosen: Tensor,
        reference_rejected: Tensor,
        *,
        beta: float,
        label_smoothing: float = 0.0,
        chosen_tokens: Tensor | None = None,
        rejected_tokens: Tensor | None = None,
        probabilities: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> tuple[Tensor, Metrics]: ...


def dpo(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float,
    label_smoothing: float = 0.0,
    chosen_tokens: Tensor | None = None,
    rejected_tokens: Tensor | None = None,
    probabilities: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Metrics]:
    """Direct preference optimisation, `-log σ(β h)` (Rafailov et al. 2023, eq. 7).

    `h = log π(chosen)/π_ref(chosen) - log π(rejected)/π_ref(rejected)`, over whole responses. With
    `label_smoothing = ε > 0` this is conservative DPO, `-(1 - ε) log σ(β h) - ε log σ(-β h)`, for labels of
    which a share ε is flipped (Mitchell, "A note on DPO with noisy preferences", 2023, eq. 3); its minimum
    lies at `σ(β h) = 1 - ε` instead of at infinity. With soft labels `p` the target of a pair is
    `p (1 - ε) + (1 - p) ε` in place of `1 - ε`.

    Args:
        policy_chosen: summed log-probability of each chosen response under the policy, `[pairs]`, nats.
        policy_rejected: the same of the rejected responses, `[pairs]`, nats.
        reference_chosen: the same of the chosen responses under the reference, `[pairs]`, nats.
        reference_rejected: the same of the rejected responses under the reference, `[pairs]`, nats.
        beta: strength of the pull towards the reference, greater than 0, without unit.
        label_smoothing: assumed share of flipped labels ε, in [0, 0.5).
        chosen_tokens: not used, DPO reads whole responses; here because all preference losses are called
            alike.
        rejected_tokens: not used, likewise.
        probabilities: how likely each chosen response is truly the better one, `[pairs]`, in [0, 1]. None:
            certain.
        weights: what each pair counts, `[pairs]`. None counts all alike.

    Returns:
        losses: `[pairs]`, nats, weighted, not averaged.
        metrics: each `[pairs]`, without weights or gradient; see `_metrics`.

    Raises:
        ValueError: shapes differ, or `beta` or `label_smoothing` is out of range.
    """
    _check(policy_chosen, policy_rejected, reference_chosen, reference_rejected, weights, beta=beta)
    if not 0.0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must lie in [0, 0.5), not {label_smoothing}")
    chosen_moved = _precise(policy_chosen) - _precise(reference_chosen)
    rejected_moved = _precise(policy_rejected) - _precise(reference_rejected)
    logits = beta * (chosen_moved - rejected_moved)
    losses = -logsigmoid(logits)
    if label_smoothing > 0 or probabilities is not None:
        certain = 1.0 if probabilities is None else probabilities
        target = certain * (1 - 2 * label_smoothing) + label_smoothing
        losses = target * losses - (1 - target) * logsigmoid(-logits)
    metrics = _metrics(beta * chosen_moved, beta * rejected_moved, chosen_moved, rejected_moved)
    return _weighted(losses, weights), metrics


def ipo(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float,
    label_smoothing: float = 0.0,
    chosen_tokens: Tensor | None = None,
    rejected_tokens: Tensor | None = None,
    probabilities: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Metrics]:
    """Identity preference optimisation, `(h - 1 / (2 β))²` (Azar et al. 2023, eq. 17; β is the paper's τ).

    `h` is DPO's. The paper writes it over whole responses, so that one target `1 / (2 β)` holds for an answer
    of five words and one of five hundred. On its authors' advice TRL averages each log-ratio over its
    response's tokens instead. Give `chosen_tokens` and `rejected_tokens` for the average, leave both out for
    the paper's sums. Averaged, `h` is in nats per token, where the same target pushes far harder: β wants to
    be larger than with sums.

    Args:
        policy_chosen: summed log-probability of each chosen response under the policy, `[pairs]`, nats.
        policy_rejected: the same of the rejected responses, `[pairs]`, nats.
        reference_chosen: the same of the chosen responses under the reference, `[pairs]`, nats.
        reference_rejected: the same of the rejected responses under the reference, `[pairs]`, nats.
        beta: strength of the pull towards the reference τ, greater than 0, in 1/nats.
        label_smoothing: must be 0; IPO is bounded without it.
        chosen_tokens: tokens of each chosen response, `[pairs]`, at least 1; given with `rejected_tokens` or
            not at all.
        rejected_tokens: tokens of each rejected response, `[pairs]`.
        probabilities: soft labels `[pairs]`, in [0, 1]: the target of a pair becomes `(2 p - 1) / (2 β)`, the
            paper's for preferences that are not certain (section 5). None: certain.
        weights: what each pair counts, `[pairs]`. None counts all alike.

    Returns:
        losses: `[pairs]`, nats² (per token² where averaged), weighted, not averaged over pairs.
        metrics: each `[pairs]`, without weights or gradient; see `_metrics`. Rewards follow the log-ratios
            the loss saw, per token or summed; the `moved` ones are summed always.

    Raises:
        ValueError: shapes differ, only one token count is given, or `beta` or `label_smoothing` is out of
            range.
    """
    inputs = (policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    _check(*inputs, weights, chosen_tokens, rejected_tokens, beta=beta)
    if label_smoothing != 0.0:
        raise ValueError(f"ipo has no label smoothing; got {label_smoothing}")
    chosen_moved = _precise(policy_chosen) - _precise(reference_chosen)
    rejected_moved = _precise(policy_rejected) - _precise(reference_rejected)
    chosen, rejected = chosen_moved, rejected_moved
    if chosen_tokens is not None and rejected_tokens is not None:
        chosen, rejected = chosen / chosen_tokens, rejected / rejected_tokens
    elif chosen_tokens is not None or rejected_tokens is not None:
        raise ValueError("give both chosen_tokens and rejected_tokens, or neither")
    target = 1.0 if probabilities is None else 2 * probabilities - 1
    losses = (chosen - rejected - target / (2 * beta)) ** 2
    metrics = _metrics(beta * chosen, beta * rejected, chosen_moved, rejected_moved)
    return _weighted(losses, weights), metrics


PREFERENCE: dict[str, PreferenceObjective] = {"dpo": dpo, "ipo": ipo}


def _precise(logps: Tensor) -> Tensor:
    """Float32, or float64 where it already is: a difference of two large bfloat16 sums has no digits left."""
    return logps.to(torch.promote_types(logps.dtype, torch.float32))


def _weighted(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses if weights is None else losses * weights.to(losses)


def _metrics(chosen: Tensor, rejected: Tensor, chosen_moved: Tensor, rejected_moved: Tensor) -> Metrics:
    """What every preference loss reports, one value per pair, detached.

    `rewards/chosen` and `rewards/rejected` are the implicit rewards `β log π/π_ref`, `rewards/margin` their
    difference, `rewards/accuracy` is 1 where chosen is strictly higher and 0 else (a tie is wrong),
    `logps/*_moved` is `log π - log π_ref` of the whole response in nats: below 0, the policy finds it less
    likely than the reference does.
    """
    chosen, rejected = chosen.detach(), rejected.detach()
    return {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/margin": chosen - rejected,
        "rewards/accuracy": (chosen > rejected).to(chosen.dtype),
        "logps/chosen_moved": chosen_moved.detach(),
        "logps/rejected_moved": rejected_moved.detach(),
    }


def _check(first: Tensor, *others: Tensor | None, beta: float) -> None:
    """Refuse what broadcasting would quietly turn into a `[pairs, pairs]` loss."""
    if first.dim() != 1:
        raise ValueError(f"log-probabilities must be [pairs], not {list(first.shape)}")
    for other in others:
        if other is not None and other.shape != first.shape:
            raise ValueError(f"shapes differ: {list(first.shape)} and {list(other.shape)}")
    if not beta > 0:
        raise ValueError(f"beta must be greater than 0, not {beta}")
