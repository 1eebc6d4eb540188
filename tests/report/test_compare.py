"""What is said of a comparison: sentences that the intervals allow, ranks, points, and one page of it all."""

from __future__ import annotations

import re

import numpy as np
import pytest

from heedful.evaluation.bradley_terry import Result, rank
from heedful.evaluation.duels import Duel
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.frontier import Point, frontier
from heedful.evaluation.over_optimisation import Point as Optimum
from heedful.evaluation.over_optimisation import over_optimisation
from heedful.evaluation.win_rate import win_rate
from heedful.records import user
from heedful.report.compare_data import Awaited, ComparisonData, Optimised, Ranked, Reached, RewardFrontier
from heedful.report.compare_html import render
from heedful.report.compare_words import point_rows, ranked_view, turn_text, verdicts


def ranked(wins: dict[tuple[str, str], int], n: int = 60) -> Ranked:
    """So many of `n` prompts that the first of each pair wins; the other wins the rest."""
    duels = {
        pair: [
            Duel(
                (user(str(at)),),
                "a" * (at + 2),
                "b",
                *(("first", "second") if at < won else ("second", "first")),
            )
            for at in range(n)
        ]
        for pair, won in wins.items()
    }
    results = [Result(*pair, one.outcome, one.prompt) for pair, own in duels.items() for one in own]
    return Ranked(
        "judge",
        both_orders=True,
        standings=rank(results),
        at_equal_length=None,
        duels=duels,
        wins={pair: win_rate(own) for pair, own in duels.items()},
    )


def point(name: str, kl: float, reward: float, *, step: int | None = None, half: float = 0.05) -> Point:
    return Point(
        name, step, 0.1, Estimate(kl, kl - half, kl + half), Estimate(reward, reward - half, reward + half)
    )


def reward_frontier(*points: Point) -> RewardFrontier:
    names = [one.name if one.step is None else f"{one.name}, step {one.step}" for one in points]
    return RewardFrontier(
        "proxy",
        "base",
        Estimate(0.0, -0.05, 0.05),
        frontier(points),
        {name: Reached(0.9, 100, 50) for name in names},
    )


def way(golds: np.ndarray, *, error: float = 0.01) -> Optimised:
    points = [Optimum(float(kl), float(kl), float(own), error) for kl, own in enumerate(golds)]
    found = over_optimisation(points, form="rl")
    return Optimised("run", "proxy", "gold", "rl", found, tuple(f"step {at}" for at in range(len(golds))))


def data(**parts: object) -> ComparisonData:
    return ComparisonData("title", ["a", "b", "c"], "base", **parts)  # type: ignore[arg-type]


def test_who_answers_best_is_said_only_of_a_model_that_is_clearly_first() -> None:
    clear = ranked({("a", "b"): 50, ("a", "c"): 52, ("b", "c"): 30})
    (spoken,) = verdicts(data(ranked=[clear]))
    assert (spoken.head, spoken.tone) == ("a answers best:", "good")
    assert "it beats b in 83% of comparisons (95% 72\u201391%)" in spoken.rest
    assert "180 comparisons on 60 prompts, judged by judge, in both orders." in spoken.rest

    even = ranked({("a", "b"): 31, ("a", "c"): 55, ("b", "c"): 56})
    (spoken,) = verdicts(data(ranked=[even]))
    assert spoken.head == "Which of a and b answers best is not established:"
    assert spoken.tone == "unclear"
    assert spoken.rest.endswith("Clearly below the best of them: c.")


def test_a_matrix_says_who_beats_whom_from_both_sides() -> None:
    view = ranked_view(ranked({("a", "b"): 50, ("a", "c"): 52, ("b", "c"): 30}))
    assert next(row.model for row in view.rows) == "a"
    assert view.rows[0].rank == "1"
    at = {row.model: number for number, row in enumerate(view.rows)}
    cell, other = view.matrix[at["a"]][at["b"]], view.matrix[at["b"]][at["a"]]
    assert cell is not None
    assert other is not None
    assert (cell.text, cell.tone) == ("83%", "good")
    assert (other.text, other.interval, other.tone) == ("17%", "9\u201328%", "bad")
    assert view.matrix[0][0] is None


