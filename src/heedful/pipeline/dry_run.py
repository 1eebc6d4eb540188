"""What a pipeline would do, before it does it: how each stage stands, and what it would take.

Where the data are not dealt out yet, that is done in a folder that is thrown away, so that rows and steps are
those of the run itself. No weights are loaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from heedful.pipeline import incoming
from heedful.pipeline.evaluate import models_of
from heedful.pipeline.stages import graph_of
from heedful.pipeline.training import recipes_of
from heedful.recipe import PipelineRecipe
from heedful.rlhf import outlined, standing_words
from heedful.training.graph import Standing
from heedful.training.job import Job
from heedful.training.plan import plan
from heedful.training.tracking import Reporter


def describe(recipe: PipelineRecipe, *, redo: Sequence[str] = (), reporter: Reporter | None = None) -> str:
    """How each stage stands, and a plan of those that would be trained.

    Args:
        reporter: told how dealing out the data goes, where that has to be done; nobody without one.

    Raises:
        HeedfulError: as `pipeline.run`, and what preparing a stage raises.
    """
    reporter = reporter or Reporter(quiet=True)
    graph = graph_of(recipe, reporter, redo=redo)
    standings = graph.check()
    told: list[str] = []
    with ExitStack() as stack:
        split = Path(recipe.output) / "split"
        dealt = split if standings["split"] == "finished" else _dealt(recipe, stack, reporter)
        jobs = _jobs(recipe, dealt, standings)
        for name, stage in graph.stages.items():
            if standings[name] == "new":
                more = f": {_answers(recipe)}" if name == "evaluate" else ""
                told.append(f"Stage {name}: would begin in {stage.folder}{more}.")
            else:
                told.append(standing_words(name, stage.folder, standings, graph.before(name)))
            if name in jobs:
                told.append(str(plan(jobs[name])).replace(str(dealt), str(split)))
    return "\n".join(told)


def jobs(recipe: PipelineRecipe) -> dict[str, Job]:
    """All runs of a pipeline up to their first step, those that are finished too; writes nothing.

    Raises:
        HeedfulError: the data or the model's configuration cannot be read.
    """
    with ExitStack() as stack:
        dealt = _dealt(recipe, stack, Reporter(quiet=True))
        return {name: outlined(own, recipe.model) for name, own in recipes_of(recipe, dealt).items()}


def _dealt(recipe: PipelineRecipe, stack: ExitStack, reporter: Reporter) -> Path:
    """A folder with the rows as they would be dealt out, until the stack is left."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heedful-")))
    imported = folder / "import"
    imported.mkdir()
    incoming.bring_in(recipe, imported, reporter)
    incoming.part(recipe, imported, folder, reporter)
    return folder


def _jobs(recipe: PipelineRecipe, split: Path, standings: Mapping[str, Standing]) -> dict[str, Job]:
    """The runs that are to come."""
    return {
        name: outlined(own, recipe.model)
        for name, own in recipes_of(recipe, split).items()
        if standings[name] != "finished"
    }


def _answers(recipe: PipelineRecipe) -> str:
    asked = recipe.evaluate
    each = f"{asked.samples} times each, " if asked.samples > 1 else ""
    models = ", ".join(models_of(recipe).values())
    return f"{models} answer at most {asked.prompts} prompts, {each}up to {asked.max_new_tokens} tokens"
