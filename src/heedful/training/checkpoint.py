"""Checkpoints that are whole or not there: written beside, synced, then renamed.

A checkpoint holds all that decides how a run goes on: trainable weights, optimiser, random states, and a `state.json` with
the step, the guard and the position in metrics.jsonl. The schedule and the data's order are functions of the step.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from heedful.errors import RunError

_PREFIX = "step-"


def save(
    folder: Path, step: int, weights: dict[str, Tensor], optimizer: dict[str, Any], state: dict[str, Any], *, keep: int
) -> Path:
    """Write `folder/step-000123` and remove all but the newest `keep` checkpoints.

    Raises:
        RunError: the disk is full or cannot be written; older checkpoints are untouched.
    """
    final = folder / f"{_PREFIX}{step:06d}"
    part = folder / f".part-{step:06d}-{os.getpid()}"
    try:
        part.mkdir(parents=True)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        save_file(tensors, part / "trainable.safetensors")
        torch.save(optimizer, part / "optimizer.pt")
        torch.save(_random_states(), part / "random.pt")
        (part / "state.json").write_text(json.dumps({"step": step, **state}))
        sync(part)
        if final.exists():
            shutil.rmtree(final)
        os.rename(part, final)
        _sync_folder(folder)
    except Exception as error:
        shutil.rmtree(part, ignore_errors=True)
        if not _is_disk_trouble(error):
            raise
        reason = "the disk is full" if _is_full(error) else f"it cannot be written ({error})"
        last = newest(folder)
        mend = f"Make room, then resume; {last.name} is whole." if last else "Make room, then start again."
        raise RunError(f"the checkpoint was not saved: {reason}.", where=str(final), mend=mend) from error
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint."""
    return next(reversed(_all(folder)), None)


def load(checkpoint: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """`(weights, optimiser state, state)`; puts the random states back.

    Raises:
        RunError: a file of it is damaged.
    """
    try:
        weights = load_file(checkpoint / "trainable.safetensors")
        optimizer = torch.load(checkpoint / "optimizer.pt", weights_only=True)
        randomness = torch.load(checkpoint / "random.pt", weights_only=True)
        state = json.loads((checkpoint / "state.json").read_text())
    except Exception as error:  # torch, safetensors and json each have their own
        mend = "Remove the folder; the checkpoint before it will be used."
        raise RunError(f"the checkpoint cannot be read: {error}", where=str(checkpoint), mend=mend) from error
    _set_random_states(randomness)
    return weights, optimizer, state


def clear_parts(folder: Path) -> None:
    """Remove what killed processes left half-written."""
    for part in folder.glob(".part-*"):
        shutil.rmtree(part, ignore_errors=True)


def sync(folder: Path) -> None:
    """Have every file of a folder on the disk, so that the rename that follows can only show whole files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"))


def _is_disk_trouble(error: Exception) -> bool:
    # torch and safetensors wrap the system's error in their own, with its text in the message.
    return isinstance(error, OSError) or "No space left" in str(error) or "PytorchStreamWriter" in str(error)


def _is_full(error: Exception) -> bool:
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


def _random_states() -> dict[str, Any]:
    version, keys, position = random.getstate()
    name, values, at, has_gauss, gauss = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(keys), position],
        "numpy": [str(name), torch.from_numpy(np.asarray(values).astype(np.int64)), int(at), int(has_gauss), float(gauss)],
    }


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    version, keys, position = states["python"]
    random.setstate((version, tuple(keys), position))
    name, values, at, has_gauss, gauss = states["numpy"]
    np.random.set_state((name, values.numpy().astype(np.uint32), at, has_gauss, gauss))
