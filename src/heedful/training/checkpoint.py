"""Checkpoints that are whole or not there: written beside, synced, then renamed.

A checkpoint holds all that decides how a run goes on: trainable weights, optimiser, each process's random
states, and a `state.json` with the step, the guard and the position in metrics.jsonl. The schedule and the
data's order are functions of the step.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from heedful.errors import RunError
from heedful.models import folders

_PREFIX = "step-"
_WEIGHTS = "trainable.safetensors"
# What is on its way in or out; a killed process leaves it behind, and nobody reads it.
_PART = ".part-"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint holds: see `save`."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    randomness: list[dict[str, Any]]
    state: dict[str, Any]


def save(folder: Path, step: int, saved: Saved, *, keep: int) -> Path:
    """Write `folder/step-000123` and remove all but the newest `keep` checkpoints.

    `saved.randomness` is `random_states()` of each process, in order.

    Raises:
        RunError: the disk is full or cannot be written; older checkpoints are untouched.
    """
    final = folder / f"{_PREFIX}{step:06d}"
    part = folder / f"{_PART}{step:06d}-{os.getpid()}"
    try:
        part.mkdir(parents=True)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in saved.weights.items()}
        save_file(tensors, weights_file(part))
        for name, kept in (("optimizer.pt", saved.optimizer), ("random.pt", saved.randomness)):
            # Opened here: torch's own writer says nothing of a full disk.
            with (part / name).open("wb") as file:
                torch.save(kept, file)
        (part / "state.json").write_text(json.dumps({"step": step, **saved.state}))
        put_in_place(part, final)
    except Exception as error:
        shutil.rmtree(part, ignore_errors=True)
        reason = disk_trouble(error)
        if reason is None:
            raise
        last = newest(folder)
        mend = f"Make room, then resume; {last.name} is whole." if last else "Make room, then start again."
        raise RunError(f"the checkpoint was not saved: {reason}.", where=str(final), mend=mend) from error
    for old in _all(folder)[:-keep]:
        _remove(old)
    return final


def kept(folder: Path) -> list[Path]:
    """The whole checkpoints of a run's folder of them, the oldest first."""
    return _all(folder)


def weights_file(checkpoint: Path) -> Path:
    """Where a checkpoint's trained weights lie."""
    return checkpoint / _WEIGHTS


def weights(checkpoint: Path) -> dict[str, Tensor]:
    """The trained weights alone, by their names in the model; `Backbone.fill` puts them on.

    Raises:
        RunError: they are damaged or missing.
    """
    try:
        return load_file(weights_file(checkpoint))
    except (OSError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise RunError(f"the checkpoint cannot be read: {reason}.", where=str(checkpoint)) from error


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint."""
    return next(reversed(_all(folder)), None)


def discard(folder: Path, step: int) -> None:
    """Remove the checkpoint of `step`, unless there is none before it."""
    for at, found in enumerate(_all(folder)):
        if at and step_of(found) == step:
            _remove(found)


def step_of(checkpoint: Path) -> int:
    """The step whose state a checkpoint holds."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def load(checkpoint: Path) -> Saved:
    """What `save` wrote.

    Raises:
        RunError: a file of it is damaged or missing.
    """
    try:
        return Saved(
            load_file(weights_file(checkpoint)),
            torch.load(checkpoint / "optimizer.pt", map_location="cpu", weights_only=True),
            torch.load(checkpoint / "random.pt", map_location="cpu", weights_only=True),
            json.loads((checkpoint / "state.json").read_text()),
        )
    except Exception as error:  # torch, safetensors and json each have their own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        before = [other.name for other in _all(checkpoint.parent) if other < checkpoint]
        mend = (
            f"Remove this folder; the run then resumes from {before[-1]}."
            if before
            else "Start the run anew."
        )
        raise RunError(
            f"the checkpoint cannot be read: {reason}.", where=str(checkpoint), mend=mend
        ) from error


def clear_parts(folder: Path) -> None:
    """Remove what killed processes left half-written, or half-removed."""
    for part in folder.glob(f"{_PART}*"):
        shutil.rmtree(part, ignore_errors=True)


def put_in_place(part: Path, final: Path) -> None:
    """Give a finished folder its name; a reader of `final` sees all of it or none."""
    folders.sync(part)
    if final.exists():
        _remove(final)
    os.rename(part, final)
    folders.sync_names(final.parent)


def _remove(folder: Path) -> None:
    """Remove a folder that readers know: out of sight first, so that nobody sees half of it."""
    aside = folder.with_name(f"{_PART}old-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"))


def disk_trouble(error: BaseException) -> str | None:
    """Why something could not be written, in words; none where the disk is not to blame.

    torch raises its own error while it handles the system's; safetensors puts the system's text into its own.
    """
    found: BaseException | None = error
    while found is not None:
        if getattr(found, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(found):
            return "the disk is full"
        if isinstance(found, OSError):
            return f"it cannot be written ({found})"
        found = found.__context__
    return None


def random_states() -> dict[str, Any]:
    """The states of every source of randomness in this process."""
    version, keys, position = random.getstate()
    name, values, at, has_gauss, gauss = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(keys), position],
        "numpy": [
            str(name),
            torch.from_numpy(np.asarray(values).astype(np.int64)),
            int(at),
            int(has_gauss),
            float(gauss),
        ],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Put back what `random_states` found."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    version, keys, position = states["python"]
    random.setstate((version, tuple(keys), position))
    name, values, at, has_gauss, gauss = states["numpy"]
    np.random.set_state((name, values.numpy().astype(np.uint32), at, has_gauss, gauss))
