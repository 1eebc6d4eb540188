"""What a policy is worth: held-out prompts answered at temperature 1, their gold reward and their KL to the
SFT model, with intervals.

Every policy answers the same prompts from the same seed. Measured are all finished runs: of PPO what it left
behind, its best policy by held-out reward; of what learned from pairs the checkpoints on the way and the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

import heedful
from benchmarks.sentiment import task
from benchmarks.sentiment.study import Study, method_of
from heedful.intervals import bootstrap
from heedful.models.backbone import Backbone
from heedful.models.rewards import FunctionReward
from heedful.objectives.kl import k1
from heedful.recipe import RolloutSettings
from heedful.render.chat import Renderer
from heedful.render.prompts import render_prompts
from heedful.render.truncate import Limits
from heedful.training import checkpoint
from heedful.training.rollout import collect

# Responses to each prompt.
SAMPLES = 2
SEED = 29
# Texts that a person is shown.
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights to put on the SFT model.

    Attributes:
        run: its run's name; `sft` for the SFT model itself.
        step: of the run; None is the policy that the run left behind.
        place: an adapter's folder, a checkpoint of Heedful's, or none.
    """

    run: str
    step: int | None = None
    place: Path | None = None

    @property
    def name(self) -> str:
        return self.run if self.step is None else f"{self.run}@{self.step}"


def policies(study: Study) -> Iterator[Policy]:
    """The SFT model and what is measured of every finished run."""
    yield Policy("sft")
    for run in study.finished():
        method = method_of(run.name)
        if method.startswith("ppo"):
            yield Policy(run.name, None, run / "adapter")
        if method != "ppo-gold":
            yield from (Policy(run.name, step, place) for step, place in _steps(run))


def _steps(run: Path) -> list[tuple[int, Path]]:
    """The checkpoints that a run kept, Heedful's or TRL's, without the one from before the first step."""
    folders = [*run.glob("checkpoints/step-*"), *run.glob("checkpoint-*")]
    found = ((int(folder.name.rpartition("-")[2]), folder) for folder in folders)
    return sorted((step, folder) for step, folder in found if step > 0)


def file_of(study: Study, policy: Policy) -> Path:
    return study.work / "measured" / f"{policy.name}.json"


def measure(study: Study) -> None:
    """Measure every policy that has not been measured."""
    bench = Bench(study)
    for policy in policies(study):
        file = file_of(study, policy)
        study.once(f"measured/{policy.name}", file.exists, partial(_write, bench, policy, file))


def _write(bench: Bench, policy: Policy, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(bench.measure(policy), indent=1) + "\n", encoding="utf-8")
    part.replace(file)


class Bench:
    """The SFT model and the test prompts, on which one policy after the other is put."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @cached_property
    def backbone(self) -> Backbone:
        return heedful.load(self.study.base)

    def measure(self, policy: Policy) -> dict[str, Any]:
        self.put_on(policy)
        renderer = Renderer(self.backbone.tokenizer, task.COMMON["template"])
        texts = self.study.parts().test
        rollout = collect(
            self.backbone,
            renderer,
            render_prompts(task.demonstrations(texts), renderer, Limits(task.COMMON["max_length"])),
            FunctionReward(task.gold),
            RolloutSettings(samples=SAMPLES, max_new_tokens=task.NEW_TOKENS),
            seed=SEED,
            tokens_per_row=512,
        )
        prompts = [task.first_words(text) for text in texts for _ in range(SAMPLES)]
        return summary(
            prompts,
            rollout.texts,
            gold=rollout.scores.tolist(),
            kl=rollout.by_response(k1(rollout.logps, rollout.reference)).tolist(),
            lengths=rollout.lengths.tolist(),
            ended=rollout.ended.tolist(),
            entropy=float(-rollout.logps.mean()),
        )

    def put_on(self, policy: Policy) -> None:
        """Give the backbone the policy's adapter, in the place of any before."""
        place = policy.place
        if place is None:
            self.backbone.drop_adapter()
        elif (place / "adapter_config.json").exists():
            self.backbone.load_lora("policy", place)
        else:
            # A checkpoint holds weights alone; of what kind they are, the run's adapter says.
            self.backbone.load_lora("policy", self.study.runs / policy.run / "adapter")
            self.backbone.fill("policy", checkpoint.weights(place), where=str(place))


def summary(
    prompts: Sequence[str],
    texts: Sequence[str],
    *,
    gold: Sequence[float],
    kl: Sequence[float],
    lengths: Sequence[int],
    ended: Sequence[bool],
    entropy: float,
) -> dict[str, Any]:
    """One policy's numbers, means over responses; responses to one prompt are resampled together.

    Args:
        kl: of each response to the SFT model, `sum log π − log π_ref`; nats.
        lengths: in tokens, the end included.
        entropy: nats per token, estimated from the sampled ones.
    """
    shown = range(0, len(texts), max(len(texts) // _SHOWN, 1))
    return {
        "prompts": len(set(prompts)),
        "responses": len(texts),
        "gold": _mean(gold, prompts),
        "kl": _mean(kl, prompts),
        "length": float(np.mean(lengths)),
        "ended": float(np.mean(ended)),
        "entropy": entropy,
        "distinct_1": distinct(texts, 1),
        "distinct_2": distinct(texts, 2),
        "texts": [
            {"prompt": prompts[at], "response": texts[at], "gold": gold[at]} for at in list(shown)[:_SHOWN]
        ],
    }


def _mean(values: Sequence[float], groups: Sequence[str]) -> dict[str, float]:
    low, high = bootstrap(values, groups=groups)
    return {"value": float(np.mean(values)), "low": low, "high": high}


def distinct(texts: Sequence[str], n: int) -> float:
    """Different n-grams of words over all there are (Li et al. 2016); 0 where there are none."""
    grams = [
        tuple(words[at : at + n])
        for words in (text.split() for text in texts)
        for at in range(len(words) - n + 1)
    ]
    return len(set(grams)) / len(grams) if grams else 0.0
