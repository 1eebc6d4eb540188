"""What the tests of training share: small records, rows, recipes and runs over the models of `tests.tiny`."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from heedful.models.backbone import Backbone
from heedful.models.rewards import FunctionReward
from heedful.recipe import DPOObjective, GuardSettings, TrainingSettings, from_keywords
from heedful.records import Demonstration, Preference, assistant, user
from heedful.render.packing import Packed
from heedful.render.rows import Row, Rows
from heedful.training import dpo, ppo, reward, sft
from heedful.training.dpo import DPOStage
from heedful.training.job import Given
from heedful.training.loop import Loop, Outcome
from heedful.training.run_folder import RunFolder
from heedful.training.sft import SFTStage
from heedful.training.tracking import Reporter
from tests import tiny

WORDS = (
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "and",
    "dog",
    "ran",
    "to",
    "house",
    "what",
    "is",
    "answer",
    "question",
)
QUIET = Reporter(quiet=True)


def sentence(chance: random.Random, low: int = 1, high: int = 9) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(low, high)))


def pairs(count: int, *, seed: int = 0) -> list[Preference]:
    """Pairs with distinct prompts, of many lengths and a few weights."""
    chance = random.Random(seed)
    return [
        Preference(
            (user(f"{number}: {sentence(chance)}?"),),
            (assistant(sentence(chance)),),
            (assistant(f"no {sentence(chance)}"),),
            weight=chance.choice((0.5, 1.0, 2.0)),
            id=f"pair-{number}",
        )
        for number in range(count)
    ]


def demonstrations(count: int, *, seed: int = 0) -> list[Demonstration]:
    return [Demonstration(p.prompt, p.chosen, weight=p.weight, id=p.id) for p in pairs(count, seed=seed)]


def rows(weights: list[float], *, responses: int, seed: int = 0) -> Rows:
    """One row of random tokens per weight, of lengths that all differ."""
    chance = random.Random(seed)

    def ids(low: int, high: int) -> list[int]:
        return [chance.randrange(3, tiny.VOCABULARY) for _ in range(chance.randint(low, high))]

    return Rows(
        [
            Row(str(i), ids(1, 12), tuple(ids(1, 4 + 3 * i) for _ in range(responses)), weight)
            for i, weight in enumerate(weights)
        ]
    )


def adapted(seed: int = 0, **lora: Any) -> Backbone:
    """A tiny Llama with an adapter that already does something: fresh ones start at nothing."""
    backbone = tiny.backbone(seed=seed)
    backbone.train_lora(**{"rank": 4, "alpha": 8, **lora})
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in backbone.trainable().items():
            if "lora_B" in name:
                parameter.normal_(0, 0.1, generator=generator)
    return backbone


def dpo_stage(some: Rows, *, beta: float = 0.5) -> DPOStage:
    """A DPO stage with the log-probs of a made-up reference, about those of a model that knows nothing."""
    generator = torch.Generator().manual_seed(2)
    lengths = torch.tensor([[float(len(response)) for response in row.responses] for row in some])
    noise = torch.randn(lengths.shape, generator=generator)
    return DPOStage(some, 4.0 * noise - 6.0 * lengths, DPOObjective(beta=beta))


def loop(
    stage: Any,
    folder: Path,
    *,
    backbone: Backbone | None = None,
    held_out: Any = None,
    guard: GuardSettings | None = None,
    **settings: Any,
) -> Loop:
    """A loop over an adapter, with a run folder to write to."""
    run = RunFolder(folder)
    run.checkpoints.mkdir(parents=True)
    chosen = TrainingSettings(**{"learning_rate": 1e-3, "batch_size": 2, **settings})
    return Loop(
        stage, held_out, backbone or adapted(), chosen, guard or GuardSettings(), run, QUIET, command="again"
    )


class SpoiltStage(SFTStage):
    """SFT whose loss is NaN at the calls (from 1) that are named."""

    def __init__(self, some: Rows, spoilt: set[int]) -> None:
        super().__init__(some)
        self.spoilt = spoilt
        self.calls = 0

    def loss(
        self, logps: torch.Tensor, packed: Packed, members: Any
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self.calls += 1
        total, metrics = super().loss(logps, packed, members)
        return (total * float("nan") if self.calls in self.spoilt else total), metrics


def recipe(stage: str, output: Path, **settings: Any) -> Any:
    """A recipe for a few quick steps; `settings` are keys by their last name, as in `heedful.train`."""
    values = {"model": {"name": "tiny"}, "data": {"train": "(records in memory)"}, "output": str(output)}
    quick = {"learning_rate": 1e-3, "batch_size": 4, "rank": 4, "eval_fraction": 0.0}
    if stage == "ppo":
        quick |= {"max_new_tokens": 8, "max_steps": 3}
    return from_keywords(stage, values, {**quick, **settings})


def policy_of(run: Path) -> dict[str, torch.Tensor]:
    """The adapter that a run wrote, its weights named as in a checkpoint."""
    written = load_file(run / "adapter" / "adapter_model.safetensors")
    return {
        name.removeprefix("base_model.model.").replace(".weight", ".policy.weight"): weight
        for name, weight in written.items()
    }


def cats(prompts: list[str], responses: list[str]) -> list[float]:
    """A reward that a tiny model can learn to earn: the letters of "cat", and few others."""
    return [sum(letter in "cat" for letter in text) / (1 + len(text)) for text in responses]


def train(
    stage: str, output: Path, *, given: Given | None = None, resume: bool = False, **settings: Any
) -> Outcome:
    """Train a tiny Llama on twelve small records."""
    chosen = recipe(stage, output, **settings)
    records = demonstrations(12) if stage == "sft" else pairs(12)
    given = given or Given(records, None, tiny.backbone())
    module: Any = {"sft": sft, "dpo": dpo, "reward": reward, "ppo": ppo}[stage]
    scored = {"reward": FunctionReward(cats)} if stage == "ppo" else {}
    outcome: Outcome = module.run(chosen, given, resume=resume, reporter=QUIET, **scored)
    return outcome
