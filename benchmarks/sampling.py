"""`python -m benchmarks.sampling`: our sampler against `generate` of `transformers`, on the same prompts.

Both sample at temperature 1 from the whole vocabulary and neither stops early, so both make the same number
of tokens. They take turns in one process; each side's median counts.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.heedful_ppo import NOWHERE
from benchmarks.session import DEFAULT_DATA, ROOT, model_folder, say, write


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description="sampler and generate")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="where the prompts' text is from")
    parser.add_argument("--model", default="smollm2-135m", help="a catalog name or a model folder")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args(arguments)


def prompts_of(data: Path, tokenizer: Any, count: int, tokens: int) -> list[list[int]]:
    """The first `count` stretches of `tokens` tokens of the data's text."""
    import heedful

    ids: list[int] = []
    for record in heedful.read(data):
        ids += tokenizer(record.chosen[0].content, add_special_tokens=False)["input_ids"]
        if len(ids) >= count * tokens:
            break
    return [ids[start : start + tokens] for start in range(0, count * tokens, tokens)]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from heedful.models.sampler import sample

    here = machine.describe()
    precision = machine.choose_precision(options.precision, here)
    folder = model_folder(options.model)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    prompts = prompts_of(
        options.data, AutoTokenizer.from_pretrained(folder), options.prompts, options.prompt_tokens
    )
    inputs = torch.tensor(prompts)

    def theirs() -> int:
        out = model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            do_sample=True,
            top_k=0,
            top_p=1.0,
            temperature=1.0,
            max_new_tokens=options.new_tokens,
            min_new_tokens=options.new_tokens,
            pad_token_id=0,
        )
        return int(out[:, inputs.shape[1] :].numel())

    def ours() -> int:
        found = sample(
            model, prompts, stop_ids=NOWHERE, max_new_tokens=options.new_tokens, batch_size=len(prompts)
        )
        return sum(len(one.tokens) for one in found)

    sides: dict[str, Callable[[], int]] = {"generate": theirs, "heedful": ours}
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(options.repeats + 1):
        for name, side in sides.items():
            began = time.perf_counter()
            with torch.no_grad():
                tokens = side()
            speed = tokens / (time.perf_counter() - began)
            if turn:  # the first touches fresh memory
                speeds[name].append(speed)
            say(f"{name} {speed:.0f} tokens/s")
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    say(f"{precision}: {medians['heedful'] / medians['generate']:.2f}x generate")
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {
            "model": options.model,
            "prompts": options.prompts,
            "prompt_tokens": options.prompt_tokens,
            "new_tokens": options.new_tokens,
        },
        "tokens_per_second": speeds,
    }
    say(f"written: {write(report, options.results / 'sampling')}")


if __name__ == "__main__":
    main()
