"""The checks that need a model: one set of weights is loaded when the first of them asks, and serves all.

Puts the floors below together: `models` and `training` compute what `checks` are handed. Nothing is left on
disk and nothing is learned by the weights themselves.

Cost, with heads over the frozen backbone (the default): one forward pass over the sample of pairs, then a
second or so per hundred heads. With adapters: `folds × repeats` trainings, each on nearly all of the sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from heedful.checks.finding import Check, Outcome
from heedful.checks.label_noise import LabelNoise
from heedful.checks.model_scores import CrossFit, Losses
from heedful.checks.off_distribution import OffDistribution
from heedful.checks.running import run
from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.models.sampler import sample
from heedful.models.scoring import end_states, score_tokens
from heedful.quarantine import Quarantined
from heedful.recipe import DataSettings, RewardTraining
from heedful.records import Preference, Record
from heedful.render.chat import Renderer
from heedful.render.rows import Row, Rows, render
from heedful.render.truncate import Limits
from heedful.training.cross_fit import Codes, adapters, folds_by_group, heads, heads_of
from heedful.training.tracking import Reporter

MAX_LENGTH = 512
# Rows between two words of progress.
_CHUNK = 16


def model_checks(
    records: Iterable[Record | Quarantined],
    model: Backbone | str,
    *,
    reporter: Reporter | None = None,
    max_length: int = MAX_LENGTH,
    seed: int = 0,
    training: RewardTraining | None = None,
    **label_noise: Any,
) -> list[tuple[Check, Outcome]]:
    """Run the model-based checks over records.

    Args:
        model: a loaded backbone, or whatever `heedful.load` takes: the model to be trained.
        max_length: of a prompt with one response, in tokens; longer ones are cut as in training.
        seed: of the folds, the adapters and the model's own answers.
        training: train an adapter for each fold with these settings; None trains heads over the frozen
            backbone, which takes minutes where the other takes hours.
        label_noise: keyword arguments of `LabelNoise`: `pairs`, `folds`, `repeats`, ...

    Raises:
        DataError: there is no record.
        ModelError: the model cannot be loaded.
        HeedfulError: training an adapter failed.
    """
    asked = ModelView(model, reporter=reporter, max_length=max_length, seed=seed, training=training)
    return list(run(records, [LabelNoise(asked, **label_noise), OffDistribution(asked)]).checks)


class ModelView:
    """A model as the checks ask it (`checks.model_scores.ModelScores`); arguments as of `model_checks`."""

    def __init__(
        self,
        model: Backbone | str,
        *,
        reporter: Reporter | None = None,
        max_length: int = MAX_LENGTH,
        seed: int = 0,
        training: RewardTraining | None = None,
    ) -> None:
        self._model = model
        self._reporter = reporter or Reporter()
        self._max_length = max_length
        self._seed = seed
        self._training = training

    @cached_property
    def backbone(self) -> Backbone:
        """Loaded when it is first asked for."""
        return self._model if isinstance(self._model, Backbone) else load(self._model)

    @cached_property
    def renderer(self) -> Renderer:
        """Through the model's own template."""
        return Renderer(self.backbone.tokenizer)

    def cross_fit(self, pairs: Sequence[Preference], *, folds: int, repeats: int) -> CrossFit:
        """As `ModelScores.cross_fit`; pairs that cannot be rendered have no difference."""
        rows, members = self.rendered(pairs)
        found = np.full((repeats, len(pairs)), np.nan)
        own_folds = np.zeros((repeats, len(pairs)), dtype=np.intp)
        prompts = [pairs[at].prompt for at in members]
        if len(set(prompts)) >= folds:
            dealt = folds_by_group(prompts, folds, repeats, seed=self._seed)
            fitted = self._fitted(rows, [pairs[at] for at in members], dealt)
            found[:, members], own_folds[:, members] = fitted.differences, fitted.folds
        return CrossFit(found, own_folds)

    def _fitted(self, rows: Rows, pairs: Sequence[Preference], folds: Codes) -> CrossFit:
        if self._training is not None:
            data = DataSettings(train="(records in memory)", eval_fraction=0.0, max_length=self._max_length)
            return adapters(self.backbone, rows, pairs, folds, data, self._training, self._reporter)
        role = self.backbone.role("reference")
        title = f"Reading {rows.tokens:,} tokens with {self.backbone.name}, pairs"
        with self._reporter.task(title, len(rows)) as task:
            states = end_states(role, rows, on_done=task.update)
        with self._reporter.task("Cross-fitting reward models", heads_of(folds)) as task:
            return heads(states, pairs, folds, on_done=task.update)

    def losses(self, pairs: Sequence[Preference], *, answers: int, start: int) -> Losses:
        """As `ModelScores.losses`."""
        rows, members = self.rendered(pairs)
        whole = np.full((2, len(pairs)), np.nan)
        starts = np.full((2, len(pairs)), np.nan)
        for at, by_response in zip(members, self.token_losses(rows, "Losses of pairs"), strict=True):
            whole[:, at] = [own.mean() for own in by_response]
            starts[:, at] = [own[:start].mean() for own in by_response]
        answered = self._own_answers(rows, answers, start)
        own = [
            losses[0].mean() for losses in self.token_losses(answered, "Losses of the model's own answers")
        ]
        return Losses(whole[0], whole[1], starts[0], starts[1], np.array(own), start)

    @property
    def max_length(self) -> int:
        """Of a prompt with one response, in tokens: as asked for, or what the model can read."""
        return min(self._max_length, self.backbone.context_length or self._max_length)

    def rendered(self, pairs: Sequence[Preference]) -> tuple[Rows, list[int]]:
        """Rows, and which pair each is of."""
        rows = render(pairs, self.renderer, Limits(self.max_length))
        numbered = iter(enumerate(pairs))
        return rows, [next(at for at, pair in numbered if pair is row.record) for row in rows]

    def _own_answers(self, rows: Sequence[Row], count: int, start: int) -> list[Row]:
        """The model's answers to the first prompts, sampled as they are, at temperature 1."""
        asked = {tuple(row.prompt): row for row in rows}
        chosen = list(asked.values())[:count]
        if not chosen:
            return []
        with (
            self._reporter.task("The model's own answers", len(chosen)) as task,
            self.backbone.active("reference") as model,
        ):
            found = sample(
                model,
                [row.prompt for row in chosen],
                stop_ids=self.renderer.stop_ids,
                pad_id=self.backbone.pad_id,
                max_new_tokens=start,
                seed=self._seed,
                on_done=task.update,
            )
        return [Row(row.id, row.prompt, (own.actions,)) for row, own in zip(chosen, found, strict=True)]

    def token_losses(self, rows: Sequence[Row], title: str) -> list[list[Any]]:
        """The negative log-likelihood of each token of each response of each row, nats."""
        role, found = self.backbone.role("reference"), []
        with self._reporter.task(title, len(rows)) as task:
            for at in range(0, len(rows), _CHUNK):
                some = rows[at : at + _CHUNK]
                device = self.backbone.device
                losses = -score_tokens(role, some, device=device).double()
                for row, own in zip(some, losses.split([row.response_tokens for row in some]), strict=True):
                    lengths = [len(response) for response in row.responses]
                    found.append([part.numpy() for part in own.split(lengths)])
                task.update(at + len(some))
        return found
