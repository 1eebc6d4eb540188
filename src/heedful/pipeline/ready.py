"""The gate before a model is aligned: can it do the task already?

`heedful.advising` measures, `heedful.advice.readiness` judges; here the verdict is kept, and acted upon.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from heedful import formats
from heedful.advising import check_readiness
from heedful.errors import RunError
from heedful.models.folders import write_text
from heedful.pipeline.places import TASK, held_out_files, parts, sources
from heedful.pipeline.training import ALIGNING, start
from heedful.recipe import PipelineRecipe
from heedful.records import Record
from heedful.training.tracking import Reporter
from heedful.training.weights import Weights

VERDICT = "readiness.json"


def measure(recipe: PipelineRecipe, split: Path, folder: Path, weights: Weights, reporter: Reporter) -> None:
    """Ask the model that is to be aligned, on held-out rows, and keep what was found.

    Raises:
        DataError: no prompt that the model can be asked.
        ModelError: it cannot be loaded.
    """
    found = check_readiness(
        weights.of(start(recipe)),
        task_records(recipe, split),
        reporter=reporter,
        max_length=longest(recipe),
        temperature=temperature(recipe),
        seed=recipe.split.seed,
    )
    verdict = {"ready": found.ready, "sure": found.sure, "reasons": list(found.reasons)}
    told = {**verdict, "judged": [asdict(one) for one in found.judged]}
    write_text(folder / VERDICT, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def longest(recipe: PipelineRecipe) -> int:
    """Tokens of a prompt with a response, in the stages that the gate is for."""
    return max(part.data.max_length for name, part in recipe.parts.items() if name in ALIGNING)


def temperature(recipe: PipelineRecipe) -> float:
    """Of the answers that are looked at: PPO's, which learns from them; where there is no PPO, 1."""
    return 1.0 if recipe.ppo is None else recipe.ppo.rollout.temperature


def require_ready(recipe: PipelineRecipe, folder: Path) -> None:
    """Refuse to go on with a model that did not pass.

    Raises:
        RunError: why it did not, in the words of the questions that it failed.
    """
    told = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    if told["ready"]:
        return
    model = start(recipe).name
    first = "Give SFT more to learn from" if recipe.sft is not None else "Show it the task first, by sft"
    mend = f"{first}, or align it all the same with readiness=skip."
    what = f"{model} cannot do the task well enough to be aligned: {'; '.join(told['reasons'])}."
    raise RunError(what, where="stage readiness", mend=mend)


def task_records(recipe: PipelineRecipe, split: Path) -> list[Record]:
    """What the model is asked about: held-out rows where there are any, which SFT has not seen."""
    files = held_out_files(recipe, split)
    if not files:
        files = [parts(split, kind).train for kind in TASK if kind in sources(recipe)]
    return [record for path in files for record in formats.read(path, format="heedful")]
