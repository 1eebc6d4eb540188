"""Fits of curves that are known, where they turn, and when a turn is one."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.over_optimisation import (
    Form,
    OverOptimisation,
    Point,
    fit,
    over_optimisation,
    smoothed,
)
from tests.evaluation.coverage import SIMULATIONS, assert_covers

D = np.linspace(0, 4, 9)


def best_of_n(d: np.ndarray) -> np.ndarray:
    """Turns at α / 2β = 2.5."""
    return 0.3 + d * (1.0 - 0.2 * d)


def rl(d: np.ndarray) -> np.ndarray:
    """Turns at exp(α/β - 1) = e^0.8."""
    return 0.3 + 0.9 * d - 0.5 * d * np.log(np.maximum(d, 1e-300))


CURVES = {"best of n": (best_of_n, 1.0, 0.2, 2.5), "rl": (rl, 0.9, 0.5, math.exp(0.8))}


@pytest.mark.parametrize("form", CURVES)
def test_points_on_a_curve_give_it_back(form: Form) -> None:
    truth, alpha, beta, turn = CURVES[form]
    found = fit(D**2, truth(D), form=form)
    assert found.start.value == pytest.approx(0.3)
    assert (found.alpha.value, found.beta.value) == pytest.approx((alpha, beta))
    assert found.turn.value == pytest.approx(turn)
    assert found.turn.interval == pytest.approx((turn, turn), abs=1e-6)
    assert found([0.0, 4.0, 9.0]) == pytest.approx(truth(np.array([0.0, 2.0, 3.0])))
    fine = np.linspace(0, 4, 100_001)
    assert fine[np.argmax(found(fine**2))] == pytest.approx(turn, abs=1e-4)


def test_three_points_by_hand() -> None:
    """Rewards 0, 1, 0 at d = 0, 1, 2: 2d - d², with errors of 1."""
    found = fit([0, 1, 4], [0, 1, 0], form="best of n", errors=[1, 1, 1])
    assert (found.start.value, found.alpha.value, found.beta.value) == pytest.approx((0, 2, 1), abs=1e-12)
    assert found.start.error == pytest.approx(1.0)  # the point at 0 itself
    assert found.beta.error == pytest.approx(math.sqrt(1.5))  # (y₀ - 2y₁ + y₂) / 2
    assert found.turn.value == pytest.approx(1.0)
    assert math.isinf(found.turn.high)  # β is not clearly above 0


def test_points_are_weighed_by_their_errors() -> None:
    rewards = best_of_n(D)
    rewards[4] += 5
    errors = np.full(9, 0.1)
    errors[4] = 1000.0
    assert fit(D**2, rewards, form="best of n", errors=errors).beta.value == pytest.approx(0.2, abs=1e-4)
    assert abs(fit(D**2, rewards, form="best of n").beta.value - 0.2) > 0.1


def test_a_rising_curve_never_turns() -> None:
    rising = fit(D**2, 0.5 * D + 0.2 * D**2, form="best of n")
    assert math.isinf(rising.turn.value)
    assert math.isinf(rising.turn.low)
    noisy = fit(D**2, 0.5 * D + np.array([1, -1, 1, -1, 1, -1, 1, -1, 1]) * 0.3, form="best of n")
    assert math.isinf(noisy.turn.high)
    assert 0 < noisy.turn.low < math.inf


def test_smoothing_is_over_neighbours() -> None:
    assert smoothed([3, 0, 6, 9]) == pytest.approx([1.5, 3, 5, 7.5])
    assert smoothed([0, 4], [1, 2]) == pytest.approx([0.8, 0.8])


def points(gold: np.ndarray, error: float | None) -> list[Point]:
    return [Point(d * d, d, float(reward), error) for d, reward in zip(D, gold, strict=True)]


def test_a_turn_is_found_where_it_is() -> None:
    gold = best_of_n(D) + 0.03 * np.random.default_rng(0).normal(size=9)
    for error in (0.03, None):
        found = over_optimisation(points(gold, error)[::-1], form="best of n")
        assert found.established
        assert found.points[found.peak].kl == pytest.approx(2.5**2, abs=2.3)
        assert found.fall == pytest.approx(0.25, abs=0.1)
        assert found.gold is not None
        assert found.gold.turn.low < 2.5 < found.gold.turn.high
        assert found.proxy is not None
        assert found.proxy.alpha.value == pytest.approx(1.0)  # the proxy is d itself
        assert [point.kl for point in found.points] == sorted(point.kl for point in found.points)


def test_a_reward_that_levels_off_does_not_turn() -> None:
    gold = 1 - np.exp(-D) + 0.03 * np.random.default_rng(1).normal(size=9)
    for error in (0.03, None):
        assert not over_optimisation(points(gold, error), form="rl").established


def test_two_points_have_no_curve_and_can_still_fall() -> None:
    found = over_optimisation([Point(0, 0, 1.0, 0.1), Point(4, 1, 0.0, 0.1)], form="rl")
    assert found.gold is None
    assert found.proxy is None
    assert found.established
    assert not over_optimisation([Point(0, 0, 1.0), Point(4, 1, 0.0)], form="rl").established


def test_a_reward_that_never_moves_has_no_turn() -> None:
    assert not over_optimisation(points(np.zeros(9), None), form="rl").established
    assert not over_optimisation(points(np.ones(9), 0.0), form="best of n").established


@pytest.mark.slow
def test_a_level_reward_is_seldom_said_to_fall() -> None:
    """In 5 of 100 cases, however many points there are to choose the largest fall from."""
    rng = np.random.default_rng(0)
    falls = [over_optimisation(points(rng.normal(size=9), 1.0), form="rl").established for _ in range(200)]
    assert 0.02 <= np.mean(falls) <= 0.08, np.mean(falls)


def on_prompts(rng: np.random.Generator, truth: np.ndarray, prompts: int) -> tuple[list[Point], np.ndarray]:
    """Each prompt adds its own to all points alike, four times what it adds to one."""
    own = truth[:, None] + 2 * rng.normal(size=prompts) + 0.5 * rng.normal(size=(len(truth), prompts))
    error = own.std(axis=1, ddof=1) / math.sqrt(prompts)
    found = [Point(d * d, d, float(row.mean()), float(at)) for d, row, at in zip(D, own, error, strict=True)]
    return found, own


def test_what_a_prompt_adds_to_all_points_hides_no_turn() -> None:
    given, own = on_prompts(np.random.default_rng(0), best_of_n(D), 40)
    apart = over_optimisation(given, form="best of n")
    together = over_optimisation(given[::-1], form="best of n", by_prompt=own[::-1])
    assert not apart.established
    assert together.established
    assert together.gold is not None
    assert together.gold.beta.value == pytest.approx(fit(D**2, own.mean(axis=1), form="best of n").beta.value)
    assert together.gold.turn.low < 2.5 < together.gold.turn.high < 3.5


def test_the_intervals_by_prompt_hold_the_truth() -> None:
    def experiment(rng: np.random.Generator) -> tuple:
        _, own = on_prompts(rng, best_of_n(D), 20)
        found = fit(D**2, own.mean(axis=1), form="best of n", covariance=np.cov(own) / 20, freedom=19)
        return found.beta.interval, 0.2

    assert_covers(experiment)


def test_a_covariance_without_anything_in_common_is_the_errors() -> None:
    rewards, errors = best_of_n(D), np.full(9, 0.2)
    one = fit(D**2, rewards, form="rl", errors=errors)
    other = fit(D**2, rewards, form="rl", covariance=np.diag(errors**2))
    assert other.alpha.interval == pytest.approx(one.alpha.interval)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("form", CURVES)
@pytest.mark.parametrize("figure", ["alpha", "beta", "turn"])
def test_the_intervals_hold_the_truth(form: Form, known: bool, figure: str) -> None:
    truth, alpha, beta, turn = CURVES[form]

    def experiment(rng: np.random.Generator) -> tuple:
        rewards = truth(D) + 0.1 * rng.normal(size=9)
        found = fit(D**2, rewards, form=form, errors=np.full(9, 0.1) if known else None)
        return getattr(found, figure).interval, {"alpha": alpha, "beta": beta, "turn": turn}[figure]

    assert_covers(experiment, simulations=SIMULATIONS)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="1 point shows no turn"):
        over_optimisation([Point(0, 0, 0)], form="rl")
    with pytest.raises(DataError, match="3 points at 3 different KLs are too few"):
        fit([0, 1, 2], [0, 1, 2], form="rl")
    with pytest.raises(DataError, match="4 points at 2 different KLs"):
        fit([0, 0, 1, 1], [0, 1, 2, 3], form="rl")
    with pytest.raises(DataError, match="below 0"):
        fit([0, 1, -2, 3], [0, 1, 2, 3], form="rl")
    with pytest.raises(DataError, match="standard error"):
        fit([0, 1, 2, 3], [0, 1, 2, 3], form="rl", errors=[1, 1, 0, 1])
    with pytest.raises(ValueError, match="must be"):
        fit([0, 1], [0], form="rl")
    pair = [Point(0, 0, 0), Point(1, 1, 1)]
    with pytest.raises(ValueError, match="by_prompt"):
        over_optimisation(pair, form="rl", by_prompt=[[1.0, 2.0]])
    with pytest.raises(DataError, match="One prompt"):
        over_optimisation(pair, form="rl", by_prompt=[[1.0], [2.0]])
    with pytest.raises(DataError, match="not a finite number"):
        over_optimisation(pair, form="rl", by_prompt=[[1.0, math.nan], [2.0, 1.0]])


def shared(seed: int, *, points: int = 8, prompts: int = 64, slope: float = 0.0) -> np.ndarray:
    """Gold rewards `[points, prompts]`: what prompts add to all points is much, noise little, and every
    prompt has a trend of its own."""
    chance = np.random.default_rng(seed)
    way = np.linspace(0, 1, points)[:, None]
    own = chance.normal(0, 1.0, size=prompts) + chance.normal(0, 0.3, size=prompts) * way
    return own + slope * way + chance.normal(0, 0.2, size=(points, prompts))


def told_by_prompt(by_prompt: np.ndarray, seed: int = 0) -> OverOptimisation:
    kls = np.linspace(0, 9, len(by_prompt))
    points = [Point(kl, kl, own) for kl, own in zip(kls, by_prompt.mean(axis=1), strict=True)]
    return over_optimisation(points, form="rl", by_prompt=by_prompt, seed=seed)


def test_prompts_that_each_have_a_trend_make_no_fall_of_a_level_reward() -> None:
    """5 of 100 at most; 200 draws of a 5% share stray to 8%."""
    falls = sum(told_by_prompt(shared(seed), seed).established for seed in range(200))
    assert falls / 200 <= 0.08


def test_the_points_may_come_in_any_order_with_their_prompts() -> None:
    by_prompt = shared(1, slope=-0.2)
    kls = np.linspace(0, 9, len(by_prompt))
    order = np.random.default_rng(5).permutation(len(kls))
    points = [Point(kls[at], kls[at], by_prompt[at].mean()) for at in order]
    mixed = over_optimisation(points, form="rl", by_prompt=by_prompt[order])
    assert mixed == told_by_prompt(by_prompt)


def test_points_that_are_the_same_answers_do_not_fall() -> None:
    by_prompt = np.repeat(shared(1)[:1], 6, axis=0)
    assert not told_by_prompt(by_prompt).established
