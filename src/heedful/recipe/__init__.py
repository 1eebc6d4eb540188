"""What a run is: a recipe read from YAML and `key=value` overrides, checked before anything heavy is loaded.

`settings` holds the keys, their defaults and ranges; `load` reads files and overrides and turns what does
not fit into a `RecipeError` with the place and the mend. Knows nothing of data files, models or training.
"""

from heedful.recipe.load import from_keywords, load, to_yaml
from heedful.recipe.settings import (
    DataSettings,
    DPOObjective,
    DPORecipe,
    DPOTraining,
    ExportSettings,
    GuardSettings,
    LoraSettings,
    ModelSettings,
    Recipe,
    RewardSource,
    SFTRecipe,
    SFTTraining,
    TrainingSettings,
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
    "Recipe",
    "RewardSource",
    "SFTRecipe",
    "SFTTraining",
    "TrainingSettings",
    "from_keywords",
    "load",
    "to_yaml",
]
