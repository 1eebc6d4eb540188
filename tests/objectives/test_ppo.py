"""PPO's arithmetic against numbers worked by hand, brute force, and its own gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from heedful.objectives.ppo import (
    advantages,
    explained_variance,
    surrogate,
    token_rewards,
    value_loss,
    whiten,
)

LENGTHS = torch.tensor([3, 1, 5, 2])
TOKENS = int(LENGTHS.sum())


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---- rewards


def test_the_score_sits_on_the_last_token_and_the_penalty_on_every_one() -> None:
    penalties = torch.tensor([1.0, -2.0, 0.5, 4.0])
    found = token_rewards(torch.tensor([3.0, -1.0]), penalties, torch.tensor([3, 1]), beta=0.1)
    assert_close(found, torch.tensor([-0.1, 0.2, 3.0 - 0.05, -1.0 - 0.4]))


def test_rewards_of_a_response_add_up_to_score_less_sequence_kl() -> None:
    scores, penalties = random(4), random(TOKENS, seed=1)
    found = token_rewards(scores, penalties, LENGTHS, beta=0.3)
    for part, kl, score in zip(
        found.split(LENGTHS.tolist()), penalties.split(LENGTHS.tolist()), scores, strict=True
    ):
        assert_close(part.sum(), score - 0.3 * kl.sum())


@pytest.mark.parametrize("lengths", [[3, 2], [4, 0]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=r"add up|no token"):
        token_rewards(torch.zeros(2), torch.zeros(4), torch.tensor(lengths), beta=0.1)


# ---- advantages


def test_advantages_by_hand() -> None:
    rewards, values = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.25])
    found, returns = advantages(rewards, values, torch.tensor([2]), discount=1.0, decay=0.5)
    # δ_1 = 1 − 0.25 = 0.75; δ_0 = 0.25 − 0.5 = −0.25; A_0 = −0.25 + 0.5 · 0.75
    assert_close(found, torch.tensor([0.125, 0.75]))
    assert_close(returns, torch.tensor([0.625, 1.0]))


@pytest.mark.parametrize(("discount", "decay"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.99, 0.0)])
def test_advantages_are_the_sum_of_discounted_errors(discount: float, decay: float) -> None:
    """The definition, token by token: `A_t = Σ_k (γλ)^k δ_{t+k}`."""
    rewards, values = random(TOKENS), random(TOKENS, seed=1)
    found, returns = advantages(rewards, values, LENGTHS, discount=discount, decay=decay)
    expected: list[float] = []
    for r, v in zip(rewards.split(LENGTHS.tolist()), values.split(LENGTHS.tolist()), strict=True):
        after = [*v.tolist()[1:], 0.0]
        errors = [a + discount * c - b for a, b, c in zip(r.tolist(), v.tolist(), after, strict=True)]
        expected += [
            sum((discount * decay) ** k * error for k, error in enumerate(errors[t:]))
            for t in range(len(errors))
        ]
    assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)
    assert_close(returns, found + values)


def test_with_both_factors_at_one_returns_are_rewards_to_go() -> None:
    rewards = random(TOKENS)
    _, returns = advantages(rewards, random(TOKENS, seed=1), LENGTHS, discount=1.0, decay=1.0)
    to_go = torch.cat([part.flip(0).cumsum(0).flip(0) for part in rewards.split(LENGTHS.tolist())])
    assert_close(returns, to_go, atol=1e-12, rtol=0)


def test_responses_do_not_touch_each_other() -> None:
    rewards, values = random(TOKENS), random(TOKENS, seed=1)
    before, _ = advantages(rewards, values, LENGTHS)
    rewards[3] = 100.0  # the second response's only token
    after, _ = advantages(rewards, values, LENGTHS)
    assert (before != after).nonzero().flatten().tolist() == [3]


# ---- whitening


def test_whitened_values_have_mean_zero_and_variance_one() -> None:
    values = 3 * random(1000) + 7
    found = whiten(values)
    assert float(found.mean()) == pytest.approx(0.0, abs=1e-9)
    assert float(found.var(correction=0)) == pytest.approx(1.0, abs=1e-6)
    assert_close(whiten(values, keep_mean=True), found + values.mean())


def test_whitening_by_hand() -> None:
    # mean 2, population variance 2/3
    assert_close(whiten(torch.tensor([1.0, 2.0, 3.0])), torch.tensor([-1.0, 0.0, 1.0]) / math.sqrt(2 / 3))


@pytest.mark.parametrize("values", [[2.5], [2.5, 2.5, 2.5]])
def test_equal_values_whiten_to_nothing(values: list[float]) -> None:
    assert whiten(torch.tensor(values)).tolist() == [0.0] * len(values)


# ---- the policy's loss


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "clipped"),
    [
        (1.0, 2.0, -2.0, 0.0),
        (1.5, 2.0, -2.4, 1.0),  # more of a good thing: held at 1.2
        (0.5, 2.0, -1.0, 0.0),  # less of a good thing is pulled back freely
        (0.5, -2.0, 1.6, 1.0),  # less of a bad thing: held at 0.8
        (1.5, -2.0, 3.0, 0.0),
    ],
)
def test_the_surrogate_by_hand(ratio: float, advantage: float, expected: float, clipped: float) -> None:
    old = torch.tensor([-3.0], dtype=torch.float64)
    losses, metrics = surrogate(
        old + math.log(ratio), old, torch.tensor([advantage], dtype=torch.float64), clip=0.2
    )
    assert losses.item() == pytest.approx(expected, abs=1e-9)
    assert metrics["policy/clipped"].item() == clipped
    assert metrics["policy/ratio"].item() == pytest.approx(ratio)
    assert metrics["policy/approx_kl"].item() == pytest.approx(ratio - 1 - math.log(ratio), abs=1e-9)


def test_before_any_update_the_ratio_is_one_and_the_gradient_is_the_policy_gradient() -> None:
    old, gains = random(9), random(9, seed=1)
    logps = old.clone().requires_grad_()
    losses, metrics = surrogate(logps, old, gains, clip=0.2)
    losses.sum().backward()
    assert logps.grad is not None
    assert_close(logps.grad, -gains)
    assert metrics["policy/ratio"].tolist() == [1.0] * 9
    assert metrics["policy/clipped"].sum() == metrics["policy/approx_kl"].sum() == 0


def test_the_surrogates_gradient() -> None:
    old, gains = random(9), random(9, seed=1)
    logps = (old + 0.3 * random(9, seed=2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: surrogate(x, old, gains, clip=0.2)[0], logps)


# ---- the critic's loss


@pytest.mark.parametrize(
    ("value", "expected", "clipped"),
    [
        (0.1, 0.5 * 0.9**2, 0.0),  # within the clip
        (0.5, 0.5 * 0.8**2, 1.0),  # rushing towards the return is worth no more than a step of 0.2
        (-0.5, 0.5 * 1.5**2, 0.0),  # moving away counts in full
    ],
)
def test_the_value_loss_by_hand(value: float, expected: float, clipped: float) -> None:
    losses, metrics = value_loss(torch.tensor([value]), torch.zeros(1), torch.ones(1), clip=0.2)
    assert losses.item() == pytest.approx(expected, abs=1e-6)
    assert metrics["value/clipped"].item() == clipped


def test_the_value_losss_gradient() -> None:
    old, returns = random(9), random(9, seed=1)
    values = (old + 0.3 * random(9, seed=2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: value_loss(x, old, returns, clip=0.2)[0], values)


@pytest.mark.parametrize("clip", [0.0, -1.0])
def test_a_clip_of_nothing_is_refused(clip: float) -> None:
    zeros = torch.zeros(2)
    for loss in (surrogate, value_loss):
        with pytest.raises(ValueError, match="clip must be greater than 0"):
            loss(zeros, zeros, zeros, clip=clip)


def test_shapes_that_would_broadcast_are_refused() -> None:
    for loss in (surrogate, value_loss):
        with pytest.raises(ValueError, match="shapes differ"):
            loss(torch.zeros(3), torch.zeros(1), torch.zeros(3), clip=0.2)


def test_explained_variance() -> None:
    returns = random(9)
    assert explained_variance(returns, returns) == pytest.approx(1.0)
    assert explained_variance(torch.full_like(returns, 4.0), returns) == pytest.approx(0.0)
    assert explained_variance(returns, torch.ones(9)) == 0.0
