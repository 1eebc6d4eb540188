"""What one measurement is, and the arithmetic that turns its steps into figures.

A job runs alone in a fresh process (`python -m benchmarks.measure spec.json result.json`), because peak
memory is a property of a process and because neither side should inherit the other's warm caches. Knows
nothing of either side's library: it imports the module a spec names, and only then.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

KINDS = ("dpo", "sft", "reward")
# Heedful is measured as it comes; TRL as it comes and at its best.
PEER_VARIANTS = ("default", "best")

# One setting for both sides; a ratio is only fair while these stand once.
BATCH_SIZE = 4
MAX_LENGTH = 512
LORA_RANK = 16
LORA_ALPHA = 32
LEARNING_RATES = {"dpo": 2e-5, "sft": 2e-5, "reward": 1e-4, "ppo": 1e-5}
DPO_BETA = 0.1
SEED = 0
# PPO: pull towards the reference, passes over an iteration's episodes, optimiser steps of a pass.
PPO_BETA = 0.05
INNER_EPOCHS = 4
MINIBATCHES = 1
# A reference computed once per data set is shared out over this many passes.
EPOCHS = 3

KIBIBYTE = 1024


@dataclass(frozen=True)
class JobSpec:
    """One job for one side: what a worker process is told.

    Attributes:
        job: its kind, for the peer followed by the variant (`dpo-best`).
        module: what runs it: has `run_job(spec) -> JobResult`.
        held_out: a file of pairs that a reward model is judged by, outside its steps' time.
        packages: a folder whose packages come before the installed ones.
        options: what the module takes beside.
    """

    side: str
    job: str
    module: str
    rows: str
    model: str
    precision: str
    steps: int
    warmup: int
    held_out: str = ""
    packages: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.job.split("-")[0]


@dataclass(frozen=True)
class Step:
    """One optimiser step, or one iteration of PPO.

    Attributes:
        seconds: by the wall clock.
        pairs: learnt from; for SFT rows, for PPO episodes.
        tokens: without padding; for PPO those sampled.
    """

    seconds: float
    pairs: int
    tokens: int


@dataclass(frozen=True)
class JobResult:
    """What a side reports: every step, warm-up included, so that figures can be worked out again.

    `reference_seconds_per_pair` is the cost of a reference pass made once before training; 0 where the
    reference is part of each step or where there is none. Memory is in bytes, of the whole process until
    training has ended. `held_out_accuracy` is a reward model's, after that.
    """

    side: str
    job: str
    precision: str
    warmup: int
    steps: tuple[Step, ...]
    loaded_bytes: int
    peak_bytes: int
    reference_seconds_per_pair: float = 0.0
    held_out_accuracy: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """Steady state of one job: what tables show."""

    pairs_per_second: float
    tokens_per_second: float
    seconds_per_step: float
    reference_share: float
    peak_bytes: int
    loaded_bytes: int
    held_out_accuracy: float | None = None


def timed(result: JobResult) -> Sequence[Step]:
    """The steps after the warm-up. Raises ValueError when none is left."""
    steps = result.steps[result.warmup :]
    if not steps:
        raise ValueError(f"{result.side} {result.job}: {len(result.steps)} steps, all of them warm-up")
    return steps


def figures(results: Sequence[JobResult], *, epochs: int = EPOCHS) -> Figures:
    """Pool the timed steps of one or more runs of the same job.

    pairs/s = pairs / (seconds in steps + pairs x reference seconds per pair / epochs): a reference computed
    once is shared out over the passes that use it. Memory is the largest seen, held-out accuracy the mean.
    """
    steps = [step for result in results for step in timed(result)]
    seconds = sum(step.seconds for step in steps)
    pairs = sum(step.pairs for step in steps)
    reference = sum(
        result.reference_seconds_per_pair / epochs * sum(step.pairs for step in timed(result))
        for result in results
    )
    accuracies = [result.held_out_accuracy for result in results if result.held_out_accuracy is not None]
    return Figures(
        pairs_per_second=pairs / (seconds + reference),
        tokens_per_second=sum(step.tokens for step in steps) / (seconds + reference),
        seconds_per_step=seconds / len(steps),
        reference_share=reference / (seconds + reference),
        peak_bytes=max(result.peak_bytes for result in results),
        loaded_bytes=max(result.loaded_bytes for result in results),
        held_out_accuracy=sum(accuracies) / len(accuracies) if accuracies else None,
    )


def peak_bytes() -> int:
    """The most memory held so far: of the GPU where there is one, else of this process.

    `ru_maxrss` counts KiB on Linux and bytes on macOS.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum if sys.platform == "darwin" else maximum * KIBIBYTE


def to_json(result: JobResult) -> dict[str, Any]:
    return asdict(result)


def from_json(data: Mapping[str, Any]) -> JobResult:
    return JobResult(**{**data, "steps": tuple(Step(**step) for step in data["steps"])})


def run_alone(spec: JobSpec) -> JobResult:
    """Run one job in a process of its own. Raises RuntimeError with the end of its output when it fails.

    Facts gain the machine's load before and after (1-minute averages): other work shows.
    """
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        told, answer = Path(folder, "spec.json"), Path(folder, "result.json")
        told.write_text(json.dumps(asdict(spec)))
        command = [sys.executable, "-m", "benchmarks.measure", str(told), str(answer)]
        path = os.pathsep.join(filter(None, (spec.packages, os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        if done.returncode or not answer.exists():
            raise RuntimeError(f"{spec.side} {spec.job} failed ({done.returncode}):\n{done.stdout[-4000:]}")
        result = from_json(json.loads(answer.read_text()))
    load = [round(before, 2), round(os.getloadavg()[0], 2)]
    return replace(result, facts={**result.facts, "load_before_after": load})


def main(arguments: Sequence[str]) -> None:
    told, answer = arguments
    spec = JobSpec(**json.loads(Path(told).read_text()))
    result = importlib.import_module(spec.module).run_job(spec)
    Path(answer).write_text(json.dumps(to_json(result)))


if __name__ == "__main__":
    main(sys.argv[1:])
