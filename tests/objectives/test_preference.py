"""Preference losses against numbers worked by hand, a second formula, and their own gradients."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from heedful.objectives import PREFERENCE, dpo, ipo

PAIRS = 9

# One pair: log-ratios +1 and -2 nats, so h = 3.
CHOSEN, REJECTED = torch.tensor([-9.0]), torch.tensor([-12.0])
REFERENCE_CHOSEN, REFERENCE_REJECTED = torch.tensor([-10.0]), torch.tensor([-10.0])
ONE_PAIR = (CHOSEN, REJECTED, REFERENCE_CHOSEN, REFERENCE_REJECTED)


def random_logps(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four tensors [PAIRS] of sequence log-probabilities, some ratios positive, some negative."""
    generator = torch.Generator().manual_seed(seed)
    a, b, c, d = (-20 - 5 * torch.randn(4, PAIRS, generator=generator, dtype=torch.float64)).to(dtype)
    return a, b, c, d


# ---- DPO


def test_dpo_of_one_pair_by_hand() -> None:
    losses, metrics = dpo(*ONE_PAIR, beta=0.1)
    assert losses.item() == pytest.approx(-math.log(1 / (1 + math.exp(-0.3))), abs=1e-6)
    assert losses.item() == pytest.approx(0.554355, abs=1e-6)
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx(
        {
            "rewards/chosen": 0.1,
            "rewards/rejected": -0.2,
            "rewards/margin": 0.3,
            "rewards/accuracy": 1.0,
            "logps/chosen_moved": 1.0,
            "logps/rejected_moved": -2.0,
        },
        abs=1e-6,
    )


def test_dpo_of_an_untrained_policy_is_log_two_and_its_accuracy_zero() -> None:
    a, b, _, _ = random_logps()
    losses, metrics = dpo(a, b, a, b, beta=0.1)
    assert_close(losses, torch.full_like(a, math.log(2)), atol=1e-12, rtol=0)
    assert metrics["rewards/accuracy"].tolist() == [0.0] * PAIRS  # a tie is wrong


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0])
def test_dpo_is_the_bradley_terry_likelihood_of_probability_ratios(beta: float) -> None:
    """The other route: p = r_w^β / (r_w^β + r_l^β) with ratios r = π/π_ref as plain numbers."""
    pc, pr, rc, rr = random_logps()
    won = (torch.exp(pc) / torch.exp(rc)) ** beta
    lost = (torch.exp(pr) / torch.exp(rr)) ** beta
    losses, _ = dpo(pc, pr, rc, rr, beta=beta)
    assert_close(losses, -torch.log(won / (won + lost)), atol=1e-9, rtol=1e-9)


def test_dpo_gradient_is_the_papers() -> None:
    """Rafailov et al. 2023, section 4: the gradient's factor is -β σ(r_rejected - r_chosen)."""
    pc, pr, rc, rr = random_logps()
    pc.requires_grad_()
    pr.requires_grad_()
    losses, metrics = dpo(pc, pr, rc, rr, beta=0.3)
    losses.sum().backward()
    factor = 0.3 / (1 + torch.exp(metrics["rewards/chosen"] - metrics["rewards/rejected"]))
    assert pc.grad is not None
    assert pr.grad is not None
    assert_close(pc.grad, -factor)
    assert_close(pr.grad, factor)


# ---- conservative DPO


def test_conservative_dpo_of_one_pair_by_hand() -> None:
    losses, _ = dpo(*ONE_PAIR, beta=0.1, label_smoothing=0.2)
    right, wrong = math.log(1 + math.exp(-0.3)), math.log(1 + math.exp(0.3))
    assert losses.item() == pytest.approx(0.8 * right + 0.2 * wrong, abs=1e-6)
    assert losses.item() == pytest.approx(0.614355, abs=1e-6)


def test_conservative_dpo_is_a_cross_entropy_with_soft_labels() -> None:
    """The other route: torch's binary cross-entropy of logit β h with the label 1 - ε."""
    pc, pr, rc, rr = random_logps()
    losses, _ = dpo(pc, pr, rc, rr, beta=0.2, label_smoothing=0.1)
    logits = 0.2 * ((pc - pr) - (rc - rr))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, 0.9), reduction="none"
    )
    assert_close(losses, expected, atol=1e-12, rtol=1e-12)


