"""`python -m benchmarks.table README.md`: put the latest measured figures between a page's markers.

Numbers in a README are never typed: they come from `benchmarks/results/*.json`, the newest file of each
machine and precision. Knows result files and Markdown; measures nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import reward_table
from benchmarks.measure import KINDS, PEER_VARIANTS, Figures

BEGIN = "<!-- benchmark:begin -->"
END = "<!-- benchmark:end -->"
RESULTS = Path(__file__).resolve().parent / "results"
GIGABYTE = 1e9
KIND_NAMES = {"dpo": "DPO", "sft": "SFT"}
UNITS = {"dpo": "pairs/s", "sft": "rows/s"}
VARIANT_NAMES = {"default": "as it comes", "best": "at its best"}


def latest(reports: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest report of each machine and precision, newest first."""
    newest: dict[tuple[str, str, int, str], Mapping[str, Any]] = {}
    for report in sorted(reports, key=lambda report: str(report["date"])):
        machine = report["machine"]
        key = (machine["cpu"], machine["gpu"] or "", machine["cores"], report["precision"])
        newest[key] = report
    return sorted(newest.values(), key=lambda report: str(report["date"]), reverse=True)


def compare(report: Mapping[str, Any]) -> Iterator[tuple[str, str, Figures, Figures]]:
    """(kind, TRL variant, TRL's figures, Heedful's figures) wherever both sides were measured."""
    figures = {name: Figures(**values) for name, values in report["figures"].items()}
    for kind in KINDS:
        for variant in PEER_VARIANTS:
            peer, ours = figures.get(f"trl {kind}-{variant}"), figures.get(f"heedful {kind}")
            if peer is not None and ours is not None:
                yield kind, variant, peer, ours


def ratios(report: Mapping[str, Any]) -> Iterator[str]:
    """One plain line a comparison."""
    for kind, variant, peer, ours in compare(report):
        faster = ours.pairs_per_second / peer.pairs_per_second
        memory = ours.peak_bytes / peer.peak_bytes
        yield (
            f"{KIND_NAMES[kind]} against TRL {VARIANT_NAMES[variant]}: {faster:.2f}x the speed, "
            f"{memory:.2f}x the peak memory"
        )


def describe(figures: Figures) -> str:
    return (
        f"{figures.pairs_per_second:.3f} rows/s, {figures.tokens_per_second:.0f} tokens/s, "
        f"{figures.seconds_per_step:.1f} s a step, peak {figures.peak_bytes / GIGABYTE:.2f} GB "
        f"({figures.loaded_bytes / GIGABYTE:.2f} GB with the model loaded)"
    )


def render(reports: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: per machine one line that names it and one table."""
    return "\n\n".join(_section(report) for report in latest(reports))


def _section(report: Mapping[str, Any]) -> str:
    machine, settings = report["machine"], report["settings"]
    where = machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
    peak = machine["matmul_gflops"][report["precision"]]
    versions = machine["versions"]
    lines = [
        f"{where}, {report['precision']} (matrix product {peak:.0f} GFLOP/s), {settings['model']}, "
        f"LoRA r={settings['lora_rank']}, batch {settings['batch_size']}, "
        f"max length {settings['max_length']}, torch {versions['torch']}, TRL {versions['trl']}; "
        f"measured {report['date']}.",
        "",
        "| job | TRL | Heedful | speed | TRL peak memory | Heedful peak memory | memory |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, variant, peer, ours in compare(report):
        unit = UNITS[kind]
        lines.append(
            f"| {KIND_NAMES[kind]}, TRL {VARIANT_NAMES[variant]} "
            f"| {peer.pairs_per_second:.3f} {unit} | {ours.pairs_per_second:.3f} {unit} "
            f"| **{ours.pairs_per_second / peer.pairs_per_second:.1f}×** "
            f"| {peer.peak_bytes / GIGABYTE:.1f} GB | {ours.peak_bytes / GIGABYTE:.1f} GB "
            f"| **{ours.peak_bytes / peer.peak_bytes:.2f}×** |"
        )
    return "\n".join(lines)


def render_memory(report: Mapping[str, Any]) -> str:
    """Markdown: the peaks of `benchmarks.memory`, run by run, beside what their plans said."""
    machine, settings, peaks = report["machine"], report["settings"], report["peaks"]
    lines = [
        f"{machine['cpu']}, fp32, {settings['model']}, LoRA r=16; {settings['batch_size']} rows a step, "
        f"{settings['prompt_tokens']} prompt and {settings['response_tokens']} response tokens; measured "
        f"{report['date']}.",
        "",
        "| run | peak memory | of SFT's | `--dry-run` said |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in peaks.items():
        share = found["peak_bytes"] / peaks["SFT"]["peak_bytes"]
        peak, planned = (found[key] / GIGABYTE for key in ("peak_bytes", "planned_bytes"))
        lines.append(f"| {name} | {peak:.2f} GB | {share:.2f}× | {planned:.1f} GB |")
    return "\n".join(lines)


def render_sampling(report: Mapping[str, Any]) -> str:
    """Markdown: one sentence on `benchmarks.sampling`."""
    settings, speeds = report["settings"], report["tokens_per_second"]
    ours, theirs = (statistics.median(speeds[side]) for side in ("heedful", "generate"))
    return (
        f"Sampling {settings['prompts']} × {settings['new_tokens']} tokens after "
        f"{settings['prompt_tokens']} ({report['machine']['cpu']}, {report['precision']}, measured "
        f"{report['date']}): {ours:.0f} tokens/s, {ours / theirs:.1f} times `generate` of `transformers`."
    )


def splice(page: str, body: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with what stands between its markers replaced. Raises ValueError without exactly one pair."""
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs one {begin} and, after it, one {end}")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{body}\n{end}{after}"


def newest(folder: Path) -> Mapping[str, Any] | None:
    """The latest report of a folder."""
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return max(reports, key=lambda report: str(report["date"]), default=None)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit("usage: python -m benchmarks.table PAGE.md")
    page = Path(arguments[0])
    text = page.read_text(encoding="utf-8")
    others = {"memory": render_memory, "sampling": render_sampling, "reward_model": reward_table.render}
    for name, render_other in others.items():
        begin, end = (f"<!-- {name}:{side} -->" for side in ("begin", "end"))
        report = newest(RESULTS / name)
        if begin in text and report is not None:
            text = splice(text, render_other(report), begin, end)
    if BEGIN in text:
        reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
        if not reports:
            raise SystemExit(f"no results in {RESULTS}: run `python -m benchmarks` first")
        text = splice(text, render(reports))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
