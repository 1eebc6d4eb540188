"""The keys of a recipe: one frozen pydantic model per section, with defaults and ranges, and one per stage.

Every default of a run stands here and nowhere else. Values are taken strictly (no "8" for 8, no yes for 1),
so that a slip in a recipe is found before a model is loaded. Reading files and wording errors is `load`'s
work.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Tracker = Literal["tensorboard", "wandb"]


class Section(BaseModel):
    """A group of keys: unknown keys are refused, values are strict, nothing changes after reading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        validate_default=True,
    )


class ModelSettings(Section):
    """Which model is trained, and where it computes."""

    # A catalog name, a model folder, an adapter or run folder, a .gguf file, or a hub id.
    name: Text = "smollm2-135m"
    # A PEFT adapter or a Heedful run to fold into the weights before training starts.
    adapter: Text | None = None
    # The numbers the frozen weights compute in; auto picks what the device does well.
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # auto, cpu, cuda, cuda:1, mps.
    device: Text = "auto"


class DataSettings(Section):
    """What is learned from, and how it is cut to length."""

    # One file or several.
    train: Text | Annotated[list[Text], Field(min_length=1)]
    # A held-out file; without one, a share of the prompts in `train` is held out.
    eval: Text | None = None
    # The name of the files' format; None looks at the rows.
    format: Text | None = None
    # The share of prompts to hold out where `eval` is None; 0 holds out nothing.
    eval_fraction: Share = 0.1
    # Read this many rows of each file.
    limit: Count | None = None
    # Tokens of one prompt with one response.
    max_length: Annotated[int, Field(ge=2)] = 1024
    # Tokens of a prompt; None leaves it what the response does not need.
    max_prompt_length: Count | None = None
    # What happens to a prompt that is too long.
    truncation: Literal["keep_end", "keep_start", "drop"] = "keep_end"
    # How a conversation becomes text; auto uses the model's chat template where it has one.
    template: Literal["auto", "chat", "plain", "raw"] = "auto"
    # Write the rows that were left out, with their reasons, to this file.
    quarantine: Text | None = None
    # Stop at a line that cannot be read, or leave it out and count it.
    bad_lines: Literal["error", "quarantine"] = "error"

    @model_validator(mode="after")
    def _prompt_leaves_room(self) -> Self:
        if self.max_prompt_length is not None and self.max_prompt_length >= self.max_length:
            raise ValueError(
                f"max_prompt_length {self.max_prompt_length} leaves no room for a response in "
                f"max_length {self.max_length}"
            )
        return self


class LoraSettings(Section):
    """The adapter, where `training.method` is lora."""

    # The width of the adapter's bottleneck.
    rank: Count = 16
    # The adapter's output is scaled by alpha / rank.
    alpha: Positive = 32.0
    # The share of the adapter's inputs zeroed while training.
    dropout: Share = 0.0
    # The layers that get an adapter, by module name.
    targets: Literal["all-linear"] | Annotated[list[Text], Field(min_length=1)] = "all-linear"


class TrainingSettings(Section):
    """The loop: how long, how fast, how safe. The stage's subclass sets the learning rate's default."""

    # Train an adapter over frozen weights, or every weight.
    method: Literal["lora", "full"] = "lora"
    # Passes over the data; half a pass is fine.
    epochs: Positive = 1.0
    # Stop after this many optimiser steps, whatever `epochs` says.
    max_steps: Count | None = None
    # Pairs (or rows, for SFT) per optimiser step.
    batch_size: Count = 8
    # Tokens of one forward pass: memory, not results, depends on it.
    tokens_per_row: Count = 512
    # The highest learning rate of the schedule.
    learning_rate: Positive
    # How the learning rate falls after the warm-up.
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    # The share of all steps over which the learning rate rises from 0.
    warmup_ratio: Share = 0.1
    # Where the schedule ends, as a share of the learning rate.
    min_lr_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    # AdamW's decoupled weight decay.
    weight_decay: NotNegative = 0.0
    # What AdamW adds to the root of its second moment.
    adam_epsilon: Positive = 1e-8
    # Gradients with a larger norm are scaled down to it.
    max_grad_norm: Positive = 1.0
    # Seeds the order of the data, the split, the adapter's start and dropout.
    seed: Annotated[int, Field(ge=0)] = 0
    # Recompute activations in the backward pass: less memory, about a third more time.
    gradient_checkpointing: bool = False
    # Steps between checkpoints.
    checkpoint_every: Count = 50
    # How many checkpoints stay on disk.
    keep_checkpoints: Count = 2
    # Steps between evaluations; None evaluates before the first step and after the last.
    eval_every: Count | None = None
    # Steps between lines in metrics.jsonl.
    log_every: Count = 1
    # Where else metrics go.
    trackers: list[Tracker] = []
    # Compute every response in its own padded row instead of packing.
    padded: bool = False


class SFTTraining(TrainingSettings):
    learning_rate: Positive = 2e-4


class DPOTraining(TrainingSettings):
    learning_rate: Positive = 2e-5


class RewardTraining(TrainingSettings):
    learning_rate: Positive = 1e-4


