"""From the work folder to one report: what was run, what was measured, and PPO's own numbers by iteration."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.sentiment import measure, pairs, task
from benchmarks.sentiment.study import Study, method_of
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import read_metrics


def collect(study: Study) -> dict[str, Any]:
    """The report of all that is there: runs that came to an end, one way or the other, and their policies."""
    sft = RunFolder(study.work / "sft").info()
    found: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "precision": {"bfloat16": "bf16", "float32": "fp32"}[sft["compute_dtype"]],
        "settings": {
            "model": sft["model"]["name"],
            "sentences": study.sizes,
            "prompt_words": task.PROMPT_WORDS,
            "new_tokens": task.NEW_TOKENS,
            "common": task.COMMON,
            "sft": task.SFT,
            "ppo": task.PPO,
            "dpo": task.DPO,
            "reward": task.REWARD,
            "samples_a_prompt": {"pairs": task.SAMPLES, "measured": measure.SAMPLES},
        },
        "runs": {run.name: _run(run) for run in sorted(study.runs.glob("*"))},
        "policies": {
            policy.name: {"run": policy.run, "step": policy.step, **json.loads(file.read_text("utf-8"))}
            for policy in measure.policies(study)
            if (file := measure.file_of(study, policy)).exists()
        },
    }
    if pairs.counts_file(study).exists():
        found["pairs"] = json.loads(pairs.counts_file(study).read_text("utf-8"))
    if (study.reward / "run.json").exists():
        found["reward"] = RunFolder(study.reward).info()["evaluation"]
    return found


def joined(earlier: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """An earlier report and the runs that were measured in this one alone, each with where it was made.

    Their KL is to the SFT model of their own study, made by the same settings, whose gold reward is kept.

    Raises:
        ValueError: the two studies' settings differ.
    """
    if earlier["settings"] != found["settings"]:
        raise ValueError("the earlier report is of a study with other settings")
    origin = {
        **{key: found[key] for key in ("date", "machine", "precision")},
        "sft_gold": found["policies"]["sft"]["gold"],
    }
    measured = {policy["run"] for policy in earlier["policies"].values()}
    added = {name: {**run, "made": origin} for name, run in found["runs"].items() if name not in measured}
    policies = {name: policy for name, policy in found["policies"].items() if policy["run"] in added}
    return {
        **earlier,
        "runs": {**earlier["runs"], **added},
        "policies": {**earlier["policies"], **policies},
    }


def _run(folder: Path) -> dict[str, Any]:
    info = RunFolder(folder).info()
    recipe, method = info["recipe"], method_of(folder.name)
    found = {
        "method": method,
        "beta": recipe["objective.beta"],
        "seed": recipe["training.seed"],
        "status": info["status"],
        "steps": info.get("steps"),
        "recipe": recipe,
    }
    if method.startswith("ppo"):
        found["responses_a_step"] = recipe["training.batch_size"] * recipe["rollout.samples"]
        rows = read_metrics(folder / "metrics.jsonl")
        # Iterations that the guard took back come again, under the same number.
        last = {row["step"]: row for row in rows if row["kind"] == "train"}
        found["iterations"] = [
            {name: row[name] for name in ("step", "reward", "kl", "entropy", "length", "ended")}
            for _, row in sorted(last.items())
        ]
        found["rollbacks"] = sum(row["kind"] == "guard" and row["event"] == "rollback" for row in rows)
    return found
