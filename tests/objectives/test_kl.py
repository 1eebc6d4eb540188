"""KL estimates against the divergence of a small distribution, and the controller against worked numbers."""

import math

import pytest
import torch
from torch.testing import assert_close

from heedful.objectives.kl import adapted, k1, k3


def test_by_hand() -> None:
    logps, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -1.0])
    assert_close(k1(logps, reference), torch.tensor([0.5, -1.0]))
    assert_close(k3(logps, reference), torch.tensor([math.exp(-0.5) - 1 + 0.5, math.exp(1.0) - 1 - 1.0]))


def test_both_are_unbiased_over_the_policys_own_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    policy, reference = torch.randn(2, 7, generator=generator, dtype=torch.float64).log_softmax(-1)
    true = (policy.exp() * (policy - reference)).sum()
    for estimate in (k1, k3):
        assert_close((policy.exp() * estimate(policy, reference)).sum(), true, atol=1e-12, rtol=0)


def test_k1_keeps_its_negative_values_and_k3_has_none() -> None:
    logps = torch.linspace(-9, 0, 50, dtype=torch.float64)
    assert (k1(logps, logps.flip(0)) < 0).any()
    assert (k3(logps, logps.flip(0)) >= 0).all()


def test_equal_log_probs_are_no_distance_exactly() -> None:
    logps = torch.randn(9)
    assert k1(logps, logps).abs().max() == k3(logps, logps).abs().max() == 0


@pytest.mark.parametrize(
    ("kl", "expected"),
    [
        (6.0, 0.1),  # on target
        (6.6, 0.1 * (1 + 0.1 * 64 / 10_000)),  # a tenth above
        (60.0, 0.1 * (1 + 0.2 * 64 / 10_000)),  # clipped
        (0.0, 0.1 * (1 - 0.2 * 64 / 10_000)),  # clipped below
        (-3.0, 0.1 * (1 - 0.2 * 64 / 10_000)),  # an estimate may be negative
    ],
)
def test_the_controller_by_hand(kl: float, expected: float) -> None:
    assert adapted(0.1, kl, target=6.0, horizon=10_000, episodes=64) == pytest.approx(expected, abs=1e-12)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        adapted(0.1, 1.0, target=0.0, horizon=1.0, episodes=1)
