"""Judging models by held-out rows: ask each one, have judges compare the answers, and report what was found.

Puts the floors below together: reading, asking, judging and reporting each have their own room.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from heedful import judging
from heedful.errors import ModelError, RecipeError
from heedful.evaluating.cast import Named, cast
from heedful.evaluating.drift import beta_of
from heedful.evaluating.examined import MAX_LENGTH, PROMPTS
from heedful.evaluating.examples import examples
from heedful.evaluating.held_out import REWARD_JUDGES, Data, held_out
from heedful.evaluating.judged import ask_judges, build_judges
from heedful.evaluating.look import Settings, look
from heedful.evaluating.pages import report, with_diversity
from heedful.evaluating.provenance import facts, made_from, made_from_reward
from heedful.evaluating.writing import write_folder
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.generation import MAX_NEW_TOKENS, Sampling
from heedful.judges import Judge, JudgeSettings
from heedful.models.backbone import Backbone
from heedful.models.rewards import is_reward
from heedful.quarantine import Kept
from heedful.records import Demonstration
from heedful.report import ReportData, write
from heedful.report.evaluation_json import Evaluated
from heedful.training.loop import Outcome
from heedful.training.tracking import Reporter


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Findings about one or more models on held-out rows.

    Attributes:
        data: what a report shows.
        made: what they were made from, and with.
        answers: by model, those to one prompt together.
        model: what the model was loaded by; None of one that is in memory only.
    """

    data: ReportData
    made: Evaluated
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    model: str | None = None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the findings as one self-contained HTML page."""
        return write(self.data, Path(path))

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write page, numbers, model card, answers and verdicts into a folder, over an earlier evaluation.

        Raises:
            RunError: the folder holds something else, or cannot be written.
        """
        return write_folder(Path(folder), self.data, self.made, self.answers, self.model)


def evaluate(
    model: Outcome | Backbone | str,
    *,
    data: Data,
    baseline: Named | Sequence[Named] | None = None,
    judges: Sequence[Judge | JudgeSettings | str] = (),
    demonstrations: Data | None = None,
    prompts: int = PROMPTS,
    samples: int = 1,
    temperature: float = 0.0,
    max_new_tokens: int = MAX_NEW_TOKENS,
    max_length: int | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Evaluation:
    """Compare a model with one or more baselines on held-out records, or judge a reward model.

    A reward model is judged by itself, by held-out preferences, rankings and ratings; it answers nothing.
    Answers are kept as they come: what was stopped goes on where it was, and nothing is asked for twice.

    Args:
        model: a run, a loaded backbone, or whatever `heedful.load` takes; a reward run or its adapter folder.
        data: held-out records, or a file.
        baseline: what it is compared with, one or several, a backbone without its adapter; the model that a
            run started from when absent.
        judges: who compares the answers, as they are or by name (`JudgeSettings.named`). One that cannot be
            asked now is named in the findings' `waiting`.
        demonstrations: held-out ones that tell what was forgotten, beside those in `data`.
        prompts: how many prompts are answered, the first of the data.
        samples: answers to each prompt.
        temperature: of sampling; 0 takes the likeliest token each time.
        max_new_tokens: answers are cut there.
        max_length: of a prompt with one response, in tokens; 1024, or what a reward run was trained with,
            when absent.
        seed: of sampling and resampling.

    Raises:
        DataError: nothing in the data that such a model can be judged by.
        ModelError: a model cannot be loaded, or can answer none of the prompts.
        JudgeError: a judge cannot be had.
        RewardError: the reward run is not finished, or has no adapter.
        RecipeError: a number is out of range.
    """
    reporter = Reporter(quiet=quiet)
    if isinstance(model, Outcome):
        model = str(model.run)
    given = [baseline] if isinstance(baseline, Backbone | str) else list(baseline or ())
    if isinstance(model, str) and is_reward(model):
        if given or judges:
            what = "a reward model is judged by itself, and there is nothing to compare it with."
            mend = f"Leave the {'baseline' if given else 'judge'} out."
            raise ModelError(what, where=model, mend=mend)
        return _of_reward(model, data, reporter, max_length)
    if prompts < 1:
        raise RecipeError(f"must be at least 1, not {prompts}.", where="prompts")
    settings = Settings(
        Sampling(max_new_tokens, temperature, samples, seed), max_length or MAX_LENGTH, prompts
    )
    return _of_policy(model, given, data, demonstrations, build_judges(judges), settings, reporter)


def _of_policy(
    model: Named,
    baselines: Sequence[Named],
    data: Data,
    demonstrations: Data | None,
    judges: Sequence[Judge],
    settings: Settings,
    reporter: Reporter,
) -> Evaluation:
    records = held_out(data)
    reporter.say(f"Held-out records: {records.counts}")
    shown = held_out(demonstrations, (Demonstration,)) if demonstrations is not None else Kept([])
    who = cast(model, baselines)
    looked = look(
        who,
        records,
        [*shown, *(record for record in records if isinstance(record, Demonstration))],
        settings,
        reporter,
        beta=beta_of(model) if isinstance(model, str) else 1.0,
    )
    stages, sampling = looked.stages, settings.sampling
    judged = ask_judges(judges, who.model.name, stages, reporter)
    made = made_from(who, looked, settings, held=(data, records), shown=(demonstrations, shown))
    page = report(
        f"{who.model.name} against {', '.join(one.name for one in who.baselines)}",
        "",
        stages,
        records,
        facts(made),
        sampling=sampling,
        implied=looked.implied,
    )
    page = replace(
        page,
        subject=who.model.name,
        comparisons=judged.comparisons,
        waiting=judged.waiting,
        scores=judged.scores,
        accounts=judged.accounts,
        drift=looked.drift,
        examples=examples(who.model.name, stages, judged.comparisons, records),
    )
    page = with_diversity(page, stages, reporter, seed=sampling.seed)
    answers = {name: own.answers for name, own in stages.items()}
    return Evaluation(page, made, answers, model if isinstance(model, str) else None)


def _of_reward(model: str, data: Data, reporter: Reporter, max_length: int | None) -> Evaluation:
    records = held_out(data, REWARD_JUDGES)
    reporter.say(f"Held-out records: {records.counts}")
    found = judging.judge(model, records, reporter, max_length=max_length)
    assert found.reward is not None
    return Evaluation(found, made_from_reward(model, data, records, found.reward.quality), model=model)
