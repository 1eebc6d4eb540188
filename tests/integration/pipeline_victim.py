"""A pipeline in a process of its own, for the tests that kill it in each of its stages."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch

from heedful import judging, pipeline
from heedful.pipeline import findings, incoming, ready, report
from heedful.recipe import PipelineRecipe, load
from heedful.training import checkpoint, run_folder
from heedful.training.tracking import Reporter

# Where a process dies, by name: the function it calls then.
PLACES: dict[str, tuple[Any, str]] = {
    "records": (incoming.formats, "write"),
    "page of a check": (incoming.check_html, "write"),
    "account of the split": (incoming, "write_quarantine"),
    "checkpoint": (checkpoint.torch, "save"),
    "verdict on readiness": (ready, "write_text"),
    "report of a reward model": (judging, "write"),
    "a model's answers": (findings, "keep_examined"),
    "report": (report, "write"),
    "name of a stage's folder": (checkpoint.os, "rename"),
    "run.json": (run_folder.folders, "write_text"),
}


def run(folder: str, overrides: list[str], log: str, die: tuple[str, int] | None = None) -> None:
    """Go through the pipeline in `folder`, or on with it.

    Args:
        log: a file for what is said.
        die: one of `PLACES`, and at which of its calls (from 1) the process kills itself.
    """
    torch.set_num_threads(1)
    os.chdir(folder)
    os.environ["HEEDFUL_CACHE"] = str(Path(folder) / "cache")
    if die is not None:
        _die_at(*die)
    recipe = load(None, overrides, stage="pipeline")
    assert isinstance(recipe, PipelineRecipe)
    with Path(log).open("w", encoding="utf-8") as stream:
        pipeline.run(recipe, reporter=Reporter(stream=stream))


def _die_at(name: str, call: int) -> None:
    owner, attribute = PLACES[name]
    function, calls = getattr(owner, attribute), [0]

    def counted(*args: Any, **keywords: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keywords)

    setattr(owner, attribute, counted)
