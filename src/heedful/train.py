"""Training from Python: `heedful.train.sft`, `.reward`, `.dpo` and `.ppo`, a recipe's keys as keyword
arguments, and `.rlhf`, which goes through three of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from heedful import judging
from heedful import rlhf as _rlhf
from heedful.models.backbone import Backbone
from heedful.models.rewards import FunctionReward, Reward
from heedful.recipe import (
    DPORecipe,
    PPORecipe,
    Recipe,
    RewardRecipe,
    RewardSource,
    RLHFRecipe,
    SFTRecipe,
    from_keywords,
    from_stages,
)
from heedful.records import Record
from heedful.training import dpo as _dpo
from heedful.training import ppo as _ppo
from heedful.training import sft as _sft
from heedful.training.job import Given
from heedful.training.loop import Outcome
from heedful.training.tracking import Reporter

Data = Sequence[Record] | str | os.PathLike[str]

# What a recipe says of records that are in no file.
_IN_MEMORY = "(records in memory)"


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
        settings: as in `sft`, and the keys of `objective`: `margins`, `label_smoothing`, `centering` and
            `aspect`.

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
            `heedful.models.rewards.Reward`, or the name of one: the folder of a reward model,
            `my_file.py:function`, or an endpoint's address.
        settings: as in `sft`, and the keys of `rollout`, `objective` and `watch` (`beta=0.05`,
            `max_new_tokens=48`).

    The other arguments, and what is raised, are those of `sft`.
    """
    recipe, given = _recipe("ppo", model, data, held_out, output, settings)
    assert isinstance(recipe, PPORecipe)
    scored_by: Any = None
    if isinstance(reward, str | os.PathLike):
        source = RewardSource.named(os.fspath(reward))
        recipe = recipe.model_copy(update={"reward": [source]})
    else:
        scored_by = reward if hasattr(reward, "name") else FunctionReward(reward)
    return _ppo.run(recipe, given, reward=scored_by, resume=resume, reporter=Reporter(quiet=quiet))


def rlhf(
    model: str,
    *,
    sft: Mapping[str, Any] | None,
    reward: Mapping[str, Any] | None,
    ppo: Mapping[str, Any],
    output: str | os.PathLike[str] = "runs/rlhf",
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Outcome]:
    """Go through SFT, a reward model and PPO, each over what the one before it made.

    A stage that is finished is reused as long as its settings, its data and what it starts from stay the
    same; one that was interrupted goes on.

    Args:
        model: whatever `heedful.load` takes.
        sft: `data`, `held_out` and the settings of SFT, as in `sft`; None starts from the model as it is.
        reward: the same of the reward model; None leaves the scoring to `ppo`.
        ppo: the same of PPO, which asks the reward model's prompts where it has no `data`. Its `reward` is a
            list of sources as in a recipe (`[{"function": "my_rewards.py:short"}]`), whose scores are added
            to the reward model's.
        output: the folder of the runs `sft`, `reward` and `ppo`.
        resume: insist that there is something to go on with.

    Returns:
        What came of each stage, by its name.

    Raises:
        RunError: a stage's folder holds a run of other settings, data or weights.
        HeedfulError: whatever else a user can mend.
    """
    stages: dict[str, dict[str, Any] | None] = {}
    given: dict[str, Given] = {}
    for name, asked in (("sft", sft), ("reward", reward), ("ppo", ppo)):
        if asked is None:
            stages[name] = None
            continue
        settings = dict(asked)
        data, held_out = settings.pop("data", None), settings.pop("held_out", None)
        files = {"train": None if data is None else _path(data) or _IN_MEMORY, "eval": _path(held_out)}
        stages[name] = {**{key: file for key, file in files.items() if file is not None}, **settings}
        own = Given(_records(data), _records(held_out))
        if name == "ppo" and data is None and "reward" in given:
            own = given["reward"] if held_out is None else replace(own, train=given["reward"].train)
        given[name] = own
    values = {"model": {"name": model}, "output": os.fspath(output)}
    recipe = from_stages("rlhf", values, stages)
    assert isinstance(recipe, RLHFRecipe)
    return _rlhf.run(recipe, given, resume=resume, reporter=Reporter(quiet=quiet))


def _recipe(
    stage: str,
    model: Backbone | str,
    data: Data,
    held_out: Data | None,
    output: str | os.PathLike[str],
    settings: dict[str, Any],
) -> tuple[Recipe, Given]:
    """The recipe that says what was asked, and what of it is in hand already."""
    values = {
        "model": {"name": model.name if isinstance(model, Backbone) else model},
        "data": {"train": _path(data) or _IN_MEMORY, "eval": _path(held_out)},
        "output": os.fspath(output),
    }
    given = Given(_records(data), _records(held_out), model if isinstance(model, Backbone) else None)
    recipe = from_keywords(stage, values, settings)
    assert isinstance(recipe, Recipe)
    return recipe, given


def _path(source: Data | None) -> str | None:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None


def _records(source: Data | None) -> Sequence[Record] | None:
    return None if source is None or isinstance(source, str | os.PathLike) else source
