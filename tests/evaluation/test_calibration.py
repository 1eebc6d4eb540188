"""Calibration by hand, by brute force and of models whose calibration is known."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.calibration import (
    MOST_BINS,
    Calibration,
    calibration,
    cross_fitted,
    equal_mass,
    fit_temperature,
    log_losses,
    sigmoid,
)
from heedful.intervals import wilson
from tests.evaluation.coverage import HIGHEST, LOWEST, assert_covers

LOG_3 = math.log(3)  # σ(log 3) = 3/4


def simulated(n: int, seed: int = 0, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in random order whose labels fall just as σ(difference) says."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, spread, size=n)
    return z, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)


def assert_same(found: Calibration, other: Calibration) -> None:
    assert (found.ece, found.brier, found.log_loss) == pytest.approx((other.ece, other.brier, other.log_loss))
    assert [bin.observed for bin in found.bins] == pytest.approx([bin.observed for bin in other.bins])


def test_four_pairs_by_hand() -> None:
    """σ is 3/4, 3/4, 3/4 and 9/10: right, right, wrong, right."""
    found = calibration([LOG_3, LOG_3, LOG_3, math.log(9)], [1, 1, 0, 1])
    (only,) = found.bins
    assert only.n == found.n == 4
    assert only.predicted == pytest.approx((3 * 0.75 + 0.9) / 4)
    assert only.observed == 0.75
    assert (only.low, only.high) == wilson(3, 4)
    assert found.ece == pytest.approx(0.7875 - 0.75)
    assert found.excess == pytest.approx(0.0375)
    assert found.brier == pytest.approx((2 * 0.0625 + 0.5625 + 0.01) / 4)
    assert found.log_loss == pytest.approx(-(2 * math.log(0.75) + math.log(0.25) + math.log(0.9)) / 4)


def test_a_soft_label_is_missed_by_what_lies_between() -> None:
    """σ = 3/4 of a label of 0.6: (0.15)², and the cross-entropy of the two."""
    found = calibration([LOG_3], [0.6])
    assert found.brier == pytest.approx(0.0225)
    assert found.log_loss == pytest.approx(-0.6 * math.log(0.75) - 0.4 * math.log(0.25))
    assert found.ece == pytest.approx(0.15)
    assert calibration([LOG_3], [0.75]).ece == pytest.approx(0.0, abs=1e-12)


def test_turning_pairs_round_changes_nothing() -> None:
    z, labels = simulated(700)
    z[:20] = 0.0
    labels[::7] = 0.8
    turn = np.random.default_rng(1).random(700) < 0.5
    turned = calibration(np.where(turn, -z, z), np.where(turn, 1 - labels, labels))
    assert_same(calibration(z, labels), turned)
    chosen_first = calibration(np.where(labels < 0.5, -z, z), np.maximum(labels, 1 - labels))
    assert_same(calibration(z, labels), chosen_first)


def test_with_chosen_first_the_outcomes_are_not_all_one() -> None:
    """What the folding is for: 70% of what the model prefers is what people chose, whatever stood first."""
    found = calibration([LOG_3] * 70 + [-LOG_3] * 30, [1.0] * 100)
    assert [bin.observed for bin in found.bins] == [pytest.approx(0.7)]
    assert found.ece == pytest.approx(0.05)


def test_random_order_shows_the_same_but_for_noise() -> None:
    """Brute force: the usual diagram over [0, 1] of many random orders, a bin beside its mirror image."""
    z, labels = simulated(2000, spread=1.0)
    z *= 1.7
    folded = calibration(z, labels)
    edges = [float(np.abs(z)[members].min()) - 1e-9 for members in _members(np.abs(z), len(folded.bins))]
    limits = np.array([*(-e for e in reversed(edges[1:])), *edges[1:]])
    gaps = np.zeros((200, len(limits) + 1))
    for i, row in enumerate(gaps):
        turn = np.random.default_rng(i).random(2000) < 0.5
        x, y = np.where(turn, -z, z), np.where(turn, 1 - labels, labels)
        where = np.searchsorted(limits, x, side="right")
        row[:] = np.bincount(where, weights=y - sigmoid(x), minlength=len(row)) / 2000
    middle = len(edges) - 1  # holds what lies around 0, from both sides
    means = gaps.mean(axis=0)
    for k, bin in enumerate(folded.bins[1:], start=1):
        signed = means[middle + k] - means[middle - k]
        assert signed == pytest.approx((bin.observed - bin.predicted) * bin.n / 2000, abs=1e-9)


def _members(values: np.ndarray, most: int) -> list[np.ndarray]:
    bins = equal_mass(values, most)
    return [np.flatnonzero(bins == number) for number in range(bins.max() + 1)]


def test_a_calibrated_model_shows_a_small_error_and_one_within_chance() -> None:
    within = 0
    for seed in range(12):
        found = calibration(*simulated(500, seed))
        assert found.ece < 0.09
        within += found.ece <= found.ece_by_chance
    assert within >= 10


def test_a_model_too_sure_of_itself_is_found_out() -> None:
    z, labels = simulated(2000)
    found = calibration(3 * z, labels)
    assert found.ece > 3 * found.ece_by_chance
    assert found.excess > 0.1
    assert calibration(z / 3, labels).excess < -0.1


def test_the_chance_level_is_the_one_a_simulation_finds() -> None:
    z, _ = simulated(400)
    rng = np.random.default_rng(5)
    draws = [calibration(z, (rng.random(400) < sigmoid(z)).astype(float)).ece_by_chance for _ in range(2)]
    assert draws[0] == draws[1], "it knows the predictions alone"
    errors = [_ece(z, rng.random(400) < sigmoid(z)) for _ in range(600)]
    assert draws[0] == pytest.approx(np.quantile(errors, 0.95), abs=0.006)


def _ece(z: np.ndarray, first_better: np.ndarray) -> float:
    """The error by plain loops."""
    total = 0.0
    for members in _members(np.abs(z), min(MOST_BINS, len(z) // 50)):
        predicted = [max(1 / (1 + math.exp(-z[i])), 1 / (1 + math.exp(z[i]))) for i in members]
        observed = [float(first_better[i] == (z[i] > 0)) for i in members]
        total += abs(sum(predicted) - sum(observed))
    return total / len(z)


def test_the_error_agrees_with_plain_loops() -> None:
    z, labels = simulated(999)
    assert calibration(z, labels).ece == pytest.approx(_ece(z, labels == 1))


def test_soft_labels_bring_none_of_the_noise_of_drawing_a_winner() -> None:
    """Every label is 5 points below its prediction: so small an error is nothing only among hard labels."""
    z, _ = simulated(200)
    sure = sigmoid(np.abs(z))
    found = calibration(np.abs(z), sure - 0.05)
    assert found.ece == pytest.approx(0.05)
    # In each of four bins 50 steps of 0.05 forwards or back; about 0.05 √(2/(50π)) on average.
    assert 0.05 * math.sqrt(2 / (50 * math.pi)) < found.ece_by_chance < 0.05 / 3
    hard = (np.random.default_rng(0).random(200) < sure).astype(float)
    assert calibration(np.abs(z), hard).ece_by_chance > 0.05
    assert calibration(np.abs(z), sure).ece_by_chance == 0.0


def test_the_chance_of_soft_labels_is_the_one_a_simulation_finds() -> None:
    """Labels spread around what is predicted; 95 of 100 such sets of pairs show no more error than that."""
    z, _ = simulated(200)
    sure = sigmoid(np.abs(z))
    draws = np.random.default_rng(0).beta(3 * sure, 3 * (1 - sure), size=(600, 200))
    members = _members(np.abs(z), 4)
    errors = sum(np.abs((draws - sure)[:, inside].sum(axis=1)) for inside in members) / 200
    chance = [calibration(np.abs(z), labels).ece_by_chance for labels in draws[:6]]
    assert np.mean(chance) == pytest.approx(np.quantile(errors, 0.95), rel=0.1)


def test_few_soft_labels_show_nothing() -> None:
    """Two gaps on one side: half of all draws have that too."""
    found = calibration([LOG_3, LOG_3], [0.6, 0.6])
    assert found.ece == pytest.approx(found.ece_by_chance) == pytest.approx(0.15)


def test_soft_labels_of_one_prompt_are_met_together() -> None:
    z, _ = simulated(200)
    labels = sigmoid(z / 3)
    alone = calibration(z, labels)
    grouped = calibration(z, labels, groups=[i // 8 for i in range(200)])
    assert grouped.ece_by_chance > 1.5 * alone.ece_by_chance


def test_pairs_of_one_prompt_leave_more_to_chance() -> None:
    z, labels = simulated(400)
    alone = calibration(z, labels)
    grouped = calibration(z, labels, groups=[i // 8 for i in range(400)])
    assert grouped.ece_by_chance > 1.5 * alone.ece_by_chance
    assert grouped.ece == alone.ece


def test_copied_pairs_have_the_intervals_of_the_pairs_themselves() -> None:
    z, labels = simulated(60)
    groups = [i // 5 for i in range(300)]
    copied = calibration(np.repeat(z, 5), np.repeat(labels, 5), groups=groups)
    alone = calibration(z, labels)
    assert copied.brier_interval == pytest.approx(alone.brier_interval)
    assert copied.log_loss_interval == pytest.approx(alone.log_loss_interval)


@pytest.mark.parametrize(("n", "bins"), [(1, 1), (99, 1), (100, 2), (260, 5), (5000, 10)])
def test_bins_are_as_many_as_the_pairs_allow(n: int, bins: int) -> None:
    found = calibration(*simulated(n))
    assert len(found.bins) == bins
    sizes = [bin.n for bin in found.bins]
    assert sum(sizes) == n
    assert max(sizes) - min(sizes) <= 1
    assert all(a.predicted < b.predicted for a, b in zip(found.bins, found.bins[1:], strict=False))


@pytest.mark.parametrize(
    ("values", "most", "members"),
    [
        ([5.0, 1.0, 3.0, 2.0], 2, [1, 0, 1, 0]),
        ([1.0, 1.0, 1.0], 4, [0, 0, 0]),
        ([1.0, 2.0, 2.0, 3.0, 2.0], 4, [0, 1, 1, 2, 1]),
        ([1.0, 1.0, 1.0, 1.0, 2.0, 3.0], 2, [0, 0, 0, 0, 1, 1]),
        ([1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0], 2, [0, 0, 0, 0, 0, 1, 1]),
        ([1.0, 2.0, 3.0], 1, [0, 0, 0]),
    ],
)
def test_equal_values_share_a_bin(values: list[float], most: int, members: list[int]) -> None:
    assert equal_mass(np.array(values), most).tolist() == members


def test_equal_mass_bins_do_not_mind_the_order() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 30, size=500).astype(float)
    order = rng.permutation(500)
    assert (equal_mass(values, 7)[order] == equal_mass(values[order], 7)).all()


def test_all_equal_scores_are_calibrated_and_useless() -> None:
    found = calibration([0.0] * 120, [1.0] * 120)
    assert found.ece == 0.0
    assert found.brier == 0.25
    assert found.log_loss == pytest.approx(math.log(2))
    assert [(bin.predicted, bin.observed, bin.n) for bin in found.bins] == [(0.5, 0.5, 120)]
    temperature = fit_temperature([0.0, 0.0], [1.0, 1.0])
    assert math.isinf(temperature.value)
    assert math.isnan(temperature.low)


def test_a_single_pair_has_numbers_but_no_intervals() -> None:
    found = calibration([LOG_3], [1.0])
    assert found.ece == pytest.approx(0.25)
    assert all(math.isnan(bound) for bound in (*found.brier_interval, *found.log_loss_interval))
    assert cross_fitted([LOG_3], [1.0]) is None


def test_the_temperature_of_one_right_pair_by_hand() -> None:
    """It and the imaginary pair are right 1.5 times of 2, so σ is to be 3/4: z / T = log 3."""
    found = fit_temperature([2.0], [1.0])
    assert found.value == pytest.approx(2 / LOG_3)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_calibrated_model_has_a_temperature_of_one() -> None:
    assert fit_temperature(*simulated(20000)).value == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("factor", [0.01, 0.5, 3.0, 1e6])
def test_scores_times_a_number_have_a_temperature_times_that_number(factor: float) -> None:
    z, labels = simulated(800)
    once, times = fit_temperature(z, labels), fit_temperature(factor * z, labels)
    assert (times.value, times.low, times.high) == pytest.approx(
        (factor * once.value, factor * once.low, factor * once.high)
    )


def test_scores_times_three_have_a_temperature_of_about_three() -> None:
    z, labels = simulated(20000, seed=1)
    assert fit_temperature(3 * z, labels).value == pytest.approx(3.0, abs=0.1)


def test_no_other_temperature_has_less_log_loss() -> None:
    """Brute force over a fine grid; among 300 pairs the imaginary one moves the optimum by a hair."""
    z, labels = simulated(300)
    grid = np.exp(np.linspace(-2, 2, 4001))
    losses = [log_losses(z / t, labels).mean() for t in grid]
    best = float(grid[int(np.argmin(losses))])
    found = fit_temperature(z, labels).value
    assert found == pytest.approx(best, rel=0.02)
    assert log_losses(z / found, labels).mean() < min(losses) + 1e-5


def test_a_model_that_is_always_right_keeps_a_temperature() -> None:
    found = fit_temperature(np.linspace(0.1, 3, 50), np.ones(50))
    assert 0 < found.low < found.value < found.high < 0.4


def test_a_model_that_is_rather_wrong_has_none() -> None:
    z, labels = simulated(200)
    found = fit_temperature(-z, labels)
    assert math.isinf(found.value)
    assert math.isinf(found.high)
    divided = cross_fitted(-z, labels)
    assert divided is not None
    assert not divided.any()


def simulated_groups(rng: np.random.Generator, prompts: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Four pairs to a prompt, people alike in half of the experiments; σ(z / 1.6) is what they decide by."""
    z = rng.normal(0, 2, size=(prompts, 4))
    noise = rng.random((prompts, 1)) if rng.random() < 0.5 else rng.random((prompts, 4))
    labels = (noise < sigmoid(z / 1.6)).astype(float)
    return z.ravel(), labels.ravel(), np.repeat(np.arange(prompts), 4).tolist()


