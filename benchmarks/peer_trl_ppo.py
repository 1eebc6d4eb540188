"""TRL's side of PPO: `trl.experimental.ppo` of TRL 1.9.2, the last release with a PPO trainer.

Called as TRL's own example script calls it for LoRA: the policy gets the adapter, its reference is the policy
without it, reward model and value model are sequence classifiers of their own, and the value model learns
in full. At its best the value model learns an adapter as well. Runs with that release's folder before the
installed packages. Knows nothing of Heedful.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Mapping
from typing import Any

from benchmarks.measure import (
    INNER_EPOCHS,
    MINIBATCHES,
    PPO_BETA,
    SEED,
    JobResult,
    JobSpec,
    Step,
    peak_bytes,
)
from benchmarks.peer_trl import clock, load_model, lora, read_rows, shared_arguments

# Episodes of one forward and backward pass, and whether the value model learns an adapter or every weight.
# TRL's own batch is 8. All of an iteration's rows are padded to its longest prompt whatever the batch, so a
# smaller one saves memory and should cost a CPU no time.
OPTIONS: dict[str, dict[str, Any]] = {
    "ppo-default": {"batch": 8, "value_adapter": False},
    "ppo-best": {"batch": 4, "value_adapter": True},
}


def run_job(spec: JobSpec) -> JobResult:
    """Train `warmup + steps` iterations of `options["episodes"]` with `options["new_tokens"]` each."""
    import trl
    from transformers import set_seed
    from transformers.utils import logging

    logging.set_verbosity_error()
    set_seed(SEED)
    chosen = {**OPTIONS[spec.job], **spec.options}
    rows = read_rows(spec.rows)
    policy = load_model(spec, "CausalLM")
    value, reward = (load_model(spec, "SequenceClassification") for _ in range(2))
    if chosen["value_adapter"]:
        _adapt(value)
    loaded = peak_bytes()
    ends: list[float] = []
    with tempfile.TemporaryDirectory(prefix="trl-") as folder:
        lengths = _count_samples()
        trainer = _trainer(spec, chosen, folder, rows, policy=policy, value=value, reward=reward)
        trainer.add_callback(clock(ends))
        trainer.train()
    episodes, new_tokens = chosen["episodes"], chosen["new_tokens"]
    if lengths != [(episodes, new_tokens)] * (spec.warmup + spec.steps):
        raise RuntimeError(f"TRL sampled {lengths} and not {episodes} x {new_tokens} tokens each time")
    return JobResult(
        side="trl",
        job=spec.job,
        precision=spec.precision,
        warmup=spec.warmup,
        steps=tuple(
            Step(end - start, episodes, episodes * new_tokens) for start, end in itertools.pairwise(ends)
        ),
        loaded_bytes=loaded,
        peak_bytes=peak_bytes(),
        options=chosen,
        facts={"trl": trl.__version__, "prompts": len(rows)},
    )


def _trainer(
    spec: JobSpec,
    chosen: Mapping[str, Any],
    folder: str,
    rows: list[dict[str, Any]],
    *,
    policy: Any,
    value: Any,
    reward: Any,
) -> Any:
    """The trainer, with TRL's defaults but for what both sides share, and prompts in the file's order."""
    from datasets import Dataset
    from torch.utils.data import DataLoader
    from transformers import AutoTokenizer
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    episodes = chosen["episodes"]
    batch = math.gcd(chosen["batch"], episodes)
    arguments = PPOConfig(
        **shared_arguments(spec, folder),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=episodes // batch,
        num_mini_batches=MINIBATCHES,
        num_ppo_epochs=INNER_EPOCHS,
        total_episodes=(spec.warmup + spec.steps) * episodes,
        response_length=chosen["new_tokens"],
        # No stop token: every response has that length.
        stop_token=None,
        temperature=1.0,
        kl_coef=PPO_BETA,
        # Samples that are only shown.
        num_sample_generations=0,
    )
    # A padding token of its own, as in TRL's example: it takes whatever equals it for padding, and SmolLM2's
    # also ends the turns of a chat.
    tokenizer = AutoTokenizer.from_pretrained(spec.model, padding_side="left")
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    texts = [
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        for row in rows
    ]
    prompts = Dataset.from_dict({"input_ids": tokenizer(texts, add_special_tokens=False)["input_ids"]})
    trainer = PPOTrainer(
        args=arguments,
        processing_class=tokenizer,
        model=policy,
        ref_model=None,
        reward_model=reward,
        train_dataset=prompts,
        value_model=value,
        peft_config=lora(task_type="CAUSAL_LM"),
    )
    # It has no option against shuffling.
    trainer.dataloader = DataLoader(prompts, batch_size=episodes, collate_fn=trainer.data_collator)
    return trainer


def _adapt(value: Any) -> None:
    """Let an adapter and the head learn, in place: the trainer reaches for the model's own parts."""
    from peft import inject_adapter_in_model

    inject_adapter_in_model(lora(task_type="SEQ_CLS"), value)
    value.score.requires_grad_(True)


def _count_samples() -> list[tuple[int, int]]:
    """From now on gains (responses, tokens of each) whenever TRL samples."""
    from trl.experimental.ppo import ppo_trainer

    generate, found = ppo_trainer.batch_generation, []

    def counted(model: Any, queries: Any, *positional: Any, **named: Any) -> Any:
        sequences, logits = generate(model, queries, *positional, **named)
        found.append((len(sequences), sequences.shape[1] - queries.shape[1]))
        return sequences, logits

    ppo_trainer.batch_generation = counted
    return found
