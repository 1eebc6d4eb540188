"""Position bias: the binomial test against known values, models told from places, verdicts that flip."""

from __future__ import annotations

import random

import pytest

from heedful.checks.position_bias import PositionBias, binomial_test
from heedful.intervals import wilson
from heedful.records import Preference
from tests.checks.planted import CLEAN, codes, only, outcome, pair


def vote(number: int, first_wins: bool, **metadata: str) -> Preference:
    """One side of a pair wins; which, is as the place says."""
    shown = {"shown_first": "chosen" if first_wins else "rejected"}
    return pair(f"one {number}", f"other {number}", id=f"v{number}", metadata=shown | metadata)


@pytest.mark.parametrize(
    ("successes", "n", "p"),
    [
        (5, 10, 1.0),
        (8, 10, 0.109375),
        (10, 10, 2 / 1024),
        (0, 10, 2 / 1024),
        (60, 100, 0.0568879),
        (0, 1, 1.0),
    ],
)
def test_the_binomial_test_is_exact(successes: int, n: int, p: float) -> None:
    assert binomial_test(successes, n) == pytest.approx(p, rel=1e-5)


def test_beyond_many_votes_the_normal_takes_over_without_a_jump() -> None:
    assert binomial_test(5100, 10_001) == pytest.approx(binomial_test(5099, 10_000), rel=0.1)


def test_the_first_place_that_wins_is_found_with_its_share() -> None:
    finding = only(outcome(PositionBias(), [vote(n, n % 10 < 6) for n in range(500)]))

    assert (finding.code, finding.count, finding.of) == ("first_place_wins", 300, 500)
    assert finding.figure is not None
    assert (finding.figure.value, finding.figure.low, finding.figure.high) == (0.6, *wilson(300, 500))


def test_the_second_place_that_wins_is_found_too() -> None:
    assert codes(outcome(PositionBias(), [vote(n, n % 10 < 4) for n in range(500)])) == ["second_place_wins"]


def test_places_by_lot_are_no_finding() -> None:
    draw = random.Random(0)
    for _ in range(20):
        found = outcome(PositionBias(), [vote(n, draw.random() < 0.5) for n in range(300)])
        assert found.findings == []
        assert found.figures["votes"] == 300


def test_a_better_model_that_is_always_shown_first_has_no_place_of_its_own() -> None:
    def battle(n: int, a_first: bool, a_wins: bool) -> Preference:
        winner, loser = ("a", "b") if a_wins else ("b", "a")
        return vote(n, a_first == a_wins, generator_chosen=winner, generator_rejected=loser)

    always = outcome(PositionBias(), [battle(n, True, n % 10 < 9) for n in range(500)])
    assert always.skipped == "one model was always shown first: its place cannot be told apart"
    # Shown in both orders, one of them rare: a wins 90% from either place.
    both = outcome(PositionBias(), [battle(n, n % 5 > 0, n // 5 % 10 < 9) for n in range(500)])
    assert both.findings == []
    assert (both.figures["first_chosen"], both.figures["compared"]) == (pytest.approx(0.5), 200)


def test_each_annotator_has_a_row() -> None:
    votes = [vote(n, n % 4 > 0, annotator="ann") for n in range(40)] + [vote(50, False, annotator="bob")]
    found = outcome(PositionBias(), votes)

    assert found.tables[0].rows == (
        ("ann", 40, 0.75, *wilson(30, 40)),
        ("bob", 1, 0.0, *wilson(0, 1)),
    )


def judged(number: int, first: str, second: str, winner: str, annotator: str = "judge") -> Preference:
    loser = second if winner == first else first
    shown = "chosen" if winner == first else "rejected"
    return pair(winner, loser, prompt=f"q{number}", metadata={"shown_first": shown, "annotator": annotator})


def test_verdicts_that_turn_with_the_order_are_counted() -> None:
    votes = []
    for n in range(100):
        a, b = f"a{n}", f"b{n}"
        votes.append(judged(n, a, b, a))
        # 40 of 100: the first place again, so the other side.
        votes.append(judged(n, b, a, b if n < 40 else a))
    found = outcome(PositionBias(share=0.9), votes)

    finding = only(found)
    assert (finding.code, finding.count, finding.of) == ("verdict_flips", 40, 100)
    assert (found.figures["swapped"], found.figures["flipped"]) == (100, 40)


def test_two_judges_or_two_prompts_are_no_swap() -> None:
    votes = []
    for n in range(100):
        votes.append(judged(n, "a", "b", "a", "one"))
        votes.append(judged(n, "b", "a", "b", "two"))
        votes.append(judged(n + 1000, "b", "a", "b", "one"))
    found = outcome(PositionBias(share=1.0), votes)

    assert (found.figures["swapped"], found.findings) == (0, [])


def test_a_tie_in_one_order_is_no_flip_and_counts_for_no_place() -> None:
    shown = {"shown_first": "chosen"}
    tie = pair("b", "a", prompt="q0", probability=0.5, metadata=shown | {"annotator": "judge"})
    found = outcome(PositionBias(), [judged(0, "a", "b", "a"), tie])

    assert (found.figures["tied_in_one_order"], found.figures["flipped"], found.figures["votes"]) == (1, 0, 1)
    assert found.figures["ties"] == 1


def test_records_without_a_place_are_nothing_to_look_at() -> None:
    assert "shown_first" in outcome(PositionBias(), CLEAN).skipped
