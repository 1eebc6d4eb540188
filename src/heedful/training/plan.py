"""What a run would do, before it does it: rows, tokens, packs, steps, and how much memory it needs when.

Counts are exact, the memory is a prediction (`heedful.training.memory`). Reads a prepared job and changes
nothing; the job's backbone may be an outline, without weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heedful.errors import ModelError
from heedful.models import shape
from heedful.models.scoring import row_budget
from heedful.models.shape import Shape
from heedful.quarantine import Counts
from heedful.recipe import PPORecipe
from heedful.render.rows import Row
from heedful.training import memory
from heedful.training.job import Job
from heedful.training.loop import batch
from heedful.training.memory import Prediction, Rollout
from heedful.training.passes import as_trained, computed_tokens, passes_of, reward_kind
from heedful.training.schedule import steps_per_epoch, total_steps


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before its first step.

    Attributes:
        read: rows read, kept and left out, by file.
        train, held_out: the same for rendering, which follows the split.
        prompts_cut, responses_cut: truncated by rendering, training and held-out rows together.
        prompts_rewritten: rendered differently by the template once a response follows.
        tokens, held_out_tokens: of the rows; a pair's prompt counts once.
        longest_row: tokens.
        packed: rows share forward passes; otherwise every response is padded.
        packs: forward passes of one epoch (of the whole run, where that is shorter).
        longest_pack: tokens a forward pass computes at most, padding included.
        steps: optimiser steps of the run, of up to `batch_size` rows and `tokens_per_step` tokens on average.
    """

    stage: str
    read: dict[str, Counts]
    train: Counts
    held_out: Counts
    prompts_cut: int
    responses_cut: int
    prompts_rewritten: int
    tokens: int
    held_out_tokens: int
    longest_row: int
    packed: bool
    packs: int
    longest_pack: int
    steps: int
    batch_size: int
    tokens_per_step: float
    parameters: int
    trainable: int
    compute_dtype: str
    device: str
    memory: Prediction

    def __str__(self) -> str:
        share = self.trainable / self.parameters
        passes = f"{self.packs:,} {'packs' if self.packed else 'padded batches'} per epoch"
        lines = [
            *(("read", f"{name}: {counts}") for name, counts in self.read.items()),
            ("training rows", f"{self.train}; {self.tokens:,} tokens, the longest row {self.longest_row:,}"),
            ("held-out rows", f"{self.held_out}; {self.held_out_tokens:,} tokens"),
            ("truncated", f"{self.prompts_cut:,} prompts, {self.responses_cut:,} responses"),
            ("rewritten", f"{self.prompts_rewritten:,} prompts, by the template where a response follows"),
            ("forward passes", f"{passes}, the longest of {self.longest_pack:,} tokens"),
            ("trainable", f"{self.trainable:,} parameters, {share:.2%} of {self.parameters:,}"),
            (
                "optimiser steps",
                f"{self.steps:,} of {self.batch_size} rows, about {self.tokens_per_step:,.0f} tokens each",
            ),
            ("computes in", f"{self.compute_dtype} on {self.device}"),
            ("peak memory", str(self.memory)),
            ("memory by phase", self.memory.by_phase()),
        ]
        width = max(len(name) for name, _ in lines)
        return "\n".join([f"Plan ({self.stage})", *(f"  {name:<{width}}  {text}" for name, text in lines)])


def plan(job: Job, *, libraries: int | None = None) -> Plan:
    """What training `job` would do.

    Args:
        libraries: bytes of the process before a model is loaded; a measured constant where absent.

    Raises:
        ModelError: the model has none of the layers that LoRA is to adapt.
    """
    training, backbone = job.recipe.training, job.backbone
    own = shape.of_model(backbone.model, backbone.name)
    steps = passes_by_step(job)
    lengths = [_length(job, one) for step in steps for one in step]
    rows = [row for step in steps for one in step for row in one]
    return Plan(
        stage=job.recipe.stage,
        read={name: kept.counts for name, kept in job.read.items()},
        train=job.train.counts,
        held_out=job.held_out.counts,
        prompts_cut=job.train.prompts_cut + job.held_out.prompts_cut,
        responses_cut=job.train.responses_cut + job.held_out.responses_cut,
        prompts_rewritten=job.train.prompts_rewritten + job.held_out.prompts_rewritten,
        tokens=job.train.tokens,
        held_out_tokens=job.held_out.tokens,
        longest_row=max(row.tokens for row in as_trained(job)),
        packed=backbone.compatibility.packs and not training.padded,
        packs=len(lengths),
        longest_pack=max(lengths),
        steps=total_steps(len(job.train), training.batch_size, training.epochs, training.max_steps),
        batch_size=min(training.batch_size, len(job.train)),
        tokens_per_step=sum(row.tokens for row in rows) / len(steps),
        parameters=own.parameters,
        trainable=_trainable(job, own),
        compute_dtype=str(backbone.compute_dtype).removeprefix("torch."),
        device=str(backbone.device),
        memory=predicted(job, libraries=libraries),
    )


