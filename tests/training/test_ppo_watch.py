"""What the watch makes of an iteration's numbers: which go on, which do not, and what it says of those."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heedful.recipe import PPOGuardSettings
from heedful.training.ppo_watch import Trouble, Watch

GOOD = {
    "kl": 2.0,
    "kl/error": 0.2,
    "entropy": 3.0,
    "length": 40.0,
    "reward/length_correlation": 0.1,
    "value/loss": 0.5,
    "returns/std": 1.0,
}


def watch(**settings: Any) -> Watch:
    return Watch(PPOGuardSettings(**{"bad_iterations": 1, **settings}))


def judged(watch: Watch, **numbers: float) -> Trouble | None:
    return watch.judge({**GOOD, **{name.replace("__", "/"): value for name, value in numbers.items()}})


def grown(watch: Watch, lengths: list[float], correlation: float) -> list[bool]:
    """Whether each iteration of answers so long was let pass."""
    return [judged(watch, length=one, reward__length_correlation=correlation) is None for one in lengths]


@pytest.mark.parametrize(
    ("numbers", "reason", "advice"),
    [
        ({"kl": 50.1}, "KL is 50.1 nats", "objective.beta"),
        ({"entropy": 0.29}, "entropy is 0.29 nats per token, and was 3.00 at first", "metrics.jsonl"),
        ({"value__loss": 25.1}, "loss is 25.1, 50 times the usual", "objective.scale=true"),
    ],
)
def test_trouble_is_told_with_what_to_do_about_it(
    numbers: dict[str, float], reason: str, advice: str
) -> None:
    found = watch()
    assert [judged(found) for _ in range(5)] == [None] * 5
    trouble = judged(found, **numbers)
    assert trouble is not None
    assert reason in trouble.reason
    assert advice in trouble.advice


def test_a_critic_that_is_surprised_has_not_diverged() -> None:
    """After iterations in which nothing was earned, one answer in 64 scores."""
    found = watch()
    quiet = {"value__loss": 0.0, "returns__std": 0.0}
    assert [judged(found, **quiet) for _ in range(6)] == [None] * 6
    assert judged(found, value__loss=0.0078, returns__std=0.124) is None
    assert judged(found, value__loss=0.5, returns__std=0.124) is not None


def test_the_last_number_that_is_let_pass() -> None:
    found = watch()
    edge = {"kl": 50.0, "entropy": 0.31, "value__loss": 25.0}
    assert [judged(found) for _ in range(5)] == [None] * 5
    assert judged(found, **edge) is None


def test_only_bad_iterations_in_a_row_count() -> None:
    found = watch(bad_iterations=2)
    assert [judged(found, kl=kl) is None for kl in (99.0, 1.0, 99.0, 99.0)] == [True, True, True, False]
    assert found.calm
    assert judged(found, kl=99.0) is None
    assert not found.calm


# Length


def test_answers_that_grow_while_longer_ones_score_higher_are_paid_for_length() -> None:
    found = watch()
    # The median of five iterations reaches twice the first one's 40 tokens with the sixth.
    assert grown(found, [40.0, 60.0, 79.0, 85.0, 90.0], 0.6) == [True] * 5
    told = judged(found, length=95.0, reward__length_correlation=0.7)
    assert told is not None
    assert "answers have 85 tokens, and had 40 at first" in told.reason
    assert "correlation 0.60" in told.reason
    assert "- length: -0.01" in told.advice


@pytest.mark.parametrize(
    ("settings", "lengths", "correlation"),
    [
        ({}, [40.0 + 10 * n for n in range(20)], 0.4),  # it grows, and length alone is not paid
        ({}, [40.0 + 2 * n for n in range(20)], 0.9),  # longer ones score higher, and it hardly grows
        ({}, [40.0 / (1 + n) for n in range(20)], -0.9),  # a policy that learns to end
        ({}, [40.0, 200.0, 45.0, 44.0, 210.0, 43.0, 46.0], 0.9),  # outliers
        ({"max_length_growth": None}, [40.0 + 10 * n for n in range(20)], 0.9),
    ],
)
def test_growth_by_itself_is_no_trouble(
    settings: dict[str, Any], lengths: list[float], correlation: float
) -> None:
    assert all(grown(watch(**settings), lengths, correlation))


def test_what_was_done_about_growth_gets_time_to_show() -> None:
    found = watch()
    assert grown(found, [40.0] + [100.0] * 4, 0.9) == [True] * 4 + [False]
    assert grown(found, [100.0] * 5, 0.9) == [True] * 4 + [False]
    assert all(grown(found, [60.0] * 9, 0.9))


# KL


def test_a_negative_mean_kl_is_explained_once() -> None:
    found = watch()
    assert found.remark({**GOOD, "kl": -0.7}) == ""  # within four standard errors of 0.2
    told = found.remark({**GOOD, "kl": -0.9})
    assert "mean KL is -0.90 nats (standard error 0.20)" in told
    assert "rollout.top_p is below 1" in told
    assert found.remark({**GOOD, "kl": -0.9}) == ""


@pytest.mark.parametrize(("kl", "error"), [(-1e-3, 1e-6), (-0.9, 0.0), (0.9, 0.1)])
def test_rounding_a_single_response_and_a_positive_kl_are_not_remarked(kl: float, error: float) -> None:
    assert watch().remark({"kl": kl, "kl/error": error}) == ""


def test_state_goes_round_through_json() -> None:
    before, after = watch(bad_iterations=2), watch(bad_iterations=2)
    grown(before, [40.0, 90.0, 95.0, 90.0, 95.0], 0.9)
    before.remark({**GOOD, "kl": -9.0})
    after.load_state(json.loads(json.dumps(before.state())))
    assert after.state() == before.state()
    assert not after.calm
    assert after.remark({**GOOD, "kl": -9.0}) == ""
    assert grown(after, [95.0], 0.9) == grown(before, [95.0], 0.9) == [False]
