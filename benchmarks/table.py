"""`python -m benchmarks.table README.md`: put the latest measured figures between a page's markers.

Numbers in a README are never typed: they come from `benchmarks/results/*.json`, the newest file of each
machine and precision. Knows result files and Markdown; measures nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import collect_table, label_noise_table, plan_table, reward_table
from benchmarks.measure import PEER_VARIANTS, Figures
from heedful.intervals import wilson

BEGIN = "<!-- benchmark:begin -->"
END = "<!-- benchmark:end -->"
RESULTS = Path(__file__).resolve().parent / "results"
GIGABYTE = 1e9
KIND_NAMES = {"dpo": "DPO", "sft": "SFT", "reward": "Reward model", "ppo": "PPO"}
UNITS = {"dpo": "pairs/s", "sft": "rows/s", "reward": "pairs/s", "ppo": "episodes/s"}
VARIANT_NAMES = {"default": "as it comes", "best": "at its best"}


def latest(reports: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    """Newest first, each report with the kinds of job that no newer one of its machine and precision has."""
    seen: set[tuple[str, str, int, str, str]] = set()
    for report in sorted(reports, key=lambda report: str(report["date"]), reverse=True):
        machine = report["machine"]
        here = (machine["cpu"], machine["gpu"] or "", machine["cores"], report["precision"])
        measured = dict.fromkeys(kind for kind, *_ in compare(report))
        kinds = [kind for kind in measured if (*here, kind) not in seen]
        seen |= {(*here, kind) for kind in kinds}
        if kinds:
            yield report, kinds


def compare(report: Mapping[str, Any]) -> Iterator[tuple[str, str, Figures, Figures]]:
    """(kind, TRL variant, TRL's figures, Heedful's figures) wherever both sides were measured."""
    figures = {name: Figures(**values) for name, values in report["figures"].items()}
    for kind in KIND_NAMES:
        for variant in PEER_VARIANTS:
            peer, ours = figures.get(f"trl {kind}-{variant}"), figures.get(f"heedful {kind}")
            if peer is not None and ours is not None:
                yield kind, variant, peer, ours


def ratios(report: Mapping[str, Any]) -> Iterator[str]:
    """One plain line a comparison."""
    for kind, variant, peer, ours in compare(report):
        faster = ours.pairs_per_second / peer.pairs_per_second
        memory = ours.peak_bytes / peer.peak_bytes
        line = (
            f"{KIND_NAMES[kind]} against TRL {VARIANT_NAMES[variant]}: {faster:.2f}x the speed, "
            f"{memory:.2f}x the peak memory"
        )
        if ours.held_out_accuracy is not None and peer.held_out_accuracy is not None:
            right = (_right(report, share) for share in (ours.held_out_accuracy, peer.held_out_accuracy))
            line += f", {' against '.join(right)}"
        yield line


def describe(kind: str, figures: Figures) -> str:
    return (
        f"{_speed(kind, figures)}, {figures.tokens_per_second:.0f} tokens/s, "
        f"{figures.seconds_per_step:.1f} s a step, peak {figures.peak_bytes / GIGABYTE:.2f} GB "
        f"({figures.loaded_bytes / GIGABYTE:.2f} GB with the model loaded)"
    )


def render(reports: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: per machine one line that names it and one table."""
    return "\n\n".join(_section(report, kinds) for report, kinds in latest(reports))


def _section(report: Mapping[str, Any], kinds: Sequence[str]) -> str:
    settings = report["settings"]
    work = f"batch {settings['batch_size']}, max length {settings['max_length']}"
    return _comparison(report, work, kinds)


