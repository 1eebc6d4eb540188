"""From a model's shape and what is to be done with it to a prediction of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from heedful.models.shape import Shape, Targets
from heedful.training.memory import sizes
from heedful.training.memory.prediction import Part, Phase, Prediction, Role

Stage = Literal["sft", "dpo", "reward", "ppo"]
Method = Literal["lora", "full"]
Copies = Literal["shared", "separate"]
CriticKind = Literal["trunk", "adapter"]
RewardKind = Literal["adapter", "model", "outside"]

# The interpreter, torch, transformers and PEFT.
LIBRARIES_BYTES = 600_000_000
# What CUDA takes for itself on a GPU before the first tensor.
CUDA_CONTEXT_BYTES = 500_000_000
# Freed blocks that the allocator keeps, as a share of what a pass has in hand.
ALLOCATOR_SHARE = 0.4
NOT_OFFERED = "4-bit base weights are predicted for comparison; Heedful does not load them yet."


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


def predict(
    shape: Shape,
    *,
    stage: Stage,
    tokens: int,
    targets: int,
    method: Method = "lora",
    copies: Copies = "shared",
    quantised: bool = False,
    compute: torch.dtype = torch.float32,
    device: str = "cpu",
    rank: int = 16,
    adapted: Targets = "all-linear",
    recomputed: bool = False,
    critic: CriticKind = "trunk",
    reward: RewardKind = "adapter",
    rollout: Rollout | None = None,
    data_tokens: int = 0,
    merged: bool = False,
    libraries: int | None = None,
) -> Prediction:
    """What a run needs, phase by phase.

    Args:
        tokens: that the largest forward pass computes, padding included.
        targets: of them those whose log-probs are taken (response tokens).
        method: train an adapter over frozen weights, or every weight.
        copies: `shared` is how Heedful does it; `separate` gives each role weights of its own, as PPO is
            usually built.
        quantised: the base weights in 4 bits (NF4); LoRA alone.
        compute: the type of matrix products, and of frozen weights.
        device: `cpu`, or anything that torch calls a GPU.
        rank, adapted: of the LoRA adapters.
        recomputed: gradient checkpointing.
        critic: PPO's: a head on the policy's trunk, or an adapter.
        reward: what scores PPO's answers: a reward model as an adapter over the backbone, a model of the
            same shape beside it, or something outside of this process.
        rollout: how PPO samples; needed for it.
        data_tokens: of all rows that are in memory.
        merged: the whole model is written at the end, and not only the adapter.
        libraries: bytes of the process before a model is loaded; a measured constant where absent.

    Raises:
        ValueError: PPO without a rollout, or every weight of a quantised model to be trained.
    """
    if stage == "ppo" and rollout is None:
        raise ValueError("a prediction for PPO needs to know its rollout")
    if quantised and method == "full":
        raise ValueError("weights in 4 bits cannot all be trained")
    work = _Work(
        shape,
        stage,
        method == "full",
        copies == "separate",
        quantised,
        compute,
        device == "cpu",
        rank,
        adapted,
    )
    work.tokens, work.targets, work.recomputed = tokens, targets, recomputed
    work.critic, work.reward, work.rollout = critic, reward, rollout
    work.data_tokens, work.merged, work.libraries = data_tokens, merged or work.full, libraries
    return Prediction(tuple(work.phases()), (NOT_OFFERED,) if quantised else ())


@dataclass
class _Work:
    """The arguments of `predict`, and the parts that follow from them."""

    shape: Shape
    stage: Stage
    full: bool
    separate: bool
    quantised: bool
    compute: torch.dtype
    on_cpu: bool
    rank: int
    adapted: Targets
    tokens: int = 0
    targets: int = 0
    recomputed: bool = False
    critic: CriticKind = "trunk"
    reward: RewardKind = "adapter"
    rollout: Rollout | None = None
    data_tokens: int = 0
    merged: bool = False
    libraries: int | None = None

    def phases(self) -> Iterator[Phase]:
        yield self._phase("load", self._frozen())
        if self.stage == "dpo":
            yield self._phase("reference", self._frozen(), self._passing("reference"))
        if self.stage == "ppo":
            yield self._phase("rollout", self._standing(), self._sampling())
            yield self._phase("scoring", self._standing(), self._passing("policy"))
        yield self._phase("training", self._standing(), self._learning())
        yield self._phase("saving", self._standing(), self._writing())

    def _phase(self, name: str, *groups: Iterator[Part]) -> Phase:
        parts = [*self._process(), *(part for group in groups for part in group)]
        passing = sum(part.bytes for part in parts if part.kind == "activations")
        if self.on_cpu and passing:
            parts.append(Part("process", "allocator", int(ALLOCATOR_SHARE * passing)))
        return Phase(name, tuple(part for part in parts if part.bytes))

    def _process(self) -> Iterator[Part]:
        own = LIBRARIES_BYTES if self.on_cpu else CUDA_CONTEXT_BYTES
        yield Part("process", "libraries", own if self.libraries is None else self.libraries)
        if self.on_cpu:
            yield Part("process", "data", self.data_tokens * sizes.DATA_BYTES_PER_TOKEN)

    @property
    def _number(self) -> int:
        return self.compute.itemsize

    @property
    def _kept(self) -> torch.dtype:
        """The type of the weights of what is trained."""
        return torch.float32 if self.full else self.compute

    @property
    def _roles(self) -> list[Role]:
        """Who has weights, where each role has its own; the one that is trained first."""
        if self.stage != "ppo":
            return [*self._trained, "reference"] if self.stage == "dpo" else self._trained
        own: list[Role] = ["policy", "reference", "critic"]
        return own if self.reward == "outside" else [*own, "reward"]

    def _frozen(self) -> Iterator[Part]:
        """Weights before anything is put on them."""
        if self.separate:
            for role in self._roles:
                yield Part(role, "weights", self._weights(trained=role in self._trained))
            return
        yield Part(self._owner, "weights", self._weights(trained=self.full))
        if self.stage == "ppo" and self.reward == "model":
            yield Part("reward", "weights", self._weights(trained=False))

    @property
    def _owner(self) -> Role:
        """Whose the weights are: all roles' under LoRA, else of the one that is trained."""
        return self._trained[0] if self.full else "shared"

    @property
    def _trained(self) -> list[Role]:
        if self.stage == "reward":
            return ["reward"]
        return ["policy", "critic"] if self.stage == "ppo" else ["policy"]

    def _weights(self, *, trained: bool) -> int:
        kept = self._kept if trained else self.compute
        return sizes.weight_bytes(self.shape, kept, quantised=self.quantised)

    def _standing(self) -> Iterator[Part]:
        """What is there all the time once training has begun."""
        yield from self._frozen()
        if self.full and self.stage == "ppo" and not self.separate:
            yield Part("reference", "weights", self._weights(trained=True))
        for role in self._learners:
            trainable = self.shape.parameters if self.full else self._adapter
            if not self.full:
                yield Part(role, "adapters", trainable * sizes.FP32_BYTES)
            yield Part(role, "optimiser", trainable * sizes.ADAM_BYTES)
        if self.stage == "ppo" and self.reward == "adapter" and not self.separate:
            yield Part("reward", "adapters", self._adapter * sizes.FP32_BYTES)

    @property
    def _learners(self) -> list[Role]:
        """Roles with trained parameters of their own."""
        if self.stage == "ppo" and not self.separate and (self.full or self.critic == "trunk"):
            return ["policy"]
        return self._trained

    @property
    def _adapter(self) -> int:
        return self.shape.adapter_parameters(self.rank, self.adapted)

    def _learning(self) -> Iterator[Part]:
        """What a training step needs beside what is always there."""
        for role in self._learners:
            trainable = self.shape.parameters if self.full else self._adapter
            yield Part(role, "gradients", trainable * sizes.FP32_BYTES)
        role = self._trained[0]
        kept = sizes.activation_bytes(
            self.shape, self.tokens, self._number, full=self.full, recomputed=self.recomputed
        )
        yield Part(role, "activations", kept)
        if self.stage != "reward":
            head = sizes.head_bytes(self.shape, self.targets, self._number, full=self.full)
            yield Part(role, "logits", head)
        if self.full and self._number < sizes.FP32_BYTES:
            yield Part(role, "copies", self.shape.parameters * self._number)

    def _passing(self, role: Role) -> Iterator[Part]:
        """A forward pass without gradients."""
        yield Part(role, "activations", sizes.passing_bytes(self.shape, self.tokens, self._number))
        yield Part(
            role, "logits", sizes.head_bytes(self.shape, self.targets, self._number, full=False, learns=False)
        )

    def _sampling(self) -> Iterator[Part]:
        assert self.rollout is not None
        rollout, shape, number = self.rollout, self.shape, self._number
        length = rollout.prompt + rollout.new
        yield Part("policy", "cache", sizes.cache_bytes(shape, rollout.responses, length, number))
        yield Part(
            "policy",
            "activations",
            sizes.passing_bytes(shape, rollout.responses * rollout.prompt, number),
        )
        yield Part("policy", "logits", 3 * rollout.responses * shape.vocabulary * sizes.FP32_BYTES)
        if rollout.merged and not self.full:
            folded = sum(a * b for a, b in shape.adapted(self.adapted).values())
            yield Part("policy", "copies", folded * number)

    def _writing(self) -> Iterator[Part]:
        if self.merged and not self.full:
            folded = sum(a * b for a, b in self.shape.adapted(self.adapted).values())
            yield Part("process", "copies", folded * (sizes.FP32_BYTES + self._number))
