"""TRL's DPO on the same pairs: `DPOTrainer` over the same weights, with the same LoRA, batches and schedule.

What of its options only decides speed is what `benchmarks.peer_trl` found to be fastest. Leaves its adapters
as PEFT writes them, in `checkpoint-STEP` folders.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.sentiment import task, training
from benchmarks.sentiment.study import Study, run_name

METHOD = "trl-dpo"
# Heedful's defaults, which TRL is given: its own schedule is linear without a warm-up.
_WARMUP = 0.1
_BETA = 0.1
# Pairs of one padded batch.
_AT_ONCE = 8


def dpo(study: Study, *, seed: int, beta: float | None = None) -> None:
    """TRL's DPO on the pairs; an interrupted run starts anew."""
    learned, _ = training.preferences(study)

    def train(*, output: Path, resume: bool) -> None:
        if resume:
            shutil.rmtree(output)
        _train(study.base, learned, output, beta=_BETA if beta is None else beta, seed=seed)

    study.run(study.runs / run_name(METHOD, beta=beta, seed=seed), train)


def _train(base: str, learned: Path, output: Path, *, beta: float, seed: int) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    import heedful
    from heedful.recipe import LoraSettings
    from heedful.training.run_folder import RunFolder

    run = RunFolder(output)
    output.mkdir(parents=True)
    run.update(status="running", stage=METHOD, recipe={"objective.beta": beta, "training.seed": seed})
    network = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    lora = LoraSettings()
    arguments = DPOConfig(
        output_dir=str(output),
        beta=beta,
        seed=seed,
        max_length=task.COMMON["max_length"],
        learning_rate=task.DPO["learning_rate"],
        num_train_epochs=task.DPO["epochs"],
        per_device_train_batch_size=_AT_ONCE,
        gradient_accumulation_steps=task.DPO["batch_size"] // _AT_ONCE,
        lr_scheduler_type="cosine",
        warmup_steps=_WARMUP,
        bf16=network.dtype == torch.bfloat16,
        # It refuses bf16 without a GPU unless it is told that there is none.
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        precompute_ref_log_probs=True,
        save_steps=1 / task.CHECKPOINTS,
        save_only_model=True,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = DPOTrainer(
        model=network,
        args=arguments,
        train_dataset=Dataset.from_list([_row(pair) for pair in heedful.read(learned)]),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LoraConfig(
            r=lora.rank,
            lora_alpha=int(lora.alpha),
            lora_dropout=lora.dropout,
            target_modules=lora.targets,
            task_type="CAUSAL_LM",
        ),
    )
    trainer.train()
    run.update(status="finished", steps=trainer.state.global_step)


def _row(pair: Any) -> dict[str, str]:
    """A pair as TRL takes plain text."""
    return {
        "prompt": pair.prompt[0].content,
        "chosen": pair.chosen[0].content,
        "rejected": pair.rejected[0].content,
    }
