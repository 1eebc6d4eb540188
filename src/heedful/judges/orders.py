"""Asking a judge in both orders, since many prefer whichever answer comes first."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.evaluation.duels import Choice, Duel
from heedful.judges.judge import Judge, OnDone, Question, Verdict
from heedful.records import Messages

_SAME = Verdict("tie")
_TURNED: dict[Choice | None, Choice | None] = {"first": "second", "second": "first"}


def both_orders(
    judge: Judge,
    prompts: Sequence[Messages],
    answers: Sequence[str],
    baselines: Sequence[str],
    on_done: OnDone | None = None,
) -> list[Duel]:
    """Compare a candidate's answers with a baseline's, prompt by prompt.

    Equal answers are a tie that nobody is asked about. A symmetric judge is asked once.

    Args:
        on_done: told how many questions are behind us; there are up to two to a prompt.

    Raises:
        JudgeError: the judge cannot be asked.
        ValueError: there are not as many prompts as answers on either side.
    """
    questions = [Question(*row) for row in zip(prompts, answers, baselines, strict=True)]
    verdicts = ask_both_orders(judge, questions, on_done)
    return [duel(question, *pair) for question, pair in zip(questions, verdicts, strict=True)]


def ask_both_orders(
    judge: Judge, questions: Sequence[Question], on_done: OnDone | None = None
) -> list[tuple[Verdict, Verdict]]:
    """A judge's verdict on each question as it is and with its answers changed round, each in the terms of
    the order in which it was asked.

    The two are asked one after the other, so that a budget that ends leaves whole pairs. Otherwise as
    `both_orders`.

    Raises:
        JudgeError: the judge cannot be asked.
    """
    asked: list[Question] = []
    for question in questions:
        if question.first != question.second:
            asked.append(question)
            if not judge.symmetric:
                asked.append(Question(question.prompt, question.second, question.first))
    verdicts = iter(judge(asked, on_done) if asked else [])
    found: list[tuple[Verdict, Verdict]] = []
    for question in questions:
        if question.first == question.second:
            found.append((_SAME, _SAME))
            continue
        forward = next(verdicts)
        found.append((forward, turned(forward) if judge.symmetric else next(verdicts)))
    return found


def duel(question: Question, forward: Verdict, backward: Verdict) -> Duel:
    """A question with its verdicts in both orders; its first answer is the candidate's."""
    signed = (forward.margin, None if backward.margin is None else -backward.margin)
    margins = [margin for margin in signed if margin is not None]
    missing = next((verdict for verdict in (forward, backward) if verdict.choice is None), forward)
    return Duel(
        question.prompt,
        question.first,
        question.second,
        forward=forward.choice,
        backward=backward.choice,
        margin=sum(margins) / len(margins) if margins else None,
        why=missing.why,
    )


def turned(verdict: Verdict) -> Verdict:
    """The verdict as one on the same answers in the other order."""
    return Verdict(
        _TURNED.get(verdict.choice, verdict.choice),
        None if verdict.margin is None else -verdict.margin,
        verdict.why,
        verdict.undecided,
    )
