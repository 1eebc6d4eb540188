"""The keys of a recipe: one frozen pydantic model per section, with defaults and ranges, and one per stage.

Every default of a run stands here and nowhere else. Values are taken strictly (no "8" for 8, no yes for 1),
so that a slip in a recipe is found before a model is loaded. Reading files and wording errors is `load`'s
work.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Tracker = Literal["tensorboard", "wandb"]


def _off(value: Any) -> Any:
    """`off` as it was meant: YAML 1.1 takes it, bare, for false."""
    return "off" if value is False else value


# What is refused: findings of this severity and worse.
Severity = Annotated[Literal["off", "error", "warning"], BeforeValidator(_off)]


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


class SourceSettings(Section):
    """Files of records, and how they are read."""

    # One file or several.
    train: Text | Annotated[list[Text], Field(min_length=1)]
    # A held-out file; without one, a share of the prompts in `train` is held out.
    eval: Text | None = None
    # The name of the files' format; None looks at the rows.
    format: Text | None = None
    # What columns of other names are for: [prompt=question, chosen=good_answer].
    columns: list[Annotated[str, Field(pattern="^[^=]+=.+$")]] = Field(default_factory=list)
    # The files' encoding, by Python's name.
    encoding: Text = "utf-8"
    # Read this many rows of each file.
    limit: Count | None = None
    # Stop at a line that cannot be read, or leave it out and count it.
    bad_lines: Literal["error", "quarantine"] = "error"

    @property
    def files(self) -> list[str]:
        """What is learned from."""
        return [self.train] if isinstance(self.train, str) else self.train

    @property
    def reading(self) -> dict[str, Any]:
        """How the files are read: keyword arguments of `heedful.read`."""
        return {
            "format": self.format,
            "columns": dict(name.split("=", 1) for name in self.columns),
            "encoding": self.encoding,
            "limit": self.limit,
            "bad_lines": self.bad_lines,
        }


class LengthSettings(Section):
    """How records become tokens, and are cut to length."""

    # Tokens of one prompt with one response.
    max_length: Annotated[int, Field(ge=2)] = 1024
    # Tokens of a prompt; None leaves it what the response does not need.
    max_prompt_length: Count | None = None
    # What happens to a prompt that is too long.
    truncation: Literal["keep_end", "keep_start", "drop"] = "keep_end"
    # How a conversation becomes text; auto uses the model's chat template where it has one.
    template: Literal["auto", "chat", "plain", "raw"] = "auto"

    @model_validator(mode="after")
    def _prompt_leaves_room(self) -> Self:
        if self.max_prompt_length is not None and self.max_prompt_length >= self.max_length:
            raise ValueError(
                f"max_prompt_length {self.max_prompt_length} leaves no room for a response in "
                f"max_length {self.max_length}"
            )
        return self


class DataSettings(LengthSettings, SourceSettings):
    """What is learned from, and how it is cut to length."""

    # The share of prompts to hold out where `eval` is None; 0 holds out nothing.
    eval_fraction: Share = 0.1
    # Write the rows that were left out, with their reasons, to this file.
    quarantine: Text | None = None
    # Refuse to train where the checks of `heedful check` find something this bad or worse.
    check: Severity = "off"


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
    # Tokens of one forward pass: memory, not results, depends on it. Null: 512 on a CPU, 8192 on a GPU.
    tokens_per_row: Count | None = None
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


class LearningKeys(Section):
    """How a stage learns, whatever it learns from."""

    lora: LoraSettings = LoraSettings()
    training: TrainingSettings
    guard: GuardSettings = GuardSettings()
    export: ExportSettings = ExportSettings()


class _LearnsFrom(Section):
    data: DataSettings


class StageKeys(LearningKeys, _LearnsFrom):
    """What a stage is told, apart from which model it trains and where its run goes."""


class AnyRecipe(Section):
    """What every recipe holds, be it of one stage or of several."""

    stage: str
    model: ModelSettings = ModelSettings()


class Recipe(StageKeys, AnyRecipe):
    """What every stage's recipe holds."""

    # The run folder.
    output: Text
