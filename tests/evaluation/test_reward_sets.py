"""Sections, subsets and the score of Ties, held against what the papers' own arithmetic gives by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heedful.evaluation.reward_sets import Item, RewardSet, items, reward_set, ties
from heedful.intervals import wilson
from heedful.records import Demonstration, Preference, Ranking, assistant, user
from heedful.render.rows import Row


def item(
    subset: str,
    right: tuple[float, ...],
    wrong: tuple[float, ...],
    *,
    id: str = "",
    section: str = "",
    lengths: tuple[int, int] = (5, 5),
    number: int = 0,
) -> Item:
    return Item(
        id,
        subset,
        section or subset,
        (subset, id, number),
        right,
        wrong,
        (lengths[0],) * len(right),
        (lengths[1],) * len(wrong),
    )


def pairs(subset: str, section: str, right: int, wrong: int) -> list[Item]:
    """So many that the model gets right and wrong."""
    return [
        item(subset, (1.0 if at < right else -1.0,), (0.0,), section=section, number=at)
        for at in range(right + wrong)
    ]


def found(some: list[Item]) -> RewardSet:
    result = reward_set(some)
    assert result is not None
    return result


def test_a_section_is_the_mean_over_its_prompts_and_the_whole_that_over_sections() -> None:
    chat = pairs("alpacaeval-easy", "Chat", 8, 2) + pairs("mt-bench-easy", "Chat", 1, 4)
    result = found(chat + pairs("donotanswer", "Safety", 3, 7))

    first, second = result.sections
    assert (first.whole.name, second.whole.name) == ("Chat", "Safety")
    assert first.whole.accuracy.value == pytest.approx(9 / 15)
    assert (first.whole.accuracy.low, first.whole.accuracy.high) == pytest.approx(wilson(9, 15))
    assert [(part.name, part.accuracy.value) for part in first.subsets] == [
        ("alpacaeval-easy", 0.8),
        ("mt-bench-easy", 0.2),
    ]
    assert result.overall.value == pytest.approx((0.6 + 0.3) / 2)
    assert not result.complete


def test_in_reasoning_mathematics_counts_as_much_as_all_code() -> None:
    """As the paper weighs it: 447 of mathematics are made to count like 984 of code."""
    math_prm = pairs("math-prm", "Reasoning", 1, 3)
    code = pairs("hep-go", "Reasoning", 9, 1) + pairs("hep-js", "Reasoning", 15, 5)
    (section,) = found(math_prm + code).sections

    assert section.whole.accuracy.value == pytest.approx((1 / 4 + 24 / 30) / 2)
    assert section.whole.accuracy.n == 34
    halves = [wilson(1, 4), wilson(24, 30)]
    below = math.hypot(0.25 - halves[0][0], 0.8 - halves[1][0]) / 2
    assert section.whole.accuracy.low == pytest.approx((0.25 + 0.8) / 2 - below)


def test_all_four_sections_are_complete_and_stand_in_the_published_order() -> None:
    names = {"Reasoning": "hep-go", "Chat Hard": "llmbar-natural", "Safety": "donotanswer"}
    some = [one for name, subset in names.items() for one in pairs(subset, name, 1, 1)]
    result = found(some + pairs("alpacaeval-easy", "Chat", 2, 0))

    assert [section.whole.name for section in result.sections] == ["Chat", "Chat Hard", "Safety", "Reasoning"]
    assert result.complete


def test_a_subset_that_is_named_like_a_section_is_none_of_the_four() -> None:
    result = found(pairs("Safety", "Safety", 1, 1) + pairs("Math", "Math", 1, 1))
    assert [section.whole.name for section in result.sections] == ["Safety", "Math"]
    assert result.complete


def test_best_of_four_needs_all_three_below_and_a_tie_is_wrong() -> None:
    right = item("Math", (1.0,), (0.9, 0.0, -3.0))
    assert right.correct
    assert not item("Math", (1.0,), (0.9, 1.1, -3.0)).correct
    assert not item("Math", (1.0,), (1.0, 0.0, 0.0)).correct
    assert right.chance == pytest.approx(1 / 4)
    assert item("Ties", (1.0, 2.0), (0.0, 0.5)).chance == pytest.approx(1 / 6)


def test_longer_wins_stands_beside_on_the_same_prompts() -> None:
    some = [item("Focus", (1.0,), (0.0, 0.0, 0.0), lengths=(9, 3), number=at) for at in range(6)]
    some += [item("Focus", (1.0,), (0.0, 0.0, 0.0), lengths=(3, 9), number=at) for at in range(6, 30)]
    (section,) = found(some).sections

    assert section.whole.accuracy.value == 1
    assert section.whole.longer.value == pytest.approx(6 / 30)
    assert section.whole.over_ruler[0] > 0.5
    assert section.subsets == ()


def published_score(
    tied: dict[str, tuple[list[float], list[float]]], ref: dict[str, tuple[list[float], list[float]]]
) -> float:
    """RewardBench 2's formula, step by step."""

    def gap(right: list[float], wrong: list[float]) -> float:
        return min(right) - max(wrong)

    accuracy = [np.mean([gap(*sides) > 0 for sides in part.values()]) for part in (tied, ref)]
    within = {name: max(right) - min(right) for name, (right, _) in tied.items()}
    preferred = np.mean([gap(*tied[name]) > within[name] for name in tied])
    least = {name: min(gap(*tied[name]), gap(*ref[name])) for name in tied}
    hard = np.mean([least[name] > within[name] for name in tied])
    margin = np.mean([math.tanh(least[name] / within[name] - 1) for name in tied])
    return float(0.3 * sum(accuracy) + 0.2 * preferred + 0.2 * hard + 0.01 * margin)


