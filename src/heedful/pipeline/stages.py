"""A pipeline's recipe as a graph: what each stage reads, which settings decide its result, who does it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from heedful import formats
from heedful.models import fingerprints
from heedful.models.catalog import resolve
from heedful.models.rewards import source_of
from heedful.pipeline import evaluate, incoming, ready, report
from heedful.pipeline.places import Parts, files_of, held_out_of, parts, sources
from heedful.pipeline.training import ALIGNING, recipes_of, start
from heedful.recipe import ModelSettings, PipelineRecipe, PPORecipe, SourceSettings
from heedful.rlhf import TRAIN, check_ppo
from heedful.training.folder_stage import RECORD, FolderStage
from heedful.training.graph import Graph, Stage
from heedful.training.run_stage import RunStage
from heedful.training.tracking import Reporter
from heedful.training.weights import Weights

# As `run_stage.CODE`, of the stages that fill a folder: who changes what comes out of one raises its number.
CODE = {"import": 1, "check": 1, "split": 1, "readiness": 1, "evaluate": 1, "report": 1}


def graph_of(recipe: PipelineRecipe, reporter: Reporter, *, redo: Sequence[str] = ()) -> Graph:
    """The stages of a recipe, in their order.

    Raises:
        RecipeError: keys that do not go together.
        RewardError: a reward function cannot be had.
    """
    folder, weights = Path(recipe.output), Weights()
    split = folder / "split"
    found: list[Stage] = [_import(recipe, reporter)]
    if recipe.check != "off":
        found.append(_check(recipe, reporter))
    found.append(_split(recipe, reporter))
    recipes = recipes_of(recipe, split)
    final = recipes.get("ppo")
    if isinstance(final, PPORecipe):
        assert recipe.ppo is not None
        check_ppo(final, recipe.ppo.reward)
    first = next((name for name in recipes if name in ALIGNING), None)
    for name, own in recipes.items():
        if name == first and recipe.readiness == "check":
            found.append(_readiness(recipe, split, weights, reporter))
        after = [*_before(name, recipe), *(["readiness"] if name in ALIGNING else [])]
        command = f"heedful run {shlex.quote(str(folder / 'recipe.yaml'))}"
        found.append(RunStage(name, own, TRAIN[name], weights, reporter, after, command=command))
    found += [_evaluate(recipe, split, weights, reporter), _report(recipe, split, reporter)]
    return Graph(recipe, folder, found, redo=redo)


def _before(name: str, recipe: PipelineRecipe) -> list[str]:
    """The stages whose results one that trains reads."""
    earlier = {"sft": ["split"], "dpo": ["split", "sft"], "reward": ["split", "sft"]}
    return earlier.get(name, ["split", "sft", "reward"])


def _import(recipe: PipelineRecipe, reporter: Reporter) -> FolderStage:
    return _folder_stage(
        recipe,
        "import",
        (),
        {"data": {kind: incoming.taken_as(source) for kind, source in sources(recipe).items()}},
        lambda pending: _contents(recipe),
        lambda folder: incoming.bring_in(recipe, folder, reporter),
    )


def _check(recipe: PipelineRecipe, reporter: Reporter) -> FolderStage:
    return _folder_stage(
        recipe,
        "check",
        ("import",),
        {"data": {kind: incoming.checked_as(source) for kind, source in sources(recipe).items()}},
        lambda pending: _contents(recipe),
        lambda folder: incoming.check(recipe, folder, reporter),
        lambda folder: incoming.require_clean(recipe, folder),
    )


def _split(recipe: PipelineRecipe, reporter: Reporter) -> FolderStage:
    imported = Path(recipe.output) / "import"
    return _folder_stage(
        recipe,
        "split",
        ("import", "check"),
        {"split": recipe.split.model_dump(), "data": list(sources(recipe))},
        partial(_dealt, recipe, imported),
        lambda folder: incoming.part(recipe, imported, folder, reporter),
    )


def _readiness(recipe: PipelineRecipe, split: Path, weights: Weights, reporter: Reporter) -> FolderStage:
    model = start(recipe)
    return _folder_stage(
        recipe,
        "readiness",
        ("split", "sft"),
        {
            "model": _place(model),
            "data": list(sources(recipe)),
            "max_length": ready.longest(recipe),
            "temperature": ready.temperature(recipe),
            "seed": recipe.split.seed,
        },
        lambda pending: {**_dealt(recipe, split, pending), **_models({"model": model}, pending)},
        lambda folder: ready.measure(recipe, split, folder, weights, reporter),
        lambda folder: ready.require_ready(recipe, folder),
    )


def _evaluate(recipe: PipelineRecipe, split: Path, weights: Weights, reporter: Reporter) -> FolderStage:
    def reads(pending: Sequence[Path]) -> dict[str, str]:
        runs = {name: _run(recipe, name) for name in recipe.parts}
        models = _models({"model": recipe.model, **runs}, pending)
        return {**_dealt(recipe, split, pending), **models, **_judges(recipe)}

    return _folder_stage(
        recipe,
        "evaluate",
        ("split", *recipe.parts),
        {
            "evaluate": recipe.evaluate.model_dump(mode="json"),
            "model": _place(recipe.model),
            "stages": list(recipe.parts),
        },
        reads,
        lambda folder: evaluate.evaluate(recipe, split, folder, weights, reporter),
    )


def _report(recipe: PipelineRecipe, split: Path, reporter: Reporter) -> FolderStage:
    evaluation = Path(recipe.output) / "evaluate"

    def reads(pending: Sequence[Path]) -> dict[str, str]:
        if evaluation in pending:
            return {}
        found = sorted(path for path in evaluation.glob("*.json") if path.name != RECORD)
        return {"evaluate": fingerprints.combined(map(fingerprints.of_file, found))}

    return _folder_stage(
        recipe,
        "report",
        ("split", "evaluate", *recipe.parts),
        {"report": recipe.report.model_dump(), "stages": list(recipe.parts)},
        reads,
        lambda folder: report.write_report(recipe, split, evaluation, folder, reporter),
    )


def _run(recipe: PipelineRecipe, name: str) -> ModelSettings:
    """A stage's result as a model."""
    return recipe.model.model_copy(update={"name": str(Path(recipe.output) / name), "adapter": None})


