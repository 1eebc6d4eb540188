"""What the benchmarks that set two sides beside each other share: options, the order of work, the report.

Per kind of job the order is TRL as it comes, Heedful, TRL at its best, and again for each repeat, so that a
machine that slows down or is shared slows both. What a job is stands elsewhere.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import machine, measure, table
from benchmarks.rows import Rows

ROOT = Path(__file__).resolve().parent.parent
# Data sets that may lie beside the checkout.
DATA = ROOT.parent / "shared" / "data"
DEFAULT_DATA = DATA / "sharegpt-ranking-en-300.json.gz"

Results = Mapping[tuple[str, str], Sequence[measure.JobResult]]


def parser(
    prog: str, description: str, *, data: Path, steps: int, warmup: int, step: str
) -> argparse.ArgumentParser:
    """The options that all of them have; `step` is what one step is called."""
    options = argparse.ArgumentParser(prog=prog, description=description)
    options.add_argument("--data", type=Path, default=data, help="preference pairs, in any format")
    options.add_argument("--model", default="smollm2-135m", help="a catalog name or a model folder")
    options.add_argument(
        "--peer", nargs="*", choices=measure.PEER_VARIANTS, default=list(measure.PEER_VARIANTS)
    )
    options.add_argument("--no-heedful", action="store_true", help="measure the peer alone")
    options.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    options.add_argument("--steps", type=int, default=steps, help=f"timed {step} per job")
    options.add_argument("--warmup", type=int, default=warmup, help=f"{step} before them that do not count")
    options.add_argument("--repeats", type=int, default=1)
    options.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return options


def plan(options: argparse.Namespace, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(side, job) in the order of measuring."""
    for _ in range(options.repeats):
        for kind in kinds:
            peers = [("trl", f"{kind}-{variant}") for variant in options.peer]
            ours = [] if options.no_heedful else [("heedful", kind)]
            yield from peers[:1] + ours + peers[1:]


def model_folder(name: str) -> str:
    """One folder of weights for both sides."""
    from heedful.models import catalog

    return str(catalog.resolve(name).folder)


def describe_machine(asked: str) -> tuple[dict[str, Any], str]:
    """The machine and the precision that `asked` means on it."""
    here = machine.describe()
    precision = machine.choose_precision(asked, here)
    say(f"{here['cpu']}, {here['cores']} cores, matrix product {here['matmul_gflops']} GFLOP/s; {precision}")
    return here, precision


def measure_all(
    options: argparse.Namespace, kinds: Sequence[str], modules: Mapping[str, str], /, **shared: Any
) -> Results:
    """Run the jobs one after the other, each side's in its module; every spec holds what is `shared`."""
    results: dict[tuple[str, str], list[measure.JobResult]] = defaultdict(list)
    for side, job in plan(options, kinds):
        spec = measure.JobSpec(
            side=side, job=job, module=modules[side], steps=options.steps, warmup=options.warmup, **shared
        )
        say(f"{spec.side} {spec.job} ...")
        results[spec.side, spec.job].append(measure.run_alone(spec))
        say("  " + table.describe(spec.kind, measure.figures(results[spec.side, spec.job])))
    return results


def conclude(
    options: argparse.Namespace,
    here: Mapping[str, Any],
    precision: str,
    used: Rows,
    results: Results,
    *,
    settings: Mapping[str, Any],
    folder: Path,
    name: str = "",
) -> None:
    """Say the ratios and write the report; `name` is that of `write`."""
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {
            "model": options.model,
            "lora_rank": measure.LORA_RANK,
            "steps": options.steps,
            "warmup": options.warmup,
            "repeats": options.repeats,
            **settings,
        },
        "rows": {**asdict(used), "path": options.data.name},
        "results": [measure.to_json(result) for runs in results.values() for result in runs],
        "figures": {f"{side} {job}": asdict(measure.figures(runs)) for (side, job), runs in results.items()},
    }
    for line in table.ratios(report):
        say(line)
    say(f"written: {write(report, folder, name)}")


def in_own_process(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a benchmark prints on its last line, as JSON, in a fresh process.

    Args:
        env: variables of that process, over this one's.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | (env or {}), stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write(report: Mapping[str, Any], folder: Path, name: str = "") -> Path:
    """Write a report under its date, machine and precision, followed by `name` where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = (report["date"], machine.slug(report["machine"]), report["precision"], name)
    path = folder / f"{'-'.join(filter(None, parts))}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return path


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
