"""What is to be done with a model of which shape, and what follows for its roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from heedful.models.shape import Shape, Targets
from heedful.training.memory import sizes
from heedful.training.memory.prediction import Part, Role

Stage = Literal["sft", "dpo", "reward", "ppo"]
Method = Literal["lora", "full"]
Copies = Literal["shared", "separate"]
CriticKind = Literal["trunk", "adapter"]
RewardKind = Literal["adapter", "model", "outside"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """How answers are sampled at one time.

    Attributes:
        responses: sampled together.
        prompt: tokens of the longest prompt.
        new: tokens of the longest response.
        merged: the adapter is folded into a copy of the weights meanwhile.
    """

    responses: int
    prompt: int
    new: int
    merged: bool = True


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run does, as far as its memory depends on it.

    Attributes:
        shape: of the model.
        stage: of the run.
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

    shape: Shape
    stage: Stage
    tokens: int
    targets: int
    passes: int = 2
    method: Method = "lora"
    copies: Copies = "shared"
    quantised: bool = False
    compute: torch.dtype = torch.float32
    device: str = "cpu"
    rank: int = 16
    adapted: Targets = "all-linear"
    dropout: bool = False
    recomputed: bool = False
    critic: CriticKind = "trunk"
    reward: RewardKind = "adapter"
    rollout: Rollout | None = None
    data_tokens: int = 0
    held_out: bool = True
    merged: bool = False
    libraries: int | None = None

    def __post_init__(self) -> None:
        if self.stage == "ppo" and self.rollout is None:
            raise ValueError("a prediction for PPO needs to know its rollout")
        if self.quantised and self.method == "full":
            raise ValueError("weights in 4 bits cannot all be trained")

    @property
    def full(self) -> bool:
        return self.method == "full"

    @property
    def on_cpu(self) -> bool:
        return self.device == "cpu"

    @property
    def number(self) -> int:
        """Bytes of a number of the type that products run in."""
        return self.compute.itemsize

    @property
    def trained_type(self) -> torch.dtype:
        """What the weights of a role that is trained are kept in."""
        return torch.float32 if self.full else self.compute

    @property
    def trained(self) -> list[Role]:
        """The roles that learn, the one whose loss is told first."""
        if self.stage == "reward":
            return ["reward"]
        return ["policy", "critic"] if self.stage == "ppo" else ["policy"]

    @property
    def learners(self) -> list[Role]:
        """The roles with trained parameters of their own, as a critic on the policy's trunk has not."""
        on_trunk = self.copies == "shared" and (self.full or self.critic == "trunk")
        return self.trained[:1] if on_trunk else self.trained

    @property
    def trainable(self) -> int:
        """Trained parameters of one role."""
        return self.shape.parameters if self.full else self.shape.adapter_parameters(self.rank, self.adapted)

    def weights(self) -> Iterator[Part]:
        """The weights before anything is put on them."""
        if self.copies == "separate":
            for role in self._apart:
                yield Part(
                    role, "weights", self._of(self.trained_type if role in self.trained else self.compute)
                )
            return
        yield Part(self.trained[0] if self.full else "shared", "weights", self._of(self.trained_type))
        if self.stage == "ppo" and self.reward == "model":
            yield Part("reward", "weights", self._of(self.compute))

    @property
    def _apart(self) -> list[Role]:
        """Who has weights, where each role has its own."""
        if self.stage != "ppo":
            return [*self.trained, "reference"] if self.stage == "dpo" else self.trained
        own: list[Role] = ["policy", "reference", "critic"]
        return own if self.reward == "outside" else [*own, "reward"]

    def _of(self, kept: torch.dtype) -> int:
        return sizes.weight_bytes(self.shape, kept, quantised=self.quantised)

    def standing(self) -> Iterator[Part]:
        """What is there all the time once a step has been taken."""
        yield from self.weights()
        shared = self.copies == "shared"
        if self.full and self.stage == "ppo" and shared:
            yield Part("reference", "weights", self._of(self.trained_type))
        for role in self.learners:
            if not self.full:
                yield Part(role, "adapters", self.trainable * sizes.FP32_BYTES)
            yield Part(role, "optimiser", self.trainable * sizes.ADAM_BYTES)
        if self.stage == "ppo" and self.reward == "adapter" and shared:
            rank_for_rank = self.shape.adapter_parameters(self.rank, self.adapted)
            yield Part("reward", "adapters", rank_for_rank * sizes.FP32_BYTES)
        if self.stage == "ppo" and self.held_out and self.on_cpu:
            yield Part("policy", "copies", self.trainable * sizes.FP32_BYTES)
