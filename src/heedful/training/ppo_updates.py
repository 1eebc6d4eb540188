"""The updates of one PPO iteration: a few clipped optimiser steps over its responses.

Knows the rollout, the two roles that learn from it and the guard; how the rollout came about, checkpoints and
the log are the loop's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from heedful.errors import TrainingStopped
from heedful.models.roles import ActorCritic
from heedful.models.scoring import row_budget
from heedful.objectives.ppo import surrogate, value_loss
from heedful.recipe import PPORecipe
from heedful.render.packing import pack
from heedful.training.averages import Sums
from heedful.training.guard import Decision, Guard
from heedful.training.rollout import Rollout

# Before any update the policy that is trained is the one that sampled. What may differ is rounding.
_SAME_KL = {torch.float32: 1e-6, torch.float64: 1e-6}
_SAME_KL_HALF = 1e-2


class Undone(Exception):
    """The updates of an iteration went so wrong that it has to be undone."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


class Updates:
    """Makes the updates of one iteration after the other.

    Args:
        parameters: what the optimiser moves, by name.
        where: the run's folder, for a message.

    Attributes:
        skips: why updates of the last iteration were skipped.
    """

    def __init__(
        self,
        recipe: PPORecipe,
        learner: ActorCritic,
        parameters: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        guard: Guard,
        *,
        where: str,
    ) -> None:
        self.objective, self.settings = recipe.objective, recipe.training
        self.learner, self.backbone, self.parameters = learner, learner.backbone, parameters
        self.optimizer, self.guard, self.where = optimizer, guard, where
        self.skips: list[str] = []

    def __call__(self, rollout: Rollout, gains: Tensor, returns: Tensor, *, step: int) -> dict[str, float]:
        """Updates over the rollout of iteration `step`, until done or until the policy has moved far enough.

        Args:
            gains: advantages, `[tokens]`.
            returns: what the critic is to learn, `[tokens]`.

        Returns:
            The means of the updates' numbers.

        Raises:
            Undone: too many bad updates.
            TrainingStopped: before the first of them the policy is not the one that sampled.
        """
        objective = self.objective
        means: list[dict[str, float]] = []
        self.skips = []
        rows = len(rollout.rows)
        size = max(math.ceil(rows / objective.minibatches), 1)
        for epoch in range(objective.inner_epochs):
            seed = (self.settings.seed * 1_000_003 + step) * 1_009 + epoch
            order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)).tolist()
            for start in range(0, rows, size):
                decision, found = self._update(rollout, gains, returns, order[start : start + size])
                if not means and not self.skips:
                    self._require_same_policy(found)
                if decision.action == "skip":
                    self.skips.append(decision.reason)
                    continue
                if decision.action != "go":
                    raise Undone(decision)
                means.append(found)
                if self._moved_far(found):
                    return _mean(means) | {"updates": float(len(means) - 1), "stopped_early": 1.0}
        if not means:
            raise Undone(self.guard.give_way(f"{self.skips[-1]}, in every update of an iteration"))
        return _mean(means) | {"updates": float(len(means)), "stopped_early": 0.0}

    def _update(
        self, rollout: Rollout, gains: Tensor, returns: Tensor, members: Sequence[int]
    ) -> tuple[Decision, dict[str, float]]:
        """One optimiser step over these rows, every token of them weighing the same, unless it is bad or the
        policy has moved far enough.
        """
        sums = Sums()
        chosen = rollout.tokens_of(members)
        weight = 1.0 / len(chosen)
        budget = row_budget(self.settings.tokens_per_row, self.backbone.device)
        for packed in pack([rollout.rows[index] for index in members], budget):
            at = rollout.tokens_of([members[index] for index in packed.rows])
            losses = self._losses(rollout, gains, returns, at, weight, sums)
            self.learner.backward(packed.to(self.backbone.device), *losses)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.max_grad_norm))
        loss, metrics, _ = sums.average(len(chosen))
        decision = self.guard.judge(loss, norm)
        found = {"loss": loss, "grad_norm": norm, **metrics}
        if decision.action == "go" and not self._moved_far(found):
            self.optimizer.step()
        self.optimizer.zero_grad()
        return decision, found

    def _moved_far(self, found: dict[str, float]) -> bool:
        """Whether the updates before this one have taken the policy as far as one iteration may."""
        limit = self.objective.max_approx_kl
        return limit is not None and found["policy/approx_kl"] > limit

    def _losses(
        self, rollout: Rollout, gains: Tensor, returns: Tensor, at: Tensor, weight: float, sums: Sums
    ) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """The policy's and the critic's loss on the tokens `at`, as `ActorCritic.backward` takes them."""
        objective, device = self.objective, self.backbone.device

        def policy(logps: Tensor) -> Tensor:
            old, gain = rollout.logps[at].to(device), gains[at].to(device)
            losses, metrics = surrogate(logps, old, gain, clip=objective.clip)
            sums.add(losses.sum(), metrics, len(at))
            return losses.sum() * weight

        def critic(values: Tensor) -> Tensor:
            old, wanted = rollout.values[at].to(device), returns[at].to(device)
            losses, metrics = value_loss(values, old, wanted, clip=objective.value_clip)
            sums.add(torch.zeros(()), {**metrics, "value/loss": losses}, 0)
            return losses.sum() * weight * objective.value_coefficient

        return policy, critic

    def _require_same_policy(self, found: dict[str, float]) -> None:
        """Before any update the ratio is 1: else the sampler and the trainer disagree on the same tokens."""
        most = _SAME_KL.get(self.backbone.compute_dtype, _SAME_KL_HALF)
        exact = most < _SAME_KL_HALF
        if found["policy/approx_kl"] > most or (exact and found["policy/clipped"] > 0):
            raise TrainingStopped(
                f"before its first update the policy differs from the one that sampled: approximate KL "
                f"{found['policy/approx_kl']:.2g}, {found['policy/clipped']:.1%} of tokens clipped.",
                where=self.where,
                mend="This is a defect of Heedful or of the model's code; please report it.",
            )


def _mean(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(one[name] for one in found) / len(found) for name in found[0]}
