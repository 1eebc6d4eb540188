"""Losses that turn a scalar head into a reward model: pairs, rankings and ratings.

Inputs are the head's scores of whole responses; maths is done in float32 or better. Knows nothing of how
scores are computed or how losses are averaged.
"""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from heedful.objectives.sft import Metrics

# All orders of a tie are summed over: 720 for six.
MOST_TIED = 6


def bradley_terry(
    chosen: Tensor,
    rejected: Tensor,
    *,
    margins: Tensor | None = None,
    probabilities: Tensor | None = None,
    label_smoothing: float = 0.0,
    centering: float = 0.0,
    weights: Tensor | None = None,
) -> tuple[Tensor, Metrics]:
    """`−p log σ(d − m) − (1 − p) log σ(−d − m)`, where `d = chosen − rejected` (Bradley & Terry 1952).

    With `p = 1` and no margin `m` this is the loss of Ouyang et al. 2022, eq. 1; the margin is Touvron et al.
    2023 (Llama 2), eq. 2. A soft label asks whichever side may be the better one for its margin, so that a
    label of one half wants equal scores. Label smoothing ε makes `p` into `(1 − ε) p + ε (1 − p)`.

    Args:
        chosen: score of each chosen response, `[pairs]`.
        rejected: score of each rejected one, `[pairs]`.
        margins: how far the better score is to be above the other before the loss is log 2, `[pairs]`, in the
            score's unit. None asks for 0.
        probabilities: how likely it is that chosen is the better one, `[pairs]`, in [0, 1]: a soft label.
            None means 1.
        label_smoothing: assumed share of flipped labels, in [0, 0.5).
        centering: strength of the added `(chosen + rejected)²`, which keeps scores around 0 (Eisenstein et
            al. 2023, eq. 2).
        weights: what each pair counts, `[pairs]`. None counts all alike.

    Returns:
        losses: `[pairs]`, nats, weighted, not averaged.
        metrics: `[pairs]` each, without weights or gradient: `scores/chosen`, `scores/rejected`,
            `scores/margin`, and `accuracy`, which is 1 where the response likelier to be better scores
            strictly higher (a tie of scores is wrong; a label of one half is left out).

    Raises:
        ValueError: shapes differ, or a number is out of range.
    """
    for other in (rejected, margins, probabilities, weights):
        if other is not None and other.shape != chosen.shape:
            raise ValueError(f"shapes differ: {list(chosen.shape)} and {list(other.shape)}")
    if chosen.dim() != 1 or not 0 <= label_smoothing < 0.5 or centering < 0:
        raise ValueError("scores must be [pairs], label_smoothing in [0, 0.5), centering at least 0")
    chosen, rejected = _precise(chosen), _precise(rejected)
    likely = torch.ones_like(chosen) if probabilities is None else probabilities.to(chosen)
    smoothed = (1 - label_smoothing) * likely + label_smoothing * (1 - likely)
    apart = chosen - rejected
    wanted = torch.zeros_like(apart) if margins is None else margins.to(apart)
    losses = -smoothed * logsigmoid(apart - wanted) - (1 - smoothed) * logsigmoid(-apart - wanted)
    if centering:
        losses = losses + centering * (chosen + rejected).square()
    right = torch.where(likely >= 0.5, apart > 0, apart < 0)
    metrics = {
        "scores/chosen": chosen.detach(),
        "scores/rejected": rejected.detach(),
        "scores/margin": apart.detach(),
        "accuracy": right[likely != 0.5].to(apart.dtype),
    }
    return _weighted(losses, weights), metrics


def plackett_luce(scores: Tensor, ranks: Tensor) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood of one ranking: the best is drawn first, then the best of the rest, and so on.

    `P = Π exp s_i / Σ_{j not yet drawn} exp s_j` (Plackett 1975; Luce 1959). Of tied responses no order is
    known, so the likelihoods of all their orders are added up; a ranking that ties everything says nothing,
    and its loss is 0. Two untied responses give Bradley–Terry.

    Args:
        scores: of one prompt's responses, `[responses]`, at least 2.
        ranks: 1 is best, equal ranks are ties, `[responses]`.

    Returns:
        loss: a scalar, nats.
        metrics: `accuracy`, `[pairs]`: for every pair of unequal ranks whether the better one scores higher.

    Raises:
        ValueError: shapes differ, or more than `MOST_TIED` responses share a rank.
    """
    if scores.dim() != 1 or scores.shape != ranks.shape or len(scores) < 2:
        raise ValueError(f"scores {list(scores.shape)} and ranks {list(ranks.shape)} must be [responses]")
    scores = _precise(scores)
    loss = scores.new_zeros(())
    for rank in ranks.unique():
        tied, behind = scores[ranks == rank], scores[ranks > rank]
        if len(tied) > MOST_TIED:
            raise ValueError(f"{len(tied)} responses share rank {int(rank)}; at most {MOST_TIED} can")
        orders = tied[torch.tensor(list(permutations(range(len(tied)))), device=scores.device)]
        # What is left when the k-th of an order is drawn: itself, those after it, and all worse ranks.
        rest = torch.cat([behind, scores.new_full((1,), float("-inf"))]).logsumexp(0).expand(len(orders), 1)
        left = torch.cat([rest, orders.flip(1)], dim=1).logcumsumexp(1)[:, 1:].flip(1)
        loss = loss - (orders - left).sum(1).logsumexp(0)
    better = ranks[:, None] < ranks[None]
    right = scores[:, None] > scores[None]
    return loss, {"accuracy": right[better].to(scores.dtype)}


def regression(scores: Tensor, ratings: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Metrics]:
    """`(score − rating)²`: the head learns to say the rating itself.

    Args:
        scores: `[responses]`.
        ratings: what people gave, `[responses]`, in the unit the scores are to have.
        weights: what each counts, `[responses]`. None counts all alike.

    Returns:
        losses: `[responses]`, squared units, weighted, not averaged.
        metrics: `error`, `[responses]`: the absolute difference.

    Raises:
        ValueError: shapes differ.
    """
    if (
        scores.dim() != 1
        or scores.shape != ratings.shape
        or (weights is not None and weights.shape != scores.shape)
    ):
        raise ValueError(f"scores {list(scores.shape)} and ratings {list(ratings.shape)} must be [responses]")
    scores = _precise(scores)
    apart = scores - ratings.to(scores)
    return _weighted(apart.square(), weights), {"error": apart.abs().detach()}


def _precise(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _weighted(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses if weights is None else losses * weights.to(losses)
