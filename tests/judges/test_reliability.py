"""How far a judge can be believed, on verdicts counted by hand and on judges whose faults are known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from heedful.agreement import cohen
from heedful.evaluation.duels import Choice, Duel
from heedful.intervals import wilson
from heedful.judges import OnDone, Question, Verdict, both_orders
from heedful.judges.function import FunctionJudge
from heedful.judges.reliability import Share, ask_again, outcome_of, reliability
from heedful.judges.scores import ScoreJudge
from heedful.models.rewards import LengthTerm
from heedful.records import Messages, user

PAIRS: dict[str, tuple[Choice | None, Choice | None]] = {
    "win": ("first", "second"),
    "loss": ("second", "first"),
    "tie": ("tie", "tie"),
    "firsts": ("first", "first"),
    "seconds": ("second", "second"),
    "half": ("first", "tie"),
    "lost": (None, "first"),
    "none": (None, None),
}


def prompt(number: int) -> Messages:
    return (user(f"q{number}"),)


def duels(*kinds: str) -> list[Duel]:
    return [Duel(prompt(at), "a", "b", *PAIRS[kind]) for at, kind in enumerate(kinds)]


def test_what_changes_with_the_order_is_counted_among_what_is_decided() -> None:
    given = duels(
        *["win", "loss", "tie", "tie", "firsts", "firsts", "seconds", "half", "lost", "none", "win"]
    )
    found = reliability(given, symmetric=False)
    assert (found.undecided.count, found.undecided.of) == (2, 11)
    assert found.flips is not None
    assert (found.flips.count, found.flips.of) == (4, 9)
    assert (found.flips.low, found.flips.high) == pytest.approx(wilson(4, 9))
    assert found.first_share is not None
    # Of 13 verdicts for one of the two: one each of win, loss and win, firsts 4, seconds none, half one.
    assert found.first_share.value == pytest.approx((1 + 1 + 1 + 4 + 0 + 1) / 13)
    assert (found.again, found.labels) == (None, None)


def test_of_a_judge_that_was_asked_in_one_order_the_order_says_nothing() -> None:
    found = reliability(duels("win", "loss"), symmetric=True)
    assert (found.flips, found.first_share) == (None, None)
    nothing = reliability(duels("none"), symmetric=False)
    assert (nothing.flips, nothing.first_share, nothing.undecided.value) == (None, None, 1.0)


def test_beside_labels_it_is_counted_what_is_the_same() -> None:
    given = duels("win", "win", "loss", "tie", "firsts", "none", "win")
    labels: list[Choice | None] = ["first", "second", "second", "tie", "first", "first", None]
    found = reliability(given, symmetric=False, labels=labels).labels
    assert found is not None
    assert (found.same.count, found.same.of) == (3, 5)
    assert found.sided is not None
    assert (found.sided.count, found.sided.of) == (2, 3)
    # first, second, tie of the judge (rows) by those of the labels
    table = [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert found.kappa.value == pytest.approx(cohen(table))
    assert found.kappa.low <= found.kappa.value <= found.kappa.high
    with pytest.raises(ValueError, match="shorter"):
        reliability(given, symmetric=False, labels=["first"])


def test_where_nobody_takes_a_side_there_is_no_share_of_sides() -> None:
    found = reliability(duels("tie", "tie"), symmetric=False, labels=["tie", "first"]).labels
    assert found is not None
    assert found.sided is None
    assert "Cohen" in str(found)


def test_duels_on_one_prompt_tell_less_than_as_many_on_several() -> None:
    several = duels(*["win", "firsts"] * 20)
    one = [Duel(prompt(at // 8), "a", "b", duel.forward, duel.backward) for at, duel in enumerate(several)]
    apart, together = (reliability(given, symmetric=False).flips for given in (several, one))
    assert apart is not None
    assert together is not None
    assert apart.value == together.value == 0.5
    assert (apart.low, apart.high) == pytest.approx(wilson(20, 40))


def test_a_judge_that_prefers_the_first_place_is_found_out() -> None:
    """It picks the first answer in a known share of cases, and the longer one in all others."""
    rng = random.Random(5)

    def biased(prompt: str, first: str, second: str) -> str:
        return "first" if rng.random() < 0.4 or len(first) > len(second) else "second"

    prompts = [prompt(number) for number in range(1500)]
    found = both_orders(FunctionJudge(biased), prompts, ["aa"] * 1500, ["b"] * 1500)
    told = reliability(found, symmetric=False)
    assert told.flips is not None
    assert told.flips.low < 0.4 < told.flips.high
    assert told.first_share is not None
    assert told.first_share.low < 0.7 < told.first_share.high  # 0.4 on top of a fair half of the rest


class Fickle:
    """Says the other thing when it is asked again about the first few."""

    name, symmetric = "fickle", False

    def __init__(self, changes: int, times: int = 0) -> None:
        self.changes, self.times = changes, times
        self.asked: list[Question] = []

    def again(self, number: int) -> Fickle:
        self.later = Fickle(self.changes, self.times + number)
        return self.later

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        self.asked += questions
        if on_done is not None:
            on_done(len(questions))
        return [
            Verdict("second" if self.times and at < self.changes else "first") for at in range(len(questions))
        ]


def test_a_part_of_the_questions_is_asked_again_as_the_seed_says() -> None:
    judge = Fickle(3)
    asked = [Question(prompt(number), "a", "b") for number in range(50)]
    told: list[int] = []
    said = judge(asked)
    repeated = ask_again(judge, asked, said, part=0.2, seed=1, on_done=told.append)
    assert [row[0] for row in repeated] == judge.later.asked
    assert told == [10]
    found = reliability(duels("win"), symmetric=False, repeated=repeated).again
    assert found is not None
    assert (found.count, found.of) == (7, 10)
    assert ask_again(judge, asked, said, part=0.2, seed=1)[0][0] == repeated[0][0]
    assert [row[0] for row in ask_again(judge, asked, said, part=0.2, seed=2)] != [row[0] for row in repeated]
    assert len(ask_again(judge, asked[:3], said[:3], part=0.01)) == 1
    assert ask_again(judge, asked, said, part=0.0) == []
    assert ask_again(judge, [], [], part=0.5) == []


def test_what_was_undecided_either_time_is_no_agreement_and_no_disagreement() -> None:
    question = Question(prompt(0), "a", "b")
    rows = [(question, Verdict("tie"), Verdict("tie")), (question, Verdict(None), Verdict("tie"))]
    found = reliability(duels("win"), symmetric=False, repeated=rows).again
    assert found is not None
    assert (found.count, found.of) == (1, 1)
    assert reliability(duels("win"), symmetric=False, repeated=rows[1:]).again is None


def test_who_scores_an_answer_for_good_is_not_asked_again() -> None:
    asked = [Question(prompt(0), "a", "b c")]
    judge = ScoreJudge(LengthTerm(1.0))
    assert ask_again(judge, asked, judge(asked), part=1.0) == []


def test_what_two_orders_come_to() -> None:
    kinds = ("win", "loss", "tie", "firsts", "half")
    assert [outcome_of(duel) for duel in duels(*kinds)] == ["first", "second", "tie", "tie", "tie"]


def test_a_share_says_all_of_itself() -> None:
    assert str(Share(1, 4, 0.1, 0.6)) == "25.0% (10.0% to 60.0%; 1 of 4)"
    assert math.isclose(Share(1, 4, 0.1, 0.6).value, 0.25)
