"""What is a stage's own in a recipe: its objective, its defaults, and the recipe they make.

`settings` holds the sections that all stages share. A stage that RLHF goes through has keys of its own
(`SFTKeys`), which are a section there and the whole recipe elsewhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from heedful.recipe.settings import (
    AnyRecipe,
    Count,
    NotNegative,
    Positive,
    Recipe,
    Section,
    Share,
    StageKeys,
    Text,
    TrainingSettings,
)


class SFTTraining(TrainingSettings):
    learning_rate: Positive = 2e-4


class SFTKeys(StageKeys):
    """What supervised fine-tuning is told."""

    training: SFTTraining = SFTTraining()


class SFTRecipe(SFTKeys, Recipe):
    """Supervised fine-tuning: imitate the responses."""

    stage: Literal["sft"] = "sft"
    output: Text = "runs/sft"


class DPOObjective(Section):
    """The preference loss."""

    # dpo (Rafailov et al. 2023) or ipo (Azar et al. 2023).
    name: Literal["dpo", "ipo"] = "dpo"
    # How strongly the policy is held to the reference.
    beta: Positive = 0.1
    # The share of labels thought to be flipped (conservative DPO).
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

    @model_validator(mode="after")
    def _smoothing_is_for_dpo(self) -> Self:
        if self.label_smoothing and self.name != "dpo":
            raise ValueError(f"label_smoothing belongs to dpo; {self.name} has no such term")
        return self


class DPOTraining(TrainingSettings):
    learning_rate: Positive = 2e-5


class DPORecipe(Recipe):
    """Preference optimisation: prefer the chosen response to the rejected one."""

    stage: Literal["dpo"] = "dpo"
    objective: DPOObjective = DPOObjective()
    training: DPOTraining = DPOTraining()
    output: Text = "runs/dpo"


class RewardObjective(Section):
    """What a reward model learns from pairs and ratings; rankings have nothing to set."""

    # Ask for a pair's scores to be as far apart as its source's margin says.
    margins: bool = True
    # The share of labels thought to be flipped.
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    # How strongly the two scores of a pair are kept around 0.
    centering: NotNegative = 0.0
    # Of ratings those of this aspect; None wants all to be of one.
    aspect: Text | None = None


class RewardTraining(TrainingSettings):
    learning_rate: Positive = 1e-4


class RewardKeys(StageKeys):
    """What the training of a reward model is told."""

    objective: RewardObjective = RewardObjective()
    training: RewardTraining = RewardTraining()


class RewardRecipe(RewardKeys, Recipe):
    """A reward model: score responses as people prefer them."""

    stage: Literal["reward"] = "reward"
    output: Text = "runs/reward"


# package.module:function or path/to/file.py:function
_FUNCTION = re.compile(r"(?:.+\.py|[^\W\d][\w.]*):[^\W\d]\w*")
_REWARD_KINDS = ("model", "function", "url", "length")
# Which kind of reward each key belongs to.
_REWARD_KEYS = {
    "label": ("model",),
    "headers": ("url",),
    "timeout": ("url",),
    "retries": ("url",),
    "batch_size": ("model", "url"),
}


class RewardSource(Section):
    """One thing that scores responses: exactly one of `model`, `function`, `url` and `length`."""

    # A reward run of Heedful's, its adapter or merged folder, or the folder or hub id of a Hugging Face
    # classifier.
    model: Text | None = None
    # A Python function of prompts and responses: package.module:function or path/to/file.py:function.
    function: Text | None = None
    # An HTTP endpoint that is sent prompts and responses and answers with scores.
    url: Text | None = None
    # So much for every word of the response; below 0 asks for shorter ones.
    length: float | None = None
    # What its scores are multiplied by before those of several rewards are added up.
    weight: float = 1.0
    # Whose score it is, where a classifier has several labels.
    label: Text | None = None
    # Headers of a request; ${NAME} stands for an environment variable, so that secrets stay out of recipes.
    headers: dict[str, str] = {}  # noqa: RUF012  pydantic copies it
    # Seconds to wait for an answer.
    timeout: Positive = 30.0
    # Further attempts after a lost connection, a time-out or a server's error.
    retries: Annotated[int, Field(ge=0)] = 3
    # Responses that a classifier or an endpoint gets at a time.
    batch_size: Count = 16

    @classmethod
    def named(cls, name: str) -> Self:
        """What a person means who gives a reward by name alone: an endpoint, a function, else a model."""
        if name.startswith(("http://", "https://")):
            return cls(url=name)
        return cls(function=name) if _FUNCTION.fullmatch(name) else cls(model=name)

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        kinds = [kind for kind in _REWARD_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            listed, given = ", ".join(_REWARD_KINDS), " and ".join(kinds) or "none of them"
            raise ValueError(f"a reward is exactly one of {listed}, and this one has {given}")
        for key, owners in _REWARD_KEYS.items():
            if kinds[0] not in owners and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} belongs to {' and '.join(owners)}, and this reward is a {kinds[0]}")
        return self


class RolloutSettings(Section):
    """How the policy answers prompts."""

    # Responses to each prompt.
    samples: Count = 1
    # Where a response is cut that does not end by itself.
    max_new_tokens: Count = 64
    # Logits are divided by it, when sampling and whenever the policy and its reference are judged.
    temperature: Positive = 1.0
    # Sample from the smallest set of tokens that holds this much probability; below 1, KL is no longer exact.
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    # Responses sampled at a time; all those of a prompt where `samples` is more.
    at_once: Count = 64
    # Sample with the adapter folded into a copy of the weights: faster, for as long as that copy takes room.
    merge: bool = True
    # Held-out prompts answered at each evaluation.
    held_out_prompts: Count = 64


class PPOObjective(Section):
    """What PPO maximises, and how far it may go at once."""

    # Strength of the pull towards the reference, in reward per nat.
    beta: NotNegative = 0.05
    # Adapt beta so that a response's KL comes to this many nats; None keeps beta as it is.
    kl_target: Positive | None = None
    # Episodes over which an adapted beta may change by a fifth of itself.
    kl_horizon: Positive = 10_000.0
    # Passes over an iteration's responses.
    inner_epochs: Count = 2
    # Optimiser steps of one such pass.
    minibatches: Count = 2
    # The policy's loss stops rewarding ratios further from 1 than this.
    clip: Positive = 0.2
    # The critic's loss stops rewarding moves further than this, in the reward's unit.
    value_clip: Positive = 0.2
    # What the critic's loss counts beside the policy's.
    value_coefficient: Positive = 0.1
    # Generalised advantage estimation: what a reward is worth one token later (gamma).
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    # Generalised advantage estimation: how far ahead rewards are believed over the critic (lambda). Below 1
    # the score fades on its way to an answer's first tokens as far as the critic does not foresee it; the KL
    # penalty, which falls due at every token, does not.
    decay: Annotated[float, Field(ge=0, le=1)] = 1.0
    # End an iteration's passes once the policy has moved this far from where it sampled (nats per token).
    max_approx_kl: Positive | None = 0.1
    # Divide rewards by their standard deviation, keeping their mean.
    whiten_rewards: bool = False
    # Subtract the mean score of the first iteration's answers, which are the reference's own.
    center: bool = True
    # Divide scores by their running standard deviation, that of all iterations so far.
    scale: bool = False
    # Scores further from 0 than this are clipped, and counted.
    score_clip: Positive | None = None
    # The score of a response that does not end by itself; None lets its own stand.
    missing_end: float | None = None
    # The critic: a head on the policy's trunk, which costs no passes of its own, or an adapter, which starts
    # as the reward model's where that is an adapter of the same backbone.
    critic: Literal["trunk", "adapter"] = "trunk"

    @model_validator(mode="after")
    def _target_can_be_reached(self) -> Self:
        if self.kl_target is not None and self.beta == 0:
            raise ValueError(
                "kl_target multiplies beta by what brings KL nearer, and beta 0 stays 0; set beta=0.05"
            )
        return self


class PPOGuardSettings(Section):
    """When PPO has gone wrong, beside what `guard` watches."""

    # A response's mean KL, in nats, beyond which the policy has run away.
    max_kl: Positive = 50.0
    # The policy that is kept in the end is the best by held-out reward among those up to this KL, in nats.
    best_kl: Positive = 20.0
    # Entropy below this share of the first iteration's is a collapse.
    min_entropy: Share = 0.1
    # How many times as long answers may grow while longer ones score higher; None sets no limit.
    max_length_growth: Annotated[float, Field(gt=1)] | None = 2.0
    # The correlation of score and length in an iteration from which on longer ones score higher.
    length_correlation: Share = 0.5
    # The critic's loss above this many times its running median is a divergence.
    max_value_ratio: Annotated[float, Field(gt=1)] = 50.0
    # Bad iterations in a row before going back to the last good checkpoint.
    bad_iterations: Count = 2
    # Going back multiplies beta by this, and the learning rate by guard.lr_cut.
    beta_raise: Annotated[float, Field(ge=1)] = 2.0


class PPOTraining(TrainingSettings):
    """Its steps are iterations, each of `batch_size` prompts."""

    # Iterations; the prompts are gone through as often as that takes.
    max_steps: Count | None = 50
    epochs: Positive = 1000.0
    learning_rate: Positive = 1e-3
    batch_size: Count = 64
    schedule: Literal["cosine", "linear", "constant"] = "linear"
    warmup_ratio: Share = 0.0
    adam_epsilon: Positive = 1e-5
    checkpoint_every: Count = 5
    eval_every: Count | None = 5


class PPOKeys(StageKeys):
    """What PPO is told."""

    # What scores the answers; several are added up.
    reward: list[RewardSource] = []  # noqa: RUF012  pydantic copies it
    rollout: RolloutSettings = RolloutSettings()
    objective: PPOObjective = PPOObjective()
    watch: PPOGuardSettings = PPOGuardSettings()
    training: PPOTraining = PPOTraining()


class PPORecipe(PPOKeys, Recipe):
    """Reinforcement learning: answer so that a reward is high and the reference not far."""

    stage: Literal["ppo"] = "ppo"
    output: Text = "runs/ppo"


# Which keys say what prompts there are, and which are held out.
_PROMPTS = ("train", "eval", "format", "limit", "eval_fraction", "bad_lines")


class RLHFRecipe(AnyRecipe):
    """SFT, a reward model and PPO, each over what the one before it made."""

    stage: Literal["rlhf"] = "rlhf"
    # None starts from the model as it is.
    sft: SFTKeys | None
    # None leaves the scoring to `ppo.reward`, which is added to the reward model's otherwise.
    reward: RewardKeys | None
    # Where its data names no file, it asks the prompts that the reward model learned from.
    ppo: PPOKeys
    # The folder of the runs: sft, reward and ppo.
    output: Text = "runs/rlhf"

    @model_validator(mode="before")
    @classmethod
    def _prompts_come_from_the_reward_stage(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        reward, ppo = values.get("reward"), values.get("ppo", {})
        theirs = reward.get("data") if isinstance(reward, dict) else None
        own = ppo.get("data", {}) if isinstance(ppo, dict) else None
        if not isinstance(theirs, dict) or not isinstance(own, dict) or own.get("train") is not None:
            return values
        taken = {name: theirs[name] for name in _PROMPTS if name in theirs and own.get(name) is None}
        return {**values, "ppo": {**ppo, "data": {**own, **taken}}}

    @model_validator(mode="after")
    def _has_a_reward(self) -> Self:
        if self.reward is None and not self.ppo.reward:
            raise ValueError("there is no reward to learn from: give it a reward section, or set ppo.reward")
        return self

    @model_validator(mode="after")
    def _reward_stays_over_its_weights(self) -> Self:
        full = self.ppo.training.method == "full"
        if full and self.reward is not None and self.reward.training.method != "full":
            raise ValueError(
                "ppo.training.method full changes the weights that the reward model is an adapter over; "
                "set reward.training.method to full as well, or PPO's to lora"
            )
        return self
