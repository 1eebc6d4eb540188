"""The report in words: what `docs/sentiment.md` says between its markers. Knows the report and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What the default run is held to: this gold reward, at no more than this KL (nats).
REACHED, MOST_KL = 0.6, 10.0
MARKERS = ("<!-- sentiment:begin -->", "<!-- sentiment:end -->")
IMAGE = "images/sentiment.png"
METHODS = {
    "ppo-gold": "PPO, gold reward",
    "ppo-learned": "PPO, learned reward",
    "dpo": "DPO",
    "trl-dpo": "DPO by TRL",
}


def render(report: Mapping[str, Any]) -> str:
    """Markdown: the machine, the figure, the seeds, the methods, and texts to read."""
    machine, sft = report["machine"], report["policies"]["sft"]
    where = machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
    settings = report["settings"]
    blocks = [
        f"Measured {report['date']}: {where}, {report['precision']}, {settings['model']}, "
        f"{settings['new_tokens']} new tokens; {sft['responses']} responses to {sft['prompts']} held-out "
        f"prompts for each policy. Intervals are 95%, by prompt. The SFT model earns "
        f"{_interval(sft['gold'])} and ends {sft['ended']:.0%} of its responses; its distinct-2 is "
        f"{sft['distinct_2']:.2f}, its entropy {sft['entropy']:.2f} nats per token.",
        f"![Gold reward against KL, and by iteration]({IMAGE})",
        "Left: large points are where a run ends, faint ones its checkpoints, thin lines the mean of each "
        "iteration's own samples in PPO on the gold reward. Right: the same samples, a line for each seed.",
        _seeds(report),
        _methods(report),
        _added(report),
        _texts(report),
    ]
    return "\n\n".join(block for block in blocks if block)


def seeds(report: Mapping[str, Any]) -> dict[int, str]:
    """The runs of PPO on the gold reward at its default β, by seed."""
    runs = report["runs"]
    return {
        run["seed"]: name
        for name, run in sorted(runs.items())
        if run["method"] == "ppo-gold" and "-beta" not in name
    }


def reaches(policy: Mapping[str, Any]) -> bool:
    return bool(policy["gold"]["value"] >= REACHED and policy["kl"]["value"] <= MOST_KL)


def last_policies(report: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """(run, its last measured policy), method by method and by β."""
    runs, policies = report["runs"], report["policies"]
    last: dict[str, Mapping[str, Any]] = {}
    for policy in policies.values():
        name, step = policy["run"], policy["step"]
        if name in runs and (name not in last or _after(step, last[name]["step"])):
            last[name] = policy
    order = list(METHODS)
    for name in sorted(
        last, key=lambda n: (order.index(runs[n]["method"]), runs[n]["beta"], runs[n]["seed"])
    ):
        yield runs[name], last[name]


def _after(step: int | None, other: int | None) -> bool:
    """Whether one policy of a run comes after another; what the run left behind comes last."""
    return other is not None and (step is None or step > other)


def _seeds(report: Mapping[str, Any]) -> str:
    found = {seed: report["policies"].get(name) for seed, name in seeds(report).items()}
    if not found:
        return ""
    held = sum(policy is not None and reaches(policy) for policy in found.values())
    lines = [
        f"**Steadiness.** PPO on the gold reward, default settings: {held} of {len(found)} seeds reach "
        f"{REACHED} at a KL of at most {MOST_KL:g} nats.",
        "",
        "| seed | gold reward | KL, nats | tokens | ended | distinct-2 | entropy | rollbacks |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for seed, policy in sorted(found.items()):
        run = report["runs"][seeds(report)[seed]]
        if policy is None:
            lines.append(f"| {seed} | {run['status']} | | | | | | {run['rollbacks']} |")
        else:
            lines.append(
                f"| {seed} | {_interval(policy['gold'])} | {_interval(policy['kl'], 1)} | "
                f"{policy['length']:.1f} | {policy['ended']:.0%} | {policy['distinct_2']:.2f} | "
                f"{policy['entropy']:.2f} | {run['rollbacks']} |"
            )
    return "\n".join(lines)


def _methods(report: Mapping[str, Any]) -> str:
    rows = list(last_policies(report))
    if not rows:
        return ""
    lines = [
        f"**Learning.** Where each method ends. {_labels(report)}",
        "",
        "| method | β | gold-scored responses | gold reward | KL, nats | ended | distinct-2 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run, policy in rows:
        lines.append(
            f"| {METHODS[run['method']]}, seed {run['seed']} | {run['beta']:g} | {scored(report, run)} | "
            f"{_interval(policy['gold'])} | {_interval(policy['kl'], 1)} | {policy['ended']:.0%} | "
            f"{policy['distinct_2']:.2f} |"
        )
    return "\n".join(lines)


def _added(report: Mapping[str, Any]) -> str:
    """Which runs were made later, elsewhere, from an SFT model of their own."""
    origins: dict[str, list[str]] = {}
    for name, run in sorted(report["runs"].items()):
        if "made" in run:
            made = run["made"]
            origin = (
                f"Made {made['date']} ({made['machine']['cpu']}, {made['precision']}) from an SFT model made "
                f"anew by the same settings, which earns {_interval(made['sft_gold'])}"
            )
            origins.setdefault(origin, []).append(f"`{name}`")
    return "\n\n".join(f"{origin}: {', '.join(names)}." for origin, names in origins.items())


def scored(report: Mapping[str, Any], run: Mapping[str, Any]) -> int:
    """Responses that a run learned from and that the gold reward had scored, once each."""
    if run["method"] == "ppo-gold":
        return int(run["steps"] * run["responses_a_step"])
    return int(2 * report["pairs"]["train"])


def _labels(report: Mapping[str, Any]) -> str:
    """What the pairs are, and how well the reward model has learned from them."""
    if "pairs" not in report:
        return ""
    pairs, reward = report["pairs"], report.get("reward")
    left_out = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in pairs["left_out"].items())
    text = (
        f"{pairs['responses']} responses of the SFT model make {pairs['pairs']} pairs, {left_out or 'none'} "
        f"left out; {pairs['train']} are learned from and {pairs['held_out']} held out."
    )
    if reward is not None:
        text += (
            f" The reward model is right on {reward['accuracy']:.0%} ({reward['accuracy/low']:.0%} to "
            f"{reward['accuracy/high']:.0%}) of these."
        )
    return text


def _texts(report: Mapping[str, Any]) -> str:
    """The SFT model's texts beside those of the seed in the middle."""
    policies = report["policies"]
    found = [policies[name] for name in seeds(report).values() if name in policies]
    if not found:
        return ""
    chosen = sorted(found, key=lambda policy: policy["gold"]["value"])[len(found) // 2]
    lines = [f"**Texts**, the first of the SFT model, the second of the run `{chosen['run']}`:", ""]
    for one, other in zip(policies["sft"]["texts"], chosen["texts"], strict=True):
        lines.append(f"- *{one['prompt']}*")
        lines += [f"  - {' '.join(text['response'].split())} ({text['gold']:+.2f})" for text in (one, other)]
    return "\n".join(lines)


def _interval(number: Mapping[str, float], digits: int = 2) -> str:
    value, low, high = (f"{number[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})".replace("-", "−")
