"""From a model's shape and what is to be done with it to a prediction of memory."""

from __future__ import annotations

import torch

from heedful.models.shape import Shape, Targets
from heedful.training.memory.asked import Asked, Copies, CriticKind, Method, RewardKind, Rollout, Stage
from heedful.training.memory.phases import phases
from heedful.training.memory.prediction import Prediction

NOT_OFFERED = "4-bit base weights are predicted for comparison; Heedful does not load them yet."


def predict(
    shape: Shape,
    *,
    stage: Stage,
    tokens: int,
    targets: int,
    passes: int = 2,
    method: Method = "lora",
    copies: Copies = "shared",
    quantised: bool = False,
    compute: torch.dtype = torch.float32,
    device: str = "cpu",
    rank: int = 16,
    adapted: Targets = "all-linear",
    dropout: bool = False,
    recomputed: bool = False,
    critic: CriticKind = "trunk",
    reward: RewardKind = "adapter",
    rollout: Rollout | None = None,
    data_tokens: int = 0,
    held_out: bool = True,
    merged: bool = False,
    libraries: int | None = None,
) -> Prediction:
    """What a run needs, phase by phase.

    Args:
        tokens: that the largest forward pass computes, padding included.
        targets: of them those whose log-probs are taken (response tokens).
        passes: forward passes of one optimiser step; from the second on there are gradients beside it.
        method: train an adapter over frozen weights, or every weight.
        copies: `shared` is how Heedful does it; `separate` gives each role weights of its own, as PPO is
            usually built.
        quantised: the base weights in 4 bits (NF4); LoRA alone.
        compute: the type of matrix products, and of frozen weights.
        device: `cpu`, or anything that torch calls a GPU.
        rank, adapted, dropout: of the LoRA adapters: their width, the layers that have one, and whether they
            drop anything out.
        recomputed: gradient checkpointing.
        critic: PPO's: a head on the policy's trunk, or an adapter.
        reward: what scores PPO's answers: a reward model as an adapter over the backbone, a model of the
            same shape beside it, or something outside of this process.
        rollout: how PPO samples; needed for it.
        data_tokens: of all rows that are in memory.
        held_out: there are rows to judge by.
        merged: the whole model is written at the end of LoRA, and not only the adapter.
        libraries: bytes of the process before a model is loaded; a measured constant where absent.

    Raises:
        ValueError: PPO without a rollout, or every weight of a quantised model to be trained.
    """
    if stage == "ppo" and rollout is None:
        raise ValueError("a prediction for PPO needs to know its rollout")
    if quantised and method == "full":
        raise ValueError("weights in 4 bits cannot all be trained")
    asked = Asked(
        shape=shape,
        stage=stage,
        tokens=tokens,
        targets=targets,
        passes=passes,
        method=method,
        copies=copies,
        quantised=quantised,
        compute=compute,
        device=device,
        rank=rank,
        adapted=adapted,
        dropout=dropout and method == "lora",
        recomputed=recomputed,
        critic=critic,
        reward=reward,
        rollout=rollout,
        data_tokens=data_tokens,
        held_out=held_out,
        merged=merged,
        libraries=libraries,
    )
    return Prediction(tuple(phases(asked)), (NOT_OFFERED,) if quantised else ())
