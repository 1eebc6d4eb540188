"""What a pipeline would do, before it does it: how each stage stands, and what it would take.

Where the data are not dealt out yet, that is done in a folder that is thrown away, so that rows and steps are
those of the run itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from heedful.pipeline import incoming
from heedful.pipeline.stages import graph_of
from heedful.pipeline.training import recipes_of
from heedful.recipe import PipelineRecipe
from heedful.rlhf import prepare, standing_words
from heedful.training.job import Given
from heedful.training.plan import plan
from heedful.training.tracking import Reporter
from heedful.training.weights import Weights


def describe(recipe: PipelineRecipe, *, redo: Sequence[str] = ()) -> str:
    """How each stage stands, and a plan of those that would be trained.

    Raises:
        HeedfulError: as `pipeline.run`, and what preparing a stage raises.
    """
    quiet, weights = Reporter(quiet=True), Weights()
    graph = graph_of(recipe, quiet, redo=redo)
    standings = graph.check()
    told: list[str] = []
    with ExitStack() as stack:
        split = Path(recipe.output) / "split"
        if standings["split"] != "finished":
            split = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heedful-")))
            imported = split / "import"
            imported.mkdir()
            incoming.bring_in(recipe, imported, quiet)
            incoming.part(recipe, imported, split, quiet)
        recipes = recipes_of(recipe, split)
        for name, stage in graph.stages.items():
            if standings[name] == "new":
                told.append(f"Stage {name}: would begin in {stage.folder}.")
            else:
                told.append(standing_words(name, stage.folder, standings, graph.before(name)))
            if name in recipes and standings[name] != "finished":
                # Rows and memory are those of the model that SFT starts from: adapters change neither.
                own = recipes[name]
                backbone = weights.of(recipe.model, full=own.training.method == "full")
                told.append(str(plan(prepare(own, Given(backbone=backbone)))))
    return "\n".join(told)
