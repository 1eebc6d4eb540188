"""A prediction adds up, phase by phase and role by role, to what arithmetic on the shape says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.training.memory import Prediction, Rollout, Workload, predict, sizes
from heedful.training.memory.phases import LIBRARIES_BYTES
from tests.training.memory.test_sizes import SMALL

PARAMETERS = SMALL.parameters
ADAPTER = 2 * 3 * (18 + 14 + 14 + 18 + 40 + 40 + 40)  # of rank 3: rank x (in + out), seven layers, twice
WORK: dict[str, Any] = {"tokens": 50, "targets": 20, "rank": 3}
ROLLOUT = Rollout(responses=4, prompt=6, new=5)


def predicted(stage: Any = "sft", **changes: Any) -> Prediction:
    more = {"rollout": ROLLOUT} if stage == "ppo" else {}
    return predict(Workload(SMALL, stage=stage, **{**WORK, **more, **changes}))


def sizes_of(found: Prediction, phase: str) -> dict[tuple[str, str], int]:
    """Bytes by role and kind."""
    parts = found.phase(phase).parts
    return {
        (part.role, part.kind): sum(p.bytes for p in parts if (p.role, p.kind) == (part.role, part.kind))
        for part in parts
    }


def test_sft_over_an_adapter_part_by_part() -> None:
    found = predicted(data_tokens=1000)
    activations = sizes.activation_bytes(SMALL, 50, 4, full=False, recomputed=False)
    working = sizes.working_bytes(SMALL, 50, 4, full=False, recomputed=False)
    logits = sizes.logit_bytes(SMALL, 20) + 2 * 20 * 10 * 4
    assert working > logits  # so that the peak is a backward pass at work on its first layer
    assert sizes_of(found, "training") == {
        ("process", "libraries"): LIBRARIES_BYTES,
        ("process", "data"): 48_000,
        ("process", "allocator"): activations + working,
        ("shared", "weights"): PARAMETERS * 4,
        ("policy", "adapters"): ADAPTER * 4,
        ("policy", "optimiser"): ADAPTER * 8,
        ("policy", "gradients"): ADAPTER * 4,
        ("policy", "activations"): activations + working,
    }
    assert found.total == sum(sizes_of(found, "training").values())
    assert found.peak is found.phase("training")


def test_adapters_alone_drop_anything_out() -> None:
    assert predicted(dropout=True).total > predicted().total
    assert predicted(method="full", dropout=True).total == predicted(method="full").total


def test_recomputed_layers_go_through_a_cpus_heap_all_the_same() -> None:
    kept = sizes.activation_bytes(SMALL, 20, 4, full=False, recomputed=False)
    anew = sizes.activation_bytes(SMALL, 20, 4, full=False, recomputed=True)
    assert anew < kept
    held = sizes_of(predicted(tokens=20, targets=1, recomputed=True), "training")
    assert held["process", "allocator"] == held["policy", "activations"] + kept - anew
    on_gpu = predicted(tokens=20, targets=1, recomputed=True, device="cuda")
    assert ("process", "allocator") not in sizes_of(on_gpu, "training")


def test_logits_count_where_they_are_more_than_a_layer_needs() -> None:
    found = sizes_of(predicted(tokens=20, targets=20), "training")
    logits = sizes.logit_bytes(SMALL, 20) + 2 * 20 * 10 * 4
    assert logits > sizes.working_bytes(SMALL, 20, 4, full=False, recomputed=False)
    assert found["policy", "logits"] == logits
    assert found["policy", "activations"] == sizes.activation_bytes(
        SMALL, 20, 4, full=False, recomputed=False
    )


def test_a_reward_model_has_no_logits_and_learns_by_itself() -> None:
    found = sizes_of(predicted("reward", tokens=20), "training")
    assert ("reward", "adapters") in found
    assert not any(kind == "logits" or role == "policy" for role, kind in found)


def test_all_weights_are_their_own_masters() -> None:
    found = predicted(method="full", tokens=20)
    head = sizes.head_gradient_bytes(SMALL, 4)
    training = sizes_of(found, "training")
    assert training["policy", "weights"] == PARAMETERS * 4
    assert training["policy", "optimiser"] == PARAMETERS * 8
    assert training["policy", "gradients"] == PARAMETERS * 4 + head
    update = sizes_of(found, "update")
    assert update["policy", "optimiser"] == PARAMETERS * 8 + 2 * SMALL.embedding * 4
    assert update["policy", "gradients"] == PARAMETERS * 4


def test_all_weights_in_bf16_are_kept_in_fp32_and_copied() -> None:
    found = sizes_of(predicted(method="full", compute=torch.bfloat16), "training")
    assert found["policy", "weights"] == PARAMETERS * 4
    assert found["policy", "copies"] == PARAMETERS * 2


def test_with_one_pass_a_step_gradients_come_as_activations_go() -> None:
    one, several = (sizes_of(predicted(passes=passes), "training") for passes in (1, 2))
    assert ("policy", "gradients") not in one
    assert one["policy", "activations"] == several["policy", "activations"]
    # Where they are more than the activations, they are the peak.
    full = sizes_of(predicted(method="full", tokens=1, targets=1, passes=1), "training")
    assert full["policy", "gradients"] >= PARAMETERS * 4
    assert full["policy", "activations"] == sizes.working_bytes(SMALL, 1, 4, full=True, recomputed=False)


def test_a_reference_is_a_pass_before_there_is_an_adapter() -> None:
    found = sizes_of(predicted("dpo"), "reference")
    assert found["reference", "activations"] == sizes.passing_bytes(SMALL, 50, 4)
    assert found["reference", "logits"] == sizes.logit_bytes(SMALL, 20) + 20 * 10 * 4
    assert not any(kind in ("adapters", "optimiser", "gradients") for _, kind in found)


def test_weights_that_are_filed_in_another_type_are_there_twice_while_they_are_read() -> None:
    half = replace(SMALL, dtype=torch.bfloat16)
    same, other = (
        predict(Workload(half, stage="sft", compute=to, **WORK)) for to in (torch.bfloat16, torch.float32)
    )
    assert ("process", "copies") not in sizes_of(same, "load")
    assert sizes_of(other, "load")["process", "copies"] == PARAMETERS * 2


def test_ppo_samples_with_a_cache_and_a_folded_copy() -> None:
    found = sizes_of(predicted("ppo", reward="adapter"), "rollout")
    assert (
        found["policy", "cache"] == 4 * (6 + 5) * 2 * 2 * 4 * 4
    )  # responses, tokens, layers, K and V, width, bytes
    assert (
        found["policy", "copies"] == sizes.folded_bytes(SMALL, "all-linear", 4) + ADAPTER * 4
    )  # and the best so far
    assert found["policy", "logits"] == 3 * 4 * 100 * 4
    assert found["reward", "adapters"] == ADAPTER * 4
    apart = sizes_of(predicted("ppo", rollout=replace(ROLLOUT, merged=False), held_out=False), "rollout")
    assert ("policy", "copies") not in apart


def test_a_critic_with_an_adapter_is_trained_beside_the_policy() -> None:
    trunk, own = (sizes_of(predicted("ppo", critic=critic), "training") for critic in ("trunk", "adapter"))
    assert not any(role == "critic" for role, _ in trunk)
    assert {kind: own["critic", kind] for kind in ("adapters", "optimiser", "gradients")} == {
        "adapters": ADAPTER * 4,
        "optimiser": ADAPTER * 8,
        "gradients": ADAPTER * 4,
    }


def test_ppo_of_all_weights_keeps_a_reference_and_the_best_policy() -> None:
    found = sizes_of(predicted("ppo", method="full", reward="model"), "training")
    assert {role: found[role, "weights"] for role in ("policy", "reference", "reward")} == {
        "policy": PARAMETERS * 4,
        "reference": PARAMETERS * 4,
        "reward": PARAMETERS * 4,
    }
    assert found["policy", "copies"] == PARAMETERS * 4


def test_roles_with_weights_of_their_own_need_them_four_times() -> None:
    shared, separate = (predicted("ppo", copies=copies) for copies in ("shared", "separate"))
    weights = {
        name: found.phase("training").by_kind()["weights"] for name, found in (("1", shared), ("4", separate))
    }
    assert weights == {"1": PARAMETERS * 4, "4": 4 * PARAMETERS * 4}
    assert set(separate.phase("training").by_role()) == {"process", "policy", "reference", "reward", "critic"}
    outside = predicted("ppo", copies="separate", reward="outside")
    assert outside.phase("training").by_kind()["weights"] == 3 * PARAMETERS * 4


def test_four_bits_are_said_not_to_be_offered() -> None:
    found = predicted(quantised=True)
    assert found.phase("load").by_kind()["weights"] == sizes.weight_bytes(
        SMALL, torch.float32, quantised=True
    )
    assert found.notes == (
        "4-bit base weights are predicted for comparison; Heedful does not load them yet.",
    )
    assert predicted().notes == ()
    with pytest.raises(ValueError, match="4 bits"):
        predicted(quantised=True, method="full")


def test_ppo_without_a_rollout_cannot_be_predicted() -> None:
    with pytest.raises(ValueError, match="rollout"):
        Workload(SMALL, stage="ppo", **WORK)


def test_a_gpu_has_no_data_and_no_allocator_of_the_c_library() -> None:
    found = predicted(device="cuda", data_tokens=1000).phase("training").by_kind()
    assert "data" not in found
    assert "allocator" not in found


def test_a_merged_model_is_written_from_products_in_fp32() -> None:
    found = sizes_of(predicted(merged=True, compute=torch.bfloat16), "saving")
    assert found["process", "copies"] == 2 * (80 + 40 + 40 + 80 + 900) * (4 + 2)


def test_in_words_and_as_plain_values() -> None:
    found = predicted(libraries=2_000_000_000)
    assert str(found) == "about 2.0 GB: libraries 2.0, while training"
    assert found.by_phase() == "load 2.0, training 2.0, update 2.0, evaluation 2.0, saving 2.0 GB"
    value = found.to_json()
    assert (value["peak_bytes"], value["peak_phase"]) == (found.total, "training")
    assert value["phases"]["load"] == {  # type: ignore[index]
        "process": {"libraries": 2_000_000_000},
        "shared": {"weights": PARAMETERS * 4},
    }
