"""`python -m benchmarks`: measure both sides in turn, print the ratios, keep the figures.

Per kind of job the order is TRL as it comes, Heedful, TRL at its best, and again for each repeat, so that a
machine that slows down or is shared slows both. Knows the order of work and the result file; what a job is
stands elsewhere.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import machine, measure, rows, table

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA = ROOT.parent / "shared" / "data" / "sharegpt-ranking-en-300.json.gz"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Heedful and TRL, same rows")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="preference pairs, in any format")
    parser.add_argument("--model", default="smollm2-135m", help="a catalog name or a model folder")
    parser.add_argument("--kinds", nargs="+", choices=measure.KINDS, default=list(measure.KINDS))
    parser.add_argument(
        "--peer", nargs="*", choices=measure.PEER_VARIANTS, default=list(measure.PEER_VARIANTS)
    )
    parser.add_argument("--no-heedful", action="store_true", help="measure the peer alone")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--steps", type=int, default=10, help="timed optimiser steps per job")
    parser.add_argument("--warmup", type=int, default=3, help="steps before them that do not count")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args(arguments)


def plan(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """(side, job) in the order of measuring."""
    for _ in range(options.repeats):
        for kind in options.kinds:
            peers = [("trl", f"{kind}-{variant}") for variant in options.peer]
            ours = [] if options.no_heedful else [("heedful", kind)]
            yield from peers[:1] + ours + peers[1:]


def model_folder(name: str) -> str:
    """One folder of weights for both sides."""
    from heedful.models import catalog

    return str(catalog.resolve(name).folder)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    from transformers import AutoTokenizer

    here = machine.describe()
    precision = machine.choose_precision(options.precision, here)
    folder = model_folder(options.model)
    say(f"{here['cpu']}, {here['cores']} cores, matrix product {here['matmul_gflops']} GFLOP/s; {precision}")
    results: dict[tuple[str, str], list[measure.JobResult]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="benchmark-rows-") as scratch:
        used = rows.prepare(
            options.data,
            Path(scratch, "rows.jsonl"),
            count=(options.warmup + options.steps) * measure.BATCH_SIZE,
            tokenizer=AutoTokenizer.from_pretrained(folder),
            max_length=measure.MAX_LENGTH,
        )
        say(f"{used.kept} pairs, {used.cut} cut to {measure.MAX_LENGTH} tokens; {used.left_out} left out")
        for side, job in plan(options):
            spec = measure.JobSpec(
                side, job, str(used.path), folder, precision, options.steps, options.warmup
            )
            say(f"{side} {job} ...")
            results[side, job].append(measure.run_alone(spec))
            say("  " + table.describe(measure.figures(results[side, job])))
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {
            "model": options.model,
            "batch_size": measure.BATCH_SIZE,
            "max_length": measure.MAX_LENGTH,
            "lora_rank": measure.LORA_RANK,
            "epochs": measure.EPOCHS,
            "steps": options.steps,
            "warmup": options.warmup,
            "repeats": options.repeats,
        },
        "rows": {**asdict(used), "path": options.data.name},
        "results": [measure.to_json(result) for runs in results.values() for result in runs],
        "figures": {f"{side} {job}": asdict(measure.figures(runs)) for (side, job), runs in results.items()},
    }
    for line in table.ratios(report):
        say(line)
    say(f"written: {write(report, options.results)}")


def write(report: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report['date']}-{machine.slug(report['machine'])}-{report['precision']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return path


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
