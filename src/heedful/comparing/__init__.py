"""Comparing several models: who answers better, what reward each buys with how much KL, and whether a reward
that was optimised still says what is good.

Puts the floors below together: asking, ranking, frontiers and writing each have their own file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heedful.comparing.asking import Asked, ask_all
from heedful.comparing.entrants import Entrants, enter
from heedful.comparing.optimising import optimised, reward_frontier, score
from heedful.comparing.provenance import facts, made_from
from heedful.comparing.ranking import rank_by_judges
from heedful.comparing.writing import write_folder
from heedful.errors import DataError, JudgeError, RecipeError
from heedful.evaluating.cast import Named
from heedful.evaluating.examined import PROMPTS
from heedful.evaluating.held_out import Data, held_out, prompts_of
from heedful.evaluating.judged import build_judges
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.generation import MAX_NEW_TOKENS, Sampling
from heedful.judges import Judge, JudgeSettings
from heedful.judges.judge import Scorer
from heedful.recipe.stages import RewardSource
from heedful.report.compare_data import ComparisonData
from heedful.report.compare_html import write
from heedful.report.made import Made
from heedful.training.loop import Outcome
from heedful.training.tracking import Reporter

_REWARD = "reward:"
_MANY_CUT = 0.1
"""Share of cut answers from which a reader is told that rewards are of cut answers too."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Findings about several models on held-out prompts.

    Attributes:
        data: what the page shows.
        made: what they were made from, and with.
        answers: by model, those that judges compared; `samples` those at temperature 1 that rewards and KL
            are of, by model or checkpoint.
    """

    data: ComparisonData
    made: Made
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    samples: dict[str, list[Answer]] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the findings as one self-contained HTML page."""
        return write(self.data, Path(path))

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write page, numbers, answers and verdicts into a folder, over an earlier comparison.

        Raises:
            RunError: the folder holds something else, or cannot be written.
        """
        return write_folder(Path(folder), self.data, self.made, self.answers, self.samples)


def compare(
    models: Sequence[Outcome | Named],
    *,
    data: Data,
    judges: Sequence[Judge | JudgeSettings | str] = (),
    gold: Judge | JudgeSettings | str | None = None,
    checkpoints: bool = False,
    best_of: int | None = None,
    reference: Named | None = None,
    prompts: int = PROMPTS,
    samples: int = 1,
    temperature: float = 0.0,
    max_new_tokens: int = MAX_NEW_TOKENS,
    seed: int = 0,
    quiet: bool = False,
) -> Compared:
    """Compare several models with each other on held-out prompts.

    Answers are kept as they come: what was stopped goes on where it was, and nothing is asked for twice.

    Args:
        models: runs, loaded backbones, or whatever `heedful.load` takes; two at least, or one run with
            `checkpoints`.
        data: held-out records, or a file.
        judges: who compares the answers, as they are or by name (`JudgeSettings.named`). Those that score
            answers also measure reward against KL.
        gold: a judge that scores and that nothing was trained on; the first of `judges` that scores is the
            proxy whose optimisation it looks upon. By name it is a reward.
        checkpoints: measure reward and KL of the checkpoints that runs kept, too.
        best_of: of so many samples of the reference, measure the best of 1, 2, 4 and so on.
        reference: what KL is measured from; what all models were trained from when absent.
        prompts: how many prompts are answered, the first of the data.
        samples: answers to each prompt; of the samples that reward and KL are measured on, too.
        temperature: of the answers that are compared; 0 takes the likeliest token each time. Reward and KL
            are of samples at temperature 1 whatever is said here.
        max_new_tokens: answers are cut there.
        seed: of sampling and resampling.

    Raises:
        DataError: nothing to compare, or nothing in the data to compare by.
        ModelError: a model cannot be loaded, or can answer none of the prompts.
        JudgeError: a judge cannot be had, none is given, or what was asked for needs one that scores.
        RecipeError: a number is out of range.
    """
    reporter = Reporter(quiet=quiet)
    for where, value, least in (("prompts", prompts, 1), ("best_of", best_of, 2)):
        if value is not None and value < least:
            raise RecipeError(f"must be at least {least}, not {value}.", where=where)
    sampling = Sampling(max_new_tokens, temperature, samples, seed)
    asked_by = build_judges([*judges, *([_as_reward(gold)] if gold is not None else [])])
    about_reward = checkpoints or best_of is not None or gold is not None
    proxy, true = _roles(asked_by, with_gold=gold is not None, about_reward=about_reward)
    records = held_out(data)
    reporter.say(f"Held-out records: {records.counts}")
    who = enter(models, reference=reference, checkpoints=checkpoints)
    if who.reference is None and about_reward:
        raise DataError(" ".join(who.notes), mend="")
    asked_prompts = prompts_of(records, prompts)
    asked = ask_all(who, asked_prompts, sampling, reporter, draws=proxy is not None, best_of=best_of)
    made = made_from(who, asked, sampling, data, records, prompts)
    found = _found(who, asked, asked_by, proxy, true, best_of, seed, reporter)
    found = replace(
        found,
        facts=facts(made),
        notes=[*who.notes, *asked.notes, *_unanswered(asked), *_cut(asked)],
        quarantine=dict(records.counts.quarantined),
    )
    drawn = {one.entrant.subject.name: one.answers for one in asked.drawn}
    if asked.reference and who.reference is not None:
        drawn[who.reference.name] = asked.reference
    return Compared(found, made, asked.answers, drawn)


def _as_reward(gold: Judge | JudgeSettings | str) -> Judge | JudgeSettings:
    if not isinstance(gold, str):
        return gold
    return JudgeSettings(reward=RewardSource.named(gold.removeprefix(_REWARD)))


def _roles(judges: Sequence[Judge], *, with_gold: bool, about_reward: bool) -> tuple[str | None, str | None]:
    """Whose scores are optimised, and whose are gold.

    Raises:
        JudgeError: there is no judge, none that scores where findings are about reward, a gold judge that
            does not score, or nothing for it to look upon.
    """
    scorers = [judge.name for judge in judges if isinstance(judge, Scorer)]
    if about_reward and not scorers:
        what = "checkpoints, best of n and a gold judge are about reward, and no judge scores answers."
        raise JudgeError(what, mend="Name a reward run, a classifier or reward:FILE.py:FUNCTION by --judge.")
    if not judges:
        raise JudgeError("there is nobody to compare the answers.", mend="Name a judge by --judge.")
    if not with_gold:
        return (scorers[0] if scorers else None), None
    gold = judges[-1]
    if not isinstance(gold, Scorer):
        what = "a gold judge scores answers, and this one compares them."
        raise JudgeError(what, where=gold.name, mend="Name a reward.")
    if len(scorers) < 2:
        what = "there is no second judge that scores, whose reward may part from this one."
        raise JudgeError(what, where=gold.name, mend="Name the reward that was optimised by --judge.")
    return scorers[0], gold.name


def _found(
    who: Entrants,
    asked: Asked,
    judges: Sequence[Judge],
    proxy: str | None,
    gold: str | None,
    best_of: int | None,
    seed: int,
    reporter: Reporter,
) -> ComparisonData:
    names = [entrant.run for entrant in who.models]
    judged = rank_by_judges(judges, asked.answers, reporter)
    page = ComparisonData(
        title=", ".join(names),
        models=names,
        reference=None if who.reference is None else who.reference.name,
        ranked=judged.ranked,
        waiting=judged.waiting,
        accounts=judged.accounts,
    )
    if proxy is None or who.reference is None:
        return page
    ground = score(judges, asked, who.reference.name, reporter)
    frontiers = [
        reward_frontier(judge, ground, chosen_by=proxy, best_of=best_of, seed=seed)
        for judge in ground.reference
    ]
    ways = [] if gold is None else optimised(proxy, gold, ground, best_of=best_of, seed=seed)
    return replace(page, frontiers=frontiers, optimised=ways)


def _unanswered(asked: Asked) -> list[str]:
    found = []
    for name, own in asked.unanswered.items():
        if own:
            reasons = Counter(left.detail for left in own)
            why = ", ".join(f"{count}: {reason}" for reason, count in reasons.items())
            found.append(f"{name} cannot answer {len(own)} of the prompts ({why}).")
    return found


def _cut(asked: Asked) -> list[str]:
    """What to say of answers that the length limit cut."""
    drawn: dict[str, list[Answer]] = {one.entrant.subject.name: one.answers for one in asked.drawn}
    cut = {name: 1 - sum(one.ended for one in own) / len(own) for name, own in drawn.items()}
    most = max(cut.items(), key=lambda item: item[1], default=("", 0.0))
    if most[1] < _MANY_CUT:
        return []
    return [
        f"Rewards count answers as they are, also those that the length limit cut, up to {most[1]:.0%} of a "
        f"model\u2019s ({most[0]}): KL is of the same answers. A reward model has seen whole answers only."
    ]


__all__: list[Any] = ["Compared", "compare"]