def test_a_model_that_earns_clearly_less_for_more_kl_is_named() -> None:
    one = reward_frontier(point("a", 2, 1.0), point("b", 5, 0.5), point("b", 1, 0.3, step=3))
    (spoken,) = verdicts(data(frontiers=[one]))
    assert spoken.head == "b is clearly below the frontier of reward and KL:"
    assert "a earns 1 at a KL of 2 nats, b 0.5 at 5, by proxy\u2019s scores." in spoken.rest
    assert [row.place.headline for row in point_rows(one)] == [
        "on the frontier",
        "clearly below",
        "on the frontier",
    ]
    assert point_rows(one)[0].about == "\u03b2 0.1, 90% of answers end"

    (spoken,) = verdicts(data(frontiers=[reward_frontier(point("a", 1, 1), point("b", 2, 2))]))
    assert spoken.head == "No model is clearly below the frontier of proxy\u2019s reward and KL."


def test_a_turn_is_said_only_where_it_is_established() -> None:
    (spoken,) = verdicts(data(optimised=[way(np.array([0, 0.5, 0.8, 0.7, 0.4, 0.1]))]))
    assert (spoken.head, spoken.tone) == ("run: the gold reward turns.", "bad")
    assert "highest about step 2 (KL 2 nats)" in spoken.rest
    assert "proxy\u2019s score goes from 2 to 5" in spoken.rest
    assert re.search(r"turns at a KL of [\d.]+ nats \(95% [\d.]+ to [\d.]+ nats\)", spoken.rest)

    (spoken,) = verdicts(data(optimised=[way(np.array([0, 0.5, 0.8, 0.7, 0.4, 0.1]), error=1.0)]))
    assert (spoken.head, spoken.tone) == ("run: no turn of the gold reward is established.", "unclear")
    assert "which chance can do" in spoken.rest

    (spoken,) = verdicts(data(optimised=[way(np.sqrt(np.arange(6.0)))]))
    assert spoken.head == "run: no turn of the gold reward is established."
    assert "which is the last point" in spoken.rest


def test_a_curve_that_never_turns_says_so() -> None:
    assert "does not turn" in turn_text(way(np.arange(6.0) ** 2).found.gold)
    assert turn_text(None) == ""


def test_the_page_shows_its_parts_and_nothing_of_a_model_as_markup() -> None:
    names = {"<b>a</b>": "a", "b": "b", "c": "c"}
    one = ranked({("<b>a</b>", "b"): 50, ("<b>a</b>", "c"): 52, ("b", "c"): 30})
    page = render(
        ComparisonData(
            "t",
            list(names),
            "base",
            ranked=[one],
            waiting=[Awaited("people", "they sleep")],
            frontiers=[reward_frontier(point("<b>a</b>", 2, 1.0), point("<b>a</b>", 1, 0.3, step=3))],
            optimised=[way(np.array([0, 0.5, 0.8, 0.7, 0.4, 0.1]))],
            notes=["a note"],
        )
    )
    assert "<b>a</b>" not in page
    for section in ("standings", "frontier", "over-optimisation", "notes", "method"):
        assert f'<section id="{section}">' in page
    assert page.count("<svg") == 2
    assert "they sleep" in page
    assert "<script" not in page


@pytest.mark.parametrize("parts", [{}, {"waiting": [Awaited("people", "they sleep")]}])
def test_a_page_of_little_is_a_page(parts: dict[str, object]) -> None:
    page = render(data(**parts))
    assert '<section id="standings">' not in page
    assert '<section id="frontier">' not in page
    assert "No row of the data was left out." in page


def test_where_all_is_tied_the_strengths_stand_in_the_middle() -> None:
    duels = {("a", "b"): [Duel((user("q"),), "x", "x", "tie", "tie")] * 3}
    standings = rank([Result("a", "b", 0.5, at) for at in range(3)])
    one = Ranked("judge", True, standings, None, duels, {pair: win_rate(own) for pair, own in duels.items()})
    assert ranked_view(one).axis[1] > 0
    assert "left:50.00%" in render(ComparisonData("t", ["a", "b"], ranked=[one]))
