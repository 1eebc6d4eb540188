"""The evaluation of a pipeline: every model that came of it answers the same held-out prompts.

Each is asked in turn over weights that are shared with the others, and what it made of the held-out rows is
kept before the next one is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heedful import formats
from heedful.errors import JudgeError
from heedful.evaluating.examined import Examined, examine
from heedful.evaluating.held_out import held_out
from heedful.evaluating.judged import ask_judges, build_judges, score_answers
from heedful.evaluation.answer_scores import AnswerScores
from heedful.evaluation.generation import Sampling
from heedful.evaluation.subject import Subject
from heedful.judges.scores import ScoreJudge
from heedful.models import rewards
from heedful.pipeline import findings
from heedful.pipeline.findings import Findings
from heedful.pipeline.places import held_out_files
from heedful.pipeline.training import start
from heedful.quarantine import Kept
from heedful.recipe import ModelSettings, PipelineRecipe, RewardSource
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits
from heedful.report.data import Comparison
from heedful.training.tracking import Reporter
from heedful.training.weights import Weights

# What the models are called, by the stage that they came of; a reward model answers nothing.
TITLES = {"base": "base", "sft": "SFT", "dpo": "DPO", "ppo": "PPO"}
REWARD = "Reward model"
_SCORES, _VERDICTS = "scores.json", "verdicts.json"


def evaluate(recipe: PipelineRecipe, split: Path, folder: Path, weights: Weights, reporter: Reporter) -> None:
    """Ask every model, have their answers scored and compared, and keep what was found.

    Raises:
        DataError: there is nothing to judge by.
        ModelError: a model cannot be loaded.
        JudgeError: a judge cannot be asked, or has not compared everything yet.
    """
    records, judges = judged_by(recipe, split), build_judges(recipe.evaluate.judges)
    reporter.say(f"Held-out records: {records.counts}")
    found: dict[str, Examined] = {}
    for name, title in models_of(recipe).items():
        path = folder / f"{name}.json"
        if not path.exists():
            with _subject(recipe, name, title, weights) as subject:
                own = examine(
                    subject,
                    records,
                    sampling_of(recipe),
                    reporter,
                    max_length=recipe.evaluate.max_length,
                    prompts=recipe.evaluate.prompts,
                )
            findings.keep_examined(path, own)
        found[title] = findings.kept_examined(path)
    findings.keep_scores(folder / _SCORES, _scores(recipe, found, weights, reporter))
    weights.give_back()
    made: list[Comparison] = []
    for model, baseline in opponents(recipe):
        judged = ask_judges(judges, model, {name: found[name] for name in (baseline, model)}, reporter)
        if judged.waiting:
            one = judged.waiting[0]
            what = f"{one.judge} has not compared {model} with {baseline} yet."
            raise JudgeError(what, where="stage evaluate", mend=f"{one.why} What was answered is kept.")
        made += judged.comparisons
    findings.keep_comparisons(folder / _VERDICTS, made)


def evaluated(recipe: PipelineRecipe, folder: Path) -> Findings:
    """What was found."""
    return Findings(
        {title: findings.kept_examined(folder / f"{name}.json") for name, title in models_of(recipe).items()},
        findings.kept_scores(folder / _SCORES),
        findings.kept_comparisons(folder / _VERDICTS),
    )


def judged_by(recipe: PipelineRecipe, split: Path) -> Kept[Any]:
    """The held-out records that models are judged by: pairs first, whose prompts are asked before others.

    Raises:
        DataError: there are none.
    """
    read = [formats.read(path, format="heedful") for path in held_out_files(recipe, split)]
    return held_out([record for records in read for record in records])


def sampling_of(recipe: PipelineRecipe) -> Sampling:
    """How they answer."""
    asked = recipe.evaluate
    return Sampling(asked.max_new_tokens, asked.temperature, asked.samples, asked.seed)


def models_of(recipe: PipelineRecipe) -> dict[str, str]:
    """The models that answer, by stage, with what they are called; all began with the first."""
    return {name: title for name, title in TITLES.items() if name == "base" or name in recipe.parts}


def origins(recipe: PipelineRecipe) -> dict[str, str]:
    """What each of them was trained from."""
    made = models_of(recipe)
    before = TITLES["sft" if recipe.sft is not None else "base"]
    return {
        title: TITLES["base"] if name == "sft" else before for name, title in made.items() if name != "base"
    }


def opponents(recipe: PipelineRecipe) -> Iterator[tuple[str, str]]:
    """Whose answers judges compare with whose: a model's with those of what it was trained from, and the two
    roads' with each other; those that were aligned first.
    """
    before = origins(recipe)
    aligned = [title for title in before if title != TITLES["sft"]]
    yield from ((title, before[title]) for title in aligned)
    if len(aligned) > 1:
        yield TITLES["ppo"], TITLES["dpo"]
    yield from ((title, before[title]) for title in before if title not in aligned)


@contextmanager
def _subject(recipe: PipelineRecipe, name: str, title: str, weights: Weights) -> Iterator[Subject]:
    """A model under the shared weights, for as long as it is asked."""
    run = Path(recipe.output) / name
    adapter = run / "adapter"
    if name == "base":
        backbone = weights.of(recipe.model)
    elif name == "sft":
        backbone = weights.of(start(recipe))
    elif adapter.is_dir():
        backbone = weights.of(start(recipe))
        backbone.load_lora("policy", adapter)
    else:
        backbone = weights.of(_merged(recipe, run))
    try:
        yield Subject.held(title, backbone, "policy" if name in ("dpo", "ppo") else "reference")
    finally:
        backbone.drop_adapter()


def _merged(recipe: PipelineRecipe, run: Path) -> ModelSettings:
    return recipe.model.model_copy(update={"name": str(run), "adapter": None})


def _scores(
    recipe: PipelineRecipe, found: Mapping[str, Examined], weights: Weights, reporter: Reporter
) -> dict[str, dict[str, AnswerScores]]:
    """What the pipeline's own reward model makes of the answers, where there is one."""
    if recipe.reward is None:
        return {}
    backbone, own = weights.of(start(recipe)), recipe.reward.data
    reward = rewards.build(
        [RewardSource(model=str(Path(recipe.output) / "reward"))],
        backbone=backbone,
        renderer=Renderer(backbone.tokenizer, own.template),
        limits=Limits(own.max_length, own.max_prompt_length, "keep_end"),
    )
    try:
        return {REWARD: score_answers(ScoreJudge(reward), found, reporter)}
    finally:
        backbone.drop_adapter()
