"""The report of a pipeline: all its models side by side, from what evaluation and runs left behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heedful import machine
from heedful.evaluating.examples import examples
from heedful.evaluating.held_out import Held
from heedful.evaluating.pages import report, with_diversity
from heedful.models import catalog, fingerprints
from heedful.models.folders import write_text
from heedful.pipeline import evaluate
from heedful.pipeline.findings import Findings
from heedful.pipeline.places import held_out_files
from heedful.recipe import PipelineRecipe
from heedful.report import Curve, ReportData, write
from heedful.report.curves import training_curves
from heedful.report.data import Example
from heedful.report.evaluation_json import Evaluated, as_json
from heedful.report.wording import Number
from heedful.training.run_folder import RunFolder, versions
from heedful.training.tracking import Reporter, read_metrics

PAGE, SUMMARY = "report.html", "summary.json"
_PAIRS_NOTE = (
    "PPO learns from its own answers and sees no pairs: which answer of a pair it finds likelier is nothing "
    "that it was taught."
)
_SCORES_NOTE = (
    "PPO was trained to raise the reward model's score, and SFT and DPO were not. Zero is the mean score of "
    "the preferred answers that the reward model was given to learn from."
)
# What is trained, as a method is called.
_WORDS = {"sft": "SFT", "dpo": "DPO", "reward": "a reward model", "ppo": "PPO"}
_INTRO = "Everything below is measured on prompts that no stage learned from."


def write_report(
    recipe: PipelineRecipe, split: Path, evaluation: Path, folder: Path, reporter: Reporter
) -> None:
    """Write the page, and its numbers for programs."""
    page = report_data(recipe, split, evaluation, reporter)
    made = _made(recipe, split)
    summary = json.dumps(as_json(page, made), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / SUMMARY, summary.encode("utf-8", "backslashreplace").decode() + "\n")
    write(page, folder / PAGE)


def report_data(recipe: PipelineRecipe, split: Path, evaluation: Path, reporter: Reporter) -> ReportData:
    """All that the page shows."""
    found, records = evaluate.evaluated(recipe, evaluation), evaluate.judged_by(recipe, split)
    page = report(
        recipe.report.title,
        recipe.report.intro or _INTRO,
        found.models,
        records,
        _facts(recipe, split),
        curves=_curves(recipe),
        sampling=evaluate.sampling_of(recipe),
    )
    page = replace(
        page,
        origins=evaluate.origins(recipe),
        scores=found.scores,
        comparisons=list(found.comparisons),
        examples=_examples(recipe, found, records),
        notes=[*page.notes, *_notes(recipe)],
    )
    return with_diversity(page, found.models, reporter, seed=recipe.evaluate.seed)


def _examples(recipe: PipelineRecipe, found: Findings, records: Held) -> list[Example]:
    """All that judges compared; where nobody was asked, the answers that stand side by side are enough."""
    if not found.comparisons:
        return []
    return [
        one
        for model, baseline in evaluate.opponents(recipe)
        for one in examples(
            model, {name: found.models[name] for name in (baseline, model)}, found.comparisons, records
        )
    ]


def _notes(recipe: PipelineRecipe) -> list[str]:
    if recipe.ppo is None:
        return []
    return [_PAIRS_NOTE, *([_SCORES_NOTE] if recipe.reward is not None else [])]


def _curves(recipe: PipelineRecipe) -> list[Curve]:
    runs = {name: RunFolder(Path(recipe.output) / name) for name in recipe.parts}
    return [curve for name, run in runs.items() for curve in training_curves(name, read_metrics(run.metrics))]


def _facts(recipe: PipelineRecipe, split: Path) -> dict[str, str]:
    """What was run."""
    runs = {name: RunFolder(Path(recipe.output) / name).info() for name in recipe.parts}
    found = {
        "Model": _model(recipe),
        "Method": _method(recipe),
        "Data": _data(recipe, split, runs),
        "Reward model": _reward(runs.get("reward", {})),
        "Machine": machine.describe(),
        "Computed in": ", ".join(dict.fromkeys(info["compute_dtype"] for info in runs.values())),
        "Time": f"{sum(info['seconds'] for info in runs.values()) / 60:.1f} minutes of training",
    }
    return {name: text for name, text in found.items() if text}


def _model(recipe: PipelineRecipe) -> str:
    titles = {entry.name: entry.title for entry in catalog.entries()}
    name, adapter = recipe.model.name, recipe.model.adapter
    told = f"{name} ({titles[name]})" if name in titles else name
    return f"{told}, with {adapter} folded in" if adapter else told


def _method(recipe: PipelineRecipe) -> str:
    """What was trained over what."""

    def how(name: str) -> str:
        part = recipe.parts[name]
        width = f"LoRA rank {part.lora.rank}" if part.training.method == "lora" else "every weight"
        return f"{_WORDS[name]} ({width})"

    later = [how(name) for name in recipe.parts if name != "sft"]
    if recipe.sft is None:
        return ", ".join(later)
    return f"{how('sft')}; over it {', '.join(later)}" if later else how("sft")


def _data(recipe: PipelineRecipe, split: Path, runs: Mapping[str, Any]) -> str:
    """How much each stage learned from, of how much there was."""
    told = []
    for name, info in runs.items():
        kept, training = info["counts"]["train"]["kept"], recipe.parts[name].training
        seen = info["steps"] * training.batch_size
        if name == "ppo":
            told.append(f"{seen * info['recipe']['rollout.samples']:,} answers in PPO")
        else:
            told.append(f"{min(seen, kept):,} of {kept:,} {recipe.learns_from(name)} for {_WORDS[name]}")
    held = evaluate.judged_by(recipe, split)
    return f"{'; '.join(told)}; {len(held):,} held out"


def _reward(info: Mapping[str, Any]) -> str:
    """How often the reward model is right, where it was judged."""
    judged = info.get("evaluation", {})
    if "accuracy" not in judged:
        return ""
    low, high, pairs = judged["accuracy/low"], judged["accuracy/high"], int(judged["pairs"])
    right = Number(judged["accuracy"], low, high, pairs, "held-out pairs", "share")
    return f"right about {right.text} ({right.caption})"


def _made(recipe: PipelineRecipe, split: Path) -> Evaluated:
    """What the numbers were made from, and with."""
    records = evaluate.judged_by(recipe, split)
    counts, sampling = records.counts, evaluate.sampling_of(recipe)
    held = held_out_files(recipe, split)
    return Evaluated(
        kind="policy",
        models=[
            {"name": title, "part": name, "fingerprint": _fingerprint(recipe, name)}
            for name, title in evaluate.models_of(recipe).items()
        ],
        data={
            "held_out": {
                "name": ", ".join(map(str, held)),
                "fingerprint": fingerprints.combined(map(fingerprints.of_file, held)),
                "read": counts.read,
                "kept": counts.kept,
                "quarantined": counts.quarantined,
            },
            "demonstrations": None,
        },
        prompts={
            "held_out": len({record.prompt for record in records}),
            "asked": min(recipe.evaluate.prompts, len({record.prompt for record in records})),
        },
        sampling=asdict(sampling),
        seed=sampling.seed,
        versions=versions(),
        machine=machine.describe(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _fingerprint(recipe: PipelineRecipe, name: str) -> str:
    model = recipe.model.adapter or recipe.model.name
    return fingerprints.of_source(
        catalog.resolve(model if name == "base" else str(Path(recipe.output) / name))
    )
