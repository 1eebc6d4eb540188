"""The SFT loss against numbers worked by eye."""

import pytest
import torch

from heedful.objectives import sft


def test_loss_is_the_weighted_negative_log_probability_of_each_token() -> None:
    losses, metrics = sft(torch.tensor([-0.5, -2.0, -1.0]), torch.tensor([1.0, 0.5, 0.0]))
    assert losses.tolist() == [0.5, 1.0, 0.0]
    assert metrics["nll"].tolist() == [0.5, 2.0, 1.0]


def test_without_weights_every_token_counts_one() -> None:
    losses, _ = sft(torch.tensor([-0.5, -2.0]))
    assert losses.tolist() == [0.5, 2.0]


def test_summed_losses_over_summed_weights_is_torch_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(7, 11, dtype=torch.float64), torch.randint(11, (7,))
    weights = torch.rand(7, dtype=torch.float64)
    losses, _ = sft(logits.log_softmax(-1)[torch.arange(7), targets], weights)
    each = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    expected = (each * weights).sum() / weights.sum()
    assert float(losses.sum() / weights.sum()) == pytest.approx(float(expected), abs=1e-12)


def test_gradient_is_minus_the_weight() -> None:
    logps = torch.tensor([-0.5, -2.0, -1e4], requires_grad=True)
    losses, metrics = sft(logps, torch.tensor([1.0, 0.25, 2.0]))
    losses.sum().backward()
    assert logps.grad is not None
    assert logps.grad.tolist() == [-1.0, -0.25, -2.0]
    assert not metrics["nll"].requires_grad


def test_low_precision_comes_out_as_float32() -> None:
    logps, weights = torch.tensor([[-0.5], [3.0]], dtype=torch.bfloat16)
    losses, metrics = sft(logps, weights)
    assert losses.dtype == metrics["nll"].dtype == torch.float32
    assert losses.tolist() == [1.5]


def test_no_tokens_give_no_losses() -> None:
    losses, _ = sft(torch.empty(0), torch.empty(0))
    assert losses.shape == (0,)


@pytest.mark.parametrize("weights", [torch.ones(2), torch.ones(3, 1)])
def test_weights_of_another_shape_are_refused(weights: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="weights"):
        sft(torch.zeros(3), weights)


def test_a_matrix_of_log_probabilities_is_refused() -> None:
    with pytest.raises(ValueError, match="tokens"):
        sft(torch.zeros(3, 2))
