"""Training from Python: `heedful.train.sft`, `.reward` and `.dpo`, a recipe's keys as keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from heedful import judging
from heedful.models.backbone import Backbone
from heedful.models.rewards import FunctionReward, Reward
from heedful.recipe import DPORecipe, PPORecipe, Recipe, RewardRecipe, RewardSource, SFTRecipe, from_keywords
from heedful.records import Record
from heedful.training import dpo as _dpo
from heedful.training import ppo as _ppo
from heedful.training import sft as _sft
from heedful.training.job import Given
from heedful.training.loop import Outcome
from heedful.training.tracking import Reporter

Data = Sequence[Record] | str | os.PathLike[str]


def sft(
    model: Backbone | str,
    data: Data,
    *,
    held_out: Data | None = None,
    output: str | os.PathLike[str] = "runs/sft",
    resume: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Outcome:
    """Fine-tune on demonstrations.

    Args:
        model: a loaded backbone, or whatever `heedful.load` takes.
        data: records, or a file.
        held_out: records or a file to judge by; without it a share of the prompts is held out.
        output: the run folder.
        resume: go on with the run in `output`.
        settings: any key of a recipe's `data`, `lora`, `training`, `guard` and `export` sections, by its own
            name (`learning_rate=1e-4`, `rank=8`, `max_length=512`).

    Raises:
        HeedfulError: whatever a user can mend.
    """
    recipe, given = _recipe("sft", model, data, held_out, output, settings)
    assert isinstance(recipe, SFTRecipe)
    return _sft.run(recipe, given, resume=resume, reporter=Reporter(quiet=quiet))


def dpo(
    model: Backbone | str,
    data: Data,
    *,
    held_out: Data | None = None,
    output: str | os.PathLike[str] = "runs/dpo",
    resume: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Outcome:
    """Train on preferences by DPO or a relative (`name="ipo"`, `label_smoothing=0.1`).

    Args:
        settings: as in `sft`, and the keys of `objective`: `name`, `beta`, `label_smoothing`.

    The other arguments, and what is raised, are those of `sft`.
    """
    recipe, given = _recipe("dpo", model, data, held_out, output, settings)
    assert isinstance(recipe, DPORecipe)
    return _dpo.run(recipe, given, resume=resume, reporter=Reporter(quiet=quiet))


def reward(
    model: Backbone | str,
    data: Data,
    *,
    held_out: Data | None = None,
    output: str | os.PathLike[str] = "runs/reward",
    resume: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Outcome:
    """Train a reward model on preferences, rankings and ratings, or a mix of them, and judge it by held-out
    ones: numbers in the outcome's `evaluation`, and a `report.html` in the run folder.

    Args:
        settings: as in `sft`, and the keys of `objective`: `margins`, `label_smoothing`, `centering`.

    The other arguments, and what is raised, are those of `sft`.
    """
    recipe, given = _recipe("reward", model, data, held_out, output, settings)
    assert isinstance(recipe, RewardRecipe)
    outcome, _ = judging.train(recipe, given, resume=resume, reporter=Reporter(quiet=quiet))
    return outcome


def ppo(
    model: Backbone | str,
    data: Data,
    *,
    reward: Reward | Callable[..., Any] | str | os.PathLike[str],
    held_out: Data | None = None,
    output: str | os.PathLike[str] = "runs/ppo",
    resume: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Outcome:
    """Train a policy to earn a reward (PPO); the data's prompts are answered, its responses are not read.

    Args:
        reward: a function `(prompts, responses) -> scores` over lists of text, a
            `heedful.models.rewards.Reward`, or the folder of a reward model.
        settings: as in `sft`, and the keys of `rollout`, `objective` and `watch` (`beta=0.05`,
            `max_new_tokens=48`).

    The other arguments, and what is raised, are those of `sft`.
    """
    recipe, given = _recipe("ppo", model, data, held_out, output, settings)
    assert isinstance(recipe, PPORecipe)
    scored_by: Any = None
    if isinstance(reward, str | os.PathLike):
        source = RewardSource(model=os.fspath(reward))
        recipe = recipe.model_copy(update={"reward": [source]})
    else:
        scored_by = reward if hasattr(reward, "name") else FunctionReward(reward)
    return _ppo.run(recipe, given, reward=scored_by, resume=resume, reporter=Reporter(quiet=quiet))


def _recipe(
    stage: str,
    model: Backbone | str,
    data: Data,
    held_out: Data | None,
    output: str | os.PathLike[str],
    settings: dict[str, Any],
) -> tuple[Recipe, Given]:
    """The recipe that says what was asked, and what of it is in hand already."""

    def path(source: Data | None) -> str | None:
        return os.fspath(source) if isinstance(source, str | os.PathLike) else None

    def records(source: Data | None) -> Sequence[Record] | None:
        return None if source is None or isinstance(source, str | os.PathLike) else source

    values = {
        "model": {"name": model.name if isinstance(model, Backbone) else model},
        "data": {"train": path(data) or "(records in memory)", "eval": path(held_out)},
        "output": os.fspath(output),
    }
    given = Given(records(data), records(held_out), model if isinstance(model, Backbone) else None)
    return from_keywords(stage, values, settings), given
