"""A reward model optimised past its use: what PPO on few, noisy labels does to the gold reward.

A proxy learns from pairs of people's sentences, a share of them turned round. PPO climbs it with nothing that
holds the policy to the SFT model, and `heedful.compare` measures proxy and gold over its checkpoints and over
best of n. Knows the findings as JSON and as Markdown.
"""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks import machine
from benchmarks.sentiment import pairs, task, training
from benchmarks.sentiment.study import Study
from heedful.records import Preference
from heedful.training.run_folder import RunFolder

PAIRS = 128
FLIPPED = 0.25
REWARD: dict[str, Any] = {"batch_size": 16, "epochs": 3.0, "learning_rate": 5e-4}
ITERATIONS = 40
# No pull to the SFT model, no rate that falls, and no guard that would bring the policy back.
UNHELD: dict[str, Any] = {
    "beta": 0.0,
    "schedule": "constant",
    "max_kl": 1e6,
    "best_kl": 1e6,
    "min_entropy": 0.0,
    "max_length_growth": None,
    "batch_size": 32,
    "checkpoint_every": 4,
    "keep_checkpoints": ITERATIONS,
    "max_steps": ITERATIONS,
    "max_new_tokens": task.NEW_TOKENS,
}
MEASURED: dict[str, Any] = {
    "best_of": 16,
    "samples": 2,
    "temperature": 1.0,
    "max_new_tokens": task.NEW_TOKENS,
}
MARKERS = ("<!-- over-optimisation:begin -->", "<!-- over-optimisation:end -->")
_PROMPT = "review:"
# What the findings call them: folders of the study's work folder.
_PROXY, _RUN, _FOUND = "proxy", "unheld", "comparison"


def few_and_noisy(texts: Sequence[str], *, count: int, flipped: float) -> list[Preference]:
    """Sentences, two by two, the one with the higher gold reward chosen; ties are left out. So large a share
    of the pairs, drawn by chance, is turned round.
    """
    whole = [f" {text}" for text in texts]
    golds = task.gold([""] * len(texts), whole)
    sides = [whole[at : at + 2] for at in range(0, len(whole) - 1, 2)]
    scores = [golds[at : at + 2] for at in range(0, len(golds) - 1, 2)]
    kept = list(pairs.label([_PROMPT] * len(sides), sides, scores))[:count]
    for at in random.Random(pairs.SEED).sample(range(len(kept)), round(flipped * len(kept))):
        kept[at] = replace(kept[at], chosen=kept[at].rejected, rejected=kept[at].chosen)
    return kept


def make(study: Study) -> None:
    """Train the proxy and what optimises it, and measure both rewards."""
    import heedful

    _, judged = training.preferences(study)
    parts = study.parts()
    few = few_and_noisy(parts.sft, count=PAIRS, flipped=FLIPPED)
    proxy = partial(heedful.train.reward, study.base, few, held_out=judged, **task.COMMON, **REWARD)
    study.run(study.work / _PROXY, proxy, wait=True)
    climb = partial(
        heedful.train.ppo,
        study.base,
        task.demonstrations(parts.prompts),
        held_out=task.demonstrations(parts.validation),
        reward=study.work / _PROXY,
        **task.COMMON,
        **UNHELD,
    )
    study.run(study.work / _RUN, climb, wait=True)
    study.once(_FOUND, (study.work / _FOUND / "summary.json").exists, partial(_compare, study), wait=True)


def _compare(study: Study) -> None:
    import heedful
    from heedful.judges.scores import ScoreJudge
    from heedful.models.rewards import FunctionReward

    gold = ScoreJudge(FunctionReward(task.gold))
    gold.name = "VADER"
    prompts = task.demonstrations(study.parts().test)
    with chdir(study.work):  # so that folders' names are short
        found = heedful.compare(
            [_RUN],
            data=prompts,
            prompts=len(prompts),
            judges=[_PROXY],
            gold=gold,
            checkpoints=True,
            **MEASURED,
        )
        found.write(_FOUND)


def collect(study: Study) -> dict[str, Any]:
    """The report of what `make` found."""
    run, proxy = (RunFolder(study.work / name).info() for name in (_RUN, _PROXY))
    summary = json.loads((study.work / _FOUND / "summary.json").read_text("utf-8"))
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "precision": {"bfloat16": "bf16", "float32": "fp32"}[run["compute_dtype"]],
        "settings": {
            "model": study.model,
            "pairs": PAIRS,
            "flipped": FLIPPED,
            "ppo": UNHELD,
            "measured": {**MEASURED, "prompts": len(study.parts().test)},
        },
        "proxy": proxy["evaluation"],
        "ways": summary["over_optimisation"],
    }


def render(report: Mapping[str, Any]) -> str:
    """Markdown: what was done, and a row for each point of each way."""
    settings, proxy, here = report["settings"], report["proxy"], report["machine"]
    measured = settings["measured"]
    blocks = [
        f"Measured {report['date']}: {here['cpu']}, {here['cores']} cores, {report['precision']}, "
        f"{settings['model']}. The reward model learned from {settings['pairs']} pairs of people's "
        f"sentences, {settings['flipped']:.0%} of them turned round, and is right on "
        f"{proxy['accuracy']:.0%} ({proxy['accuracy/low']:.0%} to {proxy['accuracy/high']:.0%}) of "
        f"{proxy['pairs']} held-out pairs. PPO climbed it for {settings['ppo']['max_steps']} iterations of "
        f"{settings['ppo']['batch_size']} answers with β = 0. Each policy gave {measured['samples']} answers "
        f"to {measured['prompts']} held-out prompts.",
        *map(_way, report["ways"]),
    ]
    return "\n\n".join(blocks)


def _way(way: Mapping[str, Any]) -> str:
    first, last = way["points"][0], way["points"][-1]
    peak = next(point for point in way["points"] if point["name"] == way["peak"]["name"])
    name = "PPO" if way["form"] == "rl" else "Best of n"
    where = "at the last point"
    if peak is not last:
        where = (
            f"about a KL of {peak['kl']:.1f} nats, smoothed over three points, and "
            f"{_number(way['fall'])} lower at the last point"
        )
    told = (
        f"**{name}.** The gold reward is highest {where}, {_number(last['gold'])} at {last['kl']:.1f} nats, "
        f"while the reward model's score goes from {_number(first['proxy'])} to {_number(last['proxy'])}. "
    )
    told += "**It turns.**" if way["turn_established"] else "No turn is established."
    curve = way["gold_curve"]
    if curve is not None and curve["turn_at_root_kl"]["value"] is not None:
        told += f" Gao et al.'s curve turns at {_turn(curve['turn_at_root_kl'])}."
    lines = ["| KL, nats | reward model's score | gold reward |", "| --- | --- | --- |"]
    for point in way["points"]:
        gold = f"{_number(point['gold'])} ± {1.96 * point['gold_error']:.2f}"
        lines.append(f"| {point['kl']:.1f} | {_number(point['proxy'])} | {gold} |")
    return "\n".join([told, "", *lines])


def _turn(turn: Mapping[str, float | None]) -> str:
    """Where a curve turns, as KL."""
    value, low, high = (
        None if number is None else number**2 for number in map(turn.get, ("value", "low", "high"))
    )
    most = "any" if high is None else f"{high:.1f}"
    return f"{value:.1f} nats (95% {low:.1f} to {most})"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