def _folder_stage(
    recipe: PipelineRecipe,
    name: str,
    after: Sequence[str],
    settings: Mapping[str, Any],
    reads: Callable[[Sequence[Path]], Mapping[str, str]],
    work: Callable[[Path], None],
    gate: Callable[[Path], None] = lambda folder: None,
) -> FolderStage:
    folder = Path(recipe.output) / name
    return FolderStage(name, folder, after, settings, reads, work, gate, CODE[name])


def _contents(recipe: PipelineRecipe) -> dict[str, str]:
    """Hashes of the files that come in."""
    found: dict[str, str] = {}
    for kind, source in sources(recipe).items():
        held_out = held_out_of(source)
        found[f"data.{kind}.train"] = _hash(files_of(source), source)
        if held_out is not None:
            found[f"data.{kind}.eval"] = _hash([held_out], source)
    return found


def _hash(files: Iterable[str], source: SourceSettings) -> str:
    """Of files; of what is no file (a folder, a name on the hub) of the records in it."""
    return fingerprints.combined(
        fingerprints.of_file(Path(file).expanduser())
        if Path(file).expanduser().is_file()
        else fingerprints.combined(map(repr, formats.read(file, **source.reading)))
        for file in files
    )


def _dealt(recipe: PipelineRecipe, folder: Path, pending: Sequence[Path]) -> dict[str, str]:
    """Hashes of the rows that an earlier stage left in `folder`, by kind."""
    if folder in pending:
        return {}
    found: dict[str, str] = {}
    for kind in sources(recipe):
        own: Parts = parts(folder, kind)
        for side, path in (("train", own.train), ("held out", own.held_out)):
            if path.exists():
                found[f"{kind}, {side},"] = fingerprints.of_file(path)
    return found


def _models(named: Mapping[str, ModelSettings], pending: Sequence[Path]) -> dict[str, str]:
    """Hashes of models by what they are called, those apart that are still to come."""
    return {
        name: fingerprints.combined(
            fingerprints.of_source(resolve(part)) for part in (model.name, model.adapter) if part is not None
        )
        for name, model in named.items()
        if not any(Path(model.name).is_relative_to(folder) for folder in pending)
    }


def _judges(recipe: PipelineRecipe) -> dict[str, str]:
    """Hashes of the judges that are files: functions, and models that score."""
    found: dict[str, str] = {}
    for number, judge in enumerate(recipe.evaluate.judges):
        key, reward = f"evaluate.judges.{number}", judge.reward
        function = judge.function or (reward.function if reward is not None else None)
        file = source_of(function) if function is not None else None
        if file is not None:
            found[key] = fingerprints.of_file(file)
        if reward is not None and reward.model is not None:
            found[key] = fingerprints.of_source(resolve(reward.model))
    return found


def _place(model: ModelSettings) -> dict[str, str]:
    """How a model computes, which its contents do not say."""
    return {"dtype": model.dtype, "device": model.device}
