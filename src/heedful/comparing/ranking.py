"""Who answers better than whom: every pair of models before every judge, and the ranking that comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from heedful.errors import DataError, JudgeError
from heedful.evaluating.judged import paired
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.bradley_terry import Result, rank
from heedful.evaluation.duels import Duel
from heedful.evaluation.win_rate import win_rate
from heedful.judges import Judge, Question, ask_both_orders, duel
from heedful.judges.account import Account
from heedful.report.compare_data import Awaited, Pair, Ranked
from heedful.training.tracking import Reporter

LENGTH = "length"
"""The style that is controlled for: characters, which mean the same to models of other tokens."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What judges said.

    Attributes:
        ranked: by those who said something.
        waiting: those that there is nothing of yet.
        accounts: by judge, of those that count it: what asking took.
    """

    ranked: list[Ranked] = field(default_factory=list)
    waiting: list[Awaited] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)


def rank_by_judges(
    judges: Sequence[Judge], answers: Mapping[str, Sequence[Answer]], reporter: Reporter
) -> Judged:
    """Have every judge compare the answers of every two models.

    A judge that cannot be asked now keeps nobody waiting: why stands among what there is nothing of yet.
    """
    found = Judged()
    if len(answers) < 2:
        return found
    for judge in judges:
        try:
            found.ranked.append(_ranked(judge, answers, reporter))
        except JudgeError as error:
            found.waiting.append(Awaited(judge.name, f"{error.what} {error.mend or ''}".strip()))
        except DataError as error:  # it gave too few verdicts to rank by
            found.waiting.append(Awaited(judge.name, error.what))
        account = getattr(judge, "account", None)
        if account is not None:
            found.accounts[judge.name] = account
    return found


def _ranked(judge: Judge, answers: Mapping[str, Sequence[Answer]], reporter: Reporter) -> Ranked:
    duels = _duels(judge, answers, reporter)
    decided = [(pair, one) for pair, own in duels.items() for one in own if one.decided]
    results = [Result(*pair, one.outcome, one.prompt) for pair, one in decided]
    longer = [float(len(one.answer) - len(one.baseline)) for _, one in decided]
    standings = rank(results)
    return Ranked(
        judge=judge.name,
        both_orders=not judge.symmetric,
        standings=standings,
        at_equal_length=rank(results, styles={LENGTH: longer}) if len(set(longer)) > 1 else None,
        duels=duels,
        wins={pair: win_rate(own) for pair, own in duels.items() if any(one.decided for one in own)},
    )


def _duels(
    judge: Judge, answers: Mapping[str, Sequence[Answer]], reporter: Reporter
) -> dict[Pair, list[Duel]]:
    """Every pair's comparisons; all are asked about at once, so that people find them in one project."""
    pairs: list[Pair] = list(combinations(answers, 2))
    questions = {
        (first, second): [
            Question(one.prompt, one.text, other.text)
            for one, other in paired(answers[first], answers[second])
        ]
        for first, second in pairs
    }
    flat = [question for own in questions.values() for question in own]
    different = sum(question.first != question.second for question in flat)
    with reporter.task(
        f"{judge.name}: comparing {len(answers)} models", different * (1 if judge.symmetric else 2)
    ) as task:
        verdicts = iter(ask_both_orders(judge, flat, task.update))
    return {pair: [duel(question, *next(verdicts)) for question in own] for pair, own in questions.items()}
