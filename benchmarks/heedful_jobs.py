"""Heedful's side: its public face, with its defaults wherever the benchmark sets nothing.

The steps are read from the run's own `metrics.jsonl` (one line a step: seconds, rows, tokens). Two things
happen around the run: records are laid out so that Heedful's shuffling deals them in the file's order, which
is the order TRL gets them in; and the one reference pass is timed, with nothing cached from an earlier run.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

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
Record = TypeVar("Record")


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
    settings: dict[str, Any] = {
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
    reference: list[float] = []
    dealt = deal(pairs, _order(len(pairs), warmup + steps))
    with tempfile.TemporaryDirectory(prefix="heedful-") as folder:
        output = Path(folder, "run")
        if job == "dpo":
            os.environ["HEEDFUL_CACHE"] = str(Path(folder, "cache"))
            _time_reference(reference)
            heedful.train.dpo(backbone, dealt, output=output, quiet=True, beta=DPO_BETA, **settings)
        else:
            demonstrations = [Demonstration(pair.prompt, pair.chosen, id=pair.id) for pair in dealt]
            heedful.train.sft(backbone, demonstrations, output=output, quiet=True, **settings)
        made = steps_of(read_metrics(output / "metrics.jsonl"))
    if job == "dpo" and not reference:
        raise RuntimeError("no reference pass was timed: its cost would go missing")
    return JobResult(
        side="heedful",
        job=job,
        precision=precision,
        warmup=warmup,
        steps=made,
        loaded_bytes=loaded,
        peak_bytes=peak_bytes(),
        reference_seconds_per_pair=sum(reference) / len(pairs),
        options=dict(options or {}),
        facts={"rows_given": len(pairs), "rows_used": sum(step.pairs for step in made)},
    )


def deal(records: Sequence[Record], order: Sequence[int]) -> list[Record]:
    """The records placed so that taking places in `order` gives them back as they came."""
    placed = list(records)
    for record, place in zip(records, order, strict=True):
        placed[place] = record
    return placed


def read_metrics(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def steps_of(lines: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """The training steps of a run's metrics, in the order they were made."""
    trained = sorted((line for line in lines if line["kind"] == "train"), key=lambda line: line["step"])
    return tuple(Step(line["seconds"], line["rows"], line["tokens"]) for line in trained)


def _order(rows: int, steps: int) -> list[int]:
    """The places Heedful takes its rows from over one epoch of `steps` steps."""
    from heedful.training.loop import batch

    return [place for step in range(steps) for place in batch(step, rows, BATCH_SIZE, SEED)]


def _time_reference(seconds: list[float]) -> None:
    """From now on, add the time of every reference pass to `seconds`, as on TRL's side."""
    from heedful.training import dpo

    compute = dpo.reference_logps

    def timed(*positional: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = compute(*positional, **named)
        seconds.append(time.perf_counter() - began)
        return found

    dpo.reference_logps = timed
