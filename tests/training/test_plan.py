"""A plan counts what training will do, and estimates its memory by a formula that autograd agrees with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaConfig, LlamaForCausalLM

from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.render.packing import pack
from heedful.render.rows import Row
from heedful.training import dpo, ppo, sft
from heedful.training.job import Given, Job
from heedful.training.loop import batch
from heedful.training.plan import LIBRARIES_BYTES, Memory, Plan, activation_bytes, plan
from tests import tiny
from tests.training.small import QUIET, demonstrations, pairs, recipe, train


def prepared(
    stage: str, output: Path, *, backbone: Backbone | None = None, rows: int = 12, **settings: Any
) -> Job:
    records: Any = pairs(rows) if stage == "dpo" else demonstrations(rows)
    given = Given(records, None, backbone or tiny.backbone())
    chosen = recipe(stage, output, **settings)
    return (
        dpo.prepare(chosen, given, reporter=QUIET)
        if stage == "dpo"
        else sft.prepare(chosen, given, reporter=QUIET)
    )


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, 3),
        ({"batch_size": 5}, 3),
        ({"epochs": 2.0}, 6),
        ({"epochs": 2.0, "max_steps": 4}, 4),
        ({"batch_size": 100}, 1),
    ],
)
def test_steps_are_those_that_training_takes(tmp_path: Path, settings: dict[str, Any], steps: int) -> None:
    assert plan(prepared("dpo", tmp_path / "planned", **settings)).steps == steps
    assert train("dpo", tmp_path / "trained", **settings).steps == steps


@pytest.mark.parametrize("budget", [10, 60, 1000])
def test_packs_are_those_that_the_loop_makes(tmp_path: Path, budget: int) -> None:
    job = prepared("dpo", tmp_path, tokens_per_row=budget)

    found = plan(job)

    packs = [
        packed for step in range(3) for packed in pack([job.train[i] for i in batch(step, 12, 4, 0)], budget)
    ]
    assert found.packs == len(packs)
    assert found.longest_pack == max(packed.tokens for packed in packs)
    assert found.tokens == sum(packed.tokens for packed in packs) == job.train.tokens
    assert found.tokens_per_step == pytest.approx(job.train.tokens / 3)


def test_a_padded_run_counts_its_padding(tmp_path: Path) -> None:
    job = prepared("dpo", tmp_path, padded=True)
    found = plan(job)
    packs = [
        packed for step in range(3) for packed in pack([job.train[i] for i in batch(step, 12, 4, 0)], 1024)
    ]
    assert not found.packed
    assert found.longest_pack == max(packed.to_padded(0).input_ids.numel() for packed in packs)


def test_trainable_parameters_are_the_adapters_and_it_comes_off_again(tmp_path: Path) -> None:
    job = prepared("sft", tmp_path, rank=4)
    before, fingerprint = list(job.backbone.model.state_dict()), job.backbone.fingerprint()

    found = plan(job)

    assert list(job.backbone.model.state_dict()) == before
    assert (job.backbone.fingerprint(), job.backbone.trainable()) == (fingerprint, {})
    # Each layer: q (32 to 32), k and v (32 to 16), o (32 to 32), gate and up (32 to 64), down (64 to 32).
    assert found.trainable == 2 * 4 * (64 + 48 + 48 + 64 + 96 + 96 + 96)
    assert found.parameters == sum(parameter.numel() for parameter in job.backbone.model.parameters())
    assert found.memory.training_state == found.trainable * 16


def test_full_fine_tuning_trains_everything_and_keeps_no_second_master(tmp_path: Path) -> None:
    found = plan(prepared("sft", tmp_path, method="full"))
    assert found.trainable == found.parameters
    assert found.memory.weights == found.parameters * 4
    assert found.memory.training_state == found.parameters * 12


def test_weights_that_compute_in_another_type_count_with_their_copy(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "model")
    backbone = load(str(folder), dtype="bfloat16", device="cpu", full=True)
    found = plan(prepared("sft", tmp_path / "run", backbone=backbone, method="full"))
    assert found.compute_dtype == "bfloat16"
    assert found.memory.weights == found.parameters * (4 + 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("recomputed", [False, True], ids=["kept", "recomputed"])
def test_activations_are_what_autograd_keeps(dtype: torch.dtype, recomputed: bool) -> None:
    """Two depths of a Llama with a realistic shape: their difference is what the added layers keep."""
    kept = {layers: kept_bytes(layers, dtype, recomputed) for layers in (1, 3)}
    said = {
        layers: activation_bytes(wide(layers, dtype), TOKENS, full=False, recomputed=recomputed)
        for layers in (1, 3)
    }
    assert said[3] - said[1] == pytest.approx(kept[3] - kept[1], rel=0.1)
    assert said[3] > kept[3]


TOKENS = 256


def wide(layers: int, dtype: torch.dtype) -> Backbone:
    config = LlamaConfig(
        vocab_size=tiny.VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=2,
    )
    torch.manual_seed(0)
    return Backbone(LlamaForCausalLM(config).to(dtype), tiny.tokenizer(), name="wide")


def kept_bytes(layers: int, dtype: torch.dtype, recomputed: bool) -> int:
    """Bytes that a forward pass over pairs keeps for backward, parameters left out."""
    backbone = wide(layers, dtype)
    backbone.train_lora(rank=1)
    backbone.model.train()
    backbone.recompute(recomputed)
    row = Row("", list(range(32)), (list(range(64)), list(range(32))))
    packed = pack([row] * (TOKENS // row.tokens), TOKENS)[0]
    role = backbone.role("policy")
    assert backbone.compatibility.packs
    own = {parameter.untyped_storage().data_ptr() for parameter in backbone.model.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        role(packed)
    return sum(storage.nbytes() for storage in storages.values())


def test_memory_adds_up_and_grows_with_the_longest_pack(tmp_path: Path) -> None:
    short, long = (plan(prepared("dpo", tmp_path, tokens_per_row=budget)).memory for budget in (10, 1000))
    assert long.activations > short.activations
    assert long.allocator > short.allocator
    parts = long.weights + long.training_state + long.activations + long.head + long.data + long.allocator
    assert long.total == parts + LIBRARIES_BYTES


def test_memory_in_words_leaves_out_what_is_next_to_nothing() -> None:
    memory = Memory(540_000_000, 78_000_000, 1_340_000_000, 130_000_000, 1_000_000)
    assert (
        str(memory)
        == "about 2.7 GB: weights 0.5, training state 0.1, activations 1.3, head 0.1, libraries 0.6"
    )


def test_a_plan_in_words_says_what_was_left_out_and_why(tmp_path: Path) -> None:
    rows = [{"prompt": f"what {n}", "chosen": "the answer", "rejected": "the cat"} for n in range(8)]
    rows += [{"prompt": "same", "chosen": "the cat", "rejected": "the cat"}]
    rows += [{"prompt": "the cat sat " * 40, "chosen": "the answer", "rejected": "the cat"}]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    chosen = recipe("dpo", tmp_path / "run", train=str(file), max_length=64)

    found = plan(dpo.prepare(chosen, Given(backbone=tiny.backbone()), reporter=QUIET))

    assert isinstance(found, Plan)
    lines = {line[2:19].strip(): line[19:] for line in str(found).splitlines()[1:]}
    assert lines["read"] == f"{file}: 10 read, 9 kept, 1 quarantined (equal_sides 1)"
    assert lines["training rows"].startswith("9 read, 9 kept; ")
    assert lines["truncated"] == "1 prompts, 0 responses"
    assert lines["optimiser steps"].startswith("3 of 4 rows, about ")
    assert lines["computes in"] == "float32 on cpu"
    assert lines["peak memory"].startswith("about 0.6 GB")


def test_ppo_plans_with_answers_of_the_most_tokens_and_two_adapters(tmp_path: Path) -> None:
    given = Given(pairs(6), None, tiny.backbone())

    def prompts(name: str, **settings: Any) -> Job:
        return ppo.prepare(recipe("ppo", tmp_path / name, **settings), given, reporter=QUIET)

    one, two = (plan(prompts(critic, critic=critic, samples=2)) for critic in ("trunk", "adapter"))
    longest = max(len(row.prompt) for row in prompts("c").train)
    assert one.longest_row == longest + 2 * 8
    assert two.trainable == 2 * one.trainable
    assert one.steps == 3
