"""The quickstart: the default model learns to answer plainly, by SFT and from there on two roads, DPO and
a reward model with PPO, and a report shows side by side what changed.

Everything it needs comes with the package. It is the same few calls that a user would write.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heedful import data, judging, machine
from heedful.errors import RunError
from heedful.evaluating.examined import MAX_LENGTH, Examined, examine
from heedful.evaluating.held_out import Held, held_out
from heedful.evaluating.judged import score_answers
from heedful.evaluating.pages import report
from heedful.evaluation.generation import Sampling
from heedful.evaluation.subject import Subject
from heedful.judges.scores import ScoreJudge
from heedful.models.backbone import Backbone
from heedful.models.rewards import BackboneReward
from heedful.recipe import DPORecipe, Recipe, RLHFRecipe, from_keywords, from_stages
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits
from heedful.report import Curve, ReportData, write
from heedful.report.curves import training_curves
from heedful.report.wording import Number
from heedful.rlhf import stages_of
from heedful.training import dpo, ppo, sft
from heedful.training.job import Given
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter, read_metrics
from heedful.training.weights import Weights

# Enough for what the data ask for (58 tokens on average), and little enough for a laptop.
_SAMPLING, _PROMPTS = Sampling(max_new_tokens=96), 32
# What each stage learns from: as much as two cores without bf16 get through in the promised fifteen minutes.
_BATCH, _DEMONSTRATIONS, _PAIRS, _REWARD_PAIRS = 8, 96, 96, 64
_ITERATIONS, _EPISODES, _EPISODE_TOKENS = 4, 24, 64
_SFT_RATE, _DPO_RATE, _REWARD_RATE, _PPO_RATE = 3e-4, 2e-4, 4e-4, 5e-4
_INTRO = (
    "A 135-million-parameter model was fine-tuned on short, direct demonstrations (SFT). From there it took "
    "two roads. On one it was trained to prefer the better answer of each pair (DPO). On the other a reward "
    "model learned from such pairs, and the model was trained to give answers that it scores high (PPO). "
    "Everything below is measured on prompts that no stage learned from."
)
_NOTES = (
    "PPO learns from its own answers and sees no pairs: which answer of a pair it finds likelier is nothing "
    "that it was taught.",
    "PPO was trained to raise the reward model's score, and SFT and DPO were not. Zero is the mean score of "
    "the preferred answers that the reward model was given to learn from.",
)


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage of the quickstart.

    Attributes:
        does: what the person who looks on is told.
        train: takes a recipe, what is given, and a reporter.
        model: what the report calls what comes out; none where that answers no prompts.
    """

    does: str
    train: Callable[..., Any]
    model: str | None


_STAGES = {
    "sft": _Stage("SFT: imitate the demonstrations", sft.run, "SFT"),
    "dpo": _Stage("DPO: prefer the better answer of each pair", dpo.run, "DPO"),
    "reward": _Stage(
        "Reward model: give the better answer of each pair the higher score", judging.train, None
    ),
    "ppo": _Stage("PPO: give answers that the reward model scores high", ppo.run, "PPO"),
}
# What the report compares a model with, where that is not the one before it.
_ORIGINS = {"PPO": "SFT"}


def run(output: Path, reporter: Reporter) -> ReportData:
    """Teach the default model to answer plainly, by SFT and then by DPO and by PPO, and show what changed.

    Writes four run folders and `report.html` under `output`.

    Raises:
        RunError: `output` is not empty.
        ModelError: the default model's weights are not on this machine.
    """
    if output.exists() and any(output.iterdir()):
        raise RunError(
            "this folder is not empty.", where=str(output), mend="Choose another by --output FOLDER."
        )
    started = time.monotonic()
    recipes, judges, weights = _recipes(output), held_out(_file("preferences-held-out")), Weights()
    backbone = weights.of(recipes["sft"].model)
    models = {"base": _look(backbone, judges, "base", reporter)}
    for name, stage in _STAGES.items():
        reporter.say(f"\n{stage.does}")
        backbone = weights.of(recipes[name].model)
        stage.train(recipes[name], Given(backbone=backbone), reporter=reporter)
        if stage.model is not None:
            models[stage.model] = _look(backbone, judges, stage.model, reporter)
    # PPO leaves the reward model on the backbone, beside the policy.
    reward = BackboneReward(backbone, Renderer(backbone.tokenizer), Limits(MAX_LENGTH))
    scores = score_answers(ScoreJudge(reward), models, reporter)
    facts = _facts(output, len(judges), time.monotonic() - started)
    page = report(
        "Heedful quickstart", _INTRO, models, judges, facts, curves=_curves(output), sampling=_SAMPLING
    )
    page = replace(page, origins=_ORIGINS, scores={"Reward model": scores}, notes=[*page.notes, *_NOTES])
    write(page, output / "report.html")
    return page


