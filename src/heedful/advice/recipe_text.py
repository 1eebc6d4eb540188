"""A recommendation as a recipe that runs as it stands: YAML with settings fitted to the data, and why.

What is not said here is left to the recipe's defaults.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from heedful.advice.cautions import GOOD_REWARD
from heedful.advice.facts import Facts, Lengths
from heedful.advice.rule import Stages
from heedful.advice.rules import Recommendation
from heedful.advice.starting import learns_from
from heedful.advice.words import share
from heedful.checks.label_noise import MOST_SMOOTHING
from heedful.recipe import RewardSource

# What SFT imitates, and what pairs are made of.
DEMONSTRATED = ("demonstration",)
COMPARED = ("preference", "rating", "ranking", "feedback", "candidates", "judgement")
# Lengths are rounded up to a multiple of this many tokens.
STEP = 32
# Ours: so many passes over the data as bring a few to some hundred steps, and many to one pass.
FEW, SOME = 1000, 10_000
MOST_NEW_TOKENS = 512
# An answer may be so much longer than nearly all good ones before PPO cuts it.
ROOM = 1.25
# Ziegler et al. 2019 (1909.08593): the KL, in nats, at which their adaptive controller holds a policy.
NEAR_KL = 6.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the advice was asked about.

    Attributes:
        model: as it was named.
        files: of data.
        kinds: of records in each of these files, by the records' names in small letters; a file that is not
            named may hold any.
        prompts: files of prompts alone.
        reading: how files are read, as `heedful.read` takes it.
        reward: as it was named.
        shown: a file of demonstrations that was made of chosen responses.
        output: where the runs go.
    """

    model: str
    files: Sequence[str]
    prompts: Sequence[str] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    reward: str | None = None
    shown: str | None = None
    output: str = "runs/pipeline"
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def holding(self, *kinds: str) -> list[str]:
        """The files that hold a record of one of these kinds."""
        return [file for file in self.files if self.kinds.get(file, frozenset(kinds)) & set(kinds)]


@dataclass(frozen=True, slots=True)
class RecipeText:
    """One recipe: its YAML, and what its file's name ends in beside the first one's."""

    text: str
    suffix: str = ""


def shows_chosen(recommendation: Recommendation, facts: Facts) -> bool:
    """Whether SFT imitates the chosen responses of pairs: they have to be written as demonstrations."""
    return "sft" in recommendation.stages and learns_from(facts) == "chosen"


def recipes(recommendation: Recommendation, facts: Facts, inputs: Inputs) -> list[RecipeText]:
    """The recipes of a recommendation, in the order they are run; none where something else comes first.

    DPO and then PPO are two recipes: the second starts from the model that the first has made.
    """
    stages = recommendation.stages
    if not stages:
        return []
    heading = [recommendation.title, ""]
    for reason in recommendation.reasons:
        heading += [f"{reason.rule}: {reason.words}"]
    made = _Recipe(facts, inputs, heading)
    if "reward" in stages and _ratings_alone(facts):
        return [made.rlhf(stages)]
    if "dpo" in stages and "ppo" in stages:
        first: Stages = tuple(stage for stage in stages if stage != "ppo")
        return [made.pipeline(first), made.ppo_after(first)]
    return [made.pipeline(stages)]


def stage_keys(stage: str, facts: Facts, inputs: Inputs) -> dict[str, Any]:
    """The keys of one stage that are fitted to the facts."""
    return _Recipe(facts, inputs, ())._stage(stage, "")


def _ratings_alone(facts: Facts) -> bool:
    return facts.data.unpaired > facts.data.pairs