def test_conservative_dpo_is_least_where_the_model_believes_one_minus_epsilon() -> None:
    h = torch.tensor([math.log(0.9 / 0.1) / 0.5], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros(1, dtype=torch.float64)
    losses, _ = dpo(h, zero, zero, zero, beta=0.5, label_smoothing=0.1)
    losses.sum().backward()
    assert h.grad is not None
    assert h.grad.item() == pytest.approx(0.0, abs=1e-12)


def test_no_label_smoothing_is_plain_dpo() -> None:
    inputs = random_logps(torch.float32)
    plain, _ = dpo(*inputs, beta=0.1)
    smoothed, _ = dpo(*inputs, beta=0.1, label_smoothing=0.0)
    almost, _ = dpo(*inputs, beta=0.1, label_smoothing=1e-9)
    assert torch.equal(plain, smoothed)
    assert_close(plain, almost, atol=1e-6, rtol=0)


def test_dpo_with_soft_labels_is_their_cross_entropy() -> None:
    pc, pr, rc, rr = random_logps()
    p = torch.linspace(0, 1, PAIRS, dtype=torch.float64)
    logits = 0.2 * ((pc - pr) - (rc - rr))
    for smoothing in (0.0, 0.1):
        losses, _ = dpo(pc, pr, rc, rr, beta=0.2, probabilities=p, label_smoothing=smoothing)
        target = p * (1 - smoothing) + (1 - p) * smoothing
        expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        assert_close(losses, expected, atol=1e-12, rtol=1e-12)
    assert torch.equal(
        dpo(pc, pr, rc, rr, beta=0.2, probabilities=torch.ones_like(p))[0], dpo(pc, pr, rc, rr, beta=0.2)[0]
    )


# ---- IPO


def test_ipo_with_soft_labels_aims_at_a_smaller_margin() -> None:
    # h = 3; certain labels aim at 1 / (2 · 0.1) = 5, those of 0.9 at 4, a tie at 0.
    for probability, loss in ((1.0, 4.0), (0.9, 1.0), (0.5, 9.0)):
        losses, _ = ipo(*ONE_PAIR, beta=0.1, probabilities=torch.tensor([probability]))
        assert losses.item() == pytest.approx(loss, abs=1e-4)


def test_ipo_of_one_pair_by_hand() -> None:
    losses, metrics = ipo(*ONE_PAIR, beta=0.1)
    assert losses.item() == pytest.approx(4.0, abs=1e-5)  # (3 - 5)^2
    assert metrics["rewards/margin"].item() == pytest.approx(0.3, abs=1e-6)


def test_ipo_per_token_of_one_pair_by_hand() -> None:
    tokens = {"chosen_tokens": torch.tensor([2]), "rejected_tokens": torch.tensor([4])}
    losses, metrics = ipo(*ONE_PAIR, beta=0.25, **tokens)
    assert losses.item() == pytest.approx(1.0, abs=1e-6)  # 1/2 - (-2/4) = 1; target 2
    assert metrics["rewards/chosen"].item() == pytest.approx(0.125, abs=1e-6)
    assert metrics["rewards/rejected"].item() == pytest.approx(-0.125, abs=1e-6)
    assert metrics["logps/chosen_moved"].item() == 1.0  # summed whatever the loss sees
    assert metrics["logps/rejected_moved"].item() == -2.0


def test_ipo_is_a_least_squares_fit_of_the_log_ratio() -> None:
    """The other route: Azar et al.'s square multiplied out, h from ratios of probabilities."""
    pc, pr, rc, rr = random_logps()
    tau = 0.2
    h = torch.log((torch.exp(pc) * torch.exp(rr)) / (torch.exp(pr) * torch.exp(rc)))
    losses, _ = ipo(pc, pr, rc, rr, beta=tau)
    assert_close(losses, h.square() - h / tau + 1 / (4 * tau**2), atol=1e-9, rtol=1e-9)


def test_ipo_per_token_is_ipo_of_averaged_log_probabilities() -> None:
    pc, pr, rc, rr = random_logps()
    tokens, others = torch.arange(1, PAIRS + 1), torch.arange(PAIRS, 0, -1)
    averaged, _ = ipo(pc / tokens, pr / others, rc / tokens, rr / others, beta=0.5)
    losses, _ = ipo(pc, pr, rc, rr, beta=0.5, chosen_tokens=tokens, rejected_tokens=others)
    assert_close(losses, averaged, atol=1e-12, rtol=1e-12)


def test_ipo_wants_both_token_counts_or_neither() -> None:
    with pytest.raises(ValueError, match="both"):
        ipo(*ONE_PAIR, beta=0.1, chosen_tokens=torch.tensor([2]))


def test_ipo_has_no_label_smoothing() -> None:
    with pytest.raises(ValueError, match="smoothing"):
        ipo(*ONE_PAIR, beta=0.1, label_smoothing=0.1)


# ---- all of them

VARIANTS = {
    "dpo": partial(dpo, beta=0.1),
    "conservative dpo": partial(dpo, beta=0.1, label_smoothing=0.1),
    "dpo with soft labels": partial(dpo, beta=0.1, probabilities=torch.linspace(0.5, 1, PAIRS)),
    "ipo": partial(ipo, beta=0.1),
    "ipo per token": partial(
        ipo, beta=0.1, chosen_tokens=torch.full((PAIRS,), 7), rejected_tokens=torch.full((PAIRS,), 3)
    ),
}
every_variant = pytest.mark.parametrize("objective", VARIANTS.values(), ids=VARIANTS.keys())


@every_variant
def test_gradients_agree_with_finite_differences(objective: partial) -> None:
    inputs = tuple(x.requires_grad_() for x in random_logps())
    weights = torch.linspace(0, 2, PAIRS, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *logps: objective(*logps, weights=weights)[0], inputs)


@every_variant
@pytest.mark.parametrize("extreme", [1e4, -1e4])
def test_extreme_log_ratios_stay_finite(objective: partial, extreme: float) -> None:
    zero = torch.zeros(PAIRS)
    chosen = torch.full((PAIRS,), extreme, requires_grad=True)
    losses, metrics = objective(chosen, -chosen.detach(), zero, zero)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert chosen.grad is not None
    assert torch.isfinite(chosen.grad).all()
    assert all(torch.isfinite(value).all() for value in metrics.values())
    assert metrics["rewards/accuracy"].tolist() == [float(extreme > 0)] * PAIRS


def test_dpo_of_a_hopelessly_wrong_pair_grows_linearly_not_to_infinity() -> None:
    zero = torch.zeros(1)
    losses, _ = dpo(torch.tensor([-1e4]), torch.tensor([1e4]), zero, zero, beta=0.1)
    assert losses.item() == pytest.approx(2000.0)


@every_variant
def test_weights_multiply_losses_and_leave_metrics(objective: partial) -> None:
    inputs = random_logps(torch.float32)
    weights = torch.linspace(0, 2, PAIRS)
    plain, plain_metrics = objective(*inputs)
    losses, metrics = objective(*inputs, weights=weights)
    assert_close(losses, plain * weights, atol=1e-6, rtol=1e-6)
    assert all(torch.equal(metrics[name], plain_metrics[name]) for name in metrics)


@every_variant
def test_half_precision_inputs_are_computed_in_float32(objective: partial) -> None:
    inputs = random_logps(torch.bfloat16)
    losses, metrics = objective(*inputs)
    expected, _ = objective(*(x.double() for x in inputs))
    assert losses.dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in metrics.values())
    assert_close(losses.double(), expected, atol=1e-5, rtol=1e-5)


