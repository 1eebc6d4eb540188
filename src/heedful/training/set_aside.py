"""Moving a stage's folder out of the way, so that nothing is lost and what was built on it still loads.

An adapter names the adapter below it by its path. Where that one is moved, the name follows it: an old DPO
run must not stand on a new SFT run that has taken the old one's place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from heedful.models import folders

_CONFIG, _BASE = "adapter_config.json", "base_model_name_or_path"
_RUN = "run.json"


def set_aside(folder: Path, to: Path, within: Path) -> bool:
    """Move `folder` to `to`, and have the runs `within` that stand on it follow; whether there was one."""
    if not folder.exists():
        return False
    to.parent.mkdir(parents=True, exist_ok=True)
    follow(within, folder, to)  # first: a process that is killed in between moves it when it is started again
    os.rename(folder, to)
    return True


def follow(within: Path, old: Path, new: Path) -> None:
    """Have the runs in a folder that stand on something in `old` stand on the same in `new`."""
    old, new = old.absolute(), new.absolute()

    def moved(name: Any) -> Any:
        if not isinstance(name, str) or not Path(name).absolute().is_relative_to(old):
            return name
        return str(new / Path(name).absolute().relative_to(old))

    for file in within.rglob(_CONFIG):
        told = _read(file)
        _write(file, told, {**told, _BASE: moved(told.get(_BASE))})
    for file in within.rglob(_RUN):
        told = _read(file)
        model = told.get("model", {})
        lineage = [moved(name) for name in model.get("lineage", [])]
        if lineage:
            _write(file, told, {**told, "model": {**model, "lineage": lineage}})


def _read(file: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return told


def _write(file: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    if after != before:
        folders.write_text(file, json.dumps(after, indent=2, ensure_ascii=False) + "\n")
