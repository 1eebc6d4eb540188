"""The table of `benchmarks.collect`: knows its result file and Markdown; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = ("next", "submit")
PERCENTILES = ("p50", "p95", "p99")
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DOORS = {"pages": "pages", "api": "API"}
MEGABYTE = 1e6


def render(report: Mapping[str, Any]) -> str:
    """Markdown: what was asked of which machine, a row for each load, and how long a start takes."""
    settings, here, starts = report["settings"], report["machine"], report["starts"]
    lines = [
        f"{settings['annotators']} annotators at once, {settings['items']:,} items, "
        f"{settings['seconds']:g} seconds each; {here['cpu']}, {here['cores']} cores, which the annotators "
        f"share with the server; measured {report['date']}. Milliseconds:",
        "",
        "| load | next: median | 95% | 99% | vote: median | 95% | 99% | votes/s | server's CPU | memory |",
        "| --- " * 10 + "|",
        *(row(load) for load in report["loads"]),
        "",
        f"From the command to its first page: {starts['new_project']:.1f} s with the project it makes of the "
        f"embedded prompts, {starts['known_project']:.1f} s with one that is there.",
    ]
    return "\n".join(lines)


def row(load: Mapping[str, Any]) -> str:
    """One load: who asked what of which database, and how long they waited."""
    pace = f"thinking {load['think']:g} s" if load["think"] else "no pause"
    times = " | ".join(f"{load['milliseconds'][kind][cut]:.0f}" for kind in KINDS for cut in PERCENTILES)
    return (
        f"| {DATABASES[load['database']]}, {DOORS[load['door']]}, {pace} | {times} "
        f"| {load['votes_per_second']:.0f} | {load['server_cpu']:.0%} "
        f"| {load['server_bytes'] / MEGABYTE:.0f} MB |"
    )
