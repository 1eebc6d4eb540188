"""The table of an over-optimised run, from the `summary.json` of `heedful compare`; measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def render(report: Mapping[str, Any]) -> str:
    """Markdown: a sentence on where gold turns, and a row for each point, for every way through KL."""
    return "\n\n".join("\n".join(_way(report, way)) for way in report["over_optimisation"])


def _way(report: Mapping[str, Any], way: Mapping[str, Any]) -> Iterator[str]:
    curve, peak = way["gold_curve"], way["peak"]
    start = way["points"][0]
    said = (
        f"{way['name']}: gold is highest at {peak['kl']:.1f} nats ({peak['name']}), and at the end "
        f"{way['fall']:.2f} below that; its fall is {'' if way['turn_established'] else 'not '}established."
    )
    if curve is not None:
        turn = curve["turn_at_root_kl"]
        said += (
            f" The fitted curve turns at √KL = {turn['value']:.1f} ({turn['low']:.1f} to {turn['high']:.1f})."
        )
    yield f"{said} Measured {report['at'][:10]}, {report['machine']}."
    yield ""
    yield "| | KL, nats | proxy reward | gold reward |"
    yield "| --- | --- | --- | --- |"
    for point in way["points"]:
        error = "" if point["gold_error"] is None or point is start else f" ± {point['gold_error']:.2f}"
        yield f"| {point['name']} | {point['kl']:.1f} | {point['proxy']:+.2f} | {point['gold']:+.2f}{error} |"
