"""A plan counts what training will do, and predicts its memory from what it counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.render.packing import pack
from heedful.training import dpo, ppo, sft
from heedful.training.job import Given, Job
from heedful.training.loop import batch
from heedful.training.memory import Prediction
from heedful.training.plan import Plan, plan
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


def size(memory: Prediction, kind: Any, phase: str = "training") -> int:
    """Bytes of one kind."""
    return memory.phase(phase).by_kind().get(kind, 0)


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
    kinds = ("adapters", "gradients", "optimiser")
    assert sum(size(found.memory, kind, "update") for kind in kinds) == found.trainable * 16


def test_full_fine_tuning_trains_everything_and_keeps_no_second_master(tmp_path: Path) -> None:
    found = plan(prepared("sft", tmp_path, method="full"))
    assert found.trainable == found.parameters
    assert size(found.memory, "weights") == found.parameters * 4
    assert size(found.memory, "optimiser") == found.parameters * 8
    assert size(found.memory, "gradients", "update") == found.parameters * 4


def test_weights_that_compute_in_another_type_count_with_their_copy(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "model")
    backbone = load(str(folder), dtype="bfloat16", device="cpu", full=True)
    found = plan(prepared("sft", tmp_path / "run", backbone=backbone, method="full"))
    assert found.compute_dtype == "bfloat16"
    assert size(found.memory, "weights") == found.parameters * 4
    assert size(found.memory, "copies") == found.parameters * 2


def test_memory_grows_with_the_longest_pack(tmp_path: Path) -> None:
    short, long = (plan(prepared("dpo", tmp_path, tokens_per_row=budget)).memory for budget in (10, 1000))
    assert size(long, "activations") > size(short, "activations")
    assert size(long, "weights") == size(short, "weights")
    assert [phase.name for phase in long.phases] == [
        "load",
        "reference",
        "training",
        "update",
        "saving",
    ]


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
    assert lines["peak memory"] == "about 0.5 GB: libraries 0.5, while training"
    assert lines["memory by phase"].startswith("load 0.5, reference 0.5, training 0.5, ")


def test_ppo_plans_with_answers_of_the_most_tokens_and_two_adapters(tmp_path: Path) -> None:
    given = Given(pairs(6), None, tiny.backbone())

    def prompts(name: str, **settings: Any) -> Job:
        return ppo.prepare(recipe("ppo", tmp_path / name, **settings), given, reporter=QUIET)

    one, two = (plan(prompts(critic, critic=critic, samples=2)) for critic in ("trunk", "adapter"))
    longest = max(len(row.prompt) for row in prompts("c").train)
    assert one.longest_row == longest + 2 * 8
    assert two.trainable == 2 * one.trainable
    assert one.steps == 3
