"""Agreement against the figures that textbooks print; missing votes; votes that are all alike."""

from __future__ import annotations

import math
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from heedful.agreement import (
    cohen,
    cohen_interval,
    count_votes,
    fleiss,
    interval,
    krippendorff,
    leave_one_out,
    others,
    percent,
)

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units;
# 0 is missing.
KRIPPENDORFF = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)
# Fourteen raters, ten subjects, five categories: the worked example of Wikipedia's "Fleiss' kappa".
FLEISS = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)
# Fleiss 1971: which of five diagnoses each of six psychiatrists gave to thirty patients, as R's irr has it.
DIAGNOSES = (
    "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 "
    "224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 "
    "133333 555555"
)
# Hout, Duncan and Sobel 1987, in Agresti's Categorical Data Analysis and R's vcd (SexualFun).
COUPLES = ((7, 7, 2, 3), (2, 8, 3, 7), (1, 5, 4, 9), (2, 8, 9, 14))


def published(rows: tuple[tuple[int, ...], ...]) -> np.ndarray:
    votes = [(unit, value - 1) for row in rows for unit, value in enumerate(row) if value]
    return count_votes(*zip(*votes, strict=True), 5)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example_with_missing_values(scale, alpha) -> None:
    assert round(krippendorff(published(KRIPPENDORFF), scale=scale), 3) == alpha


def test_alpha_of_krippendorffs_binary_example() -> None:
    # 2011, section A: two observers, ten units, α = 0.095.
    first, second = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    counts = count_votes([*range(10), *range(10)], [*first, *second], 2)

    assert round(krippendorff(counts), 3) == 0.095


def test_fleiss_kappa_of_the_two_published_tables() -> None:
    patients = [[row.count(str(diagnosis)) for diagnosis in range(1, 6)] for row in DIAGNOSES.split()]

    assert (round(fleiss(FLEISS), 3), round(percent(FLEISS), 3)) == (0.210, 0.378)
    assert round(fleiss(patients), 3) == 0.430


@pytest.mark.parametrize(
    ("table", "weights", "kappa"),
    [
        (((20, 5), (10, 15)), None, 0.400),  # Wikipedia, fifty proposals read by two
        (((45, 15), (25, 15)), None, 0.130),  # Wikipedia, the same agreement with other shares
        (((25, 35), (5, 35)), None, 0.259),
        (COUPLES, None, 0.129),
        (COUPLES, "linear", 0.237),
        (((0, 4, 1), (0, 8, 0), (0, 1, 5)), None, 0.484),  # SAS, PROC FREQ
        (((0, 4, 1), (0, 8, 0), (0, 1, 5)), "linear", 0.470),
        (((13, 0, 0), (0, 20, 7), (0, 4, 56)), "quadratic", 0.892),  # R's irrCAC, three abstractors' table
    ],
)
def test_cohens_kappa_of_published_tables(table, weights, kappa: float) -> None:
    assert round(cohen(table, weights=weights), 3) == kappa


def test_all_figures_are_one_where_everyone_agrees() -> None:
    counts = [[3, 0, 0], [0, 2, 0], [0, 0, 5], [0, 1, 0]]

    assert percent(counts) == fleiss(counts) == 1
    assert [krippendorff(counts, scale=scale) for scale in ("nominal", "ordinal", "interval")] == [1, 1, 1]
    assert cohen([[4, 0], [0, 3]]) == 1


def test_with_one_category_only_agreement_cannot_be_told_from_habit() -> None:
    counts = [[3, 0], [2, 0]]

    assert percent(counts) == 1
    assert math.isnan(fleiss(counts))
    assert math.isnan(krippendorff(counts))
    assert math.isnan(cohen([[5, 0], [0, 0]]))


@pytest.mark.parametrize("figure", [percent, fleiss, krippendorff])
def test_an_item_with_one_vote_changes_nothing(figure) -> None:
    counts = [[2, 1], [0, 3], [3, 0]]

    assert figure([*counts, [1, 0], [0, 0]]) == figure(counts)
    assert math.isnan(figure([[1, 0], [0, 1]]))


def test_alpha_is_what_all_pairs_of_votes_say() -> None:
    """The definition: the mean of δ² within items over that of all pairs of pairable votes."""
    rng = np.random.default_rng(3)
    items, values = rng.integers(6, size=25), rng.integers(4, size=25)
    by_item = [values[items == item] for item in range(6)]
    paired = np.concatenate([votes for votes in by_item if len(votes) > 1])

    observed = sum(
        2 * sum((a - b) ** 2 for a, b in combinations(votes.tolist(), 2)) / (len(votes) - 1)
        for votes in by_item
        if len(votes) > 1
    )
    expected = np.square(paired[:, None] - paired[None, :]).sum() / (len(paired) - 1)

    counts = count_votes(items, values, 4)
    assert krippendorff(counts, scale="interval") == pytest.approx(1 - observed / expected, abs=1e-12)