def test_the_temperatures_interval_holds_it() -> None:
    def experiment(rng: np.random.Generator) -> tuple:
        z, labels, groups = simulated_groups(rng, 60)
        found = fit_temperature(z, labels, groups=groups)
        return (found.low, found.high), 1.6

    assert_covers(experiment)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 200])
def test_the_intervals_of_a_calibrated_model_hold_the_truth(n: int) -> None:
    """And its calibration error is within chance in 95 of 100 cases."""
    chances = sigmoid(np.random.default_rng(9).normal(0, 1.5, size=4_000_000))
    brier = float((chances * (1 - chances)).mean())
    log_loss = float(log_losses(np.log(chances / (1 - chances)), chances).mean())
    rng, simulations = np.random.default_rng(0), 500
    held = dict.fromkeys(("brier", "log loss", "within chance"), 0)
    for _ in range(simulations):
        z = rng.normal(0, 1.5, size=n)
        found = calibration(z, (rng.random(n) < sigmoid(z)).astype(float))
        held["brier"] += found.brier_interval[0] <= brier <= found.brier_interval[1]
        held["log loss"] += found.log_loss_interval[0] <= log_loss <= found.log_loss_interval[1]
        held["within chance"] += found.ece <= found.ece_by_chance
    shares = {name: count / simulations for name, count in held.items()}
    assert all(LOWEST <= share <= HIGHEST for share in shares.values()), shares


