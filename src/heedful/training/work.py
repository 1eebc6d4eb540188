"""How much a run computes, phase by phase, in tokens: what its time is a multiple of.

Counts what the loop would do with a prepared job, and measures nothing. Answers that are still to be sampled
count with the most tokens they may have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from heedful.models.scoring import row_budget
from heedful.recipe import PPORecipe
from heedful.render.rows import Row
from heedful.training.job import Job
from heedful.training.loop import batch, visited
from heedful.training.memory import RewardKind
from heedful.training.passes import as_trained, computed_tokens, passes_of, reward_kind
from heedful.training.schedule import steps_per_epoch, total_steps


@dataclass(frozen=True, slots=True)
class Work:
    """What one phase computes over a whole run.

    Attributes:
        phase: `reference`, `training`, `evaluation`, `rollout` or `scoring`.
        passed, learned: tokens of forward passes alone, and of those that a backward pass follows.
        read, taught: targets that pass the LM head, without and with gradients.
        updates: of the optimiser.
        drawn: sampling steps, each a token of all responses that are sampled together.
        prompts: tokens of prompts that are computed before sampling, padding included.
    """

    phase: str
    passed: float = 0.0
    learned: float = 0.0
    read: float = 0.0
    taught: float = 0.0
    updates: float = 0.0
    drawn: float = 0.0
    prompts: float = 0.0


def work(job: Job) -> tuple[Work, ...]:
    """What `job` computes, by phase, in the order of the run."""
    return tuple(_ppo(job) if isinstance(job.recipe, PPORecipe) else _plain(job))


def steps_of(job: Job) -> int:
    """Optimiser steps of the run; of PPO iterations."""
    training = job.recipe.training
    return total_steps(len(job.train), training.batch_size, training.epochs, training.max_steps)


def evaluations(steps: int, every: int | None) -> int:
    """How often a run judges its held-out rows: before the first step, when it is due, and at the end."""
    if every is None:
        return 2
    return 1 + steps // every + (1 if steps % every else 0)


def _plain(job: Job) -> Iterator[Work]:
    """SFT, DPO and reward models: rows that are there."""
    training, stage = job.recipe.training, job.recipe.stage
    heads = 0 if stage == "reward" else 1
    steps = steps_of(job)
    judged = evaluations(steps, training.eval_every)
    held_out, held_out_targets = _sizes(job, job.held_out)
    if stage == "dpo":
        rows = [job.train[index] for index in visited(len(job.train), training)]
        tokens, targets = _sizes(job, rows)
        yield Work("reference", passed=tokens + held_out, read=targets + held_out_targets)
    per_epoch = min(steps, steps_per_epoch(len(job.train), training.batch_size))
    batches = [
        [job.train[i] for i in batch(step, len(job.train), training.batch_size, training.seed)]
        for step in range(per_epoch)
    ]
    tokens, targets = _summed(_sizes(job, rows) for rows in batches)
    share = steps / per_epoch
    yield Work("training", learned=tokens * share, taught=heads * targets * share, updates=steps)
    if held_out:
        yield Work("evaluation", passed=judged * held_out, read=judged * heads * held_out_targets)


def _ppo(job: Job) -> Iterator[Work]:
    recipe = job.recipe
    assert isinstance(recipe, PPORecipe)
    steps, asked = steps_of(job), recipe.training.batch_size  # fewer prompts are asked again
    held_out = min(recipe.rollout.held_out_prompts, len(job.held_out))
    judged = evaluations(steps, recipe.training.eval_every) if held_out else 0
    rows = as_trained(job)
    tokens, targets = (size / len(rows) for size in _sizes(job, rows))
    answered = steps * asked + judged * held_out
    prompt = sum(len(row.prompt) for row in rows) / len(rows)
    groups = steps * _groups(recipe, asked) + judged * _groups(recipe, held_out)
    yield Work("rollout", drawn=groups * recipe.rollout.max_new_tokens, prompts=answered * prompt)
    critics = 2 if recipe.objective.critic == "adapter" else 1
    rewarded = _reward_passes(reward_kind(recipe.reward))
    passed = steps * asked * (critics + 1 + rewarded) + judged * held_out * (2 + rewarded)
    read = 2 * (steps * asked + judged * held_out)
    yield Work("scoring", passed=passed * tokens, read=read * targets)
    learned = steps * asked * recipe.objective.inner_epochs
    updates = steps * recipe.objective.inner_epochs * recipe.objective.minibatches
    yield Work("training", learned=learned * critics * tokens, taught=learned * targets, updates=updates)


def _reward_passes(kind: RewardKind) -> int:
    """Forward passes that the reward takes of this machine."""
    return 0 if kind == "outside" else 1


def _groups(recipe: PPORecipe, prompts: int) -> int:
    """How often the sampler starts to answer so many prompts."""
    return math.ceil(prompts / max(recipe.rollout.at_once // recipe.rollout.samples, 1))


def _sizes(job: Job, rows: Sequence[Row]) -> tuple[float, float]:
    """Tokens that passes over these rows compute, padding included, and targets among them."""
    training, backbone = job.recipe.training, job.backbone
    packed = backbone.compatibility.packs and not training.padded
    made = passes_of(rows, row_budget(training.tokens_per_row, backbone.device))
    return sum(computed_tokens(one, packed) for one in made), sum(row.response_tokens for row in rows)


def _summed(sizes: Iterable[tuple[float, float]]) -> tuple[float, float]:
    tokens, targets = zip(*sizes, strict=True)
    return sum(tokens), sum(targets)
