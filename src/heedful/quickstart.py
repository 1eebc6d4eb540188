"""The quickstart: the default model learns to answer plainly, by SFT and then DPO, and a report shows what
changed.

Everything it needs comes with the package. It is the same few calls that a user would write.
"""

from __future__ import annotations

import time
from pathlib import Path

from heedful import data, machine
from heedful.errors import RunError
from heedful.models.loading import load
from heedful.pipeline import Evaluation, Examined, examine, held_out, report
from heedful.recipe import DPORecipe, SFTRecipe
from heedful.recipe import load as load_recipe
from heedful.report.curves import training_curves
from heedful.training import dpo, sft
from heedful.training.job import Given
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter, read_metrics

_FILES = ("preferences-train", "preferences-held-out", "demonstrations-train", "demonstrations-held-out")
# Enough for what the data ask for (58 tokens on average), and little enough for a laptop.
_ANSWER_TOKENS, _PROMPTS = 96, 32
# Rows that each stage learns from: what two cores without bf16 get through in the promised ten minutes.
_BATCH, _DEMONSTRATIONS, _PAIRS = 8, 96, 112
_INTRO = (
    "A 135-million-parameter model was fine-tuned on short, direct demonstrations (SFT) and then trained to "
    "prefer the better answer of each pair (DPO). Everything below is measured on prompts that neither saw."
)


def run(output: Path, reporter: Reporter) -> Evaluation:
    """Teach the default model to answer plainly, by SFT and then DPO, and show what changed.

    Writes two run folders and `report.html` under `output`.

    Raises:
        RunError: `output` is not empty.
        ModelError: the default model's weights are not on this machine.
    """
    if output.exists() and any(output.iterdir()):
        raise RunError(
            "this folder is not empty.", where=str(output), mend="Choose another by --output FOLDER."
        )
    started = time.monotonic()
    files = {name: str(data.path(f"everyday/{name}.jsonl")) for name in _FILES}
    judges = held_out(files["preferences-held-out"])
    backbone = load("smollm2-135m")
    stages: dict[str, Examined] = {}

    def look(name: str) -> None:
        stages[name] = examine(
            backbone, judges, name, reporter, max_new_tokens=_ANSWER_TOKENS, prompts=_PROMPTS
        )

    look("base")

    reporter.say("\nSFT: imitate the demonstrations")
    sft_recipe = load_recipe(None, _sft_overrides(files, output), stage="sft")
    assert isinstance(sft_recipe, SFTRecipe)
    sft.run(sft_recipe, Given(backbone=backbone), reporter=reporter)
    look("SFT")

    reporter.say("\nDPO: prefer the better answer of each pair")
    backbone.fold(str((output / "sft" / "adapter").absolute()))
    dpo_recipe = load_recipe(None, _dpo_overrides(files, output), stage="dpo")
    assert isinstance(dpo_recipe, DPORecipe)
    dpo.run(dpo_recipe, Given(backbone=backbone), reporter=reporter)
    look("DPO")

    runs = {name: RunFolder(output / name) for name in ("sft", "dpo")}
    seconds = time.monotonic() - started
    given = runs["dpo"].info()["counts"]["train"]["kept"]
    data_used = f"{_DEMONSTRATIONS} demonstrations, {_PAIRS} pairs of {given}; {len(judges)} held out"
    facts = {
        "Model": "smollm2-135m (SmolLM2-135M-Instruct, 4-bit weights de-quantised)",
        "Method": f"LoRA rank {sft_recipe.lora.rank}: SFT, folded into the weights, then DPO",
        "Data": f"everyday: {data_used}",
        "Machine": machine.describe(),
        "Computed in": runs["dpo"].info()["compute_dtype"],
        "Time": f"{seconds / 60:.1f} minutes in all",
    }
    curves = [
        curve for name, run in runs.items() for curve in training_curves(name, read_metrics(run.metrics))
    ]
    findings = Evaluation(report("Heedful quickstart", _INTRO, stages, judges, facts, curves, _ANSWER_TOKENS))
    findings.save(output / "report.html")
    return findings


def free_folder(wanted: Path) -> Path:
    """`wanted`, or `wanted-2`, `wanted-3`, ... where that holds something already."""
    folder, number = wanted, 1
    while folder.exists() and any(folder.iterdir()):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _sft_overrides(files: dict[str, str], output: Path) -> list[str]:
    return [
        f"data.train={files['demonstrations-train']}",
        f"data.eval={files['demonstrations-held-out']}",
        f"output={output / 'sft'}",
        "training.learning_rate=3e-4",
        f"training.batch_size={_BATCH}",
        f"training.max_steps={_DEMONSTRATIONS // _BATCH}",
    ]


def _dpo_overrides(files: dict[str, str], output: Path) -> list[str]:
    return [
        f"data.train={files['preferences-train']}",
        f"data.eval={files['preferences-held-out']}",
        f"output={output / 'dpo'}",
        "training.learning_rate=2e-4",
        f"training.batch_size={_BATCH}",
        f"training.max_steps={_PAIRS // _BATCH}",
    ]
