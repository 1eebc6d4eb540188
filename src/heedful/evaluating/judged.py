"""Answers before judges: who wins, with length and without, and what rewards make of each model's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from heedful.errors import JudgeError
from heedful.evaluating.examined import Examined
from heedful.evaluation.answer_scores import AnswerScores
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.duels import Duel
from heedful.evaluation.length_control import LengthControlled, length_controlled
from heedful.evaluation.win_rate import win_rate
from heedful.judges import Judge, both_orders
from heedful.models.rewards import Reward, checked
from heedful.records import Messages
from heedful.report.data import Comparison, Waiting
from heedful.training.tracking import Reporter


@dataclass(frozen=True, slots=True)
class Judged:
    """What judges said: `comparisons` made, and `waiting` those that there is nothing of yet."""

    comparisons: list[Comparison] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


def ask_judges(
    judges: Sequence[Judge], model: str, stages: Mapping[str, Examined], reporter: Reporter
) -> Judged:
    """Have every judge compare a stage's answers with those of every other one.

    A judge that cannot be asked now, because people have not voted yet or because it is not there, keeps
    nobody waiting: what it said instead stands among what there is nothing of yet.
    """
    found = Judged()
    for judge in judges:
        for baseline in stages:
            if baseline == model:
                continue
            pairs = _paired(stages[model].answers, stages[baseline].answers)
            try:
                duels = _duels(judge, pairs, f"{judge.name}: comparing with {baseline}", reporter)
            except JudgeError as error:
                reporter.warn(str(error))
                found.waiting.append(Waiting(judge.name, baseline, str(error)))
                continue
            found.comparisons.append(compared(judge, model, baseline, duels))
    return found


def compared(judge: Judge, model: str, baseline: str, duels: Sequence[Duel]) -> Comparison:
    """What comes of a judge's verdicts."""
    decided = [duel for duel in duels if duel.decided]
    return Comparison(
        judge=judge.name,
        model=model,
        baseline=baseline,
        both_orders=not judge.symmetric,
        duels=list(duels),
        wins=win_rate(duels) if decided else None,
        controlled=_at_equal_length(decided) if decided else None,
    )


def score_answers(
    reward: Reward, stages: Mapping[str, Examined], reporter: Reporter
) -> dict[str, AnswerScores]:
    """Have a reward score the answers of every model, those that ended by themselves.

    Of several answers to a prompt the mean counts.

    Raises:
        RewardError: it failed, or gave something else than one finite number per answer.
    """
    prompts = list(dict.fromkeys(answer.prompt for own in stages.values() for answer in own.answers))
    found: dict[str, AnswerScores] = {}
    with reporter.task(f"{reward.name}: scoring the answers", len(stages)) as task:
        for name, examined in stages.items():
            whole = [answer for answer in examined.answers if answer.ended]
            given = checked(reward, [one.prompt for one in whole], [one.text for one in whole]).tolist()
            own: dict[Messages, list[float]] = {}
            for answer, score in zip(whole, given, strict=True):
                own.setdefault(answer.prompt, []).append(score)
            found[name] = AnswerScores(
                np.array([np.mean(own[prompt]) if prompt in own else np.nan for prompt in prompts])
            )
            task.update(len(found))
    return found


def _paired(answers: Sequence[Answer], baselines: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
    """The two models' answers to the prompts that both of them answered, first with first."""
    other: dict[Messages, list[Answer]] = {}
    for answer in baselines:
        other.setdefault(answer.prompt, []).append(answer)
    own: dict[Messages, list[Answer]] = {}
    for answer in answers:
        own.setdefault(answer.prompt, []).append(answer)
    return [
        pair for prompt in own if prompt in other for pair in zip(own[prompt], other[prompt], strict=True)
    ]


def _duels(
    judge: Judge, pairs: Sequence[tuple[Answer, Answer]], title: str, reporter: Reporter
) -> list[Duel]:
    different = sum(one.text != other.text for one, other in pairs)
    with reporter.task(title, different * (1 if judge.symmetric else 2)) as task:
        return both_orders(
            judge,
            [one.prompt for one, _ in pairs],
            [one.text for one, _ in pairs],
            [other.text for _, other in pairs],
            task.update,
        )


def _at_equal_length(decided: Sequence[Duel]) -> LengthControlled:
    """Lengths are in characters, which mean the same to models that cut texts into other tokens."""
    return length_controlled(
        [duel.outcome for duel in decided],
        [len(duel.answer) for duel in decided],
        [len(duel.baseline) for duel in decided],
        groups=[duel.prompt for duel in decided],
    )
