"""What a prediction is asked for: a model's shape, what is done with it, and what follows for its roles."""

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
class Asked:
    """The arguments of `predict`, which explains them."""

    shape: Shape
    stage: Stage
    tokens: int
    targets: int
    passes: int
    method: Method
    copies: Copies
    quantised: bool
    compute: torch.dtype
    device: str
    rank: int
    adapted: Targets
    dropout: bool
    recomputed: bool
    critic: CriticKind
    reward: RewardKind
    rollout: Rollout | None
    data_tokens: int
    held_out: bool
    merged: bool
    libraries: int | None

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
