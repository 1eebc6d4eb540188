"""What each road would take on this machine: memory and time of the stages that its recipe would have.

Each stage is prepared with the recipe's own settings, and nothing is trained. Memory is predicted from the
model's shape; time is what the stages compute, at the speed that a few seconds of trying show.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heedful.advice.facts import Facts, RoadCost, RoadName
from heedful.advice.recipe_text import Inputs, stage_keys
from heedful.advice.rule import FEWEST_PAIRS
from heedful.advice.tally import Gathered
from heedful.models.backbone import Backbone
from heedful.recipe import DPORecipe, PPORecipe, Recipe, RewardRecipe, SFTRecipe
from heedful.records import Demonstration, Prompt, Record
from heedful.training import dpo, ppo, reward, sft, speed
from heedful.training.duration import durations, total
from heedful.training.job import Given, Job
from heedful.training.memory import room_of
from heedful.training.plan import passes_by_step, predicted, rollout_of
from heedful.training.tracking import Reporter
from heedful.training.work import work

_ROADS: dict[RoadName, tuple[str, ...]] = {
    "sft": ("sft",),
    "dpo": ("dpo",),
    "ppo": ("reward", "ppo"),
    "dpo+ppo": ("dpo", "reward", "ppo"),
}
_STAGES: dict[str, tuple[type[Recipe], Any]] = {
    "sft": (SFTRecipe, sft),
    "dpo": (DPORecipe, dpo),
    "reward": (RewardRecipe, reward),
    "ppo": (PPORecipe, ppo),
}
# Records that are prepared; time is scaled up to all.
MOST = 2000
# A reward model that is to be trained: an adapter over the same weights.
_TO_COME = "runs/pipeline/reward"


@dataclass(frozen=True, slots=True)
class _Stage:
    """A prepared stage, and how many times as many records there are as were prepared."""

    job: Job
    more: float


def costs(
    backbone: Backbone,
    facts: Facts,
    data: Gathered,
    roads: Sequence[RoadName],
    inputs: Inputs,
    *,
    seconds: float,
    reporter: Reporter,
    seed: int = 0,
) -> tuple[tuple[RoadCost, ...], bool]:
    """Of each road, and whether it is with gradient checkpointing: where one fits no other way.

    Args:
        facts: without costs.
        seconds: that may be spent on trying how fast the machine is.
    """
    room = room_of(backbone.device)
    if room is None or not roads:
        return (), False
    has_reward = inputs.reward is not None
    names = {name for road in roads for name in _of(road, has_reward)}
    jobs = {name: _prepared(name, backbone, facts, data, inputs, seed) for name in names}
    plain = {name: predicted(stage.job).total for name, stage in jobs.items()}
    less = {name: predicted(stage.job, recomputed=True).total for name, stage in jobs.items()}

    def peak(sizes: dict[str, int], road: RoadName) -> int:
        return max(sizes[name] for name in _of(road, has_reward))

    recompute = any(peak(plain, road) > room >= peak(less, road) for road in roads)
    sizes = less if recompute else plain
    took = _seconds(jobs, seconds, reporter)
    return (
        tuple(
            RoadCost(road, peak(sizes, road), sum(took[name] for name in _of(road, has_reward)), room)
            for road in roads
        ),
        recompute,
    )


def _of(road: RoadName, has_reward: bool) -> list[str]:
    """The stages of a road; a reward that is there already needs no training."""
    return [name for name in _ROADS[road] if not (has_reward and name == "reward")]


def _prepared(
    name: str, backbone: Backbone, facts: Facts, data: Gathered, inputs: Inputs, seed: int
) -> _Stage:
    records = _records(name, data)
    some = records if len(records) <= MOST else random.Random(seed).sample(records, MOST)
    keys = stage_keys(name, facts, inputs)
    held_out = 0.1 if len(some) >= FEWEST_PAIRS else 0.0
    keys["data"] = {"train": "(records in memory)", "eval_fraction": held_out, **keys["data"]}
    if name == "ppo":
        keys["reward"] = [{"model": _TO_COME}] if inputs.reward is None else [{"function": "given.py:reward"}]
    kind, module = _STAGES[name]
    job: Job = module.prepare(
        kind.model_validate(keys), Given(some, None, backbone), reporter=Reporter(quiet=True)
    )
    # PPO's time is its iterations', however many prompts there are.
    return _Stage(job, 1.0 if name == "ppo" else len(records) / len(some))


def _records(name: str, data: Gathered) -> Sequence[Record]:
    if name == "ppo":
        return [Prompt(prompt) for prompt in data.prompts]
    if name == "sft":
        return data.demonstrations or [Demonstration(one.prompt, one.response) for one in data.good]
    return data.pairs or data.ratings


def _seconds(jobs: dict[str, _Stage], seconds: float, reporter: Reporter) -> dict[str, float]:
    """What the stages compute, at the speed of the machine."""
    tried = next(jobs[name].job for name in ("dpo", "sft", "reward", "ppo") if name in jobs)
    rollout = rollout_of(jobs["ppo"].job) if "ppo" in jobs else None
    passes = sorted((one for step in passes_by_step(tried) for one in step), key=len)
    with reporter.task(f"Trying how fast this machine is, about {seconds:.0f} seconds", 1) as task:
        pace = speed.measure(
            tried.backbone,
            passes[len(passes) // 2],
            training=tried.recipe.training,
            lora=tried.recipe.lora,
            rollout=rollout,
            seconds=seconds,
        )
        task.update(1)
    return {name: total(durations(work(one.job), pace)).seconds * one.more for name, one in jobs.items()}
