"""What the tests of PPO share: prompts, runs over tiny models, what their logs say, a policy that is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.models.rewards import FunctionReward
from heedful.recipe import RewardSource
from heedful.records import Demonstration, assistant, user
from heedful.training import ppo, rollout
from heedful.training.job import Given
from heedful.training.loop import Outcome
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.training import small

PROMPTS = [Demonstration((user(f"{word} the?"),), (assistant("x"),), id=word) for word in small.WORDS[:10]]


def train(
    folder: Path,
    reward: Any = small.cats,
    *,
    given: Given | None = None,
    resume: bool = False,
    **settings: Any,
) -> Outcome:
    """`reward` is a function, or the name of a model."""
    recipe = small.recipe("ppo", folder, **settings)
    given = given or Given(PROMPTS, None, tiny.backbone())
    if isinstance(reward, str):
        recipe = recipe.model_copy(update={"reward": [RewardSource(model=reward)]})
    scored_by = None if isinstance(reward, str) else FunctionReward(reward)
    return ppo.run(recipe, given, reward=scored_by, resume=resume, reporter=small.QUIET)


def lines(outcome: Outcome, kind: str = "train") -> list[dict[str, Any]]:
    return [line for line in read_metrics(outcome.run / "metrics.jsonl") if line["kind"] == kind]


def events(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_metrics(folder / "metrics.jsonl") if line["kind"] == "guard"]


def told(outcome: Outcome) -> list[dict[str, Any]]:
    """All that the log says, apart from how long it took."""
    timed = ("seconds", "tokens_per_second")
    return [
        {name: value for name, value in line.items() if name.partition("/")[0] not in timed}
        for line in read_metrics(outcome.run / "metrics.jsonl")
    ]


def forced(monkeypatch: pytest.MonkeyPatch, tokens: list[int], stop: int | None) -> None:
    """The policy says this and nothing else."""

    def always(model: Any, prompts: Any, *, samples: int = 1, **options: Any) -> list[Any]:
        return [rollout.Sample(list(tokens), stop) for _ in range(len(prompts) * samples)]

    monkeypatch.setattr(rollout, "sample", always)
