"""`python -m benchmarks.duration`: how long short runs of each kind take, beside what was predicted for them.

The prediction is what `heedful plan` says after ten seconds of trying, the run is the same recipe's, from
the reading of its data to its last file. Both are made in one fresh process for each kind, over the examples
that come with Heedful.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.session import ROOT, describe_machine, in_own_process, say, write

MODEL = "smollm2-135m"
# Rows are as the quickstart has them, and steps are as many as take some minutes on two cores.
COMMON: dict[str, Any] = {"batch_size": 8, "max_steps": 12, "max_length": 1024, "eval_fraction": 0.0}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "SFT": ("sft", "demonstrations", {}),
    "SFT, all weights": ("sft", "demonstrations", {"method": "full"}),
    "DPO": ("dpo", "preferences", {}),
    "reward model": ("reward", "preferences", {}),
    "PPO": ("ppo", "preferences", {"batch_size": 24, "max_steps": 4, "max_new_tokens": 64, "epochs": 99.0}),
}


def run(kind: str) -> dict[str, float]:
    """One run, in this process: seconds it took, those predicted for it, and how far these may be off."""
    from heedful import data as examples
    from heedful.planning import plan_recipe
    from heedful.recipe import RewardSource, from_keywords
    from heedful.training import dpo, ppo, reward, sft
    from heedful.training.tracking import Reporter

    stage, data, own = KINDS[kind]
    module: Any = {"sft": sft, "dpo": dpo, "reward": reward, "ppo": ppo}[stage]
    with tempfile.TemporaryDirectory() as folder:
        values = {
            "model": {"name": MODEL},
            "data": {"train": str(examples.path(f"everyday/{data}-train.jsonl"))},
            "output": str(Path(folder, "run")),
        }
        recipe: Any = from_keywords(stage, values, {**COMMON, **own})
        if stage == "ppo":
            recipe = recipe.model_copy(update={"reward": [RewardSource(length=-0.01)]})
        expected = plan_recipe(recipe).time
        assert expected is not None
        began = time.perf_counter()
        module.run(recipe, reporter=Reporter(quiet=True))
        took = time.perf_counter() - began
    return {"seconds": took, "predicted_seconds": expected.seconds, "off": expected.off}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duration", description="seconds, run by run")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--only", choices=KINDS, help="a kind: in this process, as JSON")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps(run(options.only)))
        return
    here, precision = describe_machine("auto")
    report: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": COMMON,
        "runs": [],
    }
    for kind in options.kinds:
        found = in_own_process("benchmarks.duration", "--only", kind)
        report["runs"].append({"kind": kind, **found})
        off = found["predicted_seconds"] / found["seconds"] - 1
        say(f"{kind}: {found['seconds']:.0f} s, predicted {found['predicted_seconds']:.0f} s ({off:+.0%})")
        path = write(report, options.results / "duration")
    say(f"written: {path}")


if __name__ == "__main__":
    main()
