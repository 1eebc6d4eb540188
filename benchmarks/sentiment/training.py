"""The study's runs of Heedful: SFT and PPO."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.sentiment import task
from benchmarks.sentiment.study import Study, run_name


def sft(study: Study) -> None:
    """The model that everything starts from, with its adapter folded in."""
    import heedful

    def train(**how: Any) -> None:
        parts = study.parts()
        heedful.train.sft(
            study.model,
            task.demonstrations(parts.sft),
            held_out=task.demonstrations(parts.validation),
            merged=True,
            **task.COMMON,
            **task.SFT,
            **how,
        )

    study.run(study.work / "sft", train, wait=True)


def ppo(study: Study, *, seed: int, beta: float | None = None, iterations: int | None = None) -> None:
    """PPO on the gold reward."""
    import heedful

    sft(study)
    parts = study.parts()
    settings = {**task.PPO, "seed": seed}
    if beta is not None:
        settings["beta"] = beta
    if iterations is not None:
        settings["max_steps"] = iterations
    train = partial(
        heedful.train.ppo,
        study.base,
        task.demonstrations(parts.prompts),
        held_out=task.demonstrations(parts.validation),
        reward=task.gold,
        **task.COMMON,
        **settings,
    )
    study.run(study.runs / run_name("ppo-gold", beta=beta, seed=seed), train)
