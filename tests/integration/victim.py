"""A training run in a process of its own, or in several, for the tests that kill it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from heedful.errors import Interrupted
from heedful.training import checkpoint, rollout
from heedful.training.job import Given
from heedful.training.ppo_updates import Updates
from tests import tiny
from tests.training import small


def given(stage: str) -> Given:
    records: Any = small.demonstrations(22) if stage in ("sft", "full") else small.pairs(22)
    return Given(records[:18], records[18:], tiny.backbone())


def run(stage: str, folder: str, settings: dict[str, Any], die: tuple[str, int] | None = None) -> None:
    """Start the run in `folder`, or go on with it.

    Args:
        die: a function that the run calls, and at which of its calls (from 1) the process kills itself.
    """
    torch.set_num_threads(1)
    if die is not None:
        _die_at(*die)
    resume = (Path(folder) / "run.json").exists()
    try:
        small.train(stage, Path(folder), given=given(stage), resume=resume, **settings)
    except Interrupted as error:
        raise SystemExit(error.exit_code) from error


def _die_at(name: str, call: int) -> None:
    owner: Any
    owner, attribute = {
        "torch_save": (checkpoint.torch, "save"),
        "rename": (checkpoint.os, "rename"),
        "remove": (checkpoint, "_remove"),
        "generate": (rollout, "sample"),
        "reward": (rollout, "checked"),
        "judge": (rollout, "score_tokens"),
        "update": (Updates, "_update"),
    }[name]
    function, calls = getattr(owner, attribute), [0]

    def counted(*args: Any, **keywords: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keywords)

    setattr(owner, attribute, counted)


if __name__ == "__main__":
    run(**json.loads(sys.argv[1]))
