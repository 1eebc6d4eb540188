"""What PPO makes of scores, by hand; the running standard deviation against that of all scores at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.recipe import PPOObjective
from heedful.training.ppo_scores import Shaping

ENDED = torch.tensor([True, True, False])


def shaping(**settings: Any) -> Shaping:
    return Shaping(PPOObjective(**settings))


def batches(*sizes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [5 * torch.randn(size, generator=generator) + 40 * number for number, size in enumerate(sizes)]


def all_ended(scores: Tensor) -> Tensor:
    return torch.ones(len(scores), dtype=torch.bool)


def test_scores_are_centred_scaled_given_a_missing_end_and_clipped_in_this_order() -> None:
    # Mean 2 and variance 8/3 of all three; the end that is missing costs 4 in the unit that is learned from.
    found, metrics = shaping(scale=True, missing_end=-4.0, score_clip=1.2)(
        torch.tensor([2.0, 4.0, 0.0]), ENDED
    )
    spread = (8 / 3) ** 0.5
    assert found.tolist() == pytest.approx([0.0, 1.2, -1.2])
    assert metrics == pytest.approx(
        {"reward/scale": spread, "reward/clipped": 2 / 3, "reward/shaped": 0.0}, abs=1e-7
    )


def test_the_centre_stays_that_of_the_first_iteration() -> None:
    shape = shaping()
    shape(torch.tensor([1.0, 2.0, 3.0]), ENDED)
    assert shape(torch.tensor([2.0, 5.0, 2.0]), ENDED)[0].tolist() == [0.0, 3.0, 0.0]
    assert shaping(center=False)(torch.tensor([1.0, 2.0, 3.0]), ENDED)[0].tolist() == [1.0, 2.0, 3.0]


def test_the_scale_is_the_standard_deviation_of_all_scores_so_far() -> None:
    shape, seen = shaping(scale=True), torch.empty(0)
    for scores in batches(7, 1, 64):
        found, metrics = shape(scores, all_ended(scores))
        seen = torch.cat([seen, scores])
        spread = float(seen.double().std(correction=0))
        assert metrics["reward/scale"] == pytest.approx(spread, rel=1e-9)
        torch.testing.assert_close(found, (scores - shape.center) / spread)


def test_scores_that_never_differ_are_not_divided_by_nothing() -> None:
    shape = shaping(scale=True)
    for _ in range(3):
        found, metrics = shape(torch.full((3,), 0.1), ENDED)
        assert metrics["reward/scale"] == 1.0
        assert found.tolist() == pytest.approx([0.0] * 3, abs=1e-6)


def test_held_out_scores_count_as_in_training_in_their_own_unit() -> None:
    scores = torch.tensor([4.0, 8.0, 6.0])
    shape = shaping(missing_end=-3.0, score_clip=1.5)
    # Before anything was learned the middle is their own; the third answer has no end.
    assert shape.of_held_out(scores, ENDED) == pytest.approx(6.0 + (-1.5 + 1.5 - 1.5) / 3)
    shape(torch.tensor([1.0, 1.0, 4.0]), ENDED)
    assert shape.of_held_out(scores, ENDED) == pytest.approx(2.0 + (1.5 + 1.5 - 1.5) / 3)
    before = shape.state()
    shape.of_held_out(scores * 9, ENDED)
    assert shape.state() == before
    plain = shaping(scale=True)
    plain(torch.tensor([1.0, 5.0, 9.0]), ENDED)
    assert plain.of_held_out(scores, ENDED) == pytest.approx(6.0)


def test_state_goes_round_through_json_to_the_last_bit() -> None:
    before, after = shaping(scale=True), shaping(scale=True)
    first, second = batches(9, 5)
    before(first, all_ended(first))
    after.load_state(json.loads(json.dumps(before.state())))
    one, other = (shape(second, all_ended(second)) for shape in (before, after))
    assert torch.equal(one[0], other[0])
    assert one[1] == other[1]