def _comparison(report: Mapping[str, Any], work: str, kinds: Sequence[str]) -> str:
    """What did which work, and a row a comparison of these kinds."""
    machine, settings = report["machine"], report["settings"]
    where = machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
    peak = machine["matmul_gflops"][report["precision"]]
    versions = machine["versions"]
    lines = [
        f"{where}, {report['precision']} (matrix product {peak:.0f} GFLOP/s), {settings['model']}, "
        f"LoRA r={settings['lora_rank']}, {work}, torch {versions['torch']}, TRL {versions['trl']}; "
        f"measured {report['date']}.",
        "",
        "| job | TRL | Heedful | speed | TRL peak memory | Heedful peak memory | memory |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, variant, peer, ours in compare(report):
        if kind not in kinds:
            continue
        lines.append(
            f"| {KIND_NAMES[kind]}, TRL {VARIANT_NAMES[variant]} "
            f"| {_job(report, kind, peer)} | {_job(report, kind, ours)} "
            f"| **{ours.pairs_per_second / peer.pairs_per_second:.1f}×** "
            f"| {peer.peak_bytes / GIGABYTE:.1f} GB | {ours.peak_bytes / GIGABYTE:.1f} GB "
            f"| **{ours.peak_bytes / peer.peak_bytes:.2f}×** |"
        )
    return "\n".join(lines)


def _job(report: Mapping[str, Any], kind: str, figures: Figures) -> str:
    """Speed, and of a reward model what it has right."""
    speed, share = _speed(kind, figures), figures.held_out_accuracy
    return speed if share is None else f"{speed}, {_right(report, share)}"


def _speed(kind: str, figures: Figures) -> str:
    return f"{figures.pairs_per_second:.3f} {UNITS[kind]}"


def _right(report: Mapping[str, Any], share: float) -> str:
    """How many held-out pairs a reward model has right, with the 95% interval of their share.

    Repeats are judged by the same pairs, so they make the mean count no surer. Without the number of pairs
    there is the share alone.
    """
    pairs = report["settings"].get("held_out")
    if pairs is None:
        return f"{share:.0%} right"
    low, high = (100 * bound for bound in wilson(share * pairs, pairs))
    return f"{round(share * pairs, 1):g} of {pairs} right ({low:.0f} to {high:.0f}%)"


def render_ppo(reports: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: per machine and precision the newest table of `benchmarks.ppo`."""
    blocks = []
    for report, kinds in latest(reports):
        settings = report["settings"]
        work = (
            f"{settings['episodes']} episodes an iteration, prompts of at most {settings['prompt_tokens']} "
            f"tokens and {settings['new_tokens']} new ones, {settings['inner_epochs']} passes"
        )
        blocks.append(_comparison(report, work, kinds))
    return "\n\n".join(blocks)


def render_sampling(report: Mapping[str, Any]) -> str:
    """Markdown: one sentence on `benchmarks.sampling`."""
    settings, speeds = report["settings"], report["tokens_per_second"]
    ours, theirs = (statistics.median(speeds[side]) for side in ("heedful", "generate"))
    return (
        f"Sampling {settings['prompts']} × {settings['new_tokens']} tokens after "
        f"{settings['prompt_tokens']} ({report['machine']['cpu']}, {report['precision']}, measured "
        f"{report['date']}): {ours:.0f} tokens/s, {ours / theirs:.1f} times `generate` of `transformers`."
    )


def render_reading(report: Mapping[str, Any]) -> str:
    """Markdown: how fast `benchmarks.reading` read, converted and checked, beside the peer."""
    machine, settings, jobs = report["machine"], report["settings"], report["jobs"]
    peer = jobs["peer"]["rows"] / jobs["peer"]["seconds"]
    versions = machine["versions"]
    lines = [
        f"{machine['cpu']}, one core; {settings['rows']:,} HH-like pairs, {settings['bytes'] / 1e6:.0f} MB, "
        f"the fastest of {settings['repeats']} runs; "
        f"TRL {versions['trl']}, datasets {versions['datasets']}; measured {report['date']}.",
        "",
        "| job | rows/s | against the peer | peak memory |",
        "| --- | --- | --- | --- |",
    ]
    for found in jobs.values():
        speed = found["rows"] / found["seconds"]
        lines.append(
            f"| {found['title']} | {speed:,.0f} | {speed / peer:.1f}× "
            f"| {found['peak_bytes'] / GIGABYTE:.2f} GB |"
        )
    return "\n".join(lines)


def splice(page: str, body: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with what stands between its markers replaced. Raises ValueError without exactly one pair."""
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs one {begin} and, after it, one {end}")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{body}\n{end}{after}"


def reports_of(folder: Path) -> list[Mapping[str, Any]]:
    """A folder's reports, the newest last."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda report: str(report["date"]))


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit("usage: python -m benchmarks.table PAGE.md")
    page = Path(arguments[0])
    text = page.read_text(encoding="utf-8")
    others: dict[str, Callable[[Sequence[Mapping[str, Any]]], str]] = {
        "memory": lambda reports: plan_table.render_memory(reports[-1]),
        "duration": lambda reports: plan_table.render_duration(reports[-1]),
        "ppo": render_ppo,
        "sampling": lambda reports: render_sampling(reports[-1]),
        "reading": lambda reports: render_reading(reports[-1]),
        "reward_model": lambda reports: reward_table.render(reports[-1]),
        "label_noise": lambda reports: label_noise_table.render(reports[-1]),
        "collect": lambda reports: collect_table.render(reports[-1]),
    }
    for name, render_other in others.items():
        begin, end = (f"<!-- {name}:{side} -->" for side in ("begin", "end"))
        reports = reports_of(RESULTS / name)
        if begin in text and reports:
            text = splice(text, render_other(reports), begin, end)
    if BEGIN in text:
        reports = reports_of(RESULTS)
        if not reports:
            raise SystemExit(f"no results in {RESULTS}: run `python -m benchmarks` first")
        text = splice(text, render(reports))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
