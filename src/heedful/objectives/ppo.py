"""PPO for responses of unequal length: rewards per token, advantages, and the two clipped losses.

Everything is flat: the tokens of all responses one after the other, `[tokens]`, with `lengths` `[sequences]`
that say where each ends. There is no padding, and nothing after the end of a response, so nothing has to be
masked. Knows neither models nor how tokens were sampled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from heedful.objectives.sft import Metrics


def token_rewards(scores: Tensor, penalties: Tensor, lengths: Tensor, *, beta: float) -> Tensor:
    """`−β · k1` for every token, and the response's score added at its last one (Ziegler et al. 2019, eq. 2).

    Args:
        scores: one per response, `[sequences]`.
        penalties: `log π − log π_ref` of each token, `[tokens]`, nats.
        lengths: tokens of each response, `[sequences]`, at least 1; the end-of-turn token is one of them.
        beta: strength of the pull towards the reference, per nat.

    Returns:
        `[tokens]`.

    Raises:
        ValueError: lengths do not add up, or a response has no token.
    """
    _check(penalties, lengths)
    rewards = -beta * penalties
    return rewards.index_add(0, lengths.cumsum(0) - 1, scores.to(rewards))


def advantages(
    rewards: Tensor, values: Tensor, lengths: Tensor, *, discount: float = 1.0, decay: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, eq. 16), each response on its own.

    `δ_t = r_t + γ V_{t+1} − V_t`, `A_t = δ_t + γ λ A_{t+1}`, with `V = A = 0` after the last token.

    Args:
        rewards: `[tokens]`.
        values: what the critic expected before each token, `[tokens]`.
        lengths: tokens of each response, `[sequences]`, at least 1.
        discount: γ in [0, 1].
        decay: λ in [0, 1].

    Returns:
        `(advantages, returns)`, `[tokens]` each; returns are `advantages + values`, what the critic is to
        learn.

    Raises:
        ValueError: shapes differ, or lengths do not add up.
    """
    _check(rewards, lengths)
    _check(values, lengths)
    # Right-aligned, so that all responses end in the last column and one sweep from there serves them all.
    place = _right_aligned(lengths)
    width = int(lengths.max())
    steps, expected = (rewards.new_zeros(len(lengths) * width) for _ in range(2))
    steps[place], expected[place] = rewards, values
    steps, expected = steps.view(-1, width), expected.view(-1, width)
    found = torch.zeros_like(steps)
    gained = after = torch.zeros_like(steps[:, 0])
    for t in range(width - 1, -1, -1):
        delta = steps[:, t] + discount * after - expected[:, t]
        gained = delta + discount * decay * gained
        found[:, t] = gained
        after = expected[:, t]
    flat = found.view(-1)[place]
    return flat, flat + values


def whiten(values: Tensor, *, keep_mean: bool = False) -> Tensor:
    """`(x − mean) / sqrt(variance + 1e-8)` over all of `values`; `keep_mean` adds the mean again.

    The variance is the population's (a single value becomes 0). Equal values become 0 as well, so a reward
    that is the same everywhere teaches nothing instead of dividing by nothing.
    """
    mean = values.mean()
    whitened = (values - mean) * torch.rsqrt(values.var(correction=0) + 1e-8)
    return whitened + mean if keep_mean else whitened


def surrogate(logps: Tensor, old_logps: Tensor, advantages: Tensor, *, clip: float) -> tuple[Tensor, Metrics]:
    """PPO's clipped policy loss (Schulman et al. 2017, eq. 7).

    `−min(ρ A, clip(ρ, 1 ± ε) A)` with `ρ = π / π_old`.

    Args:
        logps: of the sampled tokens under the policy being updated, `[tokens]`, nats.
        old_logps: under the policy that sampled them, `[tokens]`, nats.
        advantages: `[tokens]`, without gradient.
        clip: ε, greater than 0.

    Returns:
        losses: `[tokens]`, not averaged.
        metrics: `[tokens]` each: `policy/ratio`, `policy/clipped` (1 where clipping decided the loss) and
            `policy/approx_kl` (`(ρ − 1) − log ρ`, nats).
    """
    if not (logps.shape == old_logps.shape == advantages.shape):
        raise ValueError(f"shapes differ: {[list(t.shape) for t in (logps, old_logps, advantages)]}")
    if not clip > 0:
        raise ValueError(f"clip must be greater than 0, not {clip}")
    moved = logps - old_logps
    ratio = moved.exp()
    free, held = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    metrics = {
        "policy/ratio": ratio.detach(),
        "policy/clipped": (held > free).detach().to(logps.dtype),
        "policy/approx_kl": (torch.expm1(moved) - moved).detach(),
    }
    return torch.maximum(free, held), metrics


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float) -> tuple[Tensor, Metrics]:
    """`½ max((V − R)², (V_clipped − R)²)`, `V_clipped` within ±ε of the old value (OpenAI baselines, ppo2).

    Args:
        values: of the critic being updated, `[tokens]`.
        old_values: what it said when the responses were sampled, `[tokens]`.
        returns: `[tokens]`, without gradient.
        clip: ε, greater than 0, in the reward's unit.

    Returns:
        losses: `[tokens]`, not averaged.
        metrics: `value/clipped`, `[tokens]`: 1 where clipping decided the loss.
    """
    if not (values.shape == old_values.shape == returns.shape):
        raise ValueError(f"shapes differ: {[list(t.shape) for t in (values, old_values, returns)]}")
    if not clip > 0:
        raise ValueError(f"clip must be greater than 0, not {clip}")
    held = old_values + (values - old_values).clamp(-clip, clip)
    free_loss, held_loss = (values - returns).square(), (held - returns).square()
    clipped = (held_loss > free_loss).detach().to(values.dtype)
    return 0.5 * torch.maximum(free_loss, held_loss), {"value/clipped": clipped}


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """`1 − Var(R − V) / Var(R)`: 1 is a perfect critic, 0 a constant one; 0 where nothing varies."""
    spread = float(returns.var(correction=0))
    return 1 - float((returns - values).var(correction=0)) / spread if spread > 0 else 0.0


def _right_aligned(lengths: Tensor) -> Tensor:
    """Where each flat token stands in a flattened `[sequences, longest]` whose rows end together."""
    width = int(lengths.max())
    starts = torch.arange(len(lengths), device=lengths.device) * width + width - lengths
    firsts = lengths.cumsum(0) - lengths
    within = torch.arange(int(lengths.sum()), device=lengths.device) - firsts.repeat_interleave(lengths)
    return starts.repeat_interleave(lengths) + within


def _check(values: Tensor, lengths: Tensor) -> None:
    if values.dim() != 1 or int(lengths.sum()) != len(values):
        raise ValueError(f"lengths add up to {int(lengths.sum())} tokens, and there are {list(values.shape)}")
    if int(lengths.min()) < 1:
        raise ValueError("a response has no token; one that ends at once still has its end-of-turn token")