def test_each_half_is_divided_by_the_temperature_of_the_other() -> None:
    z, labels = simulated(100)
    groups = [i // 4 for i in range(100)]
    divided = cross_fitted(z, labels, groups=groups)
    assert divided is not None
    factors = z / divided
    values = sorted(set(np.round(factors, 9)))
    assert len(values) == 2
    first = np.isclose(factors, values[0])
    assert values[0] == pytest.approx(fit_temperature(z[~first], labels[~first]).value)
    assert values[1] == pytest.approx(fit_temperature(z[first], labels[first]).value)
    assert 48 <= first.sum() <= 52
    for group in range(25):
        assert len(set(first[4 * group : 4 * group + 4])) == 1, "a prompt is never split"


def test_judging_a_temperature_on_its_own_pairs_flatters_it() -> None:
    """The reason for the halves: on average the log loss after it is lower where it was fitted."""
    own = crossed = 0.0
    for seed in range(40):
        z, labels = simulated(30, seed)
        divided = cross_fitted(2 * z, labels)
        assert divided is not None
        own += log_losses(2 * z / fit_temperature(2 * z, labels).value, labels).mean() / 40
        crossed += log_losses(divided, labels).mean() / 40
    assert own < crossed - 0.01


def test_large_differences_neither_overflow_nor_round_to_nothing() -> None:
    with np.errstate(all="raise", under="ignore"):
        found = calibration([1000.0, -1000.0, 800.0], [1.0, 1.0, 1.0])
    assert found.log_loss == pytest.approx(1000 / 3)
    assert found.brier == pytest.approx(1 / 3)
    assert sigmoid(np.array([3.3]))[0] + sigmoid(np.array([-3.3]))[0] == 1.0


def test_the_same_seed_gives_the_same_numbers() -> None:
    z, labels = simulated(200)
    assert calibration(z, labels, seed=3) == calibration(z, labels, seed=3)
    assert calibration(z, labels, seed=3) != calibration(z, labels, seed=4)


@pytest.mark.parametrize(
    ("differences", "labels", "words"),
    [
        ([], [], "no pairs"),
        ([1.0, math.nan], [1, 1], "pair 1 is not finite"),
        ([1.0, 2.0], [1, 1.5], "label of pair 1 is not between 0 and 1"),
        ([1.0], [math.nan], "label of pair 0"),
    ],
)
def test_what_cannot_be_judged_is_named(differences: list[float], labels: list[float], words: str) -> None:
    for function in (calibration, fit_temperature, cross_fitted):
        with pytest.raises(DataError, match=words):
            function(differences, labels)


def test_differences_and_labels_must_match() -> None:
    with pytest.raises(ValueError, match=r"\[pairs\]"):
        calibration([1.0, 2.0], [1.0])
