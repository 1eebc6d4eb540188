"""Both orders: who is asked what, and what two verdicts come to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heedful.evaluation.duels import Choice
from heedful.judges import OnDone, Question, Verdict, ask_both_orders, both_orders, duel
from heedful.records import Messages, user

PROMPTS: list[Messages] = [(user("one"),), (user("two"),), (user("three"),)]


class Scripted:
    """Says what it is told to, in order, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, *verdicts: Verdict, symmetric: bool = False) -> None:
        self.verdicts, self.symmetric = list(verdicts), symmetric
        self.asked: list[Question] = []

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        self.asked += questions
        if on_done is not None:
            on_done(len(questions))
        return [self.verdicts.pop(0) for _ in questions]


def says(*choices: Choice | None) -> list[Verdict]:
    return [Verdict(choice) for choice in choices]


def test_each_pair_is_asked_in_both_orders_one_after_the_other() -> None:
    judge = Scripted(*says("first", "second", "tie", "tie"))
    told: list[int] = []
    duels = both_orders(judge, PROMPTS[:2], ["a", "b"], ["c", "d"], told.append)
    assert [(q.prompt, q.first, q.second) for q in judge.asked] == [
        (PROMPTS[0], "a", "c"),
        (PROMPTS[0], "c", "a"),
        (PROMPTS[1], "b", "d"),
        (PROMPTS[1], "d", "b"),
    ]
    assert [(d.answer, d.baseline, d.forward, d.backward, d.outcome) for d in duels] == [
        ("a", "c", "first", "second", 1.0),
        ("b", "d", "tie", "tie", 0.5),
    ]
    assert told == [4]


def test_a_symmetric_judge_is_asked_once_and_its_verdict_holds_both_ways() -> None:
    judge = Scripted(*says("second", None), symmetric=True)
    duels = both_orders(judge, PROMPTS[:2], ["a", "b"], ["c", "d"])
    assert len(judge.asked) == 2
    assert (duels[0].forward, duels[0].backward, duels[0].consistent, duels[0].outcome) == (
        "second",
        "first",
        True,
        0.0,
    )
    assert not duels[1].decided


def test_equal_answers_are_a_tie_that_nobody_is_asked_about() -> None:
    judge = Scripted(*says("first", "second"))
    duels = both_orders(judge, PROMPTS, ["same", "a", "same"], ["same", "b", "same"])
    assert [duel.outcome for duel in duels] == [0.5, 1.0, 0.5]
    assert len(judge.asked) == 2
    assert both_orders(Scripted(), PROMPTS[:1], ["same"], ["same"])[0].consistent


def test_margins_are_of_the_candidate_and_the_mean_of_both_orders() -> None:
    question = Question(PROMPTS[0], "a", "b")
    assert duel(question, Verdict("first", 3.0), Verdict("second", -1.0)).margin == 2.0
    assert duel(question, Verdict("second", -3.0), Verdict("first")).margin == -3.0
    assert duel(question, Verdict("tie"), Verdict("tie")).margin is None
    assert (
        both_orders(Scripted(Verdict("first", 1.5), symmetric=True), PROMPTS[:1], ["a"], ["b"])[0].margin
        == 1.5
    )


def test_the_reason_is_that_of_the_verdict_that_is_missing() -> None:
    question = Question(PROMPTS[0], "a", "b")
    lost = Verdict(None, why="no answer", undecided="unreachable")
    assert duel(question, Verdict("first", why="better"), Verdict("second", why="also")).why == "better"
    assert duel(question, Verdict("first", why="better"), lost).why == "no answer"
    assert duel(question, lost, Verdict("second", why="better")).why == "no answer"


def test_as_many_prompts_as_answers_are_wanted() -> None:
    with pytest.raises(ValueError, match="shorter"):
        both_orders(Scripted(), PROMPTS, ["a"], ["b"])


def test_verdicts_keep_the_terms_in_which_they_were_asked_for() -> None:
    ((forward, backward),) = ask_both_orders(
        Scripted(Verdict("first", 2.0, "x"), symmetric=True), [Question(PROMPTS[0], "a", "b")]
    )
    assert forward == Verdict("first", 2.0, "x")
    assert backward == Verdict("second", -2.0, "x")
