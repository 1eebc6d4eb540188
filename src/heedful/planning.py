"""What a recipe takes of this machine: memory by role and phase, time by stage, and what to turn where it is
too much.

Works for a recipe of one stage and of several. Data are read and rendered, weights are not loaded: a model
that does not fit into this machine can be planned for on it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from heedful.models.backbone import Backbone
from heedful.models.outline import outline
from heedful.pipeline.dry_run import jobs as jobs_of_pipeline
from heedful.recipe import AnyRecipe, ModelSettings, PipelineRecipe, PPORecipe, Recipe, RLHFRecipe
from heedful.render.rows import Row
from heedful.rlhf import outlined, stages_of
from heedful.training.duration import Duration, durations, total
from heedful.training.job import Job
from heedful.training.memory import Prediction, resident_bytes, room_of
from heedful.training.plan import Plan, passes_by_step, plan, predicted, rollout_of
from heedful.training.speed import Speed, measure
from heedful.training.tracking import Reporter
from heedful.training.work import work

# What a prediction may be off: that much of the room stays free, or it is called tight.
MARGIN = 0.15
# What a process takes more once it computes: code of matrix products that is mapped on first use, measured
# with torch 2.13 for CPUs.
FIRST_USE_BYTES = 25_000_000


@dataclass(frozen=True, slots=True)
class Turn:
    """Something to set so that less memory is needed, what is needed then, and what it costs."""

    setting: str
    bytes: int
    costs: str


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a recipe.

    Attributes:
        durations: of its phases; empty where no time was measured.
        turns: what would need less memory, the least first.
    """

    name: str
    plan: Plan
    durations: tuple[Duration, ...]
    turns: tuple[Turn, ...]

    @property
    def memory(self) -> Prediction:
        return self.plan.memory

    @property
    def time(self) -> Duration | None:
        """Of all phases together."""
        return total(self.durations, self.name) if self.durations else None


@dataclass(frozen=True, slots=True)
class RecipePlan:
    """All stages of a recipe, one after the other in one process.

    Attributes:
        room: bytes of memory where it would compute; None where the system does not tell.
    """

    stages: tuple[StagePlan, ...]
    room: int | None

    @property
    def peak(self) -> StagePlan:
        """The stage that needs most memory."""
        return max(self.stages, key=lambda stage: stage.memory.total)

    @property
    def time(self) -> Duration | None:
        """Of all stages together."""
        times = [stage.time for stage in self.stages if stage.time is not None]
        return total(times) if times else None

    def standing(self, needed: int) -> str:
        """Whether so many bytes fit: `fits`, `tight` (within what a prediction may be off) or `too much`."""
        if self.room is None:
            return "unknown"
        if needed > self.room:
            return "too much"
        return "tight" if needed > self.room * (1 - MARGIN) else "fits"

    def to_json(self) -> dict[str, Any]:
        """Plain values: bytes, seconds, and the words of `standing`."""
        return {
            "room_bytes": self.room,
            "standing": self.standing(self.peak.memory.total),
            "seconds": None if self.time is None else self.time.seconds,
            "stages": [self._stage_to_json(stage) for stage in self.stages],
        }

    def _stage_to_json(self, stage: StagePlan) -> dict[str, Any]:
        own = stage.plan
        return {
            "stage": stage.name,
            "rows": own.train.kept,
            "tokens": own.tokens,
            "steps": own.steps,
            "longest_pass": own.longest_pack,
            "parameters": own.parameters,
            "trainable": own.trainable,
            "compute_dtype": own.compute_dtype,
            "device": own.device,
            "memory": stage.memory.to_json(),
            "standing": self.standing(stage.memory.total),
            "turns": [{"set": t.setting, "peak_bytes": t.bytes, "costs": t.costs} for t in stage.turns],
            "seconds": {part.phase: {"seconds": part.seconds, "off": part.off} for part in stage.durations},
        }


def plan_recipe(recipe: AnyRecipe, *, time: bool = True, reporter: Reporter | None = None) -> RecipePlan:
    """What each training stage of a recipe takes.

    Args:
        time: try for about ten seconds a stage how fast this machine is.

    Raises:
        HeedfulError: the data or the model's configuration cannot be read.
    """
    reporter = reporter or Reporter(quiet=True)
    reporter.say("Reading the data, and the model's configuration.")
    libraries = process_bytes(recipe.model)
    jobs = jobs_of(recipe)
    speeds: dict[tuple[Any, ...], Speed] = {}
    stages = []
    for name, job in jobs.items():
        found: tuple[Duration, ...] = ()
        if time:
            key = _tried(job)
            if key not in speeds:
                reporter.say(f"Trying how fast this machine is at {name}.")
                speeds[key] = measured_speed(job)
            found = durations(work(job), speeds[key])
        stages.append(StagePlan(name, plan(job, libraries=libraries), found, tuple(_turns(job, libraries))))
    device = next(iter(jobs.values())).backbone.device
    return RecipePlan(tuple(stages), room_of(device))


