"""Judges as commands name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heedful.recipe.judges import JudgeSettings

RECIPES = (".yaml", ".yml")


def judge_settings(name: str, overrides: Sequence[str] = ()) -> JudgeSettings:
    """The judge that a name or a YAML file says, with keys over it.

    Raises:
        RecipeError: a key that is unknown or does not fit, or a file that cannot be read.
    """
    from heedful.recipe import load_keys
    from heedful.recipe.judges import JudgeSettings

    is_file = name.endswith(RECIPES)
    known: dict[str, Any] = {} if is_file else JudgeSettings.named(name).model_dump(mode="json")
    # Keys with null are sections that are not there; without one they would be opened, and empty.
    known = dict.fromkeys(JudgeSettings.model_fields) | known
    return load_keys(name if is_file else None, overrides, JudgeSettings, known)
