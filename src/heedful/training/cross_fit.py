"""Reward models that score only pairs they were not trained on: folds by prompt, a model for each.

A pair is scored by models that never saw its prompt, so that they can contradict its label. Two ways to train
one: a head over the frozen backbone, whose hidden states are computed once for all folds and repeats
(`heads`), or an adapter by the project's own reward training, whose run is thrown away (`adapters`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heedful.checks.model_scores import CrossFit
from heedful.intervals import group_codes
from heedful.models.backbone import Backbone
from heedful.models.roles import ScalarHead
from heedful.models.scoring import score
from heedful.objectives.reward import bradley_terry
from heedful.recipe import DataSettings, RewardRecipe, RewardTraining
from heedful.records import Preference
from heedful.render.rows import Rows
from heedful.training import reward
from heedful.training.job import Given
from heedful.training.schedule import total_steps
from heedful.training.tracking import Reporter, Task

Codes = NDArray[np.intp]

# Strengths of the pull on a head's weights; the one whose heads foretell held-out labels best is taken.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
ITERATIONS = 60  # of L-BFGS, which a convex loss seldom needs


def folds_by_group(groups: Sequence[Hashable], folds: int, repeats: int, *, seed: int = 0) -> Codes:
    """A fold for each item of each repeat, `[repeats, items]`; a group is never parted.

    Raises:
        ValueError: there are fewer groups than folds, or fewer than two folds.
    """
    codes = group_codes(groups, len(groups))
    count = int(codes.max(initial=-1)) + 1
    if not 2 <= folds <= count:
        raise ValueError(f"{folds} folds of {count} groups")
    chance = np.random.default_rng(seed)
    return np.stack([chance.permutation(np.arange(count) % folds)[codes] for _ in range(repeats)])


def heads(
    states: Tensor, pairs: Sequence[Preference], folds: Codes, *, on_done: Callable[[int], None] | None = None
) -> CrossFit:
    """Train a head for every fold of every repeat, over hidden states that stay as they are.

    The loss is the reward model's (`bradley_terry`, soft labels and weights included) with a pull of the
    weights to 0, as there may be more of them than pairs.

    Args:
        states: of the last token of chosen and rejected, `[pairs, 2, hidden]` (see `scoring.end_states`).
        folds: `[repeats, pairs]`.
        on_done: called with the number of heads that are trained; there are `heads_of(folds)`.
    """
    spread = states.flatten(0, 1).std(dim=0).clamp_min(torch.finfo(torch.float32).tiny)
    scaled = (states / (spread * states.shape[-1] ** 0.5)).float()
    labels = torch.tensor([1.0 if pair.probability is None else pair.probability for pair in pairs])
    weights = torch.tensor([pair.weight for pair in pairs])
    done = 0

    def scores(own: Codes, strength: float) -> Tensor:
        """Of every pair by the head that was not trained on it, `[pairs, 2]`."""
        nonlocal done
        found = torch.empty(len(scaled), 2)
        for fold in np.unique(own):
            inside = torch.from_numpy(own == fold)
            head = _head(scaled[~inside], labels[~inside], weights[~inside], strength)
            with torch.no_grad():
                found[inside] = head(scaled[inside])
            done += 1
            if on_done is not None:
                on_done(done)
        return found

    def held_out(strength: float) -> float:
        """The mean loss of labels that were held out, in the first repeat."""
        own = scores(folds[0], strength)
        losses, _ = bradley_terry(own[:, 0], own[:, 1], probabilities=labels, weights=weights)
        return float(losses.mean())

    strength = min(STRENGTHS, key=held_out)
    found = torch.stack([scores(own, strength) for own in folds])
    return CrossFit((found[..., 0] - found[..., 1]).double().numpy(), folds)


def heads_of(folds: Codes) -> int:
    """How many heads `heads` trains: those of the first repeat for each strength, then all."""
    each = [len(np.unique(own)) for own in folds]
    return len(STRENGTHS) * each[0] + sum(each)


def _head(states: Tensor, labels: Tensor, weights: Tensor, strength: float) -> ScalarHead:
    head = ScalarHead(states.shape[-1])
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        scores = head(states)
        losses, _ = bradley_terry(scores[:, 0], scores[:, 1], probabilities=labels, weights=weights)
        loss = losses.sum() + strength / 2 * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return head


def adapters(
    backbone: Backbone,
    rows: Rows,
    pairs: Sequence[Preference],
    folds: Codes,
    data: DataSettings,
    training: RewardTraining,
    reporter: Reporter,
) -> CrossFit:
    """Train an adapter and a head for every fold of every repeat, by `training.reward`.

    The backbone's weights are loaded once and shared; adapters and run folders are gone afterwards.

    Args:
        rows: the pairs as they are rendered, to be scored.
        folds: `[repeats, pairs]`.
        data: how records are cut; what it says of files is not used.
        training: the settings of each run.

    Raises:
        HeedfulError: as `training.reward.run`.
    """
    jobs = [(repeat, fold) for repeat, own in enumerate(folds) for fold in np.unique(own)]
    steps = [
        total_steps(
            int((folds[repeat] != fold).sum()), training.batch_size, training.epochs, training.max_steps
        )
        for repeat, fold in jobs
    ]
    found = np.full(folds.shape, np.nan)
    with reporter.task("Training reward models, steps", sum(steps)) as task:
        for number, (repeat, fold) in enumerate(jobs):
            inside = folds[repeat] == fold
            learned = [pair for pair, out in zip(pairs, inside, strict=True) if not out]
            own = training.model_copy(update={"seed": training.seed + number})
            with tempfile.TemporaryDirectory(prefix="heedful-cross-fit-") as folder:
                recipe = RewardRecipe(data=data, training=own, output=str(Path(folder) / "run"))
                watched = _Part(task, sum(steps[:number]), f"model {number + 1} of {len(jobs)}")
                reward.run(recipe, Given(learned, [], backbone), reporter=watched)
            members = np.flatnonzero(inside).tolist()
            scores = score(
                backbone.role("reward"),
                [rows[at] for at in members],
                tokens_per_row=training.tokens_per_row,
            )
            found[repeat, members] = (scores[:, 0] - scores[:, 1]).double().numpy()
            backbone.drop_adapter()
    return CrossFit(found, folds)


class _Part(Reporter):
    """Shows the steps of one run as a part of a larger task, and nothing else of it."""

    def __init__(self, whole: Task, start: int, note: str) -> None:
        super().__init__(quiet=True)
        self._whole, self._start, self._note = whole, start, note

    @contextmanager
    def task(self, title: str, total: int | None, start: int = 0) -> Iterator[Task]:
        with super().task(title, total, start) as task:
            yield _Passed(task, self._whole, self._start, self._note) if title == "Training" else task


class _Passed(Task):
    """Passes the progress of a part on to the whole."""

    def __init__(self, own: Task, whole: Task, start: int, note: str) -> None:
        self._own, self._whole, self._start, self._note = own, whole, start, note

    def update(self, done: int, note: str = "") -> None:
        self._whole.update(self._start + done, self._note)

    def say(self, text: str) -> None:
        self._own.say(text)
