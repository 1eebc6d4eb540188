"""The tables of `benchmarks.memory` and `benchmarks.duration`: what was predicted beside what was measured.

Knows their result files and Markdown; measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

GIGABYTE = 1e9


def render_memory(report: Mapping[str, Any]) -> str:
    """Markdown: a row for each kind of run, a column for each size of model."""
    settings, runs = report["settings"], report["runs"]
    sizes = list(dict.fromkeys(run["size"] for run in runs))
    kinds = list(dict.fromkeys(run["kind"] for run in runs))
    found = {(run["size"], run["kind"]): run for run in runs}
    errors = [_off(run["predicted"]["peak_bytes"], run["peak_bytes"]) for run in runs]
    lines = [
        f"{report['machine']['cpu']}, {report['precision']}, untrained Llamas, LoRA r=16; "
        f"{settings['batch_size']} rows a step, {settings['prompt_tokens']} prompt and "
        f"{settings['response_tokens']} response tokens; measured {report['date']}. Peak memory of the whole "
        f"process, and how far the prediction was off: {_percent(min(errors))} to {_percent(max(errors))}.",
        "",
        f"| run | {' | '.join(sizes)} |",
        "| --- " * (len(sizes) + 1) + "|",
    ]
    for kind in kinds:
        cells = (_memory(found.get((size, kind))) for size in sizes)
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _memory(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return ""
    peak = run["peak_bytes"]
    return f"{peak / GIGABYTE:.2f} GB ({_percent(_off(run['predicted']['peak_bytes'], peak))})"


def render_duration(report: Mapping[str, Any]) -> str:
    """Markdown: a row for each run."""
    here = report["machine"]
    return "\n".join(
        [
            f"{here['cpu']}, {here['cores']} cores, smollm2-135m, the quickstart's data, from the reading of "
            f"the data to the last file; measured {report['date']}.",
            "",
            "| run | took | `heedful plan` said | off |",
            "| --- | --- | --- | --- |",
            *_durations(report),
        ]
    )


def _durations(report: Mapping[str, Any]) -> Iterator[str]:
    for run in report["runs"]:
        took, said = run["seconds"], run["predicted_seconds"]
        off = _percent(_off(said, took))
        yield f"| {run['kind']} | {took:.0f} s | {said:.0f} s ± {run['off']:.0%} | {off} |"


def _percent(share: float) -> str:
    """Signed, and no less than nothing is +0%."""
    return f"{round(100 * share):+d}%"


def _off(predicted: float, measured: float) -> float:
    return predicted / measured - 1
