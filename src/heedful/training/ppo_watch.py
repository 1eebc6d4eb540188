"""What only PPO can run into: a policy that runs away, collapses or cheats, and a critic that diverges.

Decides on the numbers of an iteration and says what it saw in words that a person can act on.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Any

from heedful.recipe import PPOGuardSettings

# The critic's loss is judged against the median of this many good iterations, once there are a few.
_WINDOW, _ENOUGH = 20, 5


class Watch:
    """Judges iterations; bad ones in a row, up to the patience, are let pass."""

    def __init__(self, settings: PPOGuardSettings) -> None:
        self.settings = settings
        self._entropy: float | None = None
        self._losses: deque[float] = deque(maxlen=_WINDOW)
        self._bad_in_a_row = 0

    def judge(self, numbers: dict[str, float]) -> str:
        """Why the run must not go on from here; empty where it may."""
        reason = self._seen(numbers)
        if not reason:
            self._bad_in_a_row = 0
            self._losses.append(numbers["value/loss"])
            return ""
        self._bad_in_a_row += 1
        if self._bad_in_a_row < self.settings.bad_iterations:
            return ""
        self._bad_in_a_row = 0
        return reason

    @property
    def calm(self) -> bool:
        """Whether the last iteration was good."""
        return self._bad_in_a_row == 0

    def _seen(self, numbers: dict[str, float]) -> str:
        if self._entropy is None:
            self._entropy = numbers["entropy"]
        if numbers["kl"] > self.settings.max_kl:
            return (
                f"the policy has run away from the reference: a response's KL is {numbers['kl']:.1f} nats "
                f"(watch.max_kl {self.settings.max_kl:g})"
            )
        least = self.settings.min_entropy * self._entropy
        if numbers["entropy"] < least:
            return (
                f"the policy has collapsed: its entropy is {numbers['entropy']:.2f} nats per token, and was "
                f"{self._entropy:.2f} at first"
            )
        if len(self._losses) >= _ENOUGH:
            usual = max(median(self._losses), 1e-4)
            if numbers["value/loss"] > self.settings.max_value_ratio * usual:
                times = numbers["value/loss"] / usual
                loss = numbers["value/loss"]
                return f"the critic diverges: its loss is {loss:.3g}, {times:.0f} times the usual"
        return ""

    def state(self) -> dict[str, Any]:
        return {
            "entropy": self._entropy,
            "losses": list(self._losses),
            "bad_in_a_row": self._bad_in_a_row,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._entropy = state["entropy"]
        self._losses = deque(state["losses"], maxlen=_WINDOW)
        self._bad_in_a_row = state["bad_in_a_row"]
