"""What a run is: a recipe read from YAML and `key=value` overrides, checked before anything heavy is loaded.

`settings` holds the keys, their defaults and ranges; `load` reads files and overrides and turns what does
not fit into a `RecipeError` with the place and the mend. Knows nothing of data files, models or training.
"""

from heedful.recipe.load import from_keywords, load, to_yaml
from heedful.recipe.settings import (
    DataSettings,
    ExportSettings,
    GuardSettings,
    LoraSettings,
    ModelSettings,
    Recipe,
    TrainingSettings,
)
from heedful.recipe.stages import (
    DPOObjective,
    DPORecipe,
    DPOTraining,
    PPOGuardSettings,
    PPOObjective,
    PPORecipe,
    PPOTraining,
    RewardObjective,
    RewardRecipe,
    RewardSource,
    RewardTraining,
    RolloutSettings,
    SFTRecipe,
    SFTTraining,
)

__all__ = [
    "DPOObjective",
    "DPORecipe",
    "DPOTraining",
    "DataSettings",
    "ExportSettings",
    "GuardSettings",
    "LoraSettings",
    "ModelSettings",
    "PPOGuardSettings",
    "PPOObjective",
    "PPORecipe",
    "PPOTraining",
    "Recipe",
    "RewardObjective",
    "RewardRecipe",
    "RewardSource",
    "RewardTraining",
    "RolloutSettings",
    "SFTRecipe",
    "SFTTraining",
    "TrainingSettings",
    "from_keywords",
    "load",
    "to_yaml",
]
