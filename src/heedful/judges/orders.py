"""Asking a judge in both orders, since many prefer whichever answer comes first."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.evaluation.duels import Choice, Duel
from heedful.judges.judge import Judge, OnDone, Question, Verdict
from heedful.records import Messages


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
    rows = list(zip(prompts, answers, baselines, strict=True))
    asked = [at for at, (_, answer, baseline) in enumerate(rows) if answer != baseline]
    questions = [Question(*rows[at]) for at in asked]
    if not judge.symmetric:
        questions += [
            Question(prompt, baseline, answer) for prompt, answer, baseline in map(rows.__getitem__, asked)
        ]
    verdicts = judge(questions, on_done) if questions else []
    forward = dict(zip(asked, verdicts, strict=False))
    backward = {at: _turned(found) for at, found in forward.items()}
    if not judge.symmetric:
        backward = dict(zip(asked, verdicts[len(asked) :], strict=True))
    same = Verdict("tie")
    return [_duel(row, forward.get(at, same), backward.get(at, same)) for at, row in enumerate(rows)]


def _duel(row: tuple[Messages, str, str], forward: Verdict, backward: Verdict) -> Duel:
    margins = [
        m for m in (forward.margin, None if backward.margin is None else -backward.margin) if m is not None
    ]
    return Duel(
        *row,
        forward=forward.choice,
        backward=backward.choice,
        margin=sum(margins) / len(margins) if margins else None,
        why=forward.why,
    )


def _turned(verdict: Verdict) -> Verdict:
    turned: dict[Choice | None, Choice | None] = {"first": "second", "second": "first"}
    margin = None if verdict.margin is None else -verdict.margin
    return Verdict(turned.get(verdict.choice, verdict.choice), margin, verdict.why)
