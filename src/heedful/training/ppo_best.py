"""The best policy of a PPO run so far: the most reward on held-out prompts, at a KL that is not too high."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from heedful.training import checkpoint
from heedful.training.loop import OWN


class BestPolicy:
    """Remembers one policy.

    Args:
        max_kl: a policy further from the reference than this, in nats per response, is none to keep.

    Attributes:
        numbers: `step`, `reward` and `kl` of it; empty before the first.
        weights: what was trained of it, by name.
    """

    def __init__(self, max_kl: float) -> None:
        self.max_kl = max_kl
        self.numbers: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}

    def consider(self, step: int, reward: float, kl: float, parameters: Mapping[str, Tensor]) -> None:
        """Remember this policy if it is better than the one before; the critic is no part of it."""
        if kl > self.max_kl or (self.numbers and reward <= self.numbers["reward"]):
            return
        self.numbers = {"step": step, "reward": reward, "kl": kl}
        self.weights = {
            name: weight.detach().cpu().clone()
            for name, weight in parameters.items()
            if not name.startswith("heads.")
        }

    def tensors(self) -> dict[str, Tensor]:
        """Its weights as a checkpoint holds them, beside those of the policy as it is."""
        return {f"{OWN}{name}": weight for name, weight in self.weights.items()}

    def load(self, numbers: dict[str, float], saved: checkpoint.Saved) -> None:
        self.numbers = dict(numbers)
        own = {name: weight for name, weight in saved.weights.items() if name.startswith(OWN)}
        self.weights = {name.removeprefix(OWN): weight for name, weight in own.items()}
