"""What a backbone can be asked: log-probs of responses, scores of responses, values of their tokens.

A role takes a pack of rows and knows which adapter and which head answer for it; the weights are the
backbone's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from heedful.models.forward import hidden_states
from heedful.models.logprobs import Head, token_logprobs
from heedful.models.probe import Compatibility
from heedful.render.packing import Packed


class Weights(Protocol):
    """What a role needs of the backbone whose weights it computes with; see `Backbone`."""

    model: PreTrainedModel
    heads: dict[str, ScalarHead]
    compute_dtype: torch.dtype

    @property
    def device(self) -> torch.device: ...

    @property
    def pad_id(self) -> int: ...

    @property
    def compatibility(self) -> Compatibility: ...

    def active(self, name: str) -> AbstractContextManager[PreTrainedModel]: ...

    def head(self, model: PreTrainedModel) -> Head: ...


class ScalarHead(nn.Module):
    """`w · h − offset` in fp32: what turns a hidden state into a score or a value.

    Attributes:
        weight: `[1, hidden]`.
        offset: a constant, in the score's unit: the mean score of reference responses.
        spread: their standard deviation; subtracts and divides nothing, and is there to be read.
    """

    offset: Tensor
    spread: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, hidden))
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def randomize(self, seed: int) -> None:
        """`N(0, 1 / √(hidden + 1))`, as Stiennon et al. 2020 start a reward model."""
        generator = torch.Generator().manual_seed(seed)
        scale = (self.weight.shape[1] + 1) ** -0.5
        with torch.no_grad():
            self.weight.copy_(torch.randn(self.weight.shape, generator=generator) * scale)

    def forward(self, hidden: Tensor) -> Tensor:
        """`[..., hidden]` to `[...]`."""
        return nn.functional.linear(hidden.float(), self.weight)[..., 0] - self.offset


class Role(nn.Module):
    """A backbone in one role.

    Attributes:
        force_padded: compute each response in a padded row of its own.
    """

    def __init__(self, backbone: Weights, name: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.name = name
        # Registered so that Accelerate finds the parameters; calls go through the backbone.
        self.model = backbone.model
        self.force_padded = False

    def hidden(self, model: PreTrainedModel, packed: Packed, *, ends: bool = False) -> Tensor:
        """`[targets, hidden]`, or with `ends` `[sequences, hidden]`: see `hidden_states`."""
        backbone = self.backbone
        return hidden_states(
            model,
            packed,
            padded=self.force_padded or not backbone.compatibility.packs,
            pad_id=backbone.pad_id,
            compute_dtype=backbone.compute_dtype,
            ends=ends,
        )


class LanguageModel(Role):
    """The log-probs of response tokens; `temperature` divides the logits."""

    def __init__(self, backbone: Weights, name: str) -> None:
        super().__init__(backbone, name)
        self.temperature = 1.0

    def forward(self, packed: Packed) -> Tensor:
        """Log-probs of the pack's targets: `[targets]`, nats, fp32."""
        with self.backbone.active(self.name) as model:
            hidden = self.hidden(model, packed)
            head = self.backbone.head(model)
        return token_logprobs(hidden, packed.target_ids, head, temperature=self.temperature)


class RewardModel(Role):
    """One score per response, read at its last token."""

    def __init__(self, backbone: Weights, name: str) -> None:
        super().__init__(backbone, name)
        self.head = backbone.heads[name]

    def forward(self, packed: Packed) -> Tensor:
        """`[sequences]`, fp32."""
        with self.backbone.active(self.name) as model:
            scores: Tensor = self.head(self.hidden(model, packed, ends=True))
        return scores


class Critic(Role):
    """What reward is still to come, before each response token."""

    def __init__(self, backbone: Weights, name: str) -> None:
        super().__init__(backbone, name)
        self.head = backbone.heads[name]

    def forward(self, packed: Packed) -> Tensor:
        """`[targets]`, fp32, in the reward's unit."""
        with self.backbone.active(self.name) as model:
            values: Tensor = self.head(self.hidden(model, packed))
        return values


class ActorCritic:
    """The two roles that PPO trains, and how their losses flow back.

    Args:
        trunk: the critic is a head on the policy's hidden states, and both losses share one pass. Else each
            has a pass of its own, and the first one's activations are gone when the second one starts.
        temperature: of the policy.
    """

    def __init__(self, backbone: Weights, *, trunk: bool, temperature: float = 1.0) -> None:
        self.backbone = backbone
        self.trunk = trunk
        self.policy = LanguageModel(backbone, "policy")
        self.policy.temperature = temperature
        self.critic = Critic(backbone, "critic")

    def force_padded(self, on: bool) -> None:
        """Whether each response is computed in a padded row of its own."""
        self.policy.force_padded = self.critic.force_padded = on

    def judge(self, packed: Packed) -> Tensor:
        """Log-probs (nats) and values beside each other, `[targets, 2]`, from as few passes as it takes."""
        if not self.trunk:
            return torch.stack([self.policy(packed), self.critic(packed)], dim=1)
        return torch.stack(self._together(packed), dim=1)

    def _together(self, packed: Packed) -> tuple[Tensor, Tensor]:
        """Log-probs and values from one pass of the policy's trunk."""
        with self.backbone.active("policy") as model:
            hidden = self.policy.hidden(model, packed)
            head = self.backbone.head(model)
        logps = token_logprobs(hidden, packed.target_ids, head, temperature=self.policy.temperature)
        return logps, self.critic.head(hidden)

    def backward(
        self,
        packed: Packed,
        policy_loss: Callable[[Tensor], Tensor],
        critic_loss: Callable[[Tensor], Tensor],
    ) -> None:
        """Add both losses' gradients: `policy_loss` of log-probs `[targets]`, `critic_loss` of values."""
        if not self.trunk:
            policy_loss(self.policy(packed)).backward()
            critic_loss(self.critic(packed)).backward()
            return
        logps, values = self._together(packed)
        (policy_loss(logps) + critic_loss(values)).backward()


ROLES: dict[str, type[Role]] = {
    "reference": LanguageModel,
    "policy": LanguageModel,
    "reward": RewardModel,
    "critic": Critic,
}