def test_values_place_the_categories_of_an_interval_scale() -> None:
    counts = [[1, 1, 0], [0, 1, 1], [2, 0, 0], [0, 0, 2]]
    spread = krippendorff(counts, scale="interval", values=[0, 1, 10])

    assert krippendorff(counts, scale="interval", values=[5, 7, 25]) == pytest.approx(spread, abs=1e-12)
    assert krippendorff(counts, scale="interval") != pytest.approx(spread, abs=1e-3)


@pytest.mark.parametrize("figure", [percent, fleiss, krippendorff])
def test_a_row_may_stand_for_several_items(figure) -> None:
    assert figure([[2, 1], [0, 3]], [3, 2]) == pytest.approx(figure([[2, 1]] * 3 + [[0, 3]] * 2), abs=1e-12)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    # Two raters, each right in 80% of items of two equal classes: α is 2 · (0.8² + 0.2²) - 1.
    truth, hits, rounds = 0.36, 0, 60
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        classes = rng.integers(2, size=150)
        votes = np.concatenate([np.where(rng.random(150) < 0.8, classes, 1 - classes) for _ in range(2)])
        counts = count_votes([*range(150), *range(150)], votes, 2)
        low, high = interval(krippendorff, counts, resamples=200)
        hits += low <= truth <= high

    assert hits >= 0.85 * rounds  # 95% expected, within three standard errors


def test_an_interval_is_the_same_again_and_that_of_drawing_items_one_by_one() -> None:
    counts = np.array(FLEISS)
    rng = np.random.default_rng(7)
    drawn = [fleiss(counts[rng.integers(len(counts), size=len(counts))]) for _ in range(4000)]

    low, high = interval(fleiss, counts, resamples=4000)

    assert (low, high) == interval(fleiss, counts, resamples=4000)
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_cohens_interval_is_around_the_figure_and_narrows_with_more_items() -> None:
    few, many = cohen_interval([[20, 5], [10, 15]]), cohen_interval([[2000, 500], [1000, 1500]])

    assert few[0] < 0.4 < few[1]
    assert few[1] - few[0] == pytest.approx(10 * (many[1] - many[0]), rel=0.1)
    # The large-sample interval of the same table, Fleiss, Cohen and Everitt 1969: 0.4 ± 1.96 · 0.1259.
    assert few == pytest.approx((0.153, 0.647), abs=0.03)


def test_an_interval_of_one_item_is_unknown() -> None:
    assert all(math.isnan(end) for end in interval(percent, [[2, 1]]))
    assert all(math.isnan(end) for end in interval(krippendorff, [[3, 0], [2, 0]]))


def test_two_hundred_thousand_votes_are_drawn_by_how_they_fall() -> None:
    rng = np.random.default_rng(0)
    counts = count_votes(rng.integers(50_000, size=200_000), rng.integers(3, size=200_000), 3)
    seen: list[int] = []

    def counting(table, repeats=None, /):
        seen.append(len(table))
        return krippendorff(table, repeats)

    low, high = interval(counting, counts, resamples=50)

    assert low < 0 < high < 0.01
    assert max(seen) < 600  # of 50 000 items


@pytest.mark.parametrize(
    "call", [lambda: percent([1, 2]), lambda: cohen([[1, 2]]), lambda: partial(cohen, [1])()]
)
def test_tables_of_another_shape_are_refused(call) -> None:
    with pytest.raises(ValueError, match="must be"):
        call()


def test_a_vote_is_held_against_what_most_of_the_others_say() -> None:
    items, said = [0, 0, 0, 1, 1, 2, 3, 3, 3], [0, 0, 1, 2, 2, 1, 0, 1, 2]

    assert others(items, said, 3).tolist() == [
        [1, 1, 0], [1, 1, 0], [2, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]
    ]  # fmt: skip
    agrees = leave_one_out(items, said, 3)
    nan = math.nan
    assert agrees.tolist() == pytest.approx([nan, nan, 0, 1, 1, nan, nan, nan, nan], nan_ok=True)
    assert leave_one_out([0, 0, 0], [1, 1, 1], 2).tolist() == [1, 1, 1]
    assert leave_one_out([], [], 2).tolist() == []
