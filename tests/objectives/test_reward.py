"""Reward losses against numbers worked by hand, brute force over orders, and their own gradients."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from heedful.objectives.reward import MOST_TIED, bradley_terry, plackett_luce, regression


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


# ---- pairs


def test_one_pair_by_hand() -> None:
    losses, metrics = bradley_terry(torch.tensor([1.5]), torch.tensor([0.5]))
    assert losses.item() == pytest.approx(0.313262, abs=1e-6)  # −log σ(1)
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx(
        {"scores/chosen": 1.5, "scores/rejected": 0.5, "scores/margin": 1.0, "accuracy": 1.0}
    )


def test_everything_at_once_by_hand() -> None:
    losses, _ = bradley_terry(
        torch.tensor([1.5]),
        torch.tensor([0.5]),
        margins=torch.tensor([0.25]),
        probabilities=torch.tensor([0.8]),
        label_smoothing=0.1,
        centering=0.01,
        weights=torch.tensor([2.0]),
    )
    p = 0.9 * 0.8 + 0.1 * 0.2
    expected = -p * math.log(sigmoid(0.75)) - (1 - p) * math.log(sigmoid(-1.25)) + 0.01 * 4.0
    assert losses.item() == pytest.approx(2 * expected, abs=1e-6)


def test_a_soft_label_is_the_mean_of_both_hard_ones() -> None:
    a, b, soft, margins = random(9), random(9, seed=1), random(9, seed=2).sigmoid(), random(9, seed=3).abs()
    found, _ = bradley_terry(a, b, margins=margins, probabilities=soft)
    one, other = (bradley_terry(*sides, margins=margins)[0] for sides in ((a, b), (b, a)))
    assert_close(found, soft * one + (1 - soft) * other)


@pytest.mark.parametrize(
    ("probability", "margin", "best"),
    [
        (0.5, 0.0, 0.0),
        (0.5, 2.0, 0.0),
        (0.8, 0.0, math.log(4)),  # the odds are 4 to 1
        # p σ(m − d) = (1 − p) σ(m + d); with x = e^−d: 4 (1 + x/2) = 1 + 1/(2x), so 4x² + 6x = 1.
        (0.8, math.log(2), math.log(4 / (math.sqrt(13) - 3))),
        (0.2, math.log(2), -math.log(4 / (math.sqrt(13) - 3))),
    ],
)
def test_a_soft_pairs_best_difference_is_between_what_its_sides_ask_for(
    probability: float, margin: float, best: float
) -> None:
    apart = torch.tensor([best], dtype=torch.float64, requires_grad=True)
    zero, given = torch.zeros(1, dtype=torch.float64), torch.tensor([margin], dtype=torch.float64)
    loss, _ = bradley_terry(apart, zero, margins=given, probabilities=torch.tensor([probability]).double())
    loss.sum().backward()
    assert apart.grad is not None
    assert apart.grad.item() == pytest.approx(0.0, abs=1e-7)


def test_a_certain_label_leaves_the_plain_loss_with_a_margin() -> None:
    a, b, margins = random(9), random(9, seed=1), random(9, seed=2)
    found, _ = bradley_terry(a, b, margins=margins)
    assert found.tolist() == (-torch.nn.functional.logsigmoid(a - b - margins)).tolist()


def test_accuracy_counts_ties_of_scores_as_wrong_and_leaves_out_undecided_labels() -> None:
    scores = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 0.0])
    _, metrics = bradley_terry(*scores, probabilities=torch.tensor([0.9, 0.9, 0.5, 0.1]))
    assert metrics["accuracy"].tolist() == [1.0, 0.0, 0.0]


def test_the_pairs_gradient() -> None:
    a, b = random(5).requires_grad_(), random(5, seed=1).requires_grad_()
    given = {
        "margins": random(5, seed=2),
        "probabilities": random(5, seed=3).sigmoid(),
        "weights": random(5).abs(),
    }
    assert torch.autograd.gradcheck(
        lambda x, y: bradley_terry(x, y, label_smoothing=0.1, centering=0.01, **given)[0], (a, b)
    )


@pytest.mark.parametrize(
    "wrong", [{"label_smoothing": 0.5}, {"centering": -1.0}, {"margins": torch.zeros(1)}]
)
def test_pairs_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shapes differ|must be"):
        bradley_terry(torch.zeros(2), torch.zeros(2), **wrong)  # type: ignore[arg-type]


# ---- rankings


def likelihood(scores: list[float], order: tuple[int, ...]) -> float:
    """Of one strict order, factor by factor."""
    found = 1.0
    for place, index in enumerate(order):
        found *= math.exp(scores[index]) / sum(math.exp(scores[other]) for other in order[place:])
    return found


@pytest.mark.parametrize(
    "ranks", [[1, 2, 3, 4], [3, 1, 4, 2], [1, 1, 2, 3], [2, 1, 2, 2], [1, 1, 2, 2], [7, 7, 7, 7]]
)
def test_a_rankings_likelihood_is_that_of_all_orders_it_allows(ranks: list[int]) -> None:
    scores = random(4)
    allowed = [order for order in permutations(range(4)) if [ranks[i] for i in order] == sorted(ranks)]
    expected = -math.log(sum(likelihood(scores.tolist(), order) for order in allowed))
    loss, _ = plackett_luce(scores, torch.tensor(ranks))
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_a_ranking_of_two_is_a_pair() -> None:
    a, b = random(1), random(1, seed=1)
    loss, metrics = plackett_luce(torch.cat([a, b]), torch.tensor([1, 2]))
    assert_close(loss, bradley_terry(a, b)[0][0])
    assert metrics["accuracy"].tolist() == [float(a > b)]


def test_a_rankings_accuracy_is_over_its_unequal_pairs() -> None:
    _, metrics = plackett_luce(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1, 1, 2]))
    assert sorted(metrics["accuracy"].tolist()) == [0.0, 1.0]


def test_the_rankings_gradient() -> None:
    scores = random(5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: plackett_luce(x, torch.tensor([1, 2, 2, 4, 5]))[0], scores)


def test_large_scores_do_not_overflow() -> None:
    loss, _ = plackett_luce(torch.tensor([1e4, -1e4, 0.0]), torch.tensor([1, 2, 3]))
    assert loss.item() == pytest.approx(1e4)


def test_too_many_ties_are_refused() -> None:
    with pytest.raises(ValueError, match="share rank 1"):
        plackett_luce(torch.zeros(MOST_TIED + 1), torch.ones(MOST_TIED + 1))


# ---- ratings


def test_ratings_by_hand() -> None:
    losses, metrics = regression(torch.tensor([4.0, 2.0]), torch.tensor([4.5, 2.1]), torch.tensor([1.0, 2.0]))
    assert_close(losses, torch.tensor([0.25, 0.02]))
    assert_close(metrics["error"], torch.tensor([0.5, 0.1]))


def test_the_ratings_gradient() -> None:
    scores, ratings = random(5).requires_grad_(), random(5, seed=1)
    assert torch.autograd.gradcheck(lambda x: regression(x, ratings)[0], scores)