class PPOTraining(TrainingSettings):
    """Its steps are iterations, each of `batch_size` prompts."""

    learning_rate: Positive = 1e-4
    batch_size: Count = 64
    schedule: Literal["cosine", "linear", "constant"] = "linear"
    warmup_ratio: Share = 0.0
    adam_epsilon: Positive = 1e-5
    checkpoint_every: Count = 5
    eval_every: Count | None = 5


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
    # Responses sampled at a time.
    batch_size: Count = 64
    # Held-out prompts answered at each evaluation.
    held_out: Count = 64


class PPOObjective(Section):
    """What PPO maximises, and how far it may go at once."""

    # Strength of the pull towards the reference, in reward per nat.
    beta: NotNegative = 0.05
    # Adapt beta so that a response's KL comes to this many nats; None keeps beta as it is.
    kl_target: Positive | None = None
    # Episodes over which an adapted beta may change by a fifth of itself.
    kl_horizon: Positive = 10_000.0
    # Passes over an iteration's responses.
    epochs: Count = 4
    # Optimiser steps of one such pass.
    minibatches: Count = 2
    # The policy's loss stops rewarding ratios further from 1 than this.
    clip: Positive = 0.2
    # The critic's loss stops rewarding moves further than this, in the reward's unit.
    value_clip: Positive = 0.2
    # What the critic's loss counts beside the policy's, where they share a trunk; elsewhere its own step.
    value_coefficient: Positive = 0.1
    # Generalised advantage estimation: gamma and lambda.
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    decay: Annotated[float, Field(ge=0, le=1)] = 0.95
    # End an iteration's passes once the policy has moved this far from where it sampled (nats per token).
    max_approx_kl: Positive | None = 0.1
    # Divide rewards by their standard deviation, keeping their mean.
    whiten_rewards: bool = False
    # Scores further from 0 than this are clipped, and counted.
    score_clip: Positive | None = None
    # The score of a response that does not end by itself; None lets its own stand.
    missing_end: float | None = None
    # The critic: an adapter of its own, or a head on the policy's trunk.
    critic: Literal["adapter", "trunk"] = "adapter"


class PPOGuardSettings(Section):
    """When PPO has gone wrong, beside what `guard` watches."""

    # A response's mean KL, in nats, beyond which the policy has run away.
    max_kl: Positive = 50.0
    # Entropy below this share of the first iteration's is a collapse.
    min_entropy: Share = 0.1
    # The critic's loss above this many times its running median is a divergence.
    max_value_ratio: Annotated[float, Field(gt=1)] = 50.0
    # Bad iterations in a row before going back to the last good checkpoint.
    patience: Count = 2
    # Going back multiplies beta by this, and the learning rate by guard.lr_cut.
    beta_raise: Annotated[float, Field(ge=1)] = 2.0


class GuardSettings(Section):
    """When training has gone wrong, and what is done about it."""

    # A step is bad when its gradient norm exceeds the running median this many times.
    max_grad_ratio: Annotated[float, Field(gt=1)] = 20.0
    # Bad steps in a row before training goes back to the last good checkpoint.
    patience: Count = 3
    # How often it may go back before it stops with an explanation.
    max_rollbacks: Annotated[int, Field(ge=0)] = 3
    # Going back multiplies the learning rate by this.
    lr_cut: Annotated[float, Field(gt=0, le=1)] = 0.5


class ExportSettings(Section):
    """What is written beside the adapter."""

    # Also write the whole model with the adapter folded in.
    merged: bool = False


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


class RewardObjective(Section):
    """What a reward model learns from pairs; rankings and ratings have nothing to set."""

    # Ask for a pair's scores to be as far apart as its source's margin says.
    margins: bool = True
    # The share of labels thought to be flipped.
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    # How strongly the two scores of a pair are kept around 0.
    centering: NotNegative = 0.0


class Recipe(Section):
    """What every stage's recipe holds."""

    stage: str
    model: ModelSettings = ModelSettings()
    data: DataSettings
    lora: LoraSettings = LoraSettings()
    training: TrainingSettings
    guard: GuardSettings = GuardSettings()
    export: ExportSettings = ExportSettings()
    # The run folder.
    output: Text


class SFTRecipe(Recipe):
    """Supervised fine-tuning: imitate the responses."""

    stage: Literal["sft"] = "sft"
    training: SFTTraining = SFTTraining()
    output: Text = "runs/sft"


class DPORecipe(Recipe):
    """Preference optimisation: prefer the chosen response to the rejected one."""

    stage: Literal["dpo"] = "dpo"
    objective: DPOObjective = DPOObjective()
    training: DPOTraining = DPOTraining()
    output: Text = "runs/dpo"


class RewardRecipe(Recipe):
    """A reward model: score responses as people prefer them."""

    stage: Literal["reward"] = "reward"
    objective: RewardObjective = RewardObjective()
    training: RewardTraining = RewardTraining()
    output: Text = "runs/reward"


class PPORecipe(Recipe):
    """Reinforcement learning: answer so that a reward is high and the reference not far."""

    stage: Literal["ppo"] = "ppo"
    reward: list[RewardSource] = []
    rollout: RolloutSettings = RolloutSettings()
    objective: PPOObjective = PPOObjective()
    watch: PPOGuardSettings = PPOGuardSettings()
    training: PPOTraining = PPOTraining()
    output: Text = "runs/ppo"


STAGES: dict[str, type[Recipe]] = {
    "sft": SFTRecipe,
    "dpo": DPORecipe,
    "reward": RewardRecipe,
    "ppo": PPORecipe,
}
