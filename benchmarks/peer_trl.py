"""TRL's side: `DPOTrainer` and `SFTTrainer` as they come, and as fast as they go on a CPU.

"default" keeps every default of TRL 1.16 (gradient checkpointing on, the reference recomputed in each step,
padding); "best" is the fastest combination of its own options (README.md says what was tried). Both get
conversational rows in the file's order. Knows nothing of Heedful.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import (
    BATCH_SIZE,
    DPO_BETA,
    LEARNING_RATE,
    LORA_ALPHA,
    LORA_RANK,
    MAX_LENGTH,
    SEED,
    JobResult,
    Step,
    peak_bytes,
)

# Only what differs from TRL's defaults. Batches of one pair, accumulated, need no padding between pairs.
OPTIONS: dict[str, dict[str, Any]] = {
    "dpo-default": {},
    "dpo-best": {
        "gradient_checkpointing": False,
        "precompute_ref_log_probs": True,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": BATCH_SIZE,
    },
    "sft-default": {},
    "sft-best": {
        "gradient_checkpointing": False,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": BATCH_SIZE,
    },
}


def run_job(
    job: str,
    rows_path: str | Path,
    precision: str,
    steps: int,
    warmup: int,
    *,
    model: str,
    options: Mapping[str, Any] | None = None,
) -> JobResult:
    """Train `warmup + steps` optimiser steps; `options` override the job's TRL arguments (to try others)."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    kind = job.split("-")[0]
    chosen = {**OPTIONS[job], **(options or {})}
    rows = [json.loads(line) for line in Path(rows_path).read_text(encoding="utf-8").splitlines()]
    if kind == "sft":
        rows = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows]
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    network = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(model)
    loaded = peak_bytes()

    with tempfile.TemporaryDirectory(prefix="trl-") as folder:
        arguments = _arguments(kind, folder, precision, warmup + steps, chosen)
        reference: list[float] = []
        trainer = _trainer(kind, network, tokenizer, Dataset.from_list(rows), arguments, reference)
        watch = _watch(trainer, arguments.gradient_accumulation_steps)
        trainer.train()
    measured = watch()
    return JobResult(
        side="trl",
        job=job,
        precision=precision,
        warmup=warmup,
        steps=tuple(measured),
        loaded_bytes=loaded,
        peak_bytes=peak_bytes(),
        reference_seconds_per_pair=sum(reference) / len(trainer.train_dataset) if reference else 0.0,
        options=chosen,
        facts={"rows_given": len(rows), "rows_used": len(trainer.train_dataset)},
    )


def _arguments(kind: str, folder: str, precision: str, max_steps: int, chosen: Mapping[str, Any]) -> Any:
    """TRL's defaults, but for what both sides share: batch, length, learning rate, precision, order."""
    from trl import DPOConfig, SFTConfig

    shared: dict[str, Any] = {
        "output_dir": folder,
        "per_device_train_batch_size": BATCH_SIZE,
        "max_length": MAX_LENGTH,
        "max_steps": max_steps,
        "learning_rate": LEARNING_RATE,
        "bf16": precision == "bf16",
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": SEED,
        "dataloader_pin_memory": False,
    }
    if kind == "dpo":
        return DPOConfig(**{**shared, "beta": DPO_BETA, **chosen})
    return SFTConfig(**{**shared, **chosen})


def _trainer(
    kind: str, network: Any, tokenizer: Any, data: Any, arguments: Any, reference: list[float]
) -> Any:
    """The trainer; `reference` gains the seconds of a reference pass made while it is built."""
    from peft import LoraConfig
    from trl import DPOTrainer, SFTTrainer

    class TimedDPOTrainer(DPOTrainer):
        def _precompute_ref_logps(self, *positional: Any, **named: Any) -> Any:
            began = time.perf_counter()
            data = super()._precompute_ref_logps(*positional, **named)
            reference.append(time.perf_counter() - began)
            return data

    lora = LoraConfig(
        r=LORA_RANK,
        lora_alpha=LORA_ALPHA,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return (TimedDPOTrainer if kind == "dpo" else SFTTrainer)(
        model=network, args=arguments, train_dataset=data, processing_class=tokenizer, peft_config=lora
    )


def _watch(trainer: Any, accumulation: int) -> Callable[[], list[Step]]:
    """Time from the end of one step to the end of the next, so that loading, collating and logging count."""
    from transformers import TrainerCallback

    ends: list[float] = []
    batches: list[tuple[int, int]] = []
    collate = trainer.data_collator

    def counted(examples: Sequence[Mapping[str, Any]]) -> Any:
        batches.append(_count(examples))
        return collate(examples)

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            batches.clear()
            ends.append(time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    trainer.data_collator = counted
    trainer.add_callback(Clock())

    def steps() -> list[Step]:
        found = []
        for index, (start, end) in enumerate(itertools.pairwise(ends)):
            part = batches[index * accumulation : (index + 1) * accumulation]
            found.append(Step(end - start, sum(rows for rows, _ in part), sum(tokens for _, tokens in part)))
        return found

    return steps


def _count(examples: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Rows and real tokens of a batch: a pair is its two sequences, a packed example the rows inside it."""
    rows = tokens = 0
    for example in examples:
        if "chosen_ids" in example:
            rows += 1
            for side in ("chosen_ids", "rejected_ids"):
                tokens += min(len(example["prompt_ids"]) + len(example[side]), MAX_LENGTH)
        else:
            rows += len(example["seq_lengths"]) if example.get("seq_lengths") else 1
            tokens += len(example["input_ids"])
    return rows, tokens
