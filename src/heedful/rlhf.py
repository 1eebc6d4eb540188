"""RLHF from one recipe: SFT, a reward model and PPO, each over what the one before it made.

Each stage is a run like any other, in a folder of its own under the recipe's `output`. A finished one is
reused for as long as it would come out the same: same recipe, same contents of what it reads (`inputs` in
its `run.json`). What would come out otherwise is never written over. The stages share one set of base weights
in memory, into which SFT's adapter is folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from heedful.errors import RecipeError, RewardError, RunError
from heedful.models.backbone import Backbone
from heedful.models.catalog import resolve
from heedful.models.loading import load
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
    to_yaml,
)
from heedful.training import inputs, ppo, processes, reward, run_folder, sft
from heedful.training.job import NOTHING, Given, resuming
from heedful.training.loop import Outcome
from heedful.training.plan import plan
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter

Standing = Literal["new", "unfinished", "finished"]

_MODULES: dict[str, Any] = {"sft": sft, "reward": reward, "ppo": ppo}


def run(
    recipe: RLHFRecipe,
    given: Mapping[str, Given] | None = None,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Outcome]:
    """Go through the stages, and return what came of each; a finished one is reused, a begun one goes on.

    Args:
        given: records in place of a stage's files, by stage.
        resume: insist that there is something to go on with.

    Raises:
        RunError: a stage's folder holds a run of another recipe or of other inputs.
        HeedfulError: whatever else a user can mend; see `heedful.errors`.
    """
    reporter, given, stages = reporter or Reporter(), given or {}, stages_of(recipe)
    check(recipe, given, resume=resume)
    folder = Path(recipe.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    except OSError as error:
        raise RunError(f"the folder cannot be written: {error}", where=str(folder)) from error
    command = "" if any(own.has_records for own in given.values()) else resuming(recipe.stage, folder)
    weights = Weights()
    outcomes: dict[str, Outcome] = {}
    for name, stage in stages.items():
        own = given.get(name, NOTHING)
        made_from = inputs.of(stage, own)
        standing = _standing(stages, name, made_from)
        if standing == "finished":
            reporter.say(f"{_title(name)}: nothing has changed, {stage.output} is reused.")
            outcomes[name] = _outcome(RunFolder(Path(stage.output)))
            continue
        begun = standing == "unfinished"
        reporter.say(f"{_title(name)}: {'goes on' if begun else 'begins'} in {stage.output}.")
        _note(stage, made_from)
        own = replace(own, backbone=weights.of(stage), command=command)
        outcomes[name] = _MODULES[name].run(stage, own, resume=begun, reporter=reporter)
    return outcomes


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
        # A reward model that was trained in full leaves as a classifier.
        full = recipe.reward.training.method == "full"
        scored_by = [RewardSource(model=str(folder / "reward" / "merged") if full else output)]
    keys = {**_keys(recipe.ppo), "reward": [*scored_by, *recipe.ppo.reward]}
    found["ppo"] = PPORecipe(model=model, output=str(folder / "ppo"), **keys)
    return found


def check(
    recipe: RLHFRecipe, given: Mapping[str, Given] | None = None, *, resume: bool = False
) -> dict[str, Standing]:
    """Whether the stages can be gone through, and how each stands, as far as it can be known before the
    first one; writes nothing.

    Raises:
        HeedfulError: as `run`.
    """
    if processes.count() > 1:
        raise RunError("RLHF runs in one process.", mend="Start it without a launcher.")
    stages = stages_of(recipe)
    _check_folder(Path(recipe.output), resume=resume)
    final = stages["ppo"]
    assert isinstance(final, PPORecipe)
    try:
        ppo.check(final)
    except RecipeError as error:
        raise RecipeError(error.what, where=f"ppo.{error.where}", mend=error.mend) from error
    for source in recipe.ppo.reward:
        if source.function is not None:
            FunctionReward(source.function)
    found: dict[str, Standing] = {}
    pending: list[Path] = []
    for name, stage in stages.items():
        made_from = inputs.of(stage, (given or {}).get(name, NOTHING), pending=pending)
        found[name] = _standing(stages, name, made_from)
        # What was built on a stage that is still to come may not be what it will be built on.
        if found[name] != "finished" or pending:
            pending.append(Path(stage.output))
    return found


def describe(recipe: RLHFRecipe, *, resume: bool = False) -> str:
    """What `run` would do: a plan of each stage, or that it would be reused.

    Raises:
        HeedfulError: as `run`, and what preparing a stage raises.
    """
    weights = Weights()
    parts: list[str] = []
    standings = check(recipe, resume=resume)
    for name, stage in stages_of(recipe).items():
        if standings[name] == "finished":
            before = [standings[one] for one in list(standings)[: list(standings).index(name)]]
            sure = "" if set(before) <= {"finished"} else ", if the stages before it come out as they did"
            parts.append(f"{_title(name)}: nothing has changed, {stage.output} would be reused{sure}.")
            continue
        if standings[name] == "unfinished":
            parts.append(f"{_title(name)}: would go on in {stage.output}.")
        # Rows and memory are those of the model that the first stage starts from: adapters change neither.
        backbone = weights.of(stage.model_copy(update={"model": recipe.model}))
        job = _MODULES[name].prepare(stage, Given(backbone=backbone), reporter=Reporter(quiet=True))
        parts.append(str(plan(job)))
    return "\n\n".join(parts)


class Weights:
    """The base weights in memory, handed from stage to stage for as long as they are what it starts from."""

    def __init__(self) -> None:
        self._held: Backbone | None = None
        self._as: ModelSettings | None = None

    def of(self, recipe: Recipe) -> Backbone:
        """A backbone without adapters that is what `recipe.model` names."""
        model, full = recipe.model, recipe.training.method == "full"
        if full or not self._becomes(model):
            self._held = None  # first, so that there are never two
            self._held = load(
                model.name, adapter=model.adapter, dtype=model.dtype, device=model.device, full=full
            )
        assert self._held is not None
        backbone, self._as = self._held, model
        if full:  # its weights will be others
            self._held = None
        return backbone

    def _becomes(self, model: ModelSettings) -> bool:
        """Make the held weights those of `model`, where at most an adapter has to be folded in."""
        held, before = self._held, self._as
        if held is None or before is None:
            return False
        if model == before:
            return True
        source = resolve(model.name)
        lineage = [Path(folder).resolve() for folder in held.lineage]
        is_over = source.pretrained == held.base and [path.resolve() for path in source.folded] == lineage
        same_place = (model.dtype, model.device) == (before.dtype, before.device)
        if source.adapter is None or model.adapter is not None or not is_over or not same_place:
            return False
        held.fold(str(source.adapter.absolute()))
        held.name = model.name
        return True


def _standing(stages: Mapping[str, Recipe], name: str, made_from: Mapping[str, str]) -> Standing:
    """How far a stage is, by its folder.

    Raises:
        RunError: the folder holds something else than this stage's run.
    """
    recipe = stages[name]
    run = RunFolder(Path(recipe.output))
    if not (run.path / "run.json").exists() or run_folder.never_began(run):
        run_folder.check(recipe, resume=False)
        return "new"
    later = [stage.output for stage in list(stages.values())[list(stages).index(name) :]]
    there = [folder for folder in later if Path(folder).exists()]
    mend = f"Choose another output=FOLDER, or move away what is no longer wanted: {', '.join(there)}."
    try:
        run_folder.check(recipe, resume=True)
    except RunError as error:
        raise RunError(f"stage {name}: {error.what}", where=error.where, mend=mend) from error
    info = run.info()
    before = info.get("inputs", {})
    # A reward that failed has to be mended before the run can go on.
    failed = info.get("status") == RewardError.__name__.lower()
    for key in made_from:
        if before.get(key) != made_from[key] and not (failed and key.startswith("reward.")):
            what = f"stage {name}: what {key} names has changed since the run was started."
            raise RunError(what, where=recipe.output, mend=mend)
    return "finished" if info.get("status") == "finished" else "unfinished"


def _note(recipe: Recipe, made_from: Mapping[str, str]) -> None:
    """Write down what a stage is made from before it begins, so that it can be told however it ends."""
    run = RunFolder(Path(recipe.output))
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        run.update(inputs=dict(made_from))
    except OSError as error:
        raise RunError(f"the run folder cannot be written: {error}", where=recipe.output) from error


def _check_folder(folder: Path, *, resume: bool) -> None:
    where, mend = str(folder), "Choose another output=FOLDER."
    if folder.exists() and not folder.is_dir():
        raise RunError("this is a file, not a folder.", where=where, mend=mend)
    is_ours = (folder / "recipe.yaml").exists()
    if (folder / "run.json").exists():
        raise RunError("the output folder holds a run of one stage.", where=where, mend=mend)
    if not is_ours and folder.is_dir() and any(folder.iterdir()):
        raise RunError("the output folder is not empty.", where=where, mend=mend)
    if resume and not is_ours:
        raise RunError("there is nothing to resume.", where=where, mend="Start it without --resume.")


def _outcome(run: RunFolder) -> Outcome:
    """What a finished run came to."""
    info = run.info()
    return Outcome(run.path, info["steps"], info["skipped"], info["evaluation"])


def _keys(section: StageKeys) -> dict[str, Any]:
    return {name: getattr(section, name) for name in type(section).model_fields}


def _title(name: str) -> str:
    return f"Stage {name}"
