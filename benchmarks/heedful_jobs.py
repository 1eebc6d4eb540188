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
    LEARNING_RATES,
    LORA_ALPHA,
    LORA_RANK,
    MAX_LENGTH,
    SEED,
    JobResult,
    JobSpec,
    Step,
    peak_bytes,
)

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
Record = TypeVar("Record")


def run_job(spec: JobSpec) -> JobResult:
    """Train `warmup + steps` steps of `dpo`, `sft` or `reward`; `options` are further keywords of
    `heedful.train`.
    """
    import heedful
    from heedful.records import Demonstration

    pairs = read_pairs(spec.rows)
    backbone = heedful.load(spec.model, dtype=DTYPES[spec.precision])
    loaded = peak_bytes()
    steps = spec.warmup + spec.steps
    dealt: Sequence[Any] = deal(pairs, order(len(pairs), steps, BATCH_SIZE))
    settings = {
        **shared_settings(spec.kind, steps),
        "max_length": MAX_LENGTH,
        "batch_size": BATCH_SIZE,
        **spec.options,
    }
    reference: list[float] = []
    if spec.kind == "sft":
        dealt = [Demonstration(pair.prompt, pair.chosen, id=pair.id) for pair in dealt]
    if spec.kind == "dpo":
        settings["beta"] = DPO_BETA
        _time_reference(reference)
    train = {"dpo": heedful.train.dpo, "sft": heedful.train.sft, "reward": heedful.train.reward}[spec.kind]
    with tempfile.TemporaryDirectory(prefix="heedful-") as folder:
        os.environ["HEEDFUL_CACHE"] = str(Path(folder, "cache"))
        output = Path(folder, "run")
        train(backbone, dealt, output=output, quiet=True, **settings)
        made = steps_of(read_metrics(output / "metrics.jsonl"))
    if spec.kind == "dpo" and not reference:
        raise RuntimeError("no reference pass was timed: its cost would go missing")
    peak = peak_bytes()
    return JobResult(
        side="heedful",
        job=spec.job,
        precision=spec.precision,
        warmup=spec.warmup,
        steps=made,
        loaded_bytes=loaded,
        peak_bytes=peak,
        reference_seconds_per_pair=sum(reference) / len(pairs),
        held_out_accuracy=_accuracy(backbone, spec.held_out) if spec.kind == "reward" else None,
        options=dict(spec.options),
        facts={"rows_given": len(pairs), "rows_used": sum(step.pairs for step in made)},
    )


def shared_settings(kind: str, steps: int) -> dict[str, Any]:
    """What every run is told: TRL's schedule, the benchmark's adapter and seed, nothing held out."""
    return {
        "max_steps": steps,
        "learning_rate": LEARNING_RATES[kind],
        "schedule": "linear",
        "warmup_ratio": 0.0,
        "rank": LORA_RANK,
        "alpha": LORA_ALPHA,
        "seed": SEED,
        "eval_fraction": 0.0,
    }


def read_pairs(path: str) -> list[Any]:
    import heedful
    from heedful.records import Preference

    return [pair for pair in heedful.read(path, format="trl") if isinstance(pair, Preference)]


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


def order(rows: int, steps: int, batch_size: int) -> list[int]:
    """The places Heedful takes its rows from over one epoch of `steps` steps."""
    from heedful.training.loop import batch

    return [place for step in range(steps) for place in batch(step, rows, batch_size, SEED)]


def _accuracy(backbone: Any, path: str) -> float:
    """The share of held-out pairs whose chosen response scores strictly higher."""
    from heedful.models.scoring import score
    from heedful.render.chat import Renderer
    from heedful.render.rows import render
    from heedful.render.truncate import Limits

    pairs = read_pairs(path)
    rows = render(pairs, Renderer(backbone.tokenizer), Limits(MAX_LENGTH))
    if len(rows) != len(pairs):
        raise RuntimeError(f"{len(pairs) - len(rows)} held-out pairs were left out")
    chosen, rejected = score(backbone.role("reward"), rows).unbind(1)
    return float((chosen > rejected).float().mean())


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