class _Recipe:
    """Sections of a recipe, filled in from the facts; `because` holds the comments by dotted key."""

    def __init__(self, facts: Facts, inputs: Inputs, heading: Sequence[str]) -> None:
        self.facts, self.inputs, self.heading = facts, inputs, heading
        self.because: dict[str, str] = {}

    def pipeline(self, stages: Stages) -> RecipeText:
        values: dict[str, Any] = {"stage": "pipeline", "model": {"name": self.inputs.model}}
        values["data"] = self._data(stages)
        for stage in stages:
            values[stage] = self._stage(stage, f"{stage}.")
        if "ppo" in stages and "reward" not in stages:
            values["ppo"]["reward"] = [self._reward()]
        longest, new = self._max_length(), self._new_tokens()
        values["evaluate"] = {"max_new_tokens": new, "max_length": longest}
        values["output"] = self.inputs.output
        return RecipeText(_yaml(values, self.because, self.heading))

    def ppo_after(self, stages: Stages) -> RecipeText:
        """PPO from what DPO made."""
        output = self.inputs.output
        reward = {"model": f"{output}/reward"} if "reward" in stages else self._reward()
        self.because["model.name"] = "What the recipe before this one has made."
        values = {
            "stage": "ppo",
            "model": {"name": f"{output}/dpo"},
            "data": self._prompts(),
            "reward": [reward],
            "output": f"{output}-ppo",
        }
        own = self._stage("ppo", "")
        values["data"] |= own.pop("data")
        return RecipeText(
            _yaml(values | own, self.because, [*self.heading, "", "Run the other recipe first."]), "-ppo"
        )

    def rlhf(self, stages: Stages) -> RecipeText:
        """A reward model of ratings that make no pairs, and PPO."""
        values: dict[str, Any] = {"stage": "rlhf", "model": {"name": self.inputs.model}}
        values["sft"] = None
        for stage in ("sft", "reward", "ppo"):
            if stage not in stages:
                continue
            own = self._stage(stage, f"{stage}.")
            files = self.inputs.holding(*DEMONSTRATED if stage == "sft" else COMPARED)
            own["data"] = (self._prompts() if stage == "ppo" else self._source(files)) | own["data"]
            values[stage] = own
        values["output"] = self.inputs.output
        return RecipeText(_yaml(values, self.because, self.heading))

    def _data(self, stages: Stages) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "sft" in stages:
            shown = self.inputs.shown
            files = self.inputs.holding(*DEMONSTRATED)
            found["demonstrations"] = self._source(files) if shown is None else {"train": shown}
            if shown is not None:
                self.because["data.demonstrations"] = "The chosen responses of the pairs."
        if {"dpo", "reward"} & set(stages):
            found["preferences"] = self._source(self.inputs.holding(*COMPARED)) | self._pairs()
        if "ppo" in stages and (self.inputs.prompts or "preferences" not in found):
            found["prompts"] = self._prompts()
        return found

    def _pairs(self) -> dict[str, Any]:
        """How pairs are made, where what is there is no pairs yet."""
        own: dict[str, Any] = {}
        if self.facts.data.aspect is not None:
            own["aspect"] = self.facts.data.aspect
        if self.facts.data.voted:
            own["aggregate"] = {"method": "majority"}
            self.because["data.preferences.pairs.aggregate"] = (
                "The votes on one pair together make one preference."
            )
        return {"pairs": own} if own else {}

    def _prompts(self) -> dict[str, Any]:
        """All files: every record has a prompt; only those of prompts if the rest is read otherwise."""
        prompts, reading = list(self.inputs.prompts), self.inputs.reading
        if prompts and any(reading.get(key) for key in ("format", "columns")):
            return {"train": prompts[0] if len(prompts) == 1 else prompts}
        return self._source([*self.inputs.files, *prompts])

    def _source(self, files: Sequence[str]) -> dict[str, Any]:
        reading = self.inputs.reading
        own: dict[str, Any] = {"train": files[0] if len(files) == 1 else list(files)}
        own |= {key: reading[key] for key in ("format", "limit") if reading.get(key) is not None}
        if reading.get("columns"):
            own["columns"] = [f"{name}={column}" for name, column in reading["columns"].items()]
        for key, default in (("encoding", "utf-8"), ("bad_lines", "error")):
            if reading.get(key, default) != default:
                own[key] = reading[key]
        return own

    def _reward(self) -> dict[str, Any]:
        assert self.inputs.reward is not None
        return RewardSource.named(self.inputs.reward).model_dump(exclude_defaults=True)

    def _stage(self, stage: str, at: str) -> dict[str, Any]:
        data = self.facts.data
        longest = self._max_length()
        if self.facts.lengths is not None:
            self.because[f"{at}data.max_length"] = (
                f"Tokens: 99% of prompts with a response have up to {self.facts.lengths.whole[0.99]:,}."
            )
        own: dict[str, Any] = {"data": {"max_length": longest}, "training": {}}
        if stage == "ppo":
            own["rollout"] = {"max_new_tokens": self._new_tokens()}
            if self.facts.lengths is not None:
                self.because[f"{at}rollout.max_new_tokens"] = (
                    f"95% of good responses have up to {self.facts.lengths.response[0.95]:,}."
                )
            if self._weak_reward():
                own["objective"] = {"kl_target": NEAR_KL}
                self.because[f"{at}objective.kl_target"] = "The reward is weak: stay near."
        else:
            rows = {"sft": self._demonstrations(), "reward": max(data.pairs, data.unpaired)}.get(
                stage, data.pairs
            )
            own["training"] |= {"epochs": _epochs(rows), "batch_size": _batch(rows)}
            self.because[f"{at}training.epochs"] = f"Of {rows:,} rows."
        if stage in ("dpo", "reward"):
            own["objective"] = self._smoothing(at)
        if stage == "reward" and _ratings_alone(self.facts) and data.aspects[1:]:
            own["objective"]["aspect"] = data.aspects[0]
            self.because[f"{at}objective.aspect"] = f"Of {', '.join(data.aspects)}."
        if stage == "dpo":
            own["objective"] = {"beta": 0.1, **own["objective"]}
        if self.facts.recompute:
            own["training"]["gradient_checkpointing"] = True
            self.because[f"{at}training.gradient_checkpointing"] = "It does not fit otherwise."
        return {key: value for key, value in own.items() if value}

    def _demonstrations(self) -> int:
        return self.facts.data.demonstrations if self.inputs.shown is None else self.facts.data.pairs

    def _smoothing(self, at: str) -> dict[str, Any]:
        labels = self.facts.labels
        if labels is None or labels.flipped is None or labels.low <= 0:
            return {}
        self.because[f"{at}objective.label_smoothing"] = (
            f"So many labels look flipped: {share(labels.flipped, 'pairs')}."
        )
        return {"label_smoothing": round(min(labels.flipped.value, MOST_SMOOTHING), 2)}

    def _weak_reward(self) -> bool:
        agrees = self.facts.reward.agrees if self.facts.reward is not None else None
        return agrees is not None and agrees.value < GOOD_REWARD

    def _max_length(self) -> int:
        return max_length(self.facts.lengths, self._new_tokens())

    def _new_tokens(self) -> int:
        return new_tokens(self.facts.lengths)