def test_ties_are_scored_as_published() -> None:
    chance = np.random.default_rng(3)
    tied, ref = {}, {}
    for number in range(25):
        shift = chance.normal(1.0, 1.0)
        tied[str(number)] = ((chance.normal(size=4) * 0.4 + shift).tolist(), chance.normal(size=5).tolist())
        ref[str(number)] = ([chance.normal(1.5)], chance.normal(size=5).tolist())
    some = [item("Ties", tuple(r), tuple(w), id=f"tied:{name}") for name, (r, w) in tied.items()]
    some += [item("Ties", tuple(r), tuple(w), id=f"ref:{name}") for name, (r, w) in ref.items()]

    result = ties(some)

    assert result is not None
    assert 0.1 < result.tied < 0.9
    assert result.score.value == pytest.approx(published_score(tied, ref))
    assert result.score.low < result.score.value < result.score.high
    assert (result.n, result.alone) == (25, 0)


def test_right_answers_that_score_alike_break_no_tie_by_a_division() -> None:
    some = [item("Ties", (1.0, 1.0), (0.0,), id="tied:1"), item("Ties", (1.0,), (0.0,), id="ref:1")]
    result = ties(some)
    assert result is not None
    assert result.score.value == pytest.approx(0.3 + 0.3 + 0.2 + 0.2 + 0.01)
    assert ties([item("Ties", (1.0, 1.0), (1.0,), id="tied:1"), some[1]]).score.value == pytest.approx(0.3)  # type: ignore[union-attr]


def test_the_published_score_of_ties_stands_for_them_in_the_mean() -> None:
    some = [item("Ties", (1.0, 3.0), (0.0,), id="tied:1"), item("Ties", (1.0,), (0.0,), id="ref:1")]
    result = found(some + [item("Math", (1.0,), (0.0,), number=at) for at in range(4)])
    assert result.ties is not None
    # Both accurate, and right answers further apart than from the wrong one.
    assert result.ties.score.value == pytest.approx(0.6 + 0.01 * math.tanh(1 / 2 - 1))
    assert result.overall.value == pytest.approx((result.ties.score.value + 1) / 2)


def test_ties_without_their_other_half_are_counted_and_left_out() -> None:
    some = [item("Ties", (1.0, 3.0), (0.0,), id="tied:1"), item("Ties", (1.0,), (0.0,), id="ref:1")]
    result = ties([*some, item("Ties", (1.0,), (0.0,), id="ref:2")])
    assert result is not None
    assert (result.n, result.alone) == (1, 1)
    assert ties(some[:1]) is None


def test_rows_become_items_by_what_their_records_say() -> None:
    asked, a, b, c = (user("q"),), (assistant("a"),), (assistant("b"),), (assistant("c"),)
    about = {"subset": "hep-go", "section": "Reasoning"}
    records = [
        Preference(asked, a, b, metadata=about, id="plain"),
        Preference(asked, a, b, probability=0.2, metadata=about, id="turned"),
        Preference(asked, a, b, probability=0.5, metadata=about, id="tie"),
        Ranking(asked, (a, b, c), (1, 2, 2), metadata={"subset": "Math"}, id="four"),
        Preference(asked, a, b, id="nameless"),
        Demonstration(asked, a, metadata=about, id="other"),
    ]
    rows = [
        Row(one.id, [1], tuple([2] * (at + 1) for at in range(3 if one.id == "four" else 2)), record=one)
        for one in records
    ]

    some = items(rows, [[1.0, 0.0]] * 3 + [[3.0, 2.0, 1.0]] + [[1.0, 0.0]] * 2)

    assert [one.id for one in some] == ["plain", "turned", "four"]
    assert [one.correct for one in some] == [True, False, True]
    assert [one.section for one in some] == ["Reasoning", "Reasoning", "Math"]
    assert (some[2].right_lengths, some[2].wrong_lengths) == ((1,), (2, 3))
    assert reward_set([]) is None
