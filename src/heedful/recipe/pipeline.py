"""The recipe of a whole pipeline: what comes in, which stages it goes through, and what is shown in the end.

A stage has the keys of its own recipe, but for the files: those come from the split. One that the recipe
does not name is left out.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from heedful.prepare.pair_settings import BothBad, Method, Mode, Soft, Ties
from heedful.recipe.judges import JudgeSettings
from heedful.recipe.settings import (
    AnyRecipe,
    Count,
    LearningKeys,
    LengthSettings,
    NotNegative,
    Section,
    Severity,
    Share,
    SourceSettings,
    Text,
)
from heedful.recipe.stages import (
    DPOObjective,
    DPOTraining,
    PPOGuardSettings,
    PPOObjective,
    PPOTraining,
    RewardObjective,
    RewardSource,
    RewardTraining,
    RolloutSettings,
    SFTTraining,
)

Seed = Annotated[int, Field(ge=0)]
# The stages that train, in the order they are gone through.
TRAINING = ("sft", "dpo", "reward", "ppo")
# What a model learns from which of them, and which of the data they take it from, the first there is.
LEARNS_FROM = {
    "sft": ("demonstrations",),
    "reward": ("preferences",),
    "dpo": ("preferences",),
    "ppo": ("prompts", "preferences", "demonstrations"),
}


class AggregateKeys(Section):
    """How the votes of several people on one pair become one preference."""

    # majority, weighted, bradley-terry or dawid-skene; see `heedful pairs`.
    method: Method = "majority"
    # Fewer votes, and the pair is left out.
    min_votes: Count = 1
    # The least share of the votes that gave the outcome.
    min_agreement: Annotated[float, Field(ge=0, le=1)] = 0.0
    # Where the likelihood that the chosen side is better goes.
    soft: Soft = "probability"


class PairKeys(Section):
    """How feedback of other kinds becomes preferences: the settings of `heedful pairs`."""

    # Which of a prompt's rated or ranked responses are compared: all, best-worst or adjacent.
    mode: Mode = "all"
    # At most so many pairs of a prompt; None makes all.
    per_prompt: Count | None = None
    # Scores that differ by no more are a tie.
    tie_epsilon: NotNegative = 0.0
    # Keep ties, with probability 0.5, or drop them.
    ties: Ties = "keep"
    # What a verdict of two bad responses is: tie, drop or thumbs.
    both_bad: BothBad = "tie"
    # Which of several aspects ratings are compared by; "mean" for all.
    aspect: Text | None = None
    # Make one preference of all votes on a pair; None leaves each vote one.
    aggregate: AggregateKeys | None = None
    # Of what is drawn.
    seed: int = 0


class FeedbackSettings(SourceSettings):
    """Preferences, or whatever they can be made of."""

    pairs: PairKeys = PairKeys()


class PipelineData(Section):
    """What comes in. A file's name may begin with `heedful:`, for those that come with the package."""

    # What SFT imitates.
    demonstrations: SourceSettings | None = None
    # What the reward model and DPO learn from: preferences, ratings, rankings, thumbs, votes.
    preferences: FeedbackSettings | None = None
    # What PPO answers; without them the prompts of the preferences, or else of the demonstrations.
    prompts: SourceSettings | None = None


class SplitSettings(Section):
    """What is held out of all data together: no prompt is learned from and judged by."""

    # The share of prompts that models are judged by, where the data name no `eval` file.
    held_out: Share = 0.1
    # Prompts at least this alike are on one side; None keeps only the very same together.
    near: Annotated[float, Field(gt=0, le=1)] | None = 0.8
    # Of the lot that is drawn.
    seed: Seed = 0


class StageData(LengthSettings):
    """How a stage cuts its data, and whether it looks at what is held out."""

    # Judge it by the held-out rows, before the first step and after the last.
    judge: bool = True


class _Cuts(Section):
    data: StageData = StageData()


class _Part(LearningKeys, _Cuts):
    """A stage of the pipeline."""


class SFTPart(_Part):
    """SFT within a pipeline."""

    training: SFTTraining = SFTTraining()


class RewardPart(_Part):
    """A reward model within a pipeline."""

    objective: RewardObjective = RewardObjective()
    training: RewardTraining = RewardTraining()


class DPOPart(_Part):
    """DPO within a pipeline."""

    objective: DPOObjective = DPOObjective()
    training: DPOTraining = DPOTraining()