def max_length(lengths: Lengths | None, new: int) -> int:
    """Tokens of a prompt with a response: nearly all rows whole, and room for a new answer."""
    if lengths is None:
        return 2 * new
    wanted = max(_up(lengths.whole[0.99]), _up(lengths.prompt[0.99] + new))
    return wanted if lengths.context is None else min(wanted, lengths.context)


def new_tokens(lengths: Lengths | None) -> int:
    """Tokens of a sampled answer: room for nearly all good ones and a quarter more."""
    if lengths is None:
        return 4 * STEP
    return min(_up(math.ceil(ROOM * lengths.response[0.95])), MOST_NEW_TOKENS)


def _up(tokens: int) -> int:
    return STEP * math.ceil(max(tokens, 1) / STEP)


def _epochs(rows: int) -> float:
    return 3.0 if rows < FEW else 2.0 if rows < SOME else 1.0


def _batch(rows: int) -> int:
    return 8 if rows < FEW else 16 if rows < SOME else 64


def _yaml(values: Mapping[str, Any], because: Mapping[str, str], heading: Sequence[str]) -> str:
    """The values as YAML, with a comment above every key that has a reason."""
    lines = [f"# {line}".rstrip() for one in heading for line in _wrapped(one)]
    return "\n".join([*lines, "", *_lines(values, because, "", 0)]) + "\n"


def _lines(values: Mapping[str, Any], because: Mapping[str, str], before: str, depth: int) -> list[str]:
    lines: list[str] = []
    space = "  " * depth
    for key, value in values.items():
        name = f"{before}{key}"
        lines += [f"{space}# {line}" for line in _wrapped(because[name])] if name in because else []
        if isinstance(value, Mapping):
            lines += [f"{space}{key}:", *_lines(value, because, f"{name}.", depth + 1)]
        else:
            dumped = yaml.safe_dump({key: value}, allow_unicode=True, width=math.inf)
            lines += [f"{space}{line}" for line in dumped.rstrip("\n").split("\n")]
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, break_long_words=False) or [""]
