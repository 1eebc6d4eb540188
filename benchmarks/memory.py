"""`python -m benchmarks.memory`: what a run of each kind needs at its peak, beside what was predicted for it.

Untrained Llamas of three sizes are trained for a few steps by every method, over an adapter and as a whole.
Every run is alone in a fresh process, and its peak is that process's `ru_maxrss`; the prediction is made in
it before the weights are loaded, from the model's configuration, the rows, and what the process has taken by
then. A few more kinds of run are made with one size: all that PPO can be asked for, and gradient
checkpointing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.heedful_jobs import DTYPES
from benchmarks.heedful_ppo import make_reward
from benchmarks.measure import peak_bytes
from benchmarks.session import DEFAULT_DATA, ROOT, in_own_process, say, write

GB = 1e9
# Tokens of every prompt and of every response, near enough, and rows of every step.
PROMPT, RESPONSE, ROWS, STEPS = 96, 48, 8, 2
COMMON: dict[str, Any] = {
    "template": "raw",
    "batch_size": ROWS,
    "max_steps": STEPS,
    "eval_fraction": 0.25,
    "max_length": 512,
    "max_prompt_length": PROMPT,
}
# The shapes of SmolLM2's smaller two, and a smaller one still, over its vocabulary.
SIZES: dict[str, dict[str, int]] = {
    "20M": {
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "135M": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "360M": {
        "hidden_size": 960,
        "intermediate_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
    },
}
TOKENIZER = "smollm2-135m"
STAGES = {"SFT": "sft", "DPO": "dpo", "reward model": "reward", "PPO": "ppo"}
METHODS = {"LoRA": "lora", "all weights": "full"}
GRID: dict[str, tuple[str, Mapping[str, Any]]] = {
    f"{stage}, {method}": (STAGES[stage], {"method": METHODS[method]})
    for stage in STAGES
    for method in METHODS
}
# With this size alone.
MORE_WITH = "135M"
MORE: dict[str, tuple[str, Mapping[str, Any]]] = {
    "SFT, LoRA, gradient checkpointing": ("sft", {"gradient_checkpointing": True}),
    "SFT, all weights, gradient checkpointing": ("sft", {"method": "full", "gradient_checkpointing": True}),
    "PPO, LoRA, critic with an adapter": ("ppo", {"critic": "adapter"}),
    "PPO, LoRA, reward model and critic on the backbone": ("ppo", {"reward_model": True}),
}
KINDS = {**GRID, **MORE}


def make_model(folder: Path, size: str) -> None:
    """An untrained Llama of this size, in fp32, with a tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from heedful.models.tokenizers import tokenizer_of

    tokenizer = tokenizer_of(TOKENIZER)
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **SIZES[size])
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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


def run(kind: str, model: str, data: Path, precision: str) -> dict[str, Any]:
    """One run, in this process: what was predicted, and measured."""
    import heedful
    from heedful.models.outline import outline
    from heedful.models.rewards import FunctionReward
    from heedful.planning import process_bytes
    from heedful.recipe import RewardSource, from_keywords
    from heedful.records import Demonstration
    from heedful.training import dpo, ppo, reward, sft
    from heedful.training.job import Given
    from heedful.training.plan import predicted
    from heedful.training.tracking import Reporter

    stage, own = KINDS[kind]
    settings, quiet = {**COMMON, **own}, Reporter(quiet=True)
    module: Any = {"sft": sft, "dpo": dpo, "reward": reward, "ppo": ppo}[stage]
    scored: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        sources: list[RewardSource] = []
        if stage == "ppo":
            settings |= {"max_new_tokens": RESPONSE}
            if settings.pop("reward_model", False):
                make_reward(Path(folder, "reward"), model, template=COMMON["template"])
                sources = [RewardSource(model=str(Path(folder, "reward")))]
            else:
                scored["reward"] = FunctionReward(
                    lambda prompts, responses: [float(len(text)) for text in responses]
                )
        values = {
            "model": {"name": model, "dtype": DTYPES[precision]},
            "data": {"train": "(records in memory)"},
            "output": str(Path(folder, "run")),
        }
        recipe: Any = from_keywords(stage, values, settings)
        recipe = recipe.model_copy(update={"reward": sources} if sources else {})
        libraries = process_bytes(recipe.model)
        full = recipe.training.method == "full"
        hollow = outline(model, dtype=recipe.model.dtype, full=full)
        pairs: Sequence[Any] = records(data, hollow.tokenizer)
        if stage in ("sft", "ppo"):
            pairs = [Demonstration(pair.prompt, pair.chosen, id=pair.id) for pair in pairs]
        job = module.prepare(recipe, Given(pairs, None, hollow), reporter=quiet)
        before = predicted(job, libraries=libraries)
        backbone = heedful.load(model, dtype=recipe.model.dtype, full=full)
        module.run(recipe, Given(pairs, None, backbone), reporter=quiet, **scored)
    return {"libraries_bytes": libraries, "peak_bytes": peak_bytes(), "predicted": before.to_json()}


def runs_of(sizes: Sequence[str], kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(size, kind) of every run."""
    for size in sizes:
        yield from ((size, kind) for kind in kinds if kind in GRID or size == MORE_WITH)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="peaks, run by run")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="fp32")
    parser.add_argument("--only", nargs=2, help="a kind and a model's folder: in this process, as JSON")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps(run(*options.only, options.data, options.precision)))
        return
    here = machine.describe()
    precision = machine.choose_precision(options.precision, here)
    report: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {**COMMON, "prompt_tokens": PROMPT, "response_tokens": RESPONSE},
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        for size, kind in runs_of(options.sizes, options.kinds):
            model = Path(folder, size)
            if not model.exists():
                make_model(model, size)
            found = in_own_process(
                "benchmarks.memory", "--only", kind, str(model),
                "--data", str(options.data), "--precision", precision,
            )  # fmt: skip
            report["runs"].append({"size": size, "kind": kind, **found})
            peak, said = found["peak_bytes"], found["predicted"]["peak_bytes"]
            say(f"{size} {kind}: {peak / GB:.2f} GB, predicted {said / GB:.2f} GB ({said / peak - 1:+.0%})")
            # After every run: all of them take hours.
            path = write(report, options.results / "memory")
    say(f"written: {path}")


if __name__ == "__main__":
    main()
