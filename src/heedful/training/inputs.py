"""What a run is made from, as hashes of contents: data, the models it starts from, and functions that score.

Nothing is loaded for it, so it can be asked whether a finished run would come out again before anything
heavy begins. What only a name is known of (a hub id, an endpoint) stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from heedful import formats
from heedful.models import fingerprints
from heedful.models.catalog import resolve
from heedful.models.rewards import source_of
from heedful.recipe import DataSettings, PPORecipe, Recipe
from heedful.training.job import NOTHING, Given


def of(recipe: Recipe, given: Given = NOTHING, *, pending: Iterable[Path] = ()) -> dict[str, str]:
    """A hash of everything that a run reads, by recipe key.

    Args:
        pending: folders of stages that are not finished yet, and of which nothing is said.

    Raises:
        DataError: a data file that cannot be read.
        ModelError: a model that is not there.
    """
    data = recipe.data
    found: dict[str, str] = {}
    files = {
        "data.train": [data.train] if isinstance(data.train, str) else data.train,
        "data.eval": [data.eval] if data.eval is not None else [],
    }
    records = {"data.train": given.train, "data.eval": given.held_out}
    pending = tuple(pending)

    def is_there(name: str) -> bool:
        return not any(Path(name).is_relative_to(folder) for folder in pending)

    for key, own in records.items():
        if own is not None:
            found[key] = fingerprints.combined(map(repr, own))
        elif all(map(is_there, files[key])):
            found[key] = _data(files[key], data)
    models = {"model.name": recipe.model.name, "model.adapter": recipe.model.adapter}
    if isinstance(recipe, PPORecipe):
        for number, source in enumerate(recipe.reward):
            models[f"reward.{number}.model"] = source.model
            file = source_of(source.function) if source.function is not None else None
            if file is not None:
                found[f"reward.{number}.function"] = fingerprints.of_file(file)
    for key, name in models.items():
        if name is not None and is_there(name):
            found[key] = fingerprints.of_source(resolve(name))
    return found


def _data(files: Sequence[str], settings: DataSettings) -> str:
    for file in files:  # for its complaints, before an earlier stage takes its hours
        formats.read(file, **settings.reading | {"limit": 1})
    return fingerprints.combined(_source(file, settings) for file in files)


def _source(name: str, settings: DataSettings) -> str:
    """A hash of a data file, or of the records of what is no file: a folder or a name on the hub."""
    path = Path(name).expanduser()
    if path.is_file():
        return fingerprints.of_file(path)
    return fingerprints.combined(map(repr, formats.read(name, **settings.reading)))
