"""Hashes of contents: of files, of models by what their folders hold, and of lists of texts.

Two things with one fingerprint give the same results. Nothing is loaded for it: what only a name is known of
(a hub id) stands for itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from heedful.models.catalog import Source

# Of a model's folder: weights, tokenizer and configuration.
_SUFFIXES = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def combined(parts: Iterable[str]) -> str:
    """One hash of several texts, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """A file's content.

    Raises:
        OSError: it cannot be read.
    """
    about = path.stat()
    return _file_as_of(path.resolve(), about.st_size, about.st_mtime_ns)


def of_source(source: Source) -> str:
    """A model's content: its folder, the adapters folded into it, and its own adapter."""
    parts = [source.folder, *source.folded, *([source.adapter] if source.adapter else [])]
    return combined(_folder(part) if part.is_dir() else str(part) for part in parts)


def _folder(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    return combined(f"{file.name} {_content(file)}" for file in files)


def _content(file: Path) -> str:
    if file.name != "adapter_config.json":
        return of_file(file)
    config = json.loads(file.read_text(encoding="utf-8"))
    # Where the weights below lie, which are hashed themselves: a run that is moved is the same run.
    config.pop("base_model_name_or_path", None)
    # PEFT files a set, in whatever order the interpreter had it.
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    return combined([json.dumps(config, sort_keys=True)])


@lru_cache(maxsize=1024)
def _file_as_of(path: Path, size: int, changed: int) -> str:
    """A file's content; several stages ask for the same weights."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
