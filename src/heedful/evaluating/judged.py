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
from heedful.judges import Judge, JudgeSettings, Question, both_orders, build
from heedful.judges.account import Account
from heedful.judges.judge import Scorer
from heedful.records import Messages
from heedful.report.data import Comparison, Waiting
from heedful.training.tracking import Reporter


@dataclass(frozen=True, slots=True)
class Judged:
    """What judges said.

    Attributes:
        comparisons: those that were made, and `waiting` those that there is nothing of yet.
        scores: by judge, of those that score: stage to the scores of its whole answers.
        accounts: by judge, of those that count it: what asking took.
    """

    comparisons: list[Comparison] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    scores: dict[str, dict[str, AnswerScores]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)


def build_judges(judges: Sequence[Judge | JudgeSettings | str]) -> list[Judge]:
    """Judges that can be asked.

    Raises:
        JudgeError: one cannot be had, or two have one name.
        RewardError, ModelError: a reward that cannot be had.
    """
    found: list[Judge] = []
    for judge in judges:
        settings = JudgeSettings.named(judge) if isinstance(judge, str) else judge
        built = build(settings) if isinstance(settings, JudgeSettings) else settings
        if built.name in [known.name for known in found]:
            raise JudgeError("this judge is named twice.", where=built.name, mend="Name it once.")
        found.append(built)
    return found


def ask_judges(
    judges: Sequence[Judge], model: str, stages: Mapping[str, Examined], reporter: Reporter
) -> Judged:
    """Have every judge compare a stage's answers with those of every other one, and score them where it does.

    A judge that cannot be asked now, because people have not voted yet or because it is not there, keeps
    nobody waiting: what it said instead stands among what there is nothing of yet.
    """
    found = Judged()
    for judge in judges:
        for baseline in stages:
            if baseline == model:
                continue
            pairs = paired(stages[model].answers, stages[baseline].answers)
            try:
                duels = _duels(judge, pairs, f"{judge.name}: comparing with {baseline}", reporter)
            except JudgeError as error:
                why = f"{error.what} {error.mend}" if error.mend else error.what
                found.waiting.append(Waiting(judge.name, baseline, why))
            else:
                found.comparisons.append(compared(judge, model, baseline, duels))
        made = any(comparison.judge == judge.name for comparison in found.comparisons)
        if isinstance(judge, Scorer) and made:
            found.scores[judge.name] = score_answers(judge, stages, reporter)
        account = getattr(judge, "account", None)
        if account is not None:
            found.accounts[judge.name] = account
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
    judge: Judge, stages: Mapping[str, Examined], reporter: Reporter
) -> dict[str, AnswerScores]:
    """The scores of every model's answers, those that ended by themselves, by a judge that scores.

    Of several answers to a prompt the mean counts.

    Raises:
        JudgeError: it failed, or gave something else than one finite number per answer.
    """
    assert isinstance(judge, Scorer)
    whole = {name: [one for one in own.answers if one.ended] for name, own in stages.items()}
    asked = [Question(one.prompt, one.text, one.text) for own in whole.values() for one in own]
    with reporter.task(f"{judge.name}: scoring the answers", len(asked)) as task:
        judge(asked, task.update)
    prompts = list(dict.fromkeys(answer.prompt for own in stages.values() for answer in own.answers))
    found: dict[str, AnswerScores] = {}
    for name, answers in whole.items():
        scores: dict[Messages, list[float]] = {}
        for answer in answers:
            scores.setdefault(answer.prompt, []).append(judge.score_of(answer.prompt, answer.text))
        means = [np.mean(scores[prompt]) if prompt in scores else np.nan for prompt in prompts]
        found[name] = AnswerScores(np.array(means))
    return found


def paired(answers: Sequence[Answer], baselines: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
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
