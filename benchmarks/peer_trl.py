"""TRL's side: its trainers as they come, and as fast as they go on a CPU.

"default" keeps every default of TRL 1.16 (gradient checkpointing on, the reference recomputed in each step,
padding); "best" is the fastest combination of its own options (README.md says what was tried). All get
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
    LEARNING_RATES,
    LORA_ALPHA,
    LORA_RANK,
    MAX_LENGTH,
    SEED,
    JobResult,
    JobSpec,
    Step,
    peak_bytes,
)

# Batches of one pair, accumulated, need no padding between pairs.
_UNPADDED: dict[str, Any] = {
    "gradient_checkpointing": False,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": BATCH_SIZE,
}
# Only what differs from TRL's defaults.
OPTIONS: dict[str, dict[str, Any]] = {
    "dpo-default": {},
    "dpo-best": {**_UNPADDED, "precompute_ref_log_probs": True},
    "sft-default": {},
    "sft-best": _UNPADDED,
    "reward-default": {},
    "reward-best": _UNPADDED,
}


def run_job(spec: JobSpec) -> JobResult:
    """Train `warmup + steps` optimiser steps; `options` override the job's TRL arguments (to try others)."""
    from datasets import Dataset
    from transformers import AutoTokenizer, set_seed
    from transformers.utils import logging

    logging.set_verbosity_error()
    # A reward model's head is drawn when it is loaded.
    set_seed(SEED)
    chosen = {**OPTIONS[spec.job], **spec.options}
    rows = read_rows(spec.rows)
    if spec.kind == "sft":
        rows = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows]
    head = "SequenceClassification" if spec.kind == "reward" else "CausalLM"
    network = load_model(spec, head)
    tokenizer = AutoTokenizer.from_pretrained(spec.model)
    loaded = peak_bytes()

    with tempfile.TemporaryDirectory(prefix="trl-") as folder:
        arguments = _arguments(spec, folder, chosen)
        reference: list[float] = []
        trainer = _trainer(spec.kind, network, tokenizer, Dataset.from_list(rows), arguments, reference)
        if len(trainer.train_dataset) != len(rows):
            raise RuntimeError(f"TRL left out {len(rows) - len(trainer.train_dataset)} of {len(rows)} rows")
        watch = _watch(trainer, arguments.gradient_accumulation_steps)
        trainer.train()
        measured, peak = watch(), peak_bytes()
        accuracy = _accuracy(trainer, read_rows(spec.held_out)) if spec.kind == "reward" else None
    return JobResult(
        side="trl",
        job=spec.job,
        precision=spec.precision,
        warmup=spec.warmup,
        steps=tuple(measured),
        loaded_bytes=loaded,
        peak_bytes=peak,
        reference_seconds_per_pair=sum(reference) / len(rows),
        held_out_accuracy=accuracy,
        options=chosen,
        facts={"rows_given": len(rows), "rows_used": len(trainer.train_dataset)},
    )


def read_rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def load_model(spec: JobSpec, head: str) -> Any:
    """The weights with a head of `transformers`: `CausalLM`, or `SequenceClassification` with one label."""
    import torch
    import transformers

    labels = {"num_labels": 1} if head == "SequenceClassification" else {}
    dtype = torch.bfloat16 if spec.precision == "bf16" else torch.float32
    return getattr(transformers, f"AutoModelFor{head}").from_pretrained(spec.model, dtype=dtype, **labels)


def lora(**own: Any) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=LORA_RANK, lora_alpha=LORA_ALPHA, lora_dropout=0.0, target_modules="all-linear", **own
    )


def shared_arguments(spec: JobSpec, folder: str) -> dict[str, Any]:
    """What every trainer is told: the benchmark's learning rate, precision and seed, and to write nothing."""
    import torch

    return {
        "output_dir": folder,
        # `transformers` refuses bf16 without a GPU unless it is told that there is none.
        "use_cpu": not torch.cuda.is_available(),
        "learning_rate": LEARNING_RATES[spec.kind],
        "bf16": spec.precision == "bf16",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": SEED,
        "dataloader_pin_memory": False,
    }


def _arguments(spec: JobSpec, folder: str, chosen: Mapping[str, Any]) -> Any:
    """TRL's defaults, but for what both sides share: batch, length, learning rate, precision, order."""
    from trl import DPOConfig, RewardConfig, SFTConfig

    config = {"dpo": DPOConfig, "sft": SFTConfig, "reward": RewardConfig}[spec.kind]
    shared = {
        **shared_arguments(spec, folder),
        "per_device_train_batch_size": BATCH_SIZE,
        # Held-out pairs one by one: the mean of its batches' accuracies is then that of the pairs.
        "per_device_eval_batch_size": 1,
        "max_length": MAX_LENGTH,
        "max_steps": spec.warmup + spec.steps,
        "train_sampling_strategy": "sequential",
    }
    own = {"beta": DPO_BETA} if spec.kind == "dpo" else {}
    return config(**{**shared, **own, **chosen})


def _trainer(
    kind: str, network: Any, tokenizer: Any, data: Any, arguments: Any, reference: list[float]
) -> Any:
    """The trainer; `reference` gains the seconds of a reference pass made while it is built."""
    from trl import DPOTrainer, RewardTrainer, SFTTrainer

    class TimedDPOTrainer(DPOTrainer):
        def _precompute_ref_logps(self, *positional: Any, **named: Any) -> Any:
            began = time.perf_counter()
            data = super()._precompute_ref_logps(*positional, **named)
            reference.append(time.perf_counter() - began)
            return data

    trainer = {"dpo": TimedDPOTrainer, "sft": SFTTrainer, "reward": RewardTrainer}[kind]
    # Its head learns in full, as TRL's documentation says it must.
    heads = {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}
    adapter = lora(**heads) if kind == "reward" else lora(task_type="CAUSAL_LM")
    return trainer(
        model=network, args=arguments, train_dataset=data, processing_class=tokenizer, peft_config=adapter
    )


def _accuracy(trainer: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    """The share of held-out pairs whose chosen response scores strictly higher, as TRL measures it."""
    from datasets import Dataset

    found = trainer.evaluate(Dataset.from_list(list(rows)))
    return float(found["eval_accuracy"])


def _watch(trainer: Any, accumulation: int) -> Callable[[], list[Step]]:
    """Time from the end of one step to the end of the next, so that loading, collating and logging count."""
    ends: list[float] = []
    batches: list[tuple[int, int]] = []
    collate = trainer.data_collator

    def counted(examples: Sequence[Mapping[str, Any]]) -> Any:
        batches.append(_count(examples))
        return collate(examples)

    trainer.data_collator = counted
    trainer.add_callback(clock(ends))

    def steps() -> list[Step]:
        found = []
        for index, (start, end) in enumerate(itertools.pairwise(ends)):
            part = batches[index * accumulation : (index + 1) * accumulation]
            found.append(Step(end - start, sum(rows for rows, _ in part), sum(tokens for _, tokens in part)))
        return found

    return steps


def clock(ends: list[float]) -> Any:
    """A callback that adds to `ends` when training begins and when each of its steps ends."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    return Clock()


def _count(examples: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Rows and real tokens of a batch: a pair is its two sequences, a packed example the rows inside it."""
    rows = tokens = 0
    for example in examples:
        if "chosen_ids" in example:
            rows += 1
            for side in ("chosen_ids", "rejected_ids"):
                tokens += min(len(example.get("prompt_ids", ())) + len(example[side]), MAX_LENGTH)
        else:
            rows += len(example["seq_lengths"]) if example.get("seq_lengths") else 1
            tokens += len(example["input_ids"])
    return rows, tokens
