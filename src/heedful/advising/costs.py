"""What each road would take on this machine, in memory and in time."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from heedful import machine
from heedful.advise.facts import Lengths, RoadCost, RoadName
from heedful.advise.recipe_text import max_length, new_tokens
from heedful.models import shape
from heedful.models.backbone import Backbone
from heedful.models.scoring import row_budget
from heedful.recipe import RolloutSettings
from heedful.training.memory import Rollout, Stage, predict

_STAGES: dict[RoadName, tuple[Stage, ...]] = {
    "sft": ("sft",),
    "dpo": ("dpo",),
    "ppo": ("reward", "ppo"),
    "dpo+ppo": ("dpo", "reward", "ppo"),
}
# Responses in one row of each stage.
_RESPONSES: dict[Stage, int] = {"sft": 1, "dpo": 2, "reward": 2, "ppo": 1}


def costs(
    backbone: Backbone,
    lengths: Lengths | None,
    roads: Sequence[RoadName],
    *,
    has_reward: bool,
) -> tuple[tuple[RoadCost, ...], bool]:
    """Of each road, and whether it is with gradient checkpointing: where it fits no other way.

    Args:
        has_reward: PPO's reward is something outside, so that none is trained.
    """
    room = room_of(backbone.device)
    if room is None or not roads:
        return (), False
    plain = _of(backbone, lengths, roads, room, has_reward, recomputed=False)
    if all(one.fits for one in plain):
        return plain, False
    less = _of(backbone, lengths, roads, room, has_reward, recomputed=True)
    helps = any(one.fits and not other.fits for one, other in zip(less, plain, strict=True))
    return (less, True) if helps else (plain, False)


def room_of(device: torch.device) -> int | None:
    """Bytes of memory of the device; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return machine.memory_bytes()


def _of(
    backbone: Backbone,
    lengths: Lengths | None,
    roads: Sequence[RoadName],
    room: int,
    has_reward: bool,
    *,
    recomputed: bool,
) -> tuple[RoadCost, ...]:
    found: dict[Stage, int] = {}
    for stage in {stage for road in roads for stage in _STAGES[road]}:
        found[stage] = memory(backbone, lengths, stage, has_reward=has_reward, recomputed=recomputed)
    return tuple(
        RoadCost(
            road,
            max(found[stage] for stage in _STAGES[road] if not (has_reward and stage == "reward")),
            None,
            room,
        )
        for road in roads
    )


def memory(
    backbone: Backbone, lengths: Lengths | None, stage: Stage, *, has_reward: bool, recomputed: bool
) -> int:
    """Bytes at the peak of one stage, over a LoRA adapter."""
    new = new_tokens(lengths)
    longest = max_length(lengths, new)
    row = longest if lengths is None else lengths.prompt[1.0] + _RESPONSES[stage] * lengths.response[1.0]
    row = min(row, longest * _RESPONSES[stage])
    tokens = max(row, row_budget(None, backbone.device))
    prompt = longest - new if lengths is None else lengths.prompt[0.99]
    rollout = Rollout(RolloutSettings().at_once, prompt, new) if stage == "ppo" else None
    return predict(
        shape.of_model(backbone.model, backbone.name),
        stage=stage,
        tokens=tokens,
        targets=tokens,
        compute=backbone.compute_dtype,
        device=backbone.device.type,
        recomputed=recomputed,
        reward="outside" if has_reward else "adapter",
        rollout=rollout,
    ).total