def process_bytes(model: ModelSettings) -> int | None:
    """What a process has in memory that is about to load a model: this one, once it knows the model's code
    and tokenizer. None where the system does not tell.
    """
    outline(model.name, dtype=model.dtype, device=model.device)
    found = resident_bytes()
    return None if found is None else found + FIRST_USE_BYTES


def jobs_of(recipe: AnyRecipe) -> Mapping[str, Job]:
    """The training stages of a recipe up to their first step, by name; no weights are loaded.

    Raises:
        HeedfulError: the data or the model's configuration cannot be read.
    """
    if isinstance(recipe, PipelineRecipe):
        return jobs_of_pipeline(recipe)
    if isinstance(recipe, RLHFRecipe):
        return {name: outlined(own, recipe.model) for name, own in stages_of(recipe).items()}
    assert isinstance(recipe, Recipe)
    return {recipe.stage: outlined(recipe, recipe.model)}


def measured_speed(job: Job) -> Speed:
    """How fast this machine computes a job's model, tried on passes as long as its own."""
    recipe = job.recipe
    passes = sorted((one for step in passes_by_step(job) for one in step), key=_tokens)
    rollout = rollout_of(job) if isinstance(recipe, PPORecipe) else None
    typical = passes[len(passes) // 2]
    return measure(job.backbone, typical, training=recipe.training, lora=recipe.lora, rollout=rollout)


def _tried(job: Job) -> tuple[Any, ...]:
    """What a measured speed is of: stages that are alike in all this share one."""
    recipe = job.recipe
    training, lora = recipe.training, recipe.lora
    return (
        training.method,
        training.gradient_checkpointing,
        training.padded,
        training.tokens_per_row,
        lora.rank,
        lora.dropout > 0,
        str(lora.targets),
        rollout_of(job) if isinstance(recipe, PPORecipe) else None,
    )


def _turns(job: Job, libraries: int | None) -> Iterator[Turn]:
    """What would need less memory than the recipe as it is, the least first."""
    now = predicted(job, libraries=libraries).total
    found = [
        Turn(setting, predicted(other, libraries=libraries, **changes).total, costs)
        for setting, other, changes, costs in _others(job)
    ]
    yield from sorted((turn for turn in found if turn.bytes < now), key=lambda turn: turn.bytes)


def _others(job: Job) -> Iterator[tuple[str, Job, dict[str, Any], str]]:
    """The same job with one thing set otherwise: how that is said, the job, what `predict` is told in place
    of it, and the cost.
    """
    recipe, training = job.recipe, job.recipe.training
    longest = max(row.tokens for step in passes_by_step(job) for one in step for row in one)
    shorter = _with(job, "training", tokens_per_row=longest)
    yield f"training.tokens_per_row={longest}", shorter, {}, "speed, on a GPU above all"
    if not training.gradient_checkpointing:
        again = _with(job, "training", gradient_checkpointing=True)
        yield "training.gradient_checkpointing=true", again, {}, "about a third more time"
    if training.method == "full":
        yield "training.method=lora", _with(job, "training", method="lora"), {}, "an adapter learns less"
    else:
        yield "4-bit weights", job, {"quantised": True}, "not offered yet"
    if job.backbone.compute_dtype == torch.float32:
        costs = "rounding; slow where the machine does not multiply it natively"
        yield "model.dtype=bfloat16", replace(job, backbone=_in_bfloat16(job.backbone)), {}, costs
    if isinstance(recipe, PPORecipe):
        fewer = max(recipe.rollout.at_once // 4, 1)
        yield f"rollout.at_once={fewer}", _with(job, "rollout", at_once=fewer), {}, "slower sampling"


def _with(job: Job, section: str, **keys: Any) -> Job:
    """The job with other keys in one section of its recipe."""
    changed = getattr(job.recipe, section).model_copy(update=keys)
    return replace(job, recipe=job.recipe.model_copy(update={section: changed}))


def _in_bfloat16(backbone: Backbone) -> Backbone:
    other = copy.copy(backbone)
    other.compute_dtype = torch.bfloat16
    return other


def _tokens(rows: list[Row]) -> int:
    return sum(row.tokens for row in rows)
