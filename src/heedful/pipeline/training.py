"""The recipes of a pipeline's training runs: each over what SFT made, on its part of the split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heedful.pipeline.places import parts, sources
from heedful.recipe import (
    DataSettings,
    DPORecipe,
    ModelSettings,
    PipelineRecipe,
    PPORecipe,
    Recipe,
    RewardRecipe,
    RewardSource,
    SFTRecipe,
)

_KINDS: dict[str, type[Recipe]] = {
    "sft": SFTRecipe,
    "dpo": DPORecipe,
    "reward": RewardRecipe,
    "ppo": PPORecipe,
}
# What aligns a model, and wants one that can do the task.
ALIGNING = ("dpo", "ppo")


def start(recipe: PipelineRecipe) -> ModelSettings:
    """The model that is aligned: what SFT made, or the one that the recipe names."""
    if recipe.sft is None:
        return recipe.model
    output = str(Path(recipe.output) / "sft")
    return recipe.model.model_copy(update={"name": output, "adapter": None})


def recipes_of(recipe: PipelineRecipe, split: Path) -> dict[str, Recipe]:
    """The recipes of the stages that train, in their order.

    Args:
        split: the folder of the rows that were dealt out.
    """
    found: dict[str, Recipe] = {}
    for name, part in recipe.parts.items():
        keys = {key: getattr(part, key) for key in type(part).model_fields if key != "data"}
        if name == "ppo" and recipe.reward is not None:
            own = RewardSource(model=str(Path(recipe.output) / "reward"))
            keys["reward"] = [own, *keys["reward"]]
        found[name] = _KINDS[name](
            model=recipe.model if name == "sft" else start(recipe),
            data=_data(recipe, name, split),
            output=str(Path(recipe.output) / name),
            **keys,
        )
    return found


def _data(recipe: PipelineRecipe, stage: str, split: Path) -> DataSettings:
    kind = recipe.learns_from(stage)
    own = parts(split, kind)
    about: dict[str, Any] = recipe.parts[stage].data.model_dump()
    judged = about.pop("judge") and (recipe.split.held_out > 0 or sources(recipe)[kind].eval is not None)
    return DataSettings(
        train=str(own.train),
        eval=str(own.held_out) if judged else None,
        format="heedful",
        eval_fraction=0.0,
        **about,
    )