class PPOPart(_Part):
    """PPO within a pipeline."""

    # What scores the answers beside the pipeline's own reward model, to which it is added.
    reward: list[RewardSource] = []  # noqa: RUF012  pydantic copies it
    rollout: RolloutSettings = RolloutSettings()
    objective: PPOObjective = PPOObjective()
    watch: PPOGuardSettings = PPOGuardSettings()
    training: PPOTraining = PPOTraining()


class EvaluateSettings(Section):
    """How the models are compared on what was held out."""

    # How many held-out prompts are answered.
    prompts: Count = 100
    # Answers are cut there.
    max_new_tokens: Count = 160
    # Of sampling; 0 takes the likeliest token each time.
    temperature: NotNegative = 0.0
    # Answers to each prompt.
    samples: Count = 1
    # Of sampling.
    seed: Seed = 0
    # Tokens of a prompt with one response, of the held-out pairs.
    max_length: Annotated[int, Field(ge=2)] = 1024
    # Who compares the answers of models: rewards, functions, chat endpoints, people.
    judges: list[JudgeSettings] = []  # noqa: RUF012  pydantic copies it

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("at temperature 0 all samples are the same; set a temperature or samples=1")
        return self


class ReportSettings(Section):
    """What stands in the report beside the findings."""

    # Of the page.
    title: Text = "What came of the training"
    # A paragraph or more on what was done.
    intro: str = ""


class PipelineRecipe(AnyRecipe):
    """From data to a report: import, check, split, SFT, reward model, DPO, PPO, evaluation."""

    stage: Literal["pipeline"] = "pipeline"
    data: PipelineData
    # Refuse data in which the checks of `heedful check` find something this bad or worse.
    check: Severity = "error"
    split: SplitSettings = SplitSettings()
    # Imitate the demonstrations.
    sft: SFTPart | None = None
    # Align only a model that can do the task already, or any (skip).
    readiness: Literal["check", "skip"] = "check"
    # Learn to prefer the better answer of each pair.
    dpo: DPOPart | None = None
    # Learn to score answers.
    reward: RewardPart | None = None
    # Learn to give answers that score high.
    ppo: PPOPart | None = None
    evaluate: EvaluateSettings = EvaluateSettings()
    report: ReportSettings = ReportSettings()
    # The folder of all stages.
    output: Text = "runs/pipeline"

    @property
    def parts(self) -> dict[str, SFTPart | RewardPart | DPOPart | PPOPart]:
        """The stages that train, in their order."""
        found = {name: getattr(self, name) for name in TRAINING}
        return {name: part for name, part in found.items() if part is not None}

    def learns_from(self, stage: str) -> str:
        """Which of the data a stage takes: a name of `PipelineData`."""
        return next(kind for kind in LEARNS_FROM[stage] if getattr(self.data, kind) is not None)

    @model_validator(mode="after")
    def _has_something_to_train(self) -> Self:
        if not self.parts:
            raise ValueError(f"there is nothing to train: name one of {', '.join(TRAINING)}")
        return self

    @model_validator(mode="after")
    def _has_data_for_every_stage(self) -> Self:
        for stage in self.parts:
            kinds = LEARNS_FROM[stage]
            if all(getattr(self.data, kind) is None for kind in kinds):
                wanted = f"{', '.join(kinds[:-1])} or {kinds[-1]}" if kinds[1:] else kinds[0]
                raise ValueError(
                    f"{stage} learns from {wanted}, and there are none: set data.{kinds[0]}.train, or leave "
                    f"the stage out by {stage}=null"
                )
        return self

    @model_validator(mode="after")
    def _has_a_reward(self) -> Self:
        if self.ppo is not None and self.reward is None and not self.ppo.reward:
            raise ValueError("ppo has no reward to learn from: add a reward section, or set ppo.reward")
        return self

    @model_validator(mode="after")
    def _reward_stays_over_its_weights(self) -> Self:
        if self.ppo is None or self.reward is None or self.ppo.training.method != "full":
            return self
        if self.reward.training.method != "full":
            raise ValueError(
                "ppo.training.method full changes the weights that the reward model is an adapter over; "
                "set reward.training.method to full as well, or PPO's to lora"
            )
        return self

    @model_validator(mode="after")
    def _something_is_held_out(self) -> Self:
        sources = [getattr(self.data, kind) for kind in PipelineData.model_fields]
        if self.split.held_out == 0 and all(source is None or source.eval is None for source in sources):
            raise ValueError(
                "nothing is held out to judge by: set split.held_out above 0, or name an eval file"
            )
        return self
