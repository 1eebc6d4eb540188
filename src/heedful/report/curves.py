"""A run's metrics as curves for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heedful.report.data import Curve

# What is drawn for each stage: title, unit, and which metrics, by the name a reader sees.
_SFT = (("SFT: loss", "nats per token", {"training": ("train", "loss"), "held out": ("eval", "loss")}),)
_DPO = (
    ("DPO: loss", "nats per pair", {"training": ("train", "loss"), "held out": ("eval", "loss")}),
    (
        "DPO: implicit reward",
        "nats",
        {"chosen": ("train", "rewards/chosen"), "rejected": ("train", "rewards/rejected")},
    ),
    (
        "DPO: how far log-probs moved",
        "nats per response",
        {"chosen": ("train", "logps/chosen_moved"), "rejected": ("train", "logps/rejected_moved")},
    ),
    (
        "DPO: pairs told apart",
        "share of pairs",
        {"training": ("train", "rewards/accuracy"), "held out": ("eval", "rewards/accuracy")},
    ),
)
_REWARD = (
    (
        "Reward model: loss",
        "per pair, ranking or rating",
        {"training": ("train", "loss"), "held out": ("eval", "loss")},
    ),
    (
        "Reward model: pairs told apart",
        "share of pairs",
        {"training": ("train", "accuracy"), "held out": ("eval", "accuracy")},
    ),
    (
        "Reward model: chosen above rejected",
        "difference of scores",
        {"training": ("train", "scores/margin"), "held out": ("eval", "scores/margin")},
    ),
    (
        "Reward model: distance from the rating",
        "in the rating's unit",
        {"training": ("train", "error"), "held out": ("eval", "error")},
    ),
)
_PPO = (
    (
        "PPO: reward",
        "score of an answer",
        {
            "mean": ("train", "reward"),
            "lowest tenth below": ("train", "reward/q10"),
            "highest tenth above": ("train", "reward/q90"),
            "held out": ("eval", "reward"),
        },
    ),
    (
        "PPO: KL from the reference",
        "nats per answer",
        {"training": ("train", "kl"), "held out": ("eval", "kl")},
    ),
    ("PPO: entropy", "nats per token", {"training": ("train", "entropy"), "held out": ("eval", "entropy")}),
    (
        "PPO: length of the answers",
        "tokens",
        {"training": ("train", "length"), "held out": ("eval", "length")},
    ),
)
_PLOTS = {"sft": _SFT, "dpo": _DPO, "reward": _REWARD, "ppo": _PPO}
# What a line's number counts, where it is not optimiser steps.
_COUNTED = {"ppo": "iteration"}


def training_curves(stage: str, metrics: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """The curves of one run of `stage` from the lines of its metrics.jsonl; plots without a point are left
    out.
    """
    curves = []
    for title, unit, lines in _PLOTS[stage]:
        series = {name: list(_points(metrics, kind, key)) for name, (kind, key) in lines.items()}
        drawn = {name: points for name, points in series.items() if points}
        if drawn:
            curves.append(Curve(title, unit, drawn, _COUNTED.get(stage, "step")))
    return curves


def _points(metrics: Sequence[Mapping[str, Any]], kind: str, key: str) -> Iterable[tuple[float, float]]:
    for line in metrics:
        if line["kind"] == kind and key in line:
            yield float(line["step"]), float(line[key])
