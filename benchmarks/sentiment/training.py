"""The study's runs of Heedful: SFT, the reward model, PPO and DPO."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.sentiment import pairs, task
from benchmarks.sentiment.study import Study, run_name

# No checkpoint of a run that is measured along its way is removed.
_ALL = 1000


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


def preferences(study: Study) -> tuple[Path, Path]:
    """The pairs to learn from and those to judge by, sampled from the SFT model where they are missing."""
    sft(study)
    pairs.make(study)
    return pairs.files(study)


def reward(study: Study) -> None:
    """The reward model that PPO can learn from in the gold reward's place."""
    import heedful

    learned, judged = preferences(study)
    train = partial(heedful.train.reward, study.base, learned, held_out=judged, **task.COMMON, **task.REWARD)
    study.run(study.reward, train, wait=True)


def ppo(study: Study, method: str, *, seed: int, beta: float | None = None, iterations: int) -> None:
    """PPO on the gold reward (`ppo-gold`), or on what `reward` has learned of it (`ppo-learned`).

    A run on the learned reward keeps its checkpoints: its own numbers do not say what gold it earns.
    """
    import heedful

    sft(study)
    settings = {**task.PPO, "seed": seed, "max_steps": iterations, **_own(beta)}
    scored_by: Any = task.gold
    if method == "ppo-learned":
        reward(study)
        scored_by, settings["keep_checkpoints"] = study.reward, _ALL
    parts = study.parts()
    train = partial(
        heedful.train.ppo,
        study.base,
        task.demonstrations(parts.prompts),
        held_out=task.demonstrations(parts.validation),
        reward=scored_by,
        **task.COMMON,
        **settings,
    )
    study.run(study.runs / run_name(method, beta=beta, seed=seed), train)


def dpo(study: Study, *, seed: int, beta: float | None = None) -> None:
    """DPO on the pairs."""
    import heedful
    from heedful.training.schedule import total_steps

    learned, judged = preferences(study)
    steps = total_steps(len(heedful.read(learned)), task.DPO["batch_size"], task.DPO["epochs"], None)
    settings = {
        **task.DPO,
        "seed": seed,
        "checkpoint_every": math.ceil(steps / task.CHECKPOINTS),
        **_own(beta),
    }
    train = partial(
        heedful.train.dpo,
        study.base,
        learned,
        held_out=judged,
        keep_checkpoints=_ALL,
        **task.COMMON,
        **settings,
    )
    study.run(study.runs / run_name("dpo", beta=beta, seed=seed), train)


def _own(beta: float | None) -> dict[str, float]:
    """The setting that says so, unless it is the method's own."""
    return {} if beta is None else {"beta": beta}
