"""What a run is: a recipe read from YAML and `key=value` overrides, checked before anything heavy is loaded.

`settings` holds the keys, their defaults and ranges; `load` reads files and overrides and turns what does
not fit into a `RecipeError` with the place and the mend. Knows nothing of data files, models or training.
"""

from heedful.recipe.load import from_keywords, from_stages, load, load_any, load_keys, to_yaml
from heedful.recipe.pipeline import PipelineRecipe
from heedful.recipe.settings import (
    AnyRecipe,
    DataSettings,
    ExportSettings,
    GuardSettings,
    LoraSettings,
    ModelSettings,
    Recipe,
    SourceSettings,
    StageKeys,
    TrainingSettings,
)
from heedful.recipe.stages import (
    DPOObjective,
    DPORecipe,
    DPOTraining,
    PPOGuardSettings,
    PPOKeys,
    PPOObjective,
    PPORecipe,
    PPOTraining,
    RewardKeys,
    RewardObjective,
    RewardRecipe,
    RewardSource,
    RewardTraining,
    RLHFRecipe,
    RolloutSettings,
    SFTKeys,
    SFTRecipe,
    SFTTraining,
)

__all__ = [
    "AnyRecipe",
    "DPOObjective",
    "DPORecipe",
    "DPOTraining",
    "DataSettings",
    "ExportSettings",
    "GuardSettings",
    "LoraSettings",
    "ModelSettings",
    "PPOGuardSettings",
    "PPOKeys",
    "PPOObjective",
    "PPORecipe",
    "PPOTraining",
    "PipelineRecipe",
    "RLHFRecipe",
    "Recipe",
    "RewardKeys",
    "RewardObjective",
    "RewardRecipe",
    "RewardSource",
    "RewardTraining",
    "RolloutSettings",
    "SFTKeys",
    "SFTRecipe",
    "SFTTraining",
    "SourceSettings",
    "StageKeys",
    "TrainingSettings",
    "from_keywords",
    "from_stages",
    "load",
    "load_any",
    "load_keys",
    "to_yaml",
]
