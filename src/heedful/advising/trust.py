"""Whether the labels of pairs can be trusted, and whether a reward can be called and believed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from heedful.advice.facts import LabelFacts, RewardFacts
from heedful.advising.asking import some
from heedful.checking_models import ModelView
from heedful.checks.finding import Interval
from heedful.checks.label_noise import LabelNoise
from heedful.checks.noise_estimate import FEWEST
from heedful.checks.running import run
from heedful.checks.text import text_of
from heedful.intervals import share as share_interval
from heedful.intervals import wilson
from heedful.models.rewards import Reward, checked
from heedful.models.sampler import answer
from heedful.records import Messages, Preference
from heedful.training.tracking import Reporter

# Tokens that are read for the labels, by what takes a minute or two.
_ON_CPU, _ON_GPU = 30_000, 400_000
REPEATS = 3
# Answers to one prompt whose scores are compared.
ANSWERS_EACH = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of the labels, and what it was found on, or why it was not looked for."""

    facts: LabelFacts | None
    looked_at: str


def labels(
    view: ModelView, pairs: Sequence[Preference], *, most: int, tokens_each: float, seed: int = 0
) -> Judged:
    """How many labels look flipped, by heads over the frozen model that were fitted on other pairs.

    Args:
        most: pairs to look at; 0 leaves the labels alone.
        tokens_each: of a pair, in the mean.
    """
    budget = _ON_CPU if view.backbone.device.type == "cpu" else _ON_GPU
    count = min(most, len(pairs), int(budget / max(tokens_each, 1.0)))
    if count < FEWEST:
        few = (
            f"there are {len(pairs):,} pairs"
            if len(pairs) < FEWEST
            else f"{count:,} pairs are what time allows"
        )
        return Judged(None, f"labels: not looked at ({few}, and at least {FEWEST} are needed)")
    ((_, outcome),) = run(pairs, [LabelNoise(view, pairs=count, repeats=REPEATS, seed=seed)]).checks
    if outcome.skipped:
        return Judged(None, f"labels: not looked at ({outcome.skipped})")
    found = outcome.figures
    share = found["share"]
    right = 1 - found["contradicted"]
    known = found["pairs"]
    facts = LabelFacts(
        flipped=None if share is None else Interval(share, found["low"], found["high"], known),
        low=found["low"],
        high=found["high"],
        pairs=known,
        unknown=found["unknown"],
        learnable=Interval(right, *wilson(right * known, known), known),
    )
    return Judged(
        facts, f"labels of {known:,} of {len(pairs):,} pairs, by reward models that had not seen them"
    )


def reward(
    scored_by: Reward,
    view: ModelView,
    pairs: Sequence[Preference],
    prompts: Sequence[Messages],
    *,
    count: int,
    limit: int,
    reporter: Reporter,
    seed: int = 0,
) -> RewardFacts:
    """Whether a reward tells the model's own answers apart, and whether it sides with the labels.

    Args:
        count: of pairs that it scores; a quarter as many prompts are answered, `ANSWERS_EACH` times each.
        limit: tokens of an answer.

    Raises:
        RewardError: it failed, or gave something else than one finite number per answer.
    """
    chance = random.Random(seed)
    asked = some(prompts, max(count // ANSWERS_EACH, 1), chance)
    with reporter.task(f"{view.backbone.name}: answers for the reward", len(asked) * ANSWERS_EACH) as task:
        drawn = answer(
            view.backbone,
            view.renderer,
            asked,
            role="reference",
            max_new_tokens=limit,
            samples=ANSWERS_EACH,
            seed=seed,
            on_done=task.update,
        )
    each = [prompt for prompt in asked for _ in range(ANSWERS_EACH)]
    scores = checked(scored_by, each, [text for text, _ in drawn]).view(len(asked), ANSWERS_EACH)
    varied = (scores.max(dim=1).values > scores.min(dim=1).values).double().tolist()
    varies = Interval(sum(varied) / len(varied), *wilson(sum(varied), len(varied)), len(varied))
    return RewardFacts(scored_by.name, varies, _agrees(scored_by, some(pairs, count, chance)))


def described(found: RewardFacts) -> str:
    """What a reward was asked, in words."""
    parts = []
    if found.varies is not None:
        parts.append(f"{ANSWERS_EACH} answers to each of {found.varies.n:,} prompts")
    if found.agrees is not None:
        parts.append(f"both sides of {found.agrees.n:,} pairs")
    return " and ".join(parts)


def _agrees(scored_by: Reward, pairs: Sequence[Preference]) -> Interval | None:
    """The share of pairs whose chosen side it scores higher; a tie counts half."""
    if not pairs:
        return None
    prompts = [pair.prompt for pair in pairs]
    sides = [
        checked(scored_by, prompts, [text_of(side) for side in texts])
        for texts in ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    ]
    right = ((sides[0] > sides[1]).double() + (sides[0] == sides[1]).double() / 2).to(torch.float64).tolist()
    return Interval(sum(right) / len(right), *share_interval(right, groups=prompts), len(right))
