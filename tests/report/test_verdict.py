"""The verdict's sentences: what the intervals allow to say, and nothing beyond."""

from __future__ import annotations

import pytest

from heedful.evaluation.duels import Choice, Duel
from heedful.evaluation.length_control import length_controlled
from heedful.evaluation.win_rate import win_rate
from heedful.records import user
from heedful.report.data import Comparison, ReportData, Waiting
from heedful.report.verdict import NOBODY_ASKED, verdicts


def compared(
    wins: int, ties: int, losses: int, *, unread: int = 0, orders: bool = True, samples: int = 1
) -> Comparison:
    """Answers all as long as their baseline's."""
    told: list[Choice | None] = ["first"] * wins + ["tie"] * ties + ["second"] * losses + [None] * unread
    turned: dict[Choice | None, Choice | None] = {"first": "second", "second": "first"}
    duels = [
        Duel((user(str(at // samples)),), "same", "size", forward=one, backward=turned.get(one, one))
        for at, one in enumerate(told)
    ]
    decided = [duel for duel in duels if duel.decided]
    return Comparison("Judy", "new", "old", orders, duels, win_rate(duels) if decided else None, None)


def sentence(comparison: Comparison) -> str:
    (found,) = verdicts(ReportData("t", comparisons=[comparison]))
    return found


def test_a_clear_win_rate_is_better_or_worse() -> None:
    assert sentence(compared(120, 4, 76)) == (
        "new answers better than old: it wins 61% of 200 prompts (95% 54\u201367%), judged by Judy, in both "
        "orders."
    )
    assert sentence(compared(76, 4, 120, orders=False)) == (
        "new answers worse than old: it wins 39% of 200 prompts (95% 33\u201346%), judged by Judy."
    )


@pytest.mark.parametrize("counts", [(105, 0, 95), (95, 0, 105), (0, 200, 0), (3, 0, 0), (0, 1, 0)])
def test_an_interval_around_one_half_establishes_nothing(counts: tuple[int, int, int]) -> None:
    comparison = compared(*counts)
    assert comparison.wins is not None
    assert comparison.wins.low <= 0.5 <= comparison.wins.high
    said = sentence(comparison)
    assert said.startswith("No difference between new and old is established: new wins ")
    assert "better" not in said
    assert "worse" not in said


def test_several_answers_to_a_prompt_are_told_from_prompts() -> None:
    assert "of 40 comparisons on 20 prompts (95% " in sentence(compared(20, 0, 20, samples=2))
    assert "of 1 prompt (95% " in sentence(compared(1, 0, 0))


def test_verdicts_that_cannot_be_read_are_told() -> None:
    assert sentence(compared(5, 0, 5, unread=1)).endswith(" One comparison has no verdict that can be read.")
    assert sentence(compared(5, 0, 5, unread=2)).endswith(" 2 comparisons have no verdict that can be read.")
    assert sentence(compared(0, 0, 0, unread=3)) == (
        "Nothing is known of new against old: of 3 verdicts none can be read, judged by Judy, in both orders."
    )


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        # Whoever is longer wins, and the candidate is longer nine times in ten.
        ([1.0] * 90 + [0.0] * 10, " At equal length no difference is left: "),
        # The candidate wins whether it is longer or not.
        ([1.0] * 80 + [0.0] * 10 + [1.0] * 10, None),
    ],
)
def test_a_win_rate_that_goes_with_length_is_told(outcomes: list[float], said: str | None) -> None:
    lengths = [300.0 + at % 7 for at in range(90)] + [100.0 + at % 7 for at in range(10)]
    wins = int(sum(outcomes))
    found = compared(wins, 0, 100 - wins)
    controlled = length_controlled(outcomes, lengths, [200.0] * 100)
    found = Comparison(
        **{name: getattr(found, name) for name in found.__slots__} | {"controlled": controlled}
    )
    text = sentence(found)
    assert text.startswith("new answers better than old: ")
    assert (said in text) if said else ("At equal length" not in text)


def test_what_is_waited_for_stands_behind_what_is_known() -> None:
    waiting = Waiting("people votes", "old", "3 of 4 votes are missing.")
    made = compared(1, 0, 1)
    found = verdicts(ReportData("t", comparisons=[made], waiting=[waiting]))
    assert found == [
        sentence(made),
        "No verdict yet by people votes, against old: 3 of 4 votes are missing.",
    ]
    assert verdicts(ReportData("t")) == [NOBODY_ASKED]