def predicted(job: Job, **changes: Any) -> Prediction:
    """The memory that a plan tells of.

    Args:
        changes: fields of the `Workload` in place of the job's own.
    """
    own = shape.of_model(job.backbone.model, job.backbone.name)
    steps = passes_by_step(job)
    every = [one for step in steps for one in step]
    found: dict[str, Any] = {
        "shape": own,
        "stage": job.recipe.stage,
        "tokens": max(_length(job, one) for one in every),
        "targets": max(sum(row.response_tokens for row in one) for one in every),
        "passes": max(len(step) for step in steps),
        **_settings(job),
        **changes,
    }
    return memory.predict(memory.Workload(**found))


def passes_by_step(job: Job) -> list[list[list[Row]]]:
    """The rows of each forward pass of each step of one epoch, or of the whole run where that is shorter."""
    training, rows = job.recipe.training, as_trained(job)
    steps = total_steps(len(rows), training.batch_size, training.epochs, training.max_steps)
    budget = row_budget(training.tokens_per_row, job.backbone.device)
    return [
        passes_of(
            [rows[index] for index in batch(step, len(rows), training.batch_size, training.seed)], budget
        )
        for step in range(min(steps, steps_per_epoch(len(rows), training.batch_size)))
    ]


def _length(job: Job, rows: Sequence[Row]) -> int:
    """Tokens that a pass over these rows computes."""
    return computed_tokens(rows, job.backbone.compatibility.packs and not job.recipe.training.padded)


def _settings(job: Job) -> dict[str, Any]:
    """What a `Workload` tells beside what its passes hold."""
    recipe, backbone = job.recipe, job.backbone
    training, lora = recipe.training, recipe.lora
    found: dict[str, Any] = {
        "method": training.method,
        "compute": backbone.compute_dtype,
        "device": backbone.device.type,
        "rank": lora.rank,
        "adapted": lora.targets,
        "dropout": lora.dropout > 0,
        "recomputed": training.gradient_checkpointing,
        "data_tokens": job.train.tokens + job.held_out.tokens,
        "held_out": bool(job.held_out),
        "merged": recipe.export.merged,
    }
    if isinstance(recipe, PPORecipe):
        found |= {
            "critic": recipe.objective.critic,
            "reward": reward_kind(recipe.reward),
            "rollout": rollout_of(job),
        }
    return found


def rollout_of(job: Job) -> Rollout:
    """The largest batch of answers that PPO samples at one time."""
    recipe = job.recipe
    assert isinstance(recipe, PPORecipe)
    settings, training = recipe.rollout, recipe.training
    # Fewer prompts than an iteration asks are asked again.
    asked = max(training.batch_size, min(settings.held_out_prompts, len(job.held_out)))
    prompts = min(asked, max(settings.at_once // settings.samples, 1))
    longest = max(len(row.prompt) for row in [*job.train, *job.held_out])
    return Rollout(prompts * settings.samples, longest, settings.max_new_tokens, settings.merge)


def _trainable(job: Job, own: Shape) -> int:
    """Parameters that are trained; a scalar head's are next to none and left out.

    Raises:
        ModelError: the model has none of the layers that LoRA is to adapt.
    """
    recipe = job.recipe
    if recipe.training.method == "full":
        return own.parameters
    if not own.adapted(recipe.lora.targets):
        what = f"LoRA cannot be put on this model: it has no layers {recipe.lora.targets}"
        raise ModelError(what, where="lora.targets", mend="Name layers as the model does, or say all-linear.")
    two = isinstance(recipe, PPORecipe) and recipe.objective.critic == "adapter"
    return own.adapter_parameters(recipe.lora.rank, recipe.lora.targets) * (2 if two else 1)
