"""The quickstart: the default model learns to answer plainly, by SFT and from there on two roads, DPO and a
reward model with PPO, and a report shows side by side what changed.

Everything it needs comes with the package: it is the pipeline of a recipe in `data/`, no more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from heedful import data, pipeline
from heedful.recipe import PipelineRecipe, load
from heedful.report import ReportData
from heedful.training.tracking import Reporter

RECIPE = "quickstart.yaml"


def recipe(output: Path, overrides: Sequence[str] = ()) -> PipelineRecipe:
    """What is gone through, into `output`."""
    own = [f"output={json.dumps(str(output))}", *overrides]
    found = load(data.path(RECIPE), own, stage="pipeline")
    assert isinstance(found, PipelineRecipe)
    return found


def run(output: Path, reporter: Reporter, overrides: Sequence[str] = ()) -> ReportData:
    """Go through the recipe, or on with it; what the report shows.

    Raises:
        RunError: `output` holds something else.
        ModelError: the default model's weights are not on this machine.
    """
    own = recipe(output, overrides)
    pipeline.run(own, reporter=reporter)
    return pipeline.findings_of(own)


def free_folder(wanted: Path) -> Path:
    """`wanted`, or `wanted-2`, `wanted-3`, ... where that holds something else than a pipeline."""
    folder, number = wanted, 1
    while folder.exists() and any(folder.iterdir()) and not (folder / "recipe.yaml").exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder
