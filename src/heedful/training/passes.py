"""The rows of a job as forward passes see them, before any is made: which share one, and how many tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from heedful.models.catalog import HUB_ID
from heedful.recipe import PPORecipe, RewardSource
from heedful.render.packing import first_fit
from heedful.render.rows import Row
from heedful.training.job import Job
from heedful.training.memory import RewardKind


def as_trained(job: Job) -> Sequence[Row]:
    """The rows as a training pass sees them: PPO's with answers of the most tokens they may have."""
    if not isinstance(job.recipe, PPORecipe):
        return job.train
    rollout = job.recipe.rollout
    answers = ([0] * rollout.max_new_tokens,) * rollout.samples
    return [replace(row, responses=answers) for row in job.train]


def passes_of(rows: Sequence[Row], tokens_per_row: int) -> list[list[Row]]:
    """Which rows share a forward pass."""
    return [[rows[i] for i in members] for members in first_fit([row.tokens for row in rows], tokens_per_row)]


def computed_tokens(rows: Sequence[Row], packed: bool) -> int:
    """Tokens of one forward pass: those of the rows, or of a padded matrix with a row for each response."""
    if packed:
        return sum(row.tokens for row in rows)
    width = max(len(row.prompt) + max(map(len, row.responses)) for row in rows)
    return width * sum(len(row.responses) for row in rows)


def reward_kind(sources: Sequence[RewardSource]) -> RewardKind:
    """What scores PPO's answers, as far as memory goes: the largest of the sources."""
    kinds = {_kind_of(source.model) for source in sources if source.model is not None}
    return "model" if "model" in kinds else "adapter" if kinds else "outside"


def _kind_of(name: str) -> RewardKind:
    """Whether this reward model is an adapter, or has weights of its own.

    A folder that is not there yet is taken for a run that is to come: an adapter over the same weights.
    """
    folder = Path(name).expanduser()
    if any((place / "adapter_config.json").is_file() for place in (folder, folder / "adapter")):
        return "adapter"
    to_come = not folder.exists() and not (HUB_ID.fullmatch(name) and not folder.parent.is_dir())
    return "adapter" if to_come else "model"
