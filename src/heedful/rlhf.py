"""RLHF from one recipe: SFT, a reward model and PPO, each over what the one before it made.

Each stage is a run like any other, in a folder of its own under the recipe's `output`; `training.graph` goes
through them and decides what is reused. They share one set of base weights in memory, into which SFT's
adapter is folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heedful import judging
from heedful.errors import RecipeError
from heedful.models.outline import outline
from heedful.models.rewards import FunctionReward
from heedful.recipe import (
    ModelSettings,
    PPORecipe,
    Recipe,
    RewardRecipe,
    RewardSource,
    RLHFRecipe,
    SFTRecipe,
    StageKeys,
)
from heedful.training import dpo, ppo, sft
from heedful.training import reward as reward_stage
from heedful.training.graph import Graph, Standing
from heedful.training.job import NOTHING, Given, Job, resuming
from heedful.training.loop import Outcome
from heedful.training.plan import plan
from heedful.training.run_stage import RunStage, Train
from heedful.training.tracking import Reporter
from heedful.training.weights import Weights

TRAIN: Mapping[str, Train] = {"sft": sft.run, "dpo": dpo.run, "reward": judging.train, "ppo": ppo.run}
_PREPARE: Mapping[str, Any] = {
    "sft": sft.prepare,
    "dpo": dpo.prepare,
    "reward": reward_stage.prepare,
    "ppo": ppo.prepare,
}


def run(
    recipe: RLHFRecipe,
    given: Mapping[str, Given] | None = None,
    *,
    resume: bool = False,
    redo: Sequence[str] = (),
    reporter: Reporter | None = None,
) -> dict[str, Outcome]:
    """Go through the stages, and return what came of each; a finished one is reused, a begun one goes on.

    Args:
        given: records in place of a stage's files, by stage.
        resume: insist that there is something to go on with.
        redo: stages to make anew; what is there is set aside.

    Raises:
        RunError: a stage's folder holds a run of another recipe or of other inputs.
        HeedfulError: whatever else a user can mend; see `heedful.errors`.
    """
    reporter = reporter or Reporter()
    graph = _graph(recipe, given or {}, reporter, resume=resume, redo=redo)
    _check(recipe)
    graph.run(reporter)
    return {name: stage.outcome for name, stage in graph.stages.items() if isinstance(stage, RunStage)}


def stages_of(recipe: RLHFRecipe) -> dict[str, Recipe]:
    """The recipes of the stages, in their order; what is skipped is left out."""
    folder, model = Path(recipe.output), recipe.model
    found: dict[str, Recipe] = {}
    if recipe.sft is not None:
        output = str(folder / "sft")
        found["sft"] = SFTRecipe(model=model, output=output, **_keys(recipe.sft))
        model = model.model_copy(update={"name": output, "adapter": None})
    scored_by: list[RewardSource] = []
    if recipe.reward is not None:
        output = str(folder / "reward")
        found["reward"] = RewardRecipe(model=model, output=output, **_keys(recipe.reward))
        scored_by = [RewardSource(model=output)]
    keys = {**_keys(recipe.ppo), "reward": [*scored_by, *recipe.ppo.reward]}
    found["ppo"] = PPORecipe(model=model, output=str(folder / "ppo"), **keys)
    return found


def describe(recipe: RLHFRecipe, *, resume: bool = False, redo: Sequence[str] = ()) -> str:
    """What `run` would do: a plan of each stage, or that it would be reused.

    Raises:
        HeedfulError: as `run`, and what preparing a stage raises.
    """
    graph = _graph(recipe, {}, Reporter(quiet=True), resume=resume, redo=redo)
    _check(recipe)
    parts: list[str] = []
    standings = graph.check()
    for name, stage in stages_of(recipe).items():
        if standings[name] != "new":
            parts.append(standing_words(name, stage.output, standings, graph.before(name)))
        if standings[name] != "finished":
            parts.append(str(plan(outlined(stage, recipe.model))))
    return "\n\n".join(parts)


def outlined(recipe: Recipe, model: ModelSettings) -> Job:
    """A stage up to its first step, for a plan: no weights are loaded.

    Args:
        model: what the first of all stages starts from. What they teach changes no rows and no sizes.

    Raises:
        HeedfulError: its data or its model cannot be read.
    """
    full = recipe.training.method == "full"
    backbone = outline(model.name, dtype=model.dtype, device=model.device, full=full)
    job: Job = _PREPARE[recipe.stage](recipe, Given(backbone=backbone), reporter=Reporter(quiet=True))
    return job


def standing_words(name: str, folder: str | Path, standings: Mapping[str, Standing], before: set[str]) -> str:
    """What would become of a stage that is there already."""
    if standings[name] == "unfinished":
        return f"Stage {name}: would go on in {folder}."
    sure = {standings[one] for one in before} <= {"finished"}
    unsure = "" if sure else ", if the stages before it come out as they did"
    return f"Stage {name}: nothing has changed, {folder} would be reused{unsure}."


def _graph(
    recipe: RLHFRecipe,
    given: Mapping[str, Given],
    reporter: Reporter,
    *,
    resume: bool,
    redo: Sequence[str],
) -> Graph:
    folder, weights = Path(recipe.output), Weights()
    command = "" if any(own.has_records for own in given.values()) else resuming(recipe.stage, folder)
    recipes = stages_of(recipe)
    names = list(recipes)
    stages = [
        RunStage(
            name,
            stage,
            TRAIN[name],
            weights,
            reporter,
            after=names[: names.index(name)],
            given=given.get(name, NOTHING),
            command=command,
        )
        for name, stage in recipes.items()
    ]
    return Graph(recipe, folder, stages, redo=redo, resume=resume)


def _check(recipe: RLHFRecipe) -> None:
    """Whether PPO's keys go together and its functions are there, before the other stages take their hours.

    Raises:
        RecipeError: its keys do not.
        RewardError: a function cannot be had.
    """
    final = stages_of(recipe)["ppo"]
    assert isinstance(final, PPORecipe)
    check_ppo(final, recipe.ppo.reward)


def check_ppo(recipe: PPORecipe, rewards: Sequence[RewardSource]) -> None:
    """As `_check`, for PPO as a stage of any graph.

    Args:
        rewards: those of its own, which are there before any stage is run.
    """
    try:
        ppo.check(recipe)
    except RecipeError as error:
        raise RecipeError(error.what, where=f"ppo.{error.where}", mend=error.mend) from error
    for source in rewards:
        if source.function is not None:
            FunctionReward(source.function)


def _keys(section: StageKeys) -> dict[str, Any]:
    return {name: getattr(section, name) for name in type(section).model_fields}
