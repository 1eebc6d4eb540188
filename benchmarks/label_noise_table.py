"""The table of `benchmarks.label_noise`: knows its result file and Markdown; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

# How labels are flipped, and which share of them.
PLAN: tuple[tuple[str, float], ...] = (
    ("at random", 0.0),
    ("at random", 0.1),
    ("at random", 0.2),
    ("at random", 0.3),
    ("by length", 0.2),
)
# Estimates this near to what was planted are near enough.
CLOSE = 0.05


def render(report: Mapping[str, Any]) -> str:
    """Markdown: a row for each way and share of flips."""
    settings, runs = report["settings"], report["runs"]
    here = report["machine"]
    lines = [
        f"{settings['pairs']:,} pairs of film-review sentences, {settings['model']} frozen, heads in 5 folds "
        f"cut 5 times, {settings['seeds']} draws of the flips; {here['cpu']}, {report['precision']}, "
        f"measured {report['date']}. On one thread, reading the pairs ({report['tokens']:,} tokens) took "
        f"{report['reading_seconds'] / 60:.1f} minutes of processor time, a draw "
        f"{mean(run['seconds'] for run in runs):.0f} seconds.",
        "",
        "| flips | planted | estimate, of each draw | within 5 points | truth inside the interval "
        "| its mean width | contradicted | models right | suspects truly flipped |",
        "| --- " * 9 + "|",
    ]
    for kind, share in PLAN:
        own = [run for run in runs if run["kind"] == kind and abs(run["planted"] - share) < CLOSE / 2]
        if own:
            lines.append(_row(kind, own))
    return "\n".join(lines)


def _row(kind: str, runs: Sequence[Mapping[str, Any]]) -> str:
    planted, told = runs[0]["planted"], [run for run in runs if run["found"] is not None]
    estimates = ", ".join("none" if run["found"] is None else f"{run['found']:.0%}" for run in runs)
    close = sum(abs(run["found"] - planted) <= CLOSE for run in told)
    inside = sum(run["low"] <= run["planted"] <= run["high"] for run in runs)
    width = 100 * mean(run["high"] - run["low"] for run in runs)
    suspects, flipped = (sum(run[key] for run in runs) for key in ("suspects", "suspects_flipped"))
    return (
        f"| {kind} | {planted:.0%} | {estimates} | {close} of {len(runs)} | {inside} of {len(runs)} "
        f"| {width:.0f} points | {mean(run['contradicted'] for run in runs):.0%} "
        f"| {mean(run['accuracy'] for run in runs):.0%} | "
        f"{f'{flipped} of {suspects}' if suspects else 'none named'} |"
    )
