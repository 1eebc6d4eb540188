"""Forgetting by hand, and how often its interval holds the truth."""

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.forgetting import Forgetting, forgetting
from tests.evaluation.coverage import assert_covers


def test_two_demonstrations_by_hand() -> None:
    """6 nats on 2 and 4 tokens before, 9 after: every token alike, not every demonstration."""
    found = forgetting([2, 4], [4, 5], [2, 4])
    assert (found.before.value, found.after.value) == (1.0, 1.5)
    assert found.change.value == pytest.approx(0.5)
    assert (found.n, found.tokens) == (2, 6)
    assert found.finding == "no difference"


def simulated(rng: np.random.Generator, n: int, change: float) -> Forgetting:
    """Demonstrations differ far more among themselves than the two models do on one."""
    tokens = rng.integers(5, 200, size=n)
    level = rng.lognormal(0.5, 0.4, size=n)
    moved = change + 0.05 * rng.normal(size=n)
    return forgetting(tokens * level, tokens * (level + moved), tokens)


def test_the_finding_is_the_changes_interval() -> None:
    rng = np.random.default_rng(0)
    assert simulated(rng, 100, 0.05).finding == "forgot"
    assert simulated(rng, 100, -0.05).finding == "better"
    assert simulated(rng, 100, 0.0).finding == "no difference"


def test_pairing_is_much_surer_than_the_two_apart() -> None:
    found = simulated(np.random.default_rng(1), 100, 0.05)
    assert found.change.error < 0.1 * found.before.error
    assert found.change.value == pytest.approx(found.after.value - found.before.value)


def test_a_model_forgot_nothing_of_itself() -> None:
    found = forgetting([3.0] * 20, [3.0] * 20, [2] * 20)
    assert found.change.interval == (0.0, 0.0)
    assert found.finding == "no difference"


def test_demonstrations_of_one_prompt_tell_less() -> None:
    rng = np.random.default_rng(2)
    moved = np.repeat(rng.normal(size=20), 5)
    apart = forgetting(np.zeros(100), moved, np.ones(100))
    together = forgetting(np.zeros(100), moved, np.ones(100), groups=[at // 5 for at in range(100)])
    assert together.change.error > 2 * apart.change.error


@pytest.mark.parametrize("n", [30, pytest.param(150, marks=pytest.mark.slow)])
def test_the_interval_holds_the_change(n: int) -> None:
    assert_covers(lambda rng: (simulated(rng, n, 0.02).change.interval, 0.02), simulations=500, seed=1)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="Demonstration 1 has no response tokens"):
        forgetting([1, 1], [1, 1], [3, 0])
    with pytest.raises(DataError, match="observation 0"):
        forgetting([np.nan], [1.0], [3])
    with pytest.raises(ValueError, match="must be"):
        forgetting([1.0], [1.0, 2.0], [3])
