"""Supervised fine-tuning as a stage: imitate the responses, averaged over response tokens."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from heedful.objectives import sft
from heedful.recipe import SFTRecipe
from heedful.records import Demonstration
from heedful.render.packing import Packed
from heedful.render.rows import Rows
from heedful.training import job
from heedful.training.loop import Outcome
from heedful.training.tracking import Reporter


class SFTStage:
    role = "policy"

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def weight(self, index: int) -> float:
        row = self.rows[index]
        return row.weight * row.response_tokens

    def loss(self, logps: Tensor, packed: Packed, members: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        losses, metrics = sft(logps, packed.weights[packed.target_sequence])
        return losses.sum(), metrics


def run(
    recipe: SFTRecipe,
    given: job.Given = job.NOTHING,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train by `recipe`; what is `given` stands for what the recipe would load.

    Raises:
        HeedfulError: whatever a user can mend; see `heedful.errors`.
    """
    prepared = prepare(recipe, given, reporter=reporter)
    held_out = SFTStage(prepared.held_out) if prepared.held_out else None
    return job.train(prepared, lambda: (SFTStage(prepared.train), held_out), resume=resume)


def prepare(
    recipe: SFTRecipe, given: job.Given = job.NOTHING, *, reporter: Reporter | None = None
) -> job.Job:
    """Everything up to the first step: data read and rendered, model loaded, counts known."""
    return job.prepare(recipe, (Demonstration,), given, reporter or Reporter())
