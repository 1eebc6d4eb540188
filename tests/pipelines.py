"""What the tests of pipelines share: a tiny model that can do a tiny task, its data, and quick recipes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from heedful import formats, pipeline
from heedful.errors import HeedfulError, RunError
from heedful.pipeline import incoming
from heedful.recipe import PipelineRecipe, load
from heedful.records import Demonstration, Preference, assistant
from heedful.training import sft
from heedful.training.job import Given
from tests import tiny
from tests.training import small

# The task: whatever is asked, answer this.
ANSWER = (assistant("a cat"),)
STAGES = ("sft", "dpo", "reward", "ppo")
# What a finished pipeline is compared by: all that it learned and found, without times and paths.
RESULTS = (
    "import/*.jsonl",
    "split/*.jsonl",
    "check/[!s]*.json",
    "*/adapter/adapter_model.safetensors",
    "readiness/readiness.json",
    "evaluate/[!s]*.json",
    "evaluate/s[!t]*.json",
)


def demonstrations(count: int, *, seed: int = 0) -> list[Demonstration]:
    """Of the task; the prompts are those of `small.pairs`."""
    return [Demonstration(pair.prompt, ANSWER, id=pair.id) for pair in small.pairs(count, seed=seed)]


def pairs(count: int, *, seed: int = 1) -> list[Preference]:
    """The task done, and something else."""
    return [
        Preference(pair.prompt, ANSWER, pair.rejected, id=pair.id) for pair in small.pairs(count, seed=seed)
    ]


def furnish(folder: Path) -> None:
    """A model that knows nothing and data to learn from."""
    tiny.save(folder / "model")
    formats.write(demonstrations(16), folder / "demos.jsonl")
    formats.write(pairs(16), folder / "pairs.jsonl")


def make_able(folder: Path) -> None:
    """Write a model that does the task each time."""
    recipe = small.recipe(
        "sft",
        folder.with_name("taught"),
        method="full",
        max_steps=40,
        epochs=99.0,
        batch_size=8,
        learning_rate=3e-3,
        schedule="constant",
    )
    outcome = sft.run(recipe, Given(demonstrations(48), None, tiny.backbone()), reporter=small.QUIET)
    shutil.copytree(outcome.run / "merged", folder)
    shutil.rmtree(outcome.run)


def keys(*stages: str) -> list[str]:
    """Three quick steps of each stage."""
    own = (
        "training.max_steps=3",
        "training.batch_size=4",
        "training.checkpoint_every=1",
        "training.learning_rate=1e-3",
        "lora.rank=2",
    )
    found = [f"{stage}.{key}" for stage in stages for key in own]
    return [*found, "ppo.rollout.max_new_tokens=4"] if "ppo" in stages else found


def recipe(*overrides: str, stages: tuple[str, ...] = ("sft", "dpo")) -> PipelineRecipe:
    """A quick pipeline over `furnish`ed data, without the gate."""
    asked = [
        "model.name=model",
        "output=out",
        "data.demonstrations.train=demos.jsonl",
        "data.preferences.train=pairs.jsonl",
        "check=off",
        "split.near=null",
        "readiness=skip",
        "evaluate.prompts=2",
        "evaluate.max_new_tokens=4",
        *keys(*stages),
    ]
    found = load(None, [*asked, *overrides], stage="pipeline")
    assert isinstance(found, PipelineRecipe)
    return found


def results(output: Path) -> dict[str, bytes]:
    """The bytes of all that counts, by path."""
    found = {path for pattern in RESULTS for path in output.glob(pattern)}
    return {str(path.relative_to(output)): path.read_bytes() for path in sorted(found)}


def stamps(folder: Path) -> Mapping[str, Any]:
    """Which files a folder holds: one that is written again is another."""
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def go(*overrides: str, redo: tuple[str, ...] = (), **options: Any) -> list[str]:
    """Run it; which stages were run."""
    return pipeline.run(recipe(*overrides, **options), redo=redo, reporter=small.QUIET)


def refused(*overrides: str, kind: type[HeedfulError] = RunError, **options: Any) -> str:
    """Run it in vain; why."""
    with pytest.raises(kind) as caught:
        go(*overrides, **options)
    return str(caught.value)


def prepare(*overrides: str) -> None:
    """The stages before any training, into `out`."""
    asked = recipe(*overrides)
    for name in ("import", "split"):
        Path("out", name).mkdir(parents=True)
    incoming.bring_in(asked, Path("out/import"), small.QUIET)
    incoming.part(asked, Path("out/import"), Path("out/split"), small.QUIET)


def base_of(run: str) -> str:
    """The model, or the adapter, that a run's adapter says it stands on."""
    config = json.loads(Path(run, "adapter", "adapter_config.json").read_text(encoding="utf-8"))
    return str(config["base_model_name_or_path"])
