"""From a name to a tokenizer alone: no weights are read, and torch is not imported where it can be helped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.models.catalog import resolve

FAST = "TokenizersBackend"
"""What transformers 5 calls a tokenizer that is nothing beside its tokenizer.json."""


def tokenizer_of(name: str) -> Any:
    """The tokenizer of a model: catalog name, folder, run, adapter, `.gguf` file or hub id.

    A folder that holds only a tokenizer will do as well.

    Raises:
        ModelError: nothing of that name, or no tokenizer that loads.
    """
    folder = Path(name).expanduser()
    if (folder / "tokenizer_config.json").is_file() and not _is_built_on_another(folder):
        return load_tokenizer(folder.as_posix(), name)
    return load_tokenizer(resolve(name).pretrained, name)


def load_tokenizer(pretrained: str, name: str) -> Any:
    """The tokenizer of a folder or hub id; `name` is what an error calls it.

    `AutoTokenizer` takes seconds to import torch, and has nothing to decide where the folder says that
    tokenizer.json is all of the tokenizer.

    Raises:
        ModelError: it does not load.
    """
    from transformers import PreTrainedTokenizerFast

    try:
        if _is_plain(Path(pretrained)):
            return PreTrainedTokenizerFast.from_pretrained(pretrained)
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(pretrained)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        mend = "Check the name, and that the folder holds tokenizer.json and tokenizer_config.json."
        raise ModelError(f"the tokenizer cannot be loaded: {reason}", where=name, mend=mend) from error


def _is_built_on_another(folder: Path) -> bool:
    """Whether the folder is an adapter's or a run's, whose base model has the tokenizer."""
    return any((folder / file).is_file() for file in ("adapter_config.json", "run.json"))


def _is_plain(folder: Path) -> bool:
    """Whether `AutoTokenizer` would load the folder's tokenizer.json as it is."""
    if not (folder / "tokenizer.json").is_file():
        return False
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("tokenizer_class") == FAST and "auto_map" not in config
