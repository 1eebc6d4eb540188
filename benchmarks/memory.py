"""`python -m benchmarks.memory`: what a run of each kind needs at its peak, beside what its plan says.

Every run is alone in a fresh process and makes a few steps over the same texts, cut to the same lengths; its
peak is that process's `ru_maxrss`. The headline is PPO over SFT at the same number of tokens a step: policy,
reference, reward model and critic in one copy of the weights.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.heedful_jobs import DTYPES
from benchmarks.heedful_ppo import make_reward
from benchmarks.measure import peak_bytes
from benchmarks.session import DEFAULT_DATA, ROOT, say, write

GB = 1e9
# Tokens of every prompt and of every response, and rows of every step.
PROMPT, RESPONSE, ROWS = 96, 48, 16
COMMON: dict[str, Any] = {
    "template": "raw",
    "batch_size": ROWS,
    "max_steps": 3,
    "eval_fraction": 0.0,
    "max_length": 512,
    "max_prompt_length": PROMPT,
}
RUNS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "SFT": ("sft", {}),
    "SFT, gradient checkpointing": ("sft", {"gradient_checkpointing": True}),
    "SFT, all weights": ("sft", {"method": "full"}),
    "DPO": ("dpo", {}),
    "reward model": ("reward", {}),
    "PPO, critic on the policy's trunk": ("ppo", {"critic": "trunk"}),
    "PPO, critic with an adapter": ("ppo", {"critic": "adapter"}),
    "PPO, reward model and critic on the backbone": ("ppo", {"reward_model": True}),
}


def records(data: Path, tokenizer: Any) -> list[Any]:
    """Pairs whose prompt and responses all have the same number of tokens, near enough."""
    import heedful
    from heedful.records import Preference, assistant, user

    ids: list[int] = []
    for record in heedful.read(data):
        ids += tokenizer(record.chosen[0].content, add_special_tokens=False)["input_ids"]
    width, found = PROMPT + 2 * RESPONSE, []
    for start in range(0, ROWS * 4 * width, width):
        cuts = (0, PROMPT, PROMPT + RESPONSE, width)
        prompt, chosen, rejected = (tokenizer.decode(ids[start + a : start + b]) for a, b in pairwise(cuts))
        found.append(
            Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), id=f"row-{start}")
        )
    return found


def run(name: str, model: str, data: Path, precision: str) -> dict[str, Any]:
    """One run, in this process: planned and measured bytes."""
    import heedful
    from heedful.models.rewards import FunctionReward
    from heedful.recipe import from_keywords
    from heedful.records import Demonstration
    from heedful.training import dpo, ppo, reward, sft
    from heedful.training.job import Given
    from heedful.training.plan import plan
    from heedful.training.tracking import Reporter

    stage, own = RUNS[name]
    settings = {**COMMON, **own}
    quiet = Reporter(quiet=True)
    backbone = heedful.load(model, dtype=DTYPES[precision], full=settings.get("method") == "full")
    pairs: Sequence[Any] = records(data, backbone.tokenizer)
    if stage in ("sft", "ppo"):
        pairs = [Demonstration(pair.prompt, pair.chosen, id=pair.id) for pair in pairs]
    module: Any = {"sft": sft, "dpo": dpo, "reward": reward, "ppo": ppo}[stage]
    with tempfile.TemporaryDirectory() as folder:

        def recipe(of: str, output: str, keys: Mapping[str, Any]) -> Any:
            values = {"model": {"name": model}, "data": {"train": "(records in memory)"}}
            return from_keywords(of, {**values, "output": str(Path(folder, output))}, keys)

        scored: dict[str, Any] = {}
        if stage == "ppo":
            settings |= {"max_new_tokens": RESPONSE}
            with_model = settings.pop("reward_model", False)
            if with_model:
                make_reward(Path(folder, "reward"), model, template=COMMON["template"])
                scored["reward"] = None
            else:
                scored["reward"] = FunctionReward(
                    lambda prompts, responses: [len(text) for text in responses]
                )
        chosen = recipe(stage, "run", settings)
        if scored.get("reward", 0) is None:
            from heedful.recipe import RewardSource

            source = RewardSource(model=str(Path(folder, "reward")))
            chosen, scored = chosen.model_copy(update={"reward": [source]}), {}
        given = Given(pairs, None, backbone)
        planned = plan(module.prepare(chosen, given, reporter=quiet)).memory.total
        module.run(chosen, given, reporter=quiet, **scored)
    return {"planned_bytes": planned, "peak_bytes": peak_bytes()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="peaks, run by run")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--only", help="one run, in this process; prints its figures as JSON")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps(run(options.only, options.model, options.data, options.precision)))
        return
    here = machine.describe()
    precision = machine.choose_precision(options.precision, here)
    found: dict[str, dict[str, Any]] = {}
    for name in RUNS:
        command = [sys.executable, "-m", "benchmarks.memory", "--only", name]
        command += ["--data", str(options.data), "--model", options.model, "--precision", precision]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        peak, planned = (found[name][key] / GB for key in ("peak_bytes", "planned_bytes"))
        share = found[name]["peak_bytes"] / found["SFT"]["peak_bytes"]
        say(f"{name}: {peak:.2f} GB, {share:.2f}x SFT; planned {planned:.2f} GB")
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {**COMMON, "prompt_tokens": PROMPT, "response_tokens": RESPONSE, "model": options.model},
        "peaks": found,
    }
    say(f"written: {write(report, options.results / 'memory')}")


if __name__ == "__main__":
    main()
