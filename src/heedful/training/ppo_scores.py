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
        objective = self.objective
        if self.center is None:
            self.center = float(scores.mean()) if objective.center else 0.0
        shaped, metrics = scores - self.center, {}
        if objective.scale:
            spread = self._spread(scores)
            shaped, metrics["reward/scale"] = shaped / spread, spread
        if objective.missing_end is not None:
            shaped = torch.where(ended, shaped, torch.full_like(shaped, objective.missing_end))
        metrics["reward/clipped"] = 0.0
        if objective.score_clip is not None:
            most = objective.score_clip
            metrics["reward/clipped"] = float((shaped.abs() > most).float().mean())
            shaped = shaped.clamp(-most, most)
        return shaped, {**metrics, "reward/shaped": float(shaped.mean())}

    def _spread(self, scores: Tensor) -> float:
        """The standard deviation of all scores so far, these among them; 1 where none differs."""
        values, count = scores.double(), len(scores)
        mean = float(values.mean())
        squares = float((values - mean).square().sum())
        # Chan et al. 1979: two parts' moments put together without a look at what they were made of.
        apart, total = mean - self._mean, self._count + count
        self._squares += squares + apart**2 * self._count * count / total
        self._mean += apart * count / total
        self._count = total
        return math.sqrt(self._squares / total) or 1.0

    def state(self) -> dict[str, Any]:
        return {"center": self.center, "moments": [self._count, self._mean, self._squares]}

    def load_state(self, state: dict[str, Any]) -> None:
        self.center = state["center"]
        self._count, self._mean, self._squares = state["moments"]
