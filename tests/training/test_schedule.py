"""The learning rate, worked out by hand."""

from __future__ import annotations

import math

import pytest

from heedful.training.schedule import learning_rate, steps_per_epoch, total_steps

PEAK = 8.0


def rates(
    total: int, *, schedule: str = "cosine", warmup_ratio: float = 0.0, min_lr_ratio: float = 0.0
) -> list[float]:
    return [
        learning_rate(
            step, total, peak=PEAK, schedule=schedule, warmup_ratio=warmup_ratio, min_lr_ratio=min_lr_ratio
        )
        for step in range(total)
    ]


def test_warm_up_rises_in_equal_steps_and_the_first_one_moves() -> None:
    assert rates(8, schedule="constant", warmup_ratio=0.5) == pytest.approx([2, 4, 6, 8, 8, 8, 8, 8])


def test_constant_stays() -> None:
    assert rates(3, schedule="constant") == [PEAK] * 3


def test_linear_falls_by_equal_amounts() -> None:
    assert rates(4, schedule="linear") == pytest.approx([8, 6, 4, 2])


def test_linear_falls_towards_the_smallest_rate() -> None:
    # From 8 towards 4 in four steps.
    assert rates(4, schedule="linear", min_lr_ratio=0.5) == pytest.approx([8, 7, 6, 5])


def test_cosine_is_half_way_down_in_the_middle() -> None:
    root = math.sqrt(0.5)
    assert rates(4) == pytest.approx([8, 4 * (1 + root), 4, 4 * (1 - root)])


def test_cosine_falls_towards_the_smallest_rate() -> None:
    assert rates(4, min_lr_ratio=0.25)[2] == pytest.approx(8 * (0.25 + 0.75 / 2))


def test_the_schedule_falls_from_where_the_warm_up_ends() -> None:
    assert rates(6, schedule="linear", warmup_ratio=1 / 3) == pytest.approx([4, 8, 8, 6, 4, 2])


def test_one_step_alone_learns_at_the_full_rate() -> None:
    assert rates(1, warmup_ratio=0.1) == [PEAK]


def test_an_epoch_ends_with_a_smaller_batch() -> None:
    assert steps_per_epoch(16, 8) == 2
    assert steps_per_epoch(17, 8) == 3


def test_part_of_an_epoch_is_part_of_its_steps() -> None:
    assert total_steps(80, 8, 0.5, None) == 5
    assert total_steps(80, 8, 2.5, None) == 25
    assert total_steps(80, 8, 0.001, None) == 1


def test_max_steps_ends_earlier_and_never_later() -> None:
    assert total_steps(80, 8, 1.0, 3) == 3
    assert total_steps(80, 8, 1.0, 300) == 10
