"""PPO as a stage: prompts in, answers sampled and scored by a reward, a policy that earns more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from heedful.errors import RecipeError, RunError
from heedful.models import rewards
from heedful.models.rewards import Reward
from heedful.recipe import PPORecipe
from heedful.records import Candidates, Demonstration, Feedback, Preference, Prompt, Ranking, Rating
from heedful.render.chat import Renderer
from heedful.render.prompts import render_prompts
from heedful.render.rows import Rows
from heedful.render.truncate import Limits
from heedful.training import job, processes
from heedful.training.loop import Outcome
from heedful.training.ppo_loop import PPOLoop, Prompts
from heedful.training.tracking import Reporter

# Whatever has a prompt.
KINDS = (Prompt, Candidates, Demonstration, Preference, Feedback, Rating, Ranking)


def run(
    recipe: PPORecipe,
    given: job.Given = job.NOTHING,
    *,
    reward: Reward | None = None,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train by `recipe`; what is `given`, and a `reward`, stand for what the recipe would load.

    Raises:
        HeedfulError: whatever a user can mend; see `heedful.errors`.
    """
    if processes.count() > 1:
        raise RunError("PPO runs in one process.", mend="Start it without a launcher.")
    check(recipe, has_reward=reward is not None)
    if reward is not None:  # no command line could give it again
        given = replace(given, command="")
    prepared = prepare(recipe, given, reporter=reporter)
    backbone = prepared.backbone
    scored_by: list[Reward] = [] if reward is None else [reward]

    def stages() -> tuple[Prompts, Prompts | None]:
        # A reward model of this backbone is one of its adapters, so it comes when the old ones are gone.
        if not scored_by:
            # With its turn closed an answer may be a token too long for its prompt, and has to be scored.
            policy = recipe.data.truncation if recipe.data.truncation != "drop" else "keep_end"
            limits = Limits(recipe.data.max_length, None, policy)
            scored_by.append(
                rewards.build(recipe.reward, backbone=backbone, renderer=prepared.renderer, limits=limits)
            )
        if recipe.training.method == "full" and "reward" in backbone.heads:
            what = "the reward model is an adapter over the weights that full fine-tuning changes."
            mend = "Export the reward model merged and name that folder, or train with LoRA."
            raise RecipeError(what, where="reward", mend=mend)
        held_out = Prompts(prepared.held_out) if prepared.held_out else None
        return Prompts(prepared.train), held_out

    def loop(*common: Any, **options: Any) -> PPOLoop:
        return PPOLoop(recipe, prepared.renderer, scored_by[0], *common, **options)

    return job.train(prepared, stages, resume=resume, roles=partial(_give_roles, prepared, recipe), loop=loop)


def prepare(
    recipe: PPORecipe, given: job.Given = job.NOTHING, *, reporter: Reporter | None = None
) -> job.Job:
    """Everything up to the first iteration: prompts read and rendered, model loaded, counts known."""

    def prompts(records: Sequence[Any], renderer: Renderer, limits: Limits) -> Rows:
        room = limits.max_length - recipe.rollout.max_new_tokens
        own = limits.max_prompt_length
        return render_prompts(
            records, renderer, replace(limits, max_prompt_length=room if own is None else min(own, room))
        )

    return job.prepare(
        recipe,
        KINDS,
        given,
        reporter or Reporter(),
        rendering=prompts,
        to_come=recipe.rollout.max_new_tokens,
    )


def check(recipe: PPORecipe, *, has_reward: bool = False) -> None:
    """Whether the recipe's keys go together; `has_reward` where a reward is in hand already.

    Raises:
        RecipeError: which do not.
    """
    if not recipe.reward and not has_reward:
        mend = "Name one: --reward runs/reward, my_file.py:score or http://..., or a list in the recipe."
        raise RecipeError("there is no reward to learn from.", where="reward", mend=mend)
    if recipe.rollout.max_new_tokens >= recipe.data.max_length:
        what = f"{recipe.rollout.max_new_tokens} new tokens leave no room for a prompt."
        raise RecipeError(what, where="data.max_length", mend="Raise it, or lower rollout.max_new_tokens.")
    if recipe.training.method == "lora" and recipe.lora.dropout > 0:
        what = "with dropout the policy is not the one that sampled, and the ratio does not start at 1."
        raise RecipeError(what, where="lora.dropout", mend="Set lora.dropout=0.")
    if recipe.training.method == "full" and recipe.objective.critic == "adapter":
        what = "with full fine-tuning the critic is a head on the policy's trunk."
        raise RecipeError(what, where="objective.critic", mend="Set objective.critic=trunk.")


def _give_roles(prepared: job.Job, recipe: PPORecipe) -> None:
    """A policy that starts as the reference, and a critic."""
    backbone, lora, training = prepared.backbone, recipe.lora, recipe.training
    settings: dict[str, Any] = {
        "rank": lora.rank,
        "alpha": lora.alpha,
        "dropout": lora.dropout,
        "targets": lora.targets,
    }
    if training.method == "full":
        backbone.train_fully()
    else:
        backbone.train_lora("policy", seed=training.seed, **settings)
    if recipe.objective.critic == "trunk":
        backbone.add_head("critic")
        backbone.trunks["critic"] = "policy"
    elif "reward" in backbone.heads:
        backbone.copy_role("reward", "critic")
    else:
        backbone.train_lora("critic", seed=training.seed + 1, **settings)
        backbone.add_head("critic")
    backbone.model.train()
    backbone.recompute(training.gradient_checkpointing)
