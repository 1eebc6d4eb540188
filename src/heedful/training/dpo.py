"""Preference optimisation as a stage: DPO and its relatives over pairs, with cached reference log-probs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from heedful.objectives import PREFERENCE
from heedful.recipe import DPOObjective, DPORecipe
from heedful.records import Preference
from heedful.render.packing import Packed
from heedful.render.rows import Rows
from heedful.training import job
from heedful.training.loop import Outcome, visited
from heedful.training.reading import without_ties
from heedful.training.reference import reference_logps
from heedful.training.stage import Stage
from heedful.training.tracking import Reporter


class DPOStage:
    """Pairs with the reference's log-probs beside them.

    Args:
        reference: `[pairs, 2]`, nats: log-probs of chosen and rejected under the reference; NaN for a pair
            that is never asked for.
    """

    role = "policy"

    def __init__(self, rows: Rows, reference: Tensor, objective: DPOObjective) -> None:
        self.rows = rows
        self.reference = reference
        self.objective = objective

    def weight(self, index: int) -> float:
        return self.rows[index].weight

    def loss(self, logps: Tensor, packed: Packed, members: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        policy = packed.sum_by_sequence(logps).view(-1, 2)
        reference = self.reference[list(members)].to(policy.device)
        lengths = packed.lengths.view(-1, 2)
        losses, metrics = PREFERENCE[self.objective.name](
            policy[:, 0],
            policy[:, 1],
            reference[:, 0],
            reference[:, 1],
            beta=self.objective.beta,
            label_smoothing=self.objective.label_smoothing,
            chosen_tokens=lengths[:, 0],
            rejected_tokens=lengths[:, 1],
            probabilities=self._probabilities(members, policy),
            weights=packed.weights,
        )
        return losses.sum(), metrics

    def _probabilities(self, members: Sequence[int], like: Tensor) -> Tensor | None:
        """How sure each pair's source is, `[pairs]`; None where all are."""
        given = [getattr(self.rows[index].record, "probability", None) for index in members]
        if all(probability is None for probability in given):
            return None
        return like.new_tensor([1.0 if probability is None else probability for probability in given])


def run(
    recipe: DPORecipe,
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

    def reference(rows: Rows, members: Sequence[int]) -> Tensor:
        """Of all rows' pairs, those that the run comes to: a short run over much data scores little."""
        chosen = Rows([rows[index] for index in members])
        logps = torch.full((len(rows), 2), torch.nan)
        logps[list(members)] = reference_logps(prepared.backbone, chosen, recipe.training, prepared.reporter)
        return logps

    def stages() -> tuple[Stage, Stage | None]:
        train, held_out = prepared.train, prepared.held_out
        learned = DPOStage(train, reference(train, visited(len(train), recipe.training)), recipe.objective)
        if not held_out:
            return learned, None
        return learned, DPOStage(held_out, reference(held_out, range(len(held_out))), recipe.objective)

    return job.train(prepared, stages, resume=resume)


def prepare(
    recipe: DPORecipe, given: job.Given = job.NOTHING, *, reporter: Reporter | None = None
) -> job.Job:
    """Everything up to the first step: data read and rendered, model loaded, counts known."""
    return job.prepare(recipe, (Preference,), given, reporter or Reporter(), sift=without_ties)
