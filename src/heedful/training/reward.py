"""A reward model as a stage: one score per response, learned from pairs, rankings and ratings."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from heedful.models.backbone import Backbone
from heedful.models.scoring import score
from heedful.objectives.reward import bradley_terry, plackett_luce, regression
from heedful.recipe import RewardObjective, RewardRecipe, TrainingSettings
from heedful.records import Preference, Ranking, Rating
from heedful.render.packing import Packed
from heedful.render.rows import Row, Rows
from heedful.training import job
from heedful.training.aspects import of_one_aspect
from heedful.training.loop import Outcome
from heedful.training.tracking import Reporter

KINDS = (Preference, Ranking, Rating)
# Responses that the mean score is taken over: enough to know it to an eighth of the scores' spread.
_REFERENCES = 64


class RewardStage:
    """Rows of one, two or more responses, each with the record that says which is better."""

    role = "reward"

    def __init__(self, rows: Rows, objective: RewardObjective) -> None:
        self.rows = rows
        self.objective = objective

    def weight(self, index: int) -> float:
        return self.rows[index].weight

    def loss(
        self, scores: Tensor, packed: Packed, members: Sequence[int]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        rows = [self.rows[index] for index in members]
        own = scores.split([len(row.responses) for row in rows])
        pairs: list[tuple[Tensor, Preference]] = []
        ratings: list[tuple[Tensor, Rating]] = []
        losses: list[Tensor] = []
        found: defaultdict[str, list[Tensor]] = defaultdict(list)

        def add(outcome: tuple[Tensor, dict[str, Tensor]]) -> None:
            losses.append(outcome[0].sum())
            for name, values in outcome[1].items():
                found[name].append(values)

        for row, its_scores in zip(rows, own, strict=True):
            if isinstance(row.record, Preference):
                pairs.append((its_scores, row.record))
            elif isinstance(row.record, Rating):
                ratings.append((its_scores, row.record))
            elif isinstance(row.record, Ranking):
                add(plackett_luce(its_scores, torch.tensor(row.record.ranks, device=scores.device)))
            else:
                raise TypeError(f"no reward can be learned from a {type(row.record).__name__}")
        if pairs:
            add(self._pairs(pairs))
        if ratings:
            given = scores.new_tensor([rating.score for _, rating in ratings])
            add(regression(torch.cat([its_scores for its_scores, _ in ratings]), given))
        return torch.stack(losses).sum(), {name: torch.cat(values) for name, values in found.items()}

    def _pairs(self, pairs: Sequence[tuple[Tensor, Preference]]) -> tuple[Tensor, dict[str, Tensor]]:
        scores = torch.stack([its_scores for its_scores, _ in pairs])
        records = [pair for _, pair in pairs]
        margins = [pair.margin or 0.0 for pair in records] if self.objective.margins else None
        return bradley_terry(
            scores[:, 0],
            scores[:, 1],
            margins=None if margins is None else scores.new_tensor(margins),
            probabilities=scores.new_tensor(
                [1.0 if pair.probability is None else pair.probability for pair in records]
            ),
            label_smoothing=self.objective.label_smoothing,
            centering=self.objective.centering,
            weights=scores.new_tensor([pair.weight for pair in records]),
        )


def run(
    recipe: RewardRecipe,
    given: job.Given = job.NOTHING,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train by `recipe`; what is `given` stands for what the recipe would load.

    Raises:
        HeedfulError: whatever a user can mend; see `heedful.errors`.
    """
    return fit(prepare(recipe, given, reporter=reporter), resume=resume)


def fit(prepared: job.Job, *, resume: bool = False) -> Outcome:
    """Train what `prepare` has loaded, whose backbone then plays the role `reward`.

    Raises:
        HeedfulError: as `run`.
    """
    recipe = prepared.recipe
    assert isinstance(recipe, RewardRecipe)
    held_out = RewardStage(prepared.held_out, recipe.objective) if prepared.held_out else None
    return job.train(
        prepared,
        lambda: (RewardStage(prepared.train, recipe.objective), held_out),
        resume=resume,
        finish=lambda: center(prepared.backbone, prepared.train, recipe.training, prepared.reporter),
    )


def prepare(
    recipe: RewardRecipe, given: job.Given = job.NOTHING, *, reporter: Reporter | None = None
) -> job.Job:
    """Everything up to the first step: data read and rendered, model loaded, counts known."""
    sift = partial(of_one_aspect, recipe.objective.aspect)
    return job.prepare(recipe, KINDS, given, reporter or Reporter(), sift=sift)


def center(backbone: Backbone, rows: Rows, settings: TrainingSettings, reporter: Reporter) -> None:
    """Let the head subtract the mean score of reference responses, the best of each of `rows` or of a sample.

    Only differences are learned from pairs, so the scores' zero is anywhere; PPO wants it at what people
    prefer (Huang et al. 2024, "The N+ implementation details of RLHF with PPO", detail 6).
    """
    role, head = backbone.role("reward"), backbone.heads["reward"]
    role.force_padded = settings.padded
    head.offset.zero_()
    # Rows may come source by source, so the first of a file stand for none of the others.
    drawn = random.Random(settings.seed).sample(rows, min(_REFERENCES, len(rows)))
    best = [Row(row.id, row.prompt, (row.responses[_best(row)],)) for row in drawn]
    with reporter.task("Mean score of preferred responses", len(best)) as task:
        scores = score(role, best, tokens_per_row=settings.tokens_per_row, on_done=task.update)
    head.offset.fill_(float(scores.mean()))
    head.spread.fill_(float(scores.std(correction=0)))


def _best(row: Row) -> int:
    """Which response people prefer: of a soft label the likelier one."""
    record = row.record
    if isinstance(record, Ranking):
        return record.ranks.index(min(record.ranks))
    return int(isinstance(record, Preference) and record.probability is not None and record.probability < 0.5)
