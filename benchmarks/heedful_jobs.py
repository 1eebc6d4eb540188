"""Heedful's side: its public face, with its defaults wherever the benchmark sets nothing.

The steps are read from the run's own `metrics.jsonl` (one line a step: seconds, pairs or rows, tokens), so
what is timed is what a user gets: loading, packing, the step, logging. The reference pass that DPO makes once
per data set is read from its own line and shared out over the passes that use it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import (
    BATCH_SIZE,
    DPO_BETA,
    LEARNING_RATE,
    LORA_ALPHA,
    LORA_RANK,
    MAX_LENGTH,
    SEED,
    JobResult,
    Step,
    peak_bytes,
)

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def run_job(
    job: str,
    rows_path: str | Path,
    precision: str,
    steps: int,
    warmup: int,
    *,
    model: str,
    options: Mapping[str, Any] | None = None,
) -> JobResult:
    """Train `warmup + steps` steps of `dpo` or `sft`; `options` are further keywords of `heedful.train`."""
    import heedful
    from heedful.records import Demonstration, Preference

    pairs = [pair for pair in heedful.read(rows_path, format="trl") if isinstance(pair, Preference)]
    backbone = heedful.load(model, dtype=DTYPES[precision])
    loaded = peak_bytes()
    shared: dict[str, Any] = {
        "max_length": MAX_LENGTH,
        "batch_size": BATCH_SIZE,
        "max_steps": warmup + steps,
        "learning_rate": LEARNING_RATE,
        "rank": LORA_RANK,
        "alpha": LORA_ALPHA,
        "seed": SEED,
        "eval_fraction": 0.0,
        **(options or {}),
    }
    with tempfile.TemporaryDirectory(prefix="heedful-") as folder:
        output = Path(folder, "run")
        if job == "dpo":
            heedful.train.dpo(backbone, pairs, beta=DPO_BETA, output=str(output), **shared)
        else:
            demonstrations = [Demonstration(pair.prompt, pair.chosen) for pair in pairs]
            heedful.train.sft(backbone, demonstrations, output=str(output), **shared)
        lines = read_metrics(output / "metrics.jsonl")
    return JobResult(
        side="heedful",
        job=job,
        precision=precision,
        warmup=warmup,
        steps=steps_of(lines),
        loaded_bytes=loaded,
        peak_bytes=peak_bytes(),
        reference_seconds_per_pair=reference_of(lines) if job == "dpo" else 0.0,
        options=dict(options or {}),
        facts={"rows_given": len(pairs), "rows_used": len(pairs)},
    )


def read_metrics(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def steps_of(lines: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """The training steps of a run's metrics, in the order they were made."""
    trained = sorted((line for line in lines if line["kind"] == "train"), key=lambda line: line["step"])
    return tuple(Step(line["seconds"], line["pairs"], line["tokens"]) for line in trained)


def reference_of(lines: Iterable[Mapping[str, Any]]) -> float:
    """Seconds per pair of the reference pass. Raises ValueError without its line: no cost may go missing."""
    passes = [line for line in lines if line["kind"] == "reference"]
    if not passes:
        raise ValueError('metrics.jsonl has no line {"kind": "reference", "seconds": ..., "pairs": ...}')
    return sum(line["seconds"] for line in passes) / sum(line["pairs"] for line in passes)