def free_folder(wanted: Path) -> Path:
    """`wanted`, or `wanted-2`, `wanted-3`, ... where that holds something already."""
    folder, number = wanted, 1
    while folder.exists() and any(folder.iterdir()):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _file(name: str) -> str:
    return str(data.path(f"everyday/{name}.jsonl"))


def _recipes(output: Path) -> dict[str, Recipe]:
    """The stages' recipes: those of RLHF, and DPO from where PPO starts too."""
    whole = from_stages(
        "rlhf",
        {"output": str(output)},
        {
            "sft": _learning("demonstrations", _DEMONSTRATIONS, _SFT_RATE),
            "reward": {
                **_learning("preferences", _REWARD_PAIRS, _REWARD_RATE),
                "eval": _file("preferences-held-out"),
            },
            "ppo": {
                "train": _file("preferences-train"),
                "eval_fraction": 0.0,
                "batch_size": _EPISODES,
                "max_steps": _ITERATIONS,
                "learning_rate": _PPO_RATE,
                "inner_epochs": 1,
                "max_new_tokens": _EPISODE_TOKENS,
                # At 1 so small a model says much that no reward model has seen, and scores mean nothing.
                "temperature": 0.7,
                # Nor has it seen answers without an end.
                "missing_end": -1.0,
            },
        },
    )
    assert isinstance(whole, RLHFRecipe)
    stages = stages_of(whole)
    values = {"model": stages["ppo"].model.model_dump(), "output": str(output / "dpo")}
    found = from_keywords("dpo", values, _learning("preferences", _PAIRS, _DPO_RATE))
    assert isinstance(found, DPORecipe)
    return {**stages, "dpo": found}


def _learning(kind: str, rows: int, rate: float) -> dict[str, Any]:
    """A recipe's keys: learn from so many rows, in one pass; what comes of it, the report measures."""
    steps = {"batch_size": _BATCH, "max_steps": rows // _BATCH}
    return {"train": _file(f"{kind}-train"), "eval_fraction": 0.0, **steps, "learning_rate": rate}


def _look(backbone: Backbone, judges: Held, name: str, reporter: Reporter) -> Examined:
    subject = Subject.held(name, backbone, "policy")
    return examine(subject, judges, _SAMPLING, reporter, prompts=_PROMPTS)


def _curves(output: Path) -> list[Curve]:
    found = {name: read_metrics(RunFolder(output / name).metrics) for name in _STAGES}
    return [curve for name, metrics in found.items() for curve in training_curves(name, metrics)]


def _facts(output: Path, held: int, seconds: float) -> dict[str, str]:
    """What was run, for the report."""
    runs = {name: RunFolder(output / name).info() for name in _STAGES}
    judged, given = runs["reward"]["evaluation"], runs["dpo"]["counts"]["train"]["kept"]
    low, high, pairs = judged["accuracy/low"], judged["accuracy/high"], int(judged["pairs"])
    right = Number(judged["accuracy"], low, high, pairs, "held-out pairs", "share")
    rank = runs["sft"]["recipe"]["lora.rank"]
    return {
        "Model": "smollm2-135m (SmolLM2-135M-Instruct, 4-bit weights de-quantised)",
        "Method": f"LoRA rank {rank}: SFT, folded into the weights; over these DPO, a reward model, and PPO",
        "Data": f"everyday: {_DEMONSTRATIONS} demonstrations; {_PAIRS} pairs of {given} for DPO, "
        f"{_REWARD_PAIRS} for the reward model; {_ITERATIONS * _EPISODES} answers in PPO; {held} held out",
        "Reward model": f"right about {right.text} ({right.caption})",
        "Machine": machine.describe(),
        "Computed in": runs["dpo"]["compute_dtype"],
        "Time": f"{seconds / 60:.1f} minutes in all",
    }
