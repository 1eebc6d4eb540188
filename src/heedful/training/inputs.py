"""What a run is made from, as hashes of contents: data, the models it starts from, and functions that score.

Nothing is loaded for it, so it can be asked whether a finished run would come out again before anything
heavy begins. What only a name is known of (a hub id, an endpoint) stands for itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from heedful import formats
from heedful.models.catalog import resolve
from heedful.models.rewards import source_of
from heedful.recipe import DataSettings, PPORecipe, Recipe
from heedful.training.job import NOTHING, Given

# Of a model's folder: weights, tokenizer and configuration.
_SUFFIXES = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def of(recipe: Recipe, given: Given = NOTHING, *, pending: Iterable[Path] = ()) -> dict[str, str]:
    """A hash of everything that a run reads, by recipe key.

    Args:
        pending: runs that are not finished yet, and of which nothing is said.

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
    for key, own in records.items():
        found[key] = _data(files[key], data) if own is None else _hash(map(repr, own))
    models = {"model.name": recipe.model.name, "model.adapter": recipe.model.adapter}
    if isinstance(recipe, PPORecipe):
        for number, source in enumerate(recipe.reward):
            models[f"reward.{number}.model"] = source.model
            file = source_of(source.function) if source.function is not None else None
            if file is not None:
                found[f"reward.{number}.function"] = _file(file)
    for key, name in models.items():
        if name is not None and not any(Path(name).is_relative_to(run) for run in pending):
            found[key] = _model(name)
    return found


def _data(files: Sequence[str], settings: DataSettings) -> str:
    for file in files:  # for its complaints, before an earlier stage takes its hours
        formats.read(file, **settings.reading | {"limit": 1})
    return _hash(_source(file, settings) for file in files)


def _source(name: str, settings: DataSettings) -> str:
    """A hash of a data file, or of the records of what is no file: a folder or a name on the hub."""
    path = Path(name).expanduser()
    return _file(path) if path.is_file() else _hash(map(repr, formats.read(name, **settings.reading)))


def _model(name: str) -> str:
    source = resolve(name)
    parts = [source.folder, *source.folded, *([source.adapter] if source.adapter else [])]
    return _hash(_folder(part) if part.is_dir() else str(part) for part in parts)


def _folder(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    return _hash(f"{file.name} {_content(file)}" for file in files)


def _content(file: Path) -> str:
    if file.name != "adapter_config.json":
        return _file(file)
    # PEFT files a set, in whatever order the interpreter had it.
    config = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    return _hash([json.dumps(config, sort_keys=True)])


def _file(path: Path) -> str:
    about = path.stat()
    return _file_as_of(path.resolve(), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=1024)
def _file_as_of(path: Path, size: int, changed: int) -> str:
    """A file's content; several stages ask for the same weights."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()