@every_variant
def test_every_output_has_one_value_per_pair_and_metrics_carry_no_gradient(objective: partial) -> None:
    inputs = tuple(x.requires_grad_() for x in random_logps())
    losses, metrics = objective(*inputs)
    assert losses.shape == (PAIRS,)
    assert {value.shape for value in metrics.values()} == {(PAIRS,)}
    assert not any(value.requires_grad for value in metrics.values())


@pytest.mark.parametrize("name", PREFERENCE)
def test_the_look_up_serves_all_by_one_signature(name: str) -> None:
    losses, metrics = PREFERENCE[name](
        *random_logps(),
        beta=0.1,
        label_smoothing=0.0,
        chosen_tokens=torch.full((PAIRS,), 4),
        rejected_tokens=torch.full((PAIRS,), 5),
        weights=torch.ones(PAIRS),
    )
    assert losses.shape == (PAIRS,)
    assert set(metrics) == {
        "rewards/chosen",
        "rewards/rejected",
        "rewards/margin",
        "rewards/accuracy",
        "logps/chosen_moved",
        "logps/rejected_moved",
    }


@pytest.mark.parametrize("name", PREFERENCE)
def test_shapes_that_would_broadcast_are_refused(name: str) -> None:
    a, b, c, d = random_logps()
    with pytest.raises(ValueError, match="shapes differ"):
        PREFERENCE[name](a, b[:1], c, d, beta=0.1)
    with pytest.raises(ValueError, match="shapes differ"):
        PREFERENCE[name](a, b, c, d, beta=0.1, weights=torch.ones(PAIRS, 1))
    with pytest.raises(ValueError, match="pairs"):
        PREFERENCE[name](a[:, None], b, c, d, beta=0.1)


@pytest.mark.parametrize("name", PREFERENCE)
@pytest.mark.parametrize("beta", [0.0, -0.1, math.nan])
def test_beta_must_be_positive(name: str, beta: float) -> None:
    with pytest.raises(ValueError, match="beta"):
        PREFERENCE[name](*ONE_PAIR, beta=beta)


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 1.0])
def test_label_smoothing_must_be_below_a_half(smoothing: float) -> None:
    with pytest.raises(ValueError, match="label_smoothing"):
        dpo(*ONE_PAIR, beta=0.1, label_smoothing=smoothing)
