"""Where the stages of a pipeline leave what the next ones read.

Data are of kinds, those that the recipe's `data` names; of each there are rows to learn from and rows to
judge by.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heedful import data
from heedful.recipe import PipelineRecipe, SourceSettings
from heedful.recipe.pipeline import PipelineData

# Kinds of data in the order in which they say what the task is.
TASK = ("preferences", "demonstrations", "prompts")
# A file of this name comes with the package.
SHIPPED = "heedful:"


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of one kind of data in a folder."""

    train: Path
    held_out: Path


def sources(recipe: PipelineRecipe) -> dict[str, SourceSettings]:
    """What comes in, by kind."""
    found = {kind: getattr(recipe.data, kind) for kind in PipelineData.model_fields}
    return {kind: source for kind, source in found.items() if source is not None}


def files_of(source: SourceSettings) -> list[str]:
    """The files to learn from, by the names they can be opened by.

    Raises:
        DataError: no such file comes with the package.
    """
    return [_opened(name) for name in source.files]


def held_out_of(source: SourceSettings) -> str | None:
    """The file to judge by, likewise; None where a share is held out."""
    return None if source.eval is None else _opened(source.eval)


def parts(folder: Path, kind: str) -> Parts:
    """Where a stage's folder keeps one kind of data."""
    return Parts(folder / f"{kind}-train.jsonl", folder / f"{kind}-held-out.jsonl")


def held_out_files(recipe: PipelineRecipe, split: Path) -> list[Path]:
    """The files of rows to judge by, those first that say best what the task is."""
    found = [parts(split, kind).held_out for kind in TASK if kind in sources(recipe)]
    return [path for path in found if path.exists()]


def _opened(name: str) -> str:
    return str(data.path(name.removeprefix(SHIPPED))) if name.startswith(SHIPPED) else name
