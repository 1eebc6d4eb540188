"""The recipes that are shipped run: each is dry-run on a tiny model, and needs the memory that it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from heedful import formats
from heedful.models.shape import Shape, of_config
from heedful.pipeline.training import recipes_of
from heedful.recipe import PipelineRecipe, PPORecipe, Recipe, RLHFRecipe, load_any
from heedful.rlhf import stages_of
from heedful.training.memory import Rollout, Workload, predict
from tests import tiny
from tests.cli.command import Command
from tests.training import small

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
GPU_TOKENS_PER_ROW = 8192
GB = 1_000_000_000

# As their model cards say.
CONFIGS = {
    "1b": LlamaConfig(
        vocab_size=49152,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=24,
        num_attention_heads=32,
        num_key_value_heads=32,
        tie_word_embeddings=True,
    ),
    "8b": LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        tie_word_embeddings=False,
    ),
}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a tiny model, and data where the recipes look for them."""
    monkeypatch.chdir(tmp_path)
    tiny.save(tmp_path / "model")
    formats.write(small.demonstrations(24), "data/demonstrations.jsonl")
    for name in ("pairs", "preferences", "prompts"):
        formats.write(small.pairs(24, seed=1), f"data/{name}.jsonl")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_dry_run_as_it_stands(name: str, work: Path, heedful: Command) -> None:
    reward = ["reward=[{length: -0.1}]"] if name == "ppo-lora" else []
    result = heedful("run", RECIPES / f"{name}.yaml", "--dry-run", "model.name=model", *reward)
    assert (result.code, result.err) != (2, ""), result.err
    assert result.code == 0, result.err
    recipe = load_any(RECIPES / f"{name}.yaml")
    stages = [one.stage for one in runs(recipe)]
    assert re.findall(r"^Plan \((\w+)\)", result.err, re.MULTILINE) == stages
    assert not (work / "runs").exists()


def runs(recipe: Any) -> list[Recipe]:
    if isinstance(recipe, PipelineRecipe):
        return list(recipes_of(recipe, Path("split")).values())
    return list(stages_of(recipe).values()) if isinstance(recipe, RLHFRecipe) else [recipe]


def peaks(recipe: Any, shape: Shape) -> Iterator[float]:
    """What each stage of a recipe needs on a GPU, in GB."""
    for one in runs(recipe):
        full = one.training.method == "full"
        rollout = None
        if isinstance(one, PPORecipe):
            new = one.rollout.max_new_tokens
            rollout = Rollout(one.rollout.at_once, one.data.max_length - new, new)
        found = predict(
            Workload(
                shape,
                stage=one.stage,  # type: ignore[arg-type]
                tokens=max(GPU_TOKENS_PER_ROW, one.data.max_length),
                targets=GPU_TOKENS_PER_ROW // 2,
                method=one.training.method,
                compute=torch.bfloat16,
                device="cuda",
                rank=one.lora.rank,
                recomputed=one.training.gradient_checkpointing,
                reward="model" if full else "adapter",
                rollout=rollout,
            )
        )
        # Gradients are exchanged from a copy of their own.
        exchanged = (
            found.phase("training").by_kind()["gradients"] if "accelerate launch" in head(recipe) else 0
        )
        yield (found.total + exchanged) / GB


def head(recipe: Any) -> str:
    """What a recipe says of itself above its first key."""
    file = RECIPES / f"{Path(recipe.output).name}.yaml"
    return file.read_text(encoding="utf-8").partition("\nstage:")[0].replace("\n# ", " ")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(tuple(CONFIGS))])
def test_a_recipe_says_what_memory_it_takes(name: str) -> None:
    recipe = load_any(RECIPES / f"{name}.yaml")
    shape = of_config(CONFIGS[name[:2]])
    told = float(re.search(r"about (\d+) GB", head(recipe))[1])  # type: ignore[index]
    (card,) = set(re.findall(r"GPUs? of (\d+) GB", head(recipe)))
    peak = max(peaks(recipe, shape))
    assert told == pytest.approx(peak, rel=0.05)
    assert peak < 0.95 * float(card)
