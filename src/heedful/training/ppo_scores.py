"""From the reward's scores to what PPO learns from: centred, scaled, an answer without an end, clipped."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from heedful.recipe import PPOObjective


class Shaping:
    """Shapes iterations' scores, in the order they come in.

    Attributes:
        center: what is subtracted; known once the first iteration's scores are.
    """

    def __init__(self, objective: PPOObjective) -> None:
        self.objective = objective
        self.center: float | None = None
        # Of all scores so far: how many, their mean, and the sum of their squared distances from it.
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def __call__(self, scores: Tensor, ended: Tensor) -> tuple[Tensor, dict[str, float]]:
        """What is learned from answers' scores, `[responses]`, given which of them `ended`; and metrics."""
        objective, metrics, spread = self.objective, {}, 1.0
        if self.center is None:
            self.center = float(scores.mean()) if objective.center else 0.0
        if objective.scale:
            self._count_in(scores)
            metrics["reward/scale"] = spread = self._spread()
        shaped, clipped = self._bounded((scores - self.center) / spread, ended)
        return shaped, {**metrics, "reward/clipped": clipped, "reward/shaped": float(shaped.mean())}

    def of_held_out(self, scores: Tensor, ended: Tensor) -> float:
        """Answers' mean score in the reward's own unit, with a missing end and clipping as in training."""
        center = self.center
        if center is None:
            center = float(scores.mean()) if self.objective.center else 0.0
        spread = self._spread() if self.objective.scale else 1.0
        shaped, _ = self._bounded((scores - center) / spread, ended)
        return float(shaped.mean()) * spread + center

    def _bounded(self, shaped: Tensor, ended: Tensor) -> tuple[Tensor, float]:
        """An answer without an end gets its own score, and none is too far from 0; the share that was."""
        objective, clipped = self.objective, 0.0
        if objective.missing_end is not None:
            shaped = torch.where(ended, shaped, torch.full_like(shaped, objective.missing_end))
        if objective.score_clip is not None:
            most = objective.score_clip
            clipped = float((shaped.abs() > most).float().mean())
            shaped = shaped.clamp(-most, most)
        return shaped, clipped

    def _spread(self) -> float:
        """The standard deviation of all scores so far; 1 where none differs."""
        return math.sqrt(self._squares / max(self._count, 1)) or 1.0

    def _count_in(self, scores: Tensor) -> None:
        values, count = scores.double(), len(scores)
        mean = float(values.mean())
        squares = float((values - mean).square().sum())
        # Chan et al. 1979: two parts' moments put together without a look at what they were made of.
        apart, total = mean - self._mean, self._count + count
        self._squares += squares + apart**2 * self._count * count / total
        self._mean += apart * count / total
        self._count = total

    def state(self) -> dict[str, Any]:
        return {"center": self.center, "moments": [self._count, self._mean, self._squares]}

    def load_state(self, state: dict[str, Any]) -> None:
        self.center = state["center"]
        self._count, self._mean, self._squares = state["moments"]
