"""Low agreement: planted and absent, with figures checked by hand, whatever the sides are called."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.checks.agreement import LowAgreement
from heedful.checks.finding import Outcome
from heedful.records import Judgement, Preference, Record
from tests.checks.planted import codes, only, outcome, pair


def votes(word: str, number: int = 0, turned: bool = False) -> list[Preference]:
    """`aab=`: annotators 0 to 3 vote for the first twice, for the second, and for neither."""
    made = []
    for annotator, letter in enumerate(word):
        first = (letter == "b") == turned
        sides = (f"x{number}", f"y{number}") if first else (f"y{number}", f"x{number}")
        likely = 0.5 if letter == "=" else None
        made.append(
            pair(
                *sides,
                id=f"{number}.{annotator}",
                probability=likely,
                metadata={"annotator": f"p{annotator}"},
            )
        )
    return made


def checked(*words: str) -> Outcome:
    return outcome(LowAgreement(), [one for n, word in enumerate(words) for one in votes(word, n)])


def crowd(right: float, items: int = 200, annotators: int = 3) -> list[Record]:
    rng = np.random.default_rng(0)
    truth = rng.random(items) < 0.5
    said = [np.where(rng.random(items) < right, truth, ~truth) for _ in range(annotators)]
    return [
        Judgement(f"i{item}", f"p{who}", "a" if said[who][item] else "b")
        for item in range(items)
        for who in range(annotators)
    ]


def test_votes_that_are_a_coins_are_found_with_the_most_divided_items() -> None:
    found = only(outcome(LowAgreement(), crowd(0.5)))

    assert (found.code, found.severity) == ("low_agreement", "warning")
    assert found.figure is not None
    assert found.figure.high < 0.2
    assert found.title == "two annotators of a pair agree in 49% (α = -0.03)"
    assert found.of == 600
    assert {example.text for example in found.examples} <= {
        "2 votes for one, 1 for the other",
        "1 votes for one, 2 for the other",
    }
    assert found.removes is None


def test_people_who_mostly_agree_are_clean() -> None:
    clean = outcome(LowAgreement(), crowd(0.85))

    assert codes(clean) == []
    truth = 2 * (0.85**2 + 0.15**2) - 1
    assert clean.figures["alpha_nominal_low"] < truth < clean.figures["alpha_nominal_high"]
    assert clean.figures["percent"] == pytest.approx(0.745, abs=0.05)


def test_the_threshold_is_an_argument() -> None:
    assert codes(outcome(LowAgreement(alpha=0.9), crowd(0.85))) == ["low_agreement"]


def test_the_figures_are_those_by_hand() -> None:
    # Of three votes each: two items of one mind, two of 2 to 1.
    figures = checked("aaa", "bbb", "aab", "abb").figures

    assert (figures["votes"], figures["items"], figures["shared_items"], figures["annotators"]) == (
        12,
        4,
        4,
        3,
    )
    assert figures["percent"] == pytest.approx((1 + 1 + 1 / 3 + 1 / 3) / 4)
    # Both ways round half of all votes are for either side.
    assert figures["fleiss"] == pytest.approx((2 / 3 - 1 / 2) / (1 / 2))
    # 1 - Do / De: of 24 values 12 each, 8 disagreeing ordered pairs over 2 in the 4 divided items.
    assert figures["alpha_nominal"] == pytest.approx(1 - (4 * 4 / 2 / 24) / (2 * 12 * 12 / (24 * 23)))
    # The two of a divided item who agree are split by the third; the third faces two who agree.
    assert figures["leave_one_out"] == pytest.approx(6 / 8)
    assert "cohen" not in figures


def test_two_annotators_have_cohens_kappa() -> None:
    clean = checked("aa", "bb", "aa", "bb", "ab", "aa", "bb", "aa")

    assert clean.figures["cohen"] == pytest.approx(0.75)
    assert clean.figures["cohen_low"] < 0.75 <= clean.figures["cohen_high"]


def test_no_figure_hangs_on_which_side_is_called_the_first() -> None:
    words = ["aab", "abb", "a=b", "bbb", "aaa", "=aa"]
    straight = [one for n, word in enumerate(words) for one in votes(word, n)]
    turned = [one for n, word in enumerate(words) for one in votes(word, n, turned=n % 2 == 0)]

    here, there = outcome(LowAgreement(), straight).figures, outcome(LowAgreement(), turned).figures
    for name in ("percent", "fleiss", "alpha_nominal", "alpha_ordinal", "leave_one_out"):
        assert here[name] == pytest.approx(there[name], abs=1e-12)


def test_one_side_chosen_by_all_is_perfect_agreement() -> None:
    figures = checked("aaa", "aaa", "aaa").figures

    assert (figures["percent"], figures["alpha_nominal"], figures["alpha_ordinal"]) == (1, 1, 1)


def test_strength_brings_neighbours_closer_than_opposites() -> None:
    def with_strength(second: int) -> float:
        records: list[Record] = []
        for n in range(30):
            records += [Judgement(f"i{n}", "p", "ab"[n % 2], strength=3)]
            records += [Judgement(f"i{n}", "q", "ab"[n % 2], strength=3 if n % 3 else second)]
            records += [Judgement(f"i{n}", "r", "ab"[(n // 2) % 2], strength=1)]
        return float(outcome(LowAgreement(), records).figures["alpha_ordinal"])

    assert with_strength(3) > with_strength(1)


def test_each_annotator_is_shown_against_the_others() -> None:
    clean = checked(*["aab", "bba"] * 10, *["aaa", "bbb"] * 10)
    rows = clean.tables[1].rows

    assert [row[0] for row in rows] == ["p2", "p0", "p1"]
    assert rows[0][:3] == ("p2", 40, 0.5)
    assert rows[1][:3] == ("p0", 20, 1.0)
    assert clean.plots[0].labels == ("p2", "p0", "p1")
    assert clean.plots[0].reference == 0.5


def test_without_votes_or_without_a_shared_pair_nothing_is_measured() -> None:
    assert outcome(LowAgreement(), [pair("x", "y")]).skipped == "no record names an annotator"
    assert checked("a", "b").skipped == "no pair was judged by two annotators"
